"""One line on what was done, and the link that does it again."""

from __future__ import annotations

from typing import Any

from app.services.results import Music, Result


def payload(result: Result) -> dict[str, Any]:
    """What was done, the seed that was used and the link that repeats it."""
    settings, what = result.settings, "sample" if isinstance(result, Music) else "line"
    count = f"{settings.count} {what}{'' if settings.count == 1 else 's'}"
    took = "" if result.took is None else f" in {_seconds(result.took)}"
    return {
        "kind": "done",
        "text": f"{result.entry.title}: {count}{took}, seed {settings.seed}.",
        "seed": settings.seed,
        "query": settings.query(),
        "seconds": None if result.took is None else round(result.took, 3),
    }


def opening() -> dict[str, Any]:
    """What stands there before the first request."""
    return {"kind": "opening", "text": "Below is a ready-made sample. Press Sample for a new one."}


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 0.95 else f"{max(1, round(1000 * value))} ms"
