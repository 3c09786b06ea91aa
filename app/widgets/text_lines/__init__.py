"""Sampled lines, each character tinted by how sure the model was."""

from __future__ import annotations

from typing import Any

from app.services.results import Line, Text
from app.widgets import file_data
from app.widgets.title import head


def payload(text: Text, opening: bool = False) -> dict[str, Any]:
    """What ``text_lines.js`` draws."""
    return {
        **head(text, opening),
        "caption": (
            "Each character is tinted by the probability the model gave it just before it was drawn; "
            "the less sure, the stronger the tint and the heavier the line below it."
        ),
        "lines": [_line(line) for line in text.lines],
        "file": file_data(text.file),
    }


def _line(line: Line) -> dict[str, Any]:
    return {"symbols": list(line.symbols), "sure": [round(100 * value) for value in line.sureness]}
