"""The head that every picture of a sample carries."""

from __future__ import annotations

from typing import Any

from app.services.results import Result


def head(result: Result, opening: bool) -> dict[str, Any]:
    """Which model drew it, and with what settings."""
    settings, entry = result.settings, result.entry
    return {
        "title": entry.title,
        "variant": entry.variant.name,
        "marker": entry.variant.marker,
        "details": f"seed {settings.seed}, temperature {settings.temperature:g}"
        + (", likeliest symbols" if settings.likeliest else ""),
        "opening": opening,
    }
