"""The lessons of the Learn tab: their row of buttons, what they share, and how one is put on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_WIDGETS = Path(__file__).resolve().parents[1]


def lesson(name: str, number: int, **options: Any) -> gr.HTML:  # noqa: ANN401 - passed through to gr.HTML
    """A widget made of the three files in the folder ``name``, with what all lessons share in front of them.

    All arithmetic happens in the browser: a lesson has no value and asks the server nothing.
    """
    return gr.HTML(
        html_template=_read(name, f"{name}.html"),
        css_template=_read("lesson", "shared.css") + _read(name, f"{name}.css"),
        js_on_load=_read("", "common.js")
        + _read("lesson", "maths.js")
        + _read("lesson", "shared.js")
        + _read(name, f"{name}.js"),
        elem_id=f"lesson-{number}",
        elem_classes="lnf-lesson",
        apply_default_css=False,
        number=number,
        **options,
    )


def _read(folder: str, file: str) -> str:
    return (_WIDGETS / folder / file).read_text(encoding="utf-8")
