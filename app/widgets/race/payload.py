"""What ``race.js`` draws: the laps of a race, what is going on, and what they say once it is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from app.services.racing import ENGINES, Driven, Race
from lnf_core.benchmark import machine

_ALIKE = 1.15  # a ratio of two times below which neither is called the quicker


def race_payload(race: Race) -> dict[str, Any]:
    """Plain values."""
    entry, about = race.entry, machine()
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
        "rows": [_row(driven) for driven in race.driven],
        "running": race.running,
        "now": race.now,
        "said": "" if race.running else said(race.driven, entry.unit),
        "left_out": list(race.left_out),
        "machine": (
            f"Measured on this server: {server}. Each time is the median of three draws of one sequence, of nine where "
            "one takes less than 50 ms, from the random numbers to the symbols, after some that are not counted; other "
            "visitors at the same time make it longer. What counts are the ratios."
        ),
        "status": {
            "kind": "done",
            "text": "",
            "query": urlencode({"tab": "race", "dataset": entry.dataset, **({"plain": 1} if race.plain else {})}),
        },
    }


def _row(driven: Driven) -> dict[str, Any]:
    variant, lap = driven.runner.entry.variant, driven.lap
    return {
        "variant": variant.name,
        "marker": variant.marker,
        "title": variant.title,
        "engine": lap.engine,
        "engine_words": ENGINES[lap.engine],
        "length": lap.length,
        "milliseconds": round(1e3 * lap.seconds, 3),
        "dependent_steps": lap.dependent_steps,
    }


def said(driven: Sequence[Driven], unit: str) -> str:
    """A sentence for each engine on the longest length all its models drew, and one on what compiling gains."""
    laps = {engine: [one for one in driven if one.lap.engine == engine] for engine in ENGINES}
    return " ".join(filter(None, [*(_compared(drew, unit) for drew in laps.values()), _gained(*laps.values(), unit)]))


def _at_the_longest(driven: list[Driven]) -> list[Driven]:
    """The laps of the longest length that all who drew have in common, one each; none where there is no such length."""
    lengths: dict[str, set[int]] = {}
    for one in driven:
        lengths.setdefault(one.runner.title, set()).add(one.lap.length)
    longest = max(set.intersection(*lengths.values()), default=None) if lengths else None
    return [one for one in driven if one.lap.length == longest]


def _compared(drew: list[Driven], unit: str) -> str:
    """The models of one engine beside each other."""
    order = sorted(_at_the_longest(drew), key=lambda one: one.lap.seconds)
    if len(order) < 2:
        return ""
    first, last = order[0], order[-1]
    engine = ENGINES[first.lap.engine]
    opening = f"{engine[0].upper()}{engine[1:]}, {first.lap.length} {unit}: "
    ratio = last.lap.seconds / first.lap.seconds
    if ratio < _ALIKE:
        return f"{opening}all took about as long, {_time(first)} to {_time(last)}."
    least, most = first.lap.dependent_steps, last.lap.dependent_steps
    words = (
        f"{opening}{_title(first)} was quickest with {_time(first)}, {_title(last)} took {ratio:,.1f} times as long, "
    )
    words += f"{_turns(least)} each" if least == most else f"{_turns(least)} against {most}"
    fewest = min(order, key=lambda one: one.lap.dependent_steps)
    if fewest.lap.dependent_steps < min(least, most):
        words += f"; {_title(fewest)}, with {_turns(fewest.lap.dependent_steps)}, took {_time(fewest)}"
    return words + "."


def _gained(compiled: list[Driven], plain: list[Driven], unit: str) -> str:
    """What compiling gains the model it helps most, and the one it helps least."""
    both = {_title(one) for one in compiled} & {_title(one) for one in plain}
    common = _at_the_longest([one for one in compiled + plain if _title(one) in both])
    seconds = {(one.lap.engine, _title(one)): one.lap.seconds for one in common}
    gains = sorted((seconds["eager", title] / seconds["numba_cpu", title], title) for title in both if common)
    if not gains:
        return ""
    (least, loser), (most, winner), length = gains[0], gains[-1], common[0].lap.length
    if most < _ALIKE:
        return f"Compiling gains next to nothing at {length} {unit}."
    words = f"Compiling makes {winner} {most:,.1f} times as quick at {length} {unit}"
    if winner == loser:
        return words + "."
    return f"{words}, {loser} {f'{least:,.1f} times' if least >= _ALIKE else 'hardly at all'}."


def _title(one: Driven) -> str:
    return one.runner.entry.variant.title


def _time(one: Driven) -> str:
    milliseconds = 1e3 * one.lap.seconds
    return f"{milliseconds / 1e3:,.1f} s" if milliseconds >= 1e3 else f"{milliseconds:,.1f} ms"


def _turns(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'} in turn"
