"""Results in the form the widgets draw: plain values, and files as Gradio serves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.results import Line, Music, Result, Text


def roll_payload(music: Music, opening: bool = False) -> dict[str, Any]:
    """What ``piano_roll.js`` draws."""
    return {
        **_head(music, opening),
        "seconds_per_beat": music.seconds_per_beat,
        "note": music.note,
        "caption": (
            "Each bar is one held note: higher is higher in pitch, its width is how long it sounds. "
            "The upright line is the moment you hear."
        ),
        "samples": [
            {
                "notes": [[round(start, 4), round(held, 4), pitch] for start, held, pitch in piece.notes],
                "seconds": round(piece.seconds, 4),
                "steps": len(piece.roll),
                "audio": _file(piece.wav),
                "midi": _file(piece.midi),
            }
            for piece in music.pieces
        ],
    }


def text_payload(text: Text, opening: bool = False) -> dict[str, Any]:
    """What ``text_lines.js`` draws."""
    return {
        **_head(text, opening),
        "caption": (
            "Each character is tinted by the probability the model gave it just before it was drawn; "
            "the less sure, the stronger the tint and the heavier the line below it."
        ),
        "lines": [_line(line) for line in text.lines],
        "file": _file(text.file),
    }


def status(result: Result) -> dict[str, Any]:
    """One line on what was done, the seed that was used and the link that repeats it."""
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


def opening_status() -> dict[str, Any]:
    """What stands there before the first request."""
    return {"kind": "opening", "text": "Below is a ready-made sample. Press Sample for a new one."}


def _head(result: Result, opening: bool) -> dict[str, Any]:
    settings, entry = result.settings, result.entry
    return {
        "title": entry.title,
        "variant": entry.variant.name,
        "marker": entry.variant.marker,
        "details": f"seed {settings.seed}, temperature {settings.temperature:g}"
        + (", likeliest symbols" if settings.likeliest else ""),
        "opening": opening,
    }


def _line(line: Line) -> dict[str, Any]:
    return {"symbols": list(line.symbols), "sure": [round(100 * value) for value in line.sureness]}


def _file(path: Path) -> dict[str, Any]:
    # The marker makes Gradio serve the file, and clients of the API download it.
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value >= 0.95 else f"{max(1, round(1000 * value))} ms"
