"""What asynchronous code answers, waited for in a test that is not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run(answer: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it answers
    """In a thread of its own: in this one the loop of a browser opened by an earlier test may still be running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, answer).result()
