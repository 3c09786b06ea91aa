"""Who goes first where many ask at once: pictures, which everybody waits for, before their sound; and how many wait.

Nobody who waits holds a thread: the server has a few for everything, the files of the page among it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from anyio import CapacityLimiter

from app.limits import LIMITS
from lnf_core.errors import LNFError

T = TypeVar("T")
_LOOK_AGAIN = 0.02


class CrowdedError(LNFError):
    """As many as may wait do so already."""


class Places:
    """What a server function needs that has no queue of Gradio's before it.

    Args:
        at_once: how many run at the same time.
        waiting: how many more may wait, each until those before it are through.
    """

    def __init__(self, at_once: int = LIMITS.at_once, waiting: int = LIMITS.queue) -> None:
        self._places, self._waiting = CapacityLimiter(at_once), waiting

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Held while the block runs.

        Raises:
            CrowdedError: too many wait.
        """
        if self._places.statistics().tasks_waiting >= self._waiting:
            raise CrowdedError("Too many are waiting just now; please try again in a moment.")
        async with self._places:
            yield

    async def run(self, make: Callable[[], T]) -> T:
        """``make()`` in a thread, in its turn.

        Raises:
            CrowdedError: too many wait.
        """
        async with self.one():
            return await asyncio.to_thread(make)


class Turns:
    """How much is being drawn, and whose sound is made meanwhile."""

    def __init__(self, sounds: int = LIMITS.sounds_at_once, patience: float = LIMITS.sound_waits) -> None:
        self._patience = patience
        self._sounds = Places(sounds)
        self._lock = threading.Lock()
        self._drawing = 0

    @property
    def busy(self) -> bool:
        """Whether anything is being drawn."""
        return self._drawing > 0

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Holds back sound that has not begun while the block runs."""
        with self._lock:
            self._drawing += 1
        try:
            yield
        finally:
            with self._lock:
                self._drawing -= 1

    async def after_drawing(self, make: Callable[[], T]) -> T:
        """``make()`` in a thread, once nothing is being drawn or it has waited long enough.

        Raises:
            CrowdedError: too many wait.
        """
        latest = time.monotonic() + self._patience
        async with self._sounds.one():
            while self.busy and time.monotonic() < latest:
                await asyncio.sleep(_LOOK_AGAIN)
            return await asyncio.to_thread(make)
