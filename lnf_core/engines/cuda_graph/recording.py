"""Work on the GPU recorded as one launch, one recording at a time, and how many of them a sampler keeps."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch

from lnf_core.errors import EngineError

KEPT = 8
"""Recordings of one sampler: each holds the memory of its batch, and cuBLAS a workspace of tens of MiB for it."""

_ONE_AT_A_TIME = threading.Lock()
"""CUDA records one graph at a time in a process, whichever sampler or thread it is for."""

Key = TypeVar("Key", bound=Hashable)
Loop = TypeVar("Loop")


class Recordings(Generic[Key, Loop]):
    """What was recorded for the batch sizes that came last; not safe in threads by itself."""

    def __init__(self, make: Callable[[Key], Loop]) -> None:
        """``make`` records for a key that is not there."""
        self._make = make
        self._kept: OrderedDict[Key, Loop] = OrderedDict()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def of(self, key: Key) -> Loop:
        """What stands for ``key``, made if need be; where there are too many, that which was used longest ago goes."""
        if key not in self._kept:
            while len(self._kept) >= KEPT:  # before the new one is made: its memory may be needed
                self._kept.popitem(last=False)
            self._kept[key] = self._make(key)
        self._kept.move_to_end(key)
        return self._kept[key]


def record(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """``work`` as one launch; its tensors must stay where they are, and what it changes is changed once more or twice.

    Elsewhere than on CUDA there is nothing to record: ``work`` itself.

    Raises:
        EngineError: the GPU has no memory left for it.
    """
    if device.type != "cuda":
        return work
    try:
        with _ONE_AT_A_TIME:
            return _recorded(work, device)
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        raise EngineError(
            f"{device} has no memory left to record a loop of this many sequences; draw fewer at once, or use eager."
        ) from error


def _recorded(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    apart = torch.cuda.Stream(device)
    apart.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(apart):
        work()  # kernels are compiled and libraries set up before anything is recorded
    torch.cuda.current_stream(device).wait_stream(apart)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    return graph.replay


def _out_of_memory(error: BaseException | None) -> bool:
    """Whether that is behind ``error``: ending a recording that broke off raises an error of its own."""
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False
