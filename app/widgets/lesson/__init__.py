"""The lessons of the Learn tab: their row of buttons, what they share, and how one is put on the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.widgets import widget

_SHARED = ("lesson/maths.js", "lesson/shared.js", "lesson/shared.css")


def lesson(name: str, number: int, **options: Any) -> gr.HTML:  # noqa: ANN401 - passed to gr.HTML
    """The widget ``name`` with what all lessons share in front of it; its arithmetic happens in the browser."""
    return widget(name, _SHARED, number=number, **options)
