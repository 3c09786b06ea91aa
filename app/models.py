"""Loaded checkpoints, shared by all visitors: read only, bounded, one at a time through the lock."""

from __future__ import annotations

import threading
from collections import OrderedDict

import lnf_core
from app.limits import LIMITS


class ModelCache:
    """The most recently used checkpoints.

    A loaded model is never written to: each call brings its own generator, so several threads may use one.
    """

    def __init__(self, size: int = LIMITS.models) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, lnf_core.Checkpoint] = OrderedDict()

    def get(self, name: str) -> lnf_core.Checkpoint:
        """The checkpoint ``name``, loaded at most once while it stays in use.

        Raises:
            CheckpointError: it cannot be loaded; nothing is kept then, so a repaired one works at once.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = lnf_core.load(name)
            self._loaded.move_to_end(name)
            while len(self._loaded) > self._size:
                self._loaded.popitem(last=False)
            return self._loaded[name]

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._loaded)
