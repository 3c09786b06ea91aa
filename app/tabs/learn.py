"""Learn: lessons in which one thing moves and one question is answered, computed in the browser but for one."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.errors import answers
from app.services.annealing import Annealing
from app.widgets import widget
from app.widgets.lesson import lesson

LESSONS = (
    ("nlsq", "One bend"),
    ("stacking", "Stacking makes modes"),
    ("parallel", "All at once"),
    ("dependency", "A sequence of latents"),
    ("fitting", "Draw a density"),
    ("annealing", "Collapse"),
)
"""The widget of each lesson and its title, in the order they are numbered in links."""


class LearnTab:
    """A row of buttons and the lessons below it, of which one is shown."""

    name = "learn"
    title = "Learn"

    def __init__(self, annealing: Annealing) -> None:
        self._annealing = annealing

    def render(self) -> None:
        """Place the row and all lessons; the row's script hides those that are not at hand."""
        widget("lesson", titles=[title for _, title in LESSONS], elem_id="lessons")
        for number, (name, _title) in enumerate(LESSONS, start=1):
            asks = {"server_functions": [answers("train", self._annealing.view)]} if name == "annealing" else {}
            lesson(name, number, **asks)

    def listen(self, page: gr.Blocks, bar: Any) -> None:  # noqa: ANN401 - the bar of models, which no lesson needs
        """Nothing to connect: a lesson that asks the server does so by itself."""
