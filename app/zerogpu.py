"""Marks handlers for Spaces with borrowed GPUs; everywhere else the mark does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])

try:
    import spaces
except ImportError:

    def gpu(handler: Handler) -> Handler:
        """Hand the handler back as it is."""
        return handler

else:

    def gpu(handler: Handler) -> Handler:
        """Run the handler with a GPU on such a Space."""
        marked: Handler = spaces.GPU(handler)
        return marked
