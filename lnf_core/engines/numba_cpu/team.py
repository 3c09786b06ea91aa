"""Threads that work through one kernel together, in phases."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lnf_core.engines.numba_cpu.jit import compiled
from lnf_core.engines.numba_cpu.machine import CAN_YIELD, fetch_add, give_way, read

SPACING = 8
"""Counters lie a cache line apart, so that threads that wait for one do not slow down another."""
_SPINS = 2000


def counters(phases: int) -> NDArray[np.int64]:
    """One counter for each phase, at zero. A phase uses its own once, so none is ever reset."""
    return np.zeros(phases * SPACING, np.int64)


@compiled
def take(sync, phase):
    """The next piece of work of a phase, counted from 0, for whoever asks first."""
    return fetch_add(sync, phase * SPACING, 1)


@compiled
def wait_for_all(sync, phase, workers):
    """Return when all ``workers`` have come here. A thread that waits long lets others have its core."""
    fetch_add(sync, phase * SPACING, 1)
    spins = 0
    while read(sync, phase * SPACING) < workers:
        spins += 1
        if spins > _SPINS:
            give_way()


def run(kernel: Callable[..., None], workers: int, *arguments: object) -> None:
    """Call ``kernel(worker, workers, *arguments)`` on ``workers`` threads at once; the caller is the first.

    The threads are this call's own: one taken from a pool could be waiting for a worker that has not
    started because another call holds the pool. Where the system gives no more of them, fewer do the work.
    """
    others: list[threading.Thread] = []
    all_there = threading.Event()

    def work(worker: int) -> None:
        all_there.wait()  # in the kernel each waits for all, whose number is known once the last has started
        kernel(worker, len(others) + 1, *arguments)

    for worker in range(1, workers if CAN_YIELD else 1):
        thread = threading.Thread(target=work, args=(worker,))
        try:
            thread.start()
        except RuntimeError:  # "can't start new thread"
            break
        others.append(thread)
    all_there.set()
    kernel(0, len(others) + 1, *arguments)
    for thread in others:
        thread.join()
