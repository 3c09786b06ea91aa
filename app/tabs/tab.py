"""What the page asks of each of its tabs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gradio as gr

from app.model_bar import ModelBar


class Tab(ABC):
    """Placed first, then connected; in between the page asks what a link fills."""

    name: ClassVar[str]
    """As ``tab`` in a link names it."""
    title: ClassVar[str]

    @abstractmethod
    def render(self) -> None:
        """Place what the tab holds."""

    def linked(self) -> Sequence[gr.components.Component]:
        """The fields of this tab that a link fills as soon as the page is there."""
        return ()

    def follow(self, link: Mapping[str, str]) -> Sequence[Any]:
        """What a link to this tab says of :meth:`linked`, by the names of its parameters; the rest is skipped."""
        return ()

    @abstractmethod
    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Connect what was placed; ``followed`` is the event that has filled :meth:`linked`."""
