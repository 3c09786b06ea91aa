"""Who goes first where many ask at once: pictures, which everybody waits for, before their sound."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from app.limits import LIMITS

T = TypeVar("T")
_LOOK_AGAIN = 0.02


class Turns:
    """How much is being drawn, and whose sound is made meanwhile.

    Sound that waits holds no thread: the same threads draw.
    """

    def __init__(self, sounds: int = LIMITS.sounds_at_once, patience: float = LIMITS.sound_waits) -> None:
        self._patience = patience
        self._sounds = asyncio.Semaphore(sounds)
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
        """``make()`` in a thread, once nothing is being drawn or it has waited long enough."""
        latest = time.monotonic() + self._patience
        async with self._sounds:
            while self.busy and time.monotonic() < latest:
                await asyncio.sleep(_LOOK_AGAIN)
            return await asyncio.to_thread(make)
