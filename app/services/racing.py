"""A race: the models of one data set draw the same lengths, one after the other, each engine by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app import catalogue
from app.services.models import LoadedModels
from app.stops import StoppedError
from lnf_core import engines
from lnf_core.benchmark import machine
from lnf_core.laps import Lap, laps

LENGTHS = {"music": (32, 64, 96, 128), "text": (32, 64, 128, 256)}
_ENGINE_WORDS = {
    "eager": "plain PyTorch",
    "numba_cpu": "compiled",
    "jacobi": "parallel sweeps",
    "cuda_graph": "recorded on the GPU",
}
_SHOWN = ("numba_cpu", "eager")
_ALIKE = 1.15  # a ratio of two times below which neither is called the quicker


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
        field, left_out = _field(chosen.dataset)
        rows: list[dict[str, Any]] = []

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
            lengths = lengths or [model.config.max_length]
            done = 0
            try:
                for lap in laps(model, sampler, lengths, progress=report):
                    rows.append(_row(runner, lap))
                    done += 1
                    yield shown(f"{title} drew {lap.length} {chosen.unit} in {1e3 * lap.seconds:,.1f} ms")
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


def _field(dataset: str) -> tuple[list[catalogue.Entry], list[str]]:
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
    return field, left_out


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


def _payload(
    entry: catalogue.Entry, rows: list[dict[str, Any]], now: str, left_out: list[str], running: bool, plain: bool
) -> dict[str, Any]:
    about = machine()
    server = (
        f"{about['processor']}, {about['cores']} cores, {about['threads']} "
        f"thread{'' if about['threads'] == 1 else 's'}, torch {about['torch']}"
    )
    return {
        "title": f"Race on {entry.dataset_title}",
        "dataset": entry.dataset,
        "dataset_title": entry.dataset_title,
        "server": server,
        "unit": entry.unit,
        "rows": list(rows),
        "running": running,
        "now": now,
        "said": _said(rows, entry.unit) if not running else "",
        "left_out": list(left_out),
        "machine": (
            f"Measured on this server: {server}. Each time is the median of three draws of one sequence, of nine where "
            "one takes less than 50 ms, from the random numbers to the symbols, after some that are not counted; other "
            "visitors at the same time make it longer. What counts are the ratios."
        ),
        "status": {
            "kind": "done",
            "text": "",
            "query": urlencode({"tab": "race", "dataset": entry.dataset, **({"plain": 1} if plain else {})}),
        },
    }


def _said(rows: list[dict[str, Any]], unit: str) -> str:
    """A sentence for each engine on the longest length all its models drew, and one on what compiling gains."""
    times: dict[str, dict[str, dict[int, dict[str, Any]]]] = {}
    for row in rows:
        times.setdefault(row["engine"], {}).setdefault(row["variant"], {})[row["length"]] = row
    said = [_compared(times[engine], unit) for engine in _SHOWN if engine in times]
    if len(times) == len(_SHOWN):
        said.append(_gained(*(times[engine] for engine in _SHOWN), unit))
    return " ".join(filter(None, said))


def _compared(drew: dict[str, dict[int, dict[str, Any]]], unit: str) -> str:
    """The models of one engine at the longest length they have in common."""
    common = set.intersection(*(set(found) for found in drew.values()))
    if len(drew) < 2 or not common:
        return ""
    length = max(common)
    order = sorted((found[length] for found in drew.values()), key=lambda row: row["milliseconds"])
    first, last = order[0], order[-1]
    opening = f"{_ENGINE_WORDS[first['engine']].capitalize().replace('pytorch', 'PyTorch')}, {length} {unit}: "
    ratio = last["milliseconds"] / first["milliseconds"]
    if ratio < _ALIKE:
        return f"{opening}all took about as long, {_time(first)} to {_time(last)}."
    least, most = (row["dependent_steps"] for row in (first, last))
    said = (
        f"{opening}{first['title']} was quickest with {_time(first)}, {last['title']} took {ratio:,.1f} times as long, "
    )
    said += f"{_turns(least)} each" if least == most else f"{_turns(least)} against {most}"
    fewest = min(order, key=lambda row: row["dependent_steps"])
    if fewest["dependent_steps"] < min(least, most):
        said += f"; {fewest['title']}, with {_turns(fewest['dependent_steps'])}, took {_time(fewest)}"
    return said + "."


def _gained(
    compiled: dict[str, dict[int, dict[str, Any]]], plain: dict[str, dict[int, dict[str, Any]]], unit: str
) -> str:
    """What compiling gains the model it helps most, and the one it helps least."""
    both = [variant for variant in compiled if variant in plain]
    common = set.intersection(*(set(compiled[variant]) & set(plain[variant]) for variant in both)) if both else set()
    if not common:
        return ""
    length = max(common)
    gains = sorted(
        (plain[variant][length]["milliseconds"] / compiled[variant][length]["milliseconds"], variant)
        for variant in both
    )
    (least, loser), (most, winner) = gains[0], gains[-1]
    if most < _ALIKE:
        return f"Compiling gains next to nothing at {length} {unit}."
    said = f"Compiling makes {compiled[winner][length]['title']} {most:,.1f} times as quick at {length} {unit}"
    if winner == loser:
        return said + "."
    title = compiled[loser][length]["title"]
    return f"{said}, {title} {f'{least:,.1f} times' if least >= _ALIKE else 'hardly at all'}."


def _time(row: dict[str, Any]) -> str:
    milliseconds = row["milliseconds"]
    return f"{milliseconds / 1e3:,.1f} s" if milliseconds >= 1e3 else f"{milliseconds:,.1f} ms"


def _turns(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'} in turn"
