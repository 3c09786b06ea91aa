"""What ``text_lines.js`` draws."""

from __future__ import annotations

from typing import Any

from app.services.sampled import Line, Text
from app.widgets import file_data, packed
from app.widgets.status.payload import head

_TINT = {
    True: (
        "Each character is tinted by the probability the decoder gave it once the hidden vectors were drawn: a flow "
        "decides in them, so it is nearly always sure. It does not compare with the tint of the LSTM."
    ),
    False: (
        "Each character is tinted by the probability the model gave it just before it was drawn; the less sure, the "
        "stronger the tint and the heavier the line below it."
    ),
}


def stands_for(dataset: str) -> str:
    """What symbols of a data set mean, as the end of a caption."""
    return " <unk> stands for a rare word, N for a number." if dataset == "ptb" else ""


def text_payload(text: Text, opening: bool = False) -> dict[str, Any]:
    """Plain values, and the file as Gradio serves it."""
    return {
        **head(text, opening),
        "caption": _TINT[text.entry.variant.name != "lstm"] + stands_for(text.entry.dataset),
        "given": text.given,
        "lines": packed([_line(line) for line in text.lines]),
        "file": file_data(text.file),
    }


def _line(line: Line) -> dict[str, Any]:
    return {"symbols": list(line.symbols), "sure": [round(100 * value) for value in line.sureness]}
