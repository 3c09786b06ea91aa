"""Loaded checkpoints with their samplers, shared by all visitors: read only and bounded."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lnf_core
from app.limits import LIMITS
from app.memory import give_back
from lnf_core import engines

_LOG = logging.getLogger("app")


@dataclass(frozen=True)
class Loaded:
    """A checkpoint, ready to be sampled from."""

    checkpoint: lnf_core.Checkpoint
    sampler: Any
    """Of the fastest engine that was ready when it was loaded."""


class LoadedModels:
    """The most recently used checkpoints.

    A loaded model is never written to: each call brings its own generator, so several threads may use one.
    """

    def __init__(self, size: int = LIMITS.models) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()

    def get(self, name: str) -> Loaded:
        """The checkpoint ``name``, loaded at most once while it stays in use.

        Raises:
            CheckpointError: it cannot be loaded; nothing is kept then, so a repaired one works at once.
        """
        with self._lock:
            if name not in self._loaded:
                checkpoint = lnf_core.load(name)
                self._loaded[name] = Loaded(checkpoint, engines.prepare(checkpoint.model))
            self._loaded.move_to_end(name)
            while len(self._loaded) > self._size:
                self._loaded.popitem(last=False)
            return self._loaded[name]

    def warm_up(self, names: Sequence[str] = ()) -> None:
        """Load ``names``, compile, and go over to the compiled engine; until then the plain one samples."""
        for name in names[: self._size]:
            try:
                self.get(name)
            except lnf_core.LNFError as error:
                _LOG.warning("%s is not loaded yet: %s", name, error)
        try:
            engines.warm_up()
        except lnf_core.EngineError as error:
            _LOG.warning("Sampling stays with the plain engine: %s", error)
            return
        with self._lock:
            for name, loaded in self._loaded.items():
                self._loaded[name] = Loaded(loaded.checkpoint, engines.prepare(loaded.checkpoint.model))
        give_back()

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._loaded)
