"""Laps of a race: sequences of several lengths drawn by one engine, live, as steady as a busy machine allows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from lnf_core.benchmark import timed_draw
from lnf_core.models.build import SequenceModel
from lnf_core.progress import Progress

_WARM_SECONDS = 0.6
_QUICK = 0.05  # seconds: one disturbed draw of three is seen in a median that short


@dataclass(frozen=True)
class Lap:
    """One sequence drawn by one engine: seeds in, symbols out."""

    engine: str
    length: int
    seconds: float
    """The median of three draws after some that are not counted, of one draw where that took long already; where it is
    under 50 ms, the median of three such medians."""
    dependent_steps: int
    """Passes that had to wait for the one before."""


def laps(
    model: SequenceModel,
    sampler: Any,  # noqa: ANN401 - of any engine
    lengths: Iterable[int],
    *,
    patience: float = 8.0,
    progress: Progress | None = None,
) -> Iterator[Lap]:
    """Draw one sequence of each length, from the shortest on, and say what it took.

    Ends early where the next length would take more than ``patience`` seconds, going by the one before.
    ``progress`` is called while a sequence is drawn; what it raises ends the lap.
    """
    lap: Lap | None = None
    for length in sorted(lengths):
        if lap is None:
            _warm(model, sampler, length, progress)
        elif lap.seconds * length / lap.length > patience:
            return
        seconds, steps = timed_draw(model, sampler, 1, length, repeats=3, progress=progress)
        if seconds < _QUICK:
            again = (timed_draw(model, sampler, 1, length, repeats=3, progress=progress)[0] for _ in range(2))
            seconds = statistics.median([seconds, *again])
        lap = Lap(sampler.engine, length, seconds, steps)
        yield lap


class _WarmError(Exception):
    """Warm enough."""


def _warm(
    model: SequenceModel,
    sampler: Any,  # noqa: ANN401 - of any engine
    length: int,
    progress: Progress | None,
) -> None:
    """Draw for a moment what is not timed: a model's first draws are slower, whatever their length.

    A slow engine does not get to the end of its sequence.
    """
    began = time.perf_counter()

    def until_warm(done: int, total: int) -> None:
        if progress:
            progress(done, total)
        if time.perf_counter() - began > _WARM_SECONDS:
            raise _WarmError

    with suppress(_WarmError):
        while time.perf_counter() - began < _WARM_SECONDS:
            generator = torch.Generator().manual_seed(0)
            model.sample(1, length, generator=generator, engine=sampler, progress=until_warm)
