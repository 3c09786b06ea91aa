"""A race: the models of one data set draw the same lengths, one after the other, each engine by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app import catalogue
from app.services.models import LoadedModels
from app.stops import StoppedError
from lnf_core import engines
from lnf_core.laps import Lap, laps

LENGTHS = {"music": (32, 64, 96, 128), "text": (32, 64, 128, 256)}
ENGINES = {"numba_cpu": "compiled", "eager": "plain PyTorch"}
"""Those that race, the one that is always there first, and what they are called."""


@dataclass(frozen=True)
class Runner:
    """One model with one engine."""

    entry: catalogue.Entry
    engine: str

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.entry.variant.title}, {ENGINES[self.engine]}"


@dataclass(frozen=True)
class Driven:
    """A lap, and whose it was."""

    runner: Runner
    lap: Lap


@dataclass(frozen=True)
class Race:
    """How a race stands."""

    entry: catalogue.Entry
    """The checkpoint it was started with; all of its data set take part."""
    plain: bool
    """Whether the plain engine takes part."""
    driven: tuple[Driven, ...] = ()
    left_out: tuple[str, ...] = ()
    """A few words on each model or length that is."""
    now: str = ""
    """What is going on, in words."""
    running: bool = True


class Racing:
    """Runs races; one at a time, so that they do not disturb each other."""

    def __init__(self, models: LoadedModels) -> None:
        self._models = models

    def run(self, name: object, plain: bool, stop: threading.Event) -> Iterator[Race]:
        """How the race stands, again after every lap.

        Args:
            name: a checkpoint; all of its data set take part.
            plain: also with the plain engine, which is slow for the models that go step by step.
            stop: set it to end the race within a step.

        Raises:
            CheckpointError: no such checkpoint, or one that cannot be used.
        """
        entry = catalogue.find(name)
        field, left_out = _field(entry.dataset)
        race = Race(entry, plain, left_out=left_out, now="Getting ready")
        yield race

        def report(_done: int, _total: int) -> None:
            if stop.is_set():
                raise StoppedError

        runners, cannot = self._runners(field, plain)
        race = replace(race, left_out=race.left_out + cannot)
        for runner in runners:
            race = replace(race, now=f"{runner.title} is drawing")
            yield race
            model = self._models.get(runner.entry.name).checkpoint.model
            longest = model.config.max_length
            lengths = [length for length in LENGTHS[entry.domain] if length <= longest] or [longest]
            done: list[int] = []
            try:
                for lap in laps(model, engines.prepare(model, runner.engine), lengths, progress=report):
                    done.append(lap.length)
                    now = f"{runner.title} drew {lap.length} {entry.unit} in {1e3 * lap.seconds:,.1f} ms"
                    race = replace(race, driven=(*race.driven, Driven(runner, lap)), now=now)
                    yield race
            except StoppedError:
                yield replace(race, now="Stopped", running=False)
                return
            if len(done) < len(lengths):
                short = f"{runner.title}: longer than {done[-1]} left out, which would take many seconds"
                race = replace(race, left_out=(*race.left_out, short))
        yield replace(race, now="", running=False)

    def _runners(self, field: list[catalogue.Entry], plain: bool) -> tuple[list[Runner], tuple[str, ...]]:
        """Who starts, the quick engine first, and a word on each that it cannot run."""
        runners, cannot = [], []
        for entry in field:
            reason = engines.why_not("numba_cpu", self._models.get(entry.name).checkpoint.model)
            if reason is None and not engines.ready("numba_cpu"):
                reason = "its kernels are still being compiled; try again in a moment"
            if reason is None:
                runners.append(Runner(entry, "numba_cpu"))
                continue
            cannot.append(f"{entry.variant.title}, compiled: {reason}")
            if not plain:
                runners.append(Runner(entry, "eager"))
        if plain:
            runners += [Runner(entry, "eager") for entry in field]
        return runners, tuple(cannot)


def _field(dataset: str) -> tuple[list[catalogue.Entry], tuple[str, ...]]:
    """Who takes part, and a word on each of the data set's models that does not."""
    field, left_out = [], []
    for entry in catalogue.catalogue():
        if entry.dataset != dataset:
            continue
        if entry.problem is not None:
            left_out.append(f"{entry.variant.title} cannot take part: {entry.problem}")
        elif entry.variant.name in catalogue.VARIANTS:
            field.append(entry)
        elif entry.variant.name in catalogue.ABLATIONS:
            of_whom = "it waits as often as AF/SCF, of which it is a variation"
            left_out.append(f"“{entry.variant.plain}” ({entry.variant.title}) is left out: {of_whom}")
        else:
            left_out.append(f"{entry.variant.title} is left out: only the paper's variants and the baseline race")
    return field, tuple(left_out)
