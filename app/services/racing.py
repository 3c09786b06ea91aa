"""A race: the models of one data set draw the same lengths, one after the other, each engine by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import torch

from app import catalogue
from app.services.models import LoadedModels
from app.stops import StoppedError
from lnf_core import engines
from lnf_core.benchmark import Lap, laps, machine

LENGTHS = {"music": (32, 64, 96, 128), "text": (32, 64, 128, 256)}
_ENGINE_WORDS = {"eager": "plain PyTorch", "numba_cpu": "compiled", "jacobi": "parallel sweeps"}
_SHOWN = ("numba_cpu", "eager")


@dataclass(frozen=True)
class Runner:
    """One model with one engine."""

    entry: catalogue.Entry
    engine: str


class Racing:
    """Runs races; one at a time, so that they do not disturb each other."""

    def __init__(self, models: LoadedModels) -> None:
        self._models = models

    def run(self, name: object, plain: bool, stop: threading.Event) -> Iterator[dict[str, Any]]:
        """What the race widget draws, again after every lap.

        Args:
            name: a checkpoint; all of its data set take part.
            plain: also with the plain engine, which is slow for the models that go step by step.
            stop: set it to end the race within a step.

        Raises:
            CheckpointError: no such checkpoint, or one that cannot be used.
        """
        chosen = catalogue.find(name)
        field = [
            entry
            for entry in catalogue.catalogue()
            if entry.dataset == chosen.dataset and entry.problem is None and entry.variant.name in catalogue.VARIANTS
        ]
        rows: list[dict[str, Any]] = []
        left_out: list[str] = []

        def report(_done: int, _total: int) -> None:
            if stop.is_set():
                raise StoppedError

        def shown(now: str, running: bool = True) -> dict[str, Any]:
            return _payload(chosen, rows, now, left_out, running, plain)

        yield shown("Getting ready")
        for runner in self._runners(field, plain, left_out):
            title = f"{runner.entry.variant.title}, {_ENGINE_WORDS[runner.engine]}"
            yield shown(f"{title} is drawing")
            model = self._models.get(runner.entry.name).checkpoint.model
            sampler: Any = engines.prepare(model, runner.engine)
            lengths = [length for length in LENGTHS[chosen.domain] if length <= model.config.max_length]
            done = 0
            try:
                with torch.no_grad():
                    for lap in laps(model, sampler, lengths or [model.config.max_length], progress=report):
                        rows.append(_row(runner, lap))
                        done += 1
                        yield shown(f"{title} drew {lap.length} {_unit(chosen)} in {1e3 * lap.seconds:,.1f} ms")
            except StoppedError:
                yield shown("Stopped", running=False)
                return
            if done < len(lengths):
                left_out.append(f"{title}: longer than {lengths[done - 1]} left out, which would take many seconds")
        yield shown("", running=False)

    def _runners(self, field: list[catalogue.Entry], plain: bool, left_out: list[str]) -> Iterator[Runner]:
        for engine in _SHOWN if plain else _SHOWN[:1]:
            for entry in field:
                model = self._models.get(entry.name).checkpoint.model
                reason = engines.why_not(engine, model)
                if reason is None and not engines.ready(engine):
                    reason = "its kernels are still being compiled; try again in a moment"
                if reason is None:
                    yield Runner(entry, engine)
                elif not plain:
                    left_out.append(f"{entry.variant.title}, compiled: {reason}")
                    yield Runner(entry, "eager")


def _row(runner: Runner, lap: Lap) -> dict[str, Any]:
    return {
        "variant": runner.entry.variant.name,
        "marker": runner.entry.variant.marker,
        "title": runner.entry.variant.title,
        "engine": lap.engine,
        "engine_words": _ENGINE_WORDS[lap.engine],
        "length": lap.length,
        "milliseconds": round(1e3 * lap.seconds, 3),
        "dependent_steps": lap.dependent_steps,
    }


def _unit(entry: catalogue.Entry) -> str:
    return "characters" if entry.domain == "text" else "steps"


def _payload(
    entry: catalogue.Entry, rows: list[dict[str, Any]], now: str, left_out: list[str], running: bool, plain: bool
) -> dict[str, Any]:
    about = machine()
    return {
        "title": f"Race on {entry.dataset_title}",
        "unit": _unit(entry),
        "rows": list(rows),
        "running": running,
        "now": now,
        "said": _said(rows) if not running else "",
        "left_out": list(left_out),
        "machine": (
            f"Measured on this server: {about['processor']}, {about['cores']} cores, {about['threads']} "
            f"thread{'' if about['threads'] == 1 else 's'}, torch {about['torch']}. Each time is the median of three "
            "draws of one sequence, from the random numbers to the symbols, after one that is not counted; other "
            "visitors at the same time make it longer. What counts are the ratios."
        ),
        "status": {
            "kind": "done",
            "text": "",
            "query": urlencode({"tab": "race", "dataset": entry.dataset, **({"plain": 1} if plain else {})}),
        },
    }


def _said(rows: list[dict[str, Any]]) -> str:
    """The longest length all took part in, in one sentence."""
    best: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        best.setdefault((row["variant"], row["engine"]), {})[row["length"]] = row
    if len(best) < 2:
        return ""
    common = set.intersection(*(set(found) for found in best.values()))
    if not common:
        return ""
    length = max(common)
    order = sorted((found[length] for found in best.values()), key=lambda row: row["milliseconds"])
    first, last = order[0], order[-1]
    return (
        f"At length {length}, {first['title']} ({first['engine_words']}) was quickest with "
        f"{first['milliseconds']:,.1f} ms and {first['dependent_steps']} dependent "
        f"step{'' if first['dependent_steps'] == 1 else 's'}; {last['title']} ({last['engine_words']}) took "
        f"{last['milliseconds'] / first['milliseconds']:,.1f} times as long with {last['dependent_steps']}."
    )
