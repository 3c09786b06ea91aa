"""What ``status.js`` says: one line on the result that is shown, or on what could not be done."""

from __future__ import annotations

import time
from typing import Any

from app.errors import words_for
from app.limits import FieldError
from app.services.sampled import Drawn, Music, Result


def head(result: Result, opening: bool) -> dict[str, Any]:
    """What every picture says of its result, the line above it included: one value, so the two cannot disagree."""
    settings, entry = result.settings, result.entry
    return {
        "title": entry.title,
        "variant": entry.variant.name,
        "marker": entry.variant.marker,
        "details": f"{entry.variant.plain.lower()}, seed {settings.seed}, temperature {settings.temperature:g}"
        + _keys(result),
        "opening": opening,
        "status": opening_status(result) if opening else status(result),
    }


def _keys(result: Result) -> str:
    if result.entry.domain != "music" or result.entry.variant.name == "lstm":
        return ""
    return ", every key drawn" if result.settings.draw else ", likeliest keys"


def status(result: Result) -> dict[str, Any]:
    """What was done, the seed that was used and the link that repeats it."""
    settings, what = result.settings, "sample" if isinstance(result, Music) else "line"
    count = f"{settings.count} {what}{'' if settings.count == 1 else 's'}"
    drawn = result.drawn
    if result.given:
        count += " that go on from yours" if settings.count > 1 else " that goes on from yours"
    took = f" drawn in {_seconds(drawn.seconds)}, {_steps(drawn)}" if drawn else ""
    return {
        "kind": "done",
        "checkpoint": result.entry.name,
        "without": isinstance(result, Music) and bool(settings.midi),  # a file does not fit into a link
        "domain": result.entry.domain,
        "text": f"{result.entry.title}: {count}{took}, seed {settings.seed}.",
        "seed": settings.seed,
        "query": settings.query(),
        "seconds": None if drawn is None else round(drawn.seconds, 3),
        "engine": None if drawn is None else drawn.engine,
        "dependent_steps": None if drawn is None else drawn.dependent_steps,
    }


def opening_status(result: Result) -> dict[str, Any]:
    """What stands there before the first request."""
    return {
        "kind": "opening",
        "checkpoint": result.entry.name,
        "domain": result.entry.domain,
        "text": f"{result.entry.title}: a ready-made sample.",
        "more": "Press Sample for a new one.",
        "seed": result.settings.seed,
    }


def refusal(*errors: Exception) -> dict[str, Any]:
    """What the line says of errors, and the id of the field the first is about.

    A page takes notice of what differs from the refusal before.
    """
    field = errors[0].field if isinstance(errors[0], FieldError) else None
    return {"kind": "error", "text": " ".join(map(words_for, errors)), "field": field, "at": time.time()}


def _steps(drawn: Drawn) -> str:
    if drawn.dependent_steps > 1:
        return f"{drawn.dependent_steps:,} steps one after another"
    return "all steps at once" if drawn.steps > 1 else "one step"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 0.95 else f"{max(1, round(1000 * value))} ms"
