"""Learn: lessons in which one thing moves and one question is answered, computed in the browser but for one."""

from __future__ import annotations

import itertools
from typing import Any

import gradio as gr

from app.cache import new_folder
from app.errors import answers, words_for
from app.model_bar import ModelBar
from app.services.annealing import Annealing
from app.services.guess import Guess
from app.services.sound import Sound
from app.tabs.sounds import unseen_roll
from app.tabs.tab import Tab
from app.widgets import widget
from app.widgets.lesson import lesson
from app.widgets.piano_roll.payload import roll_payload

LESSONS = (
    ("nlsq", "One bend"),
    ("stacking", "Stacking makes modes"),
    ("parallel", "All at once"),
    ("dependency", "A sequence of latents"),
    ("fitting", "Draw a density"),
    ("annealing", "Collapse"),
    ("guess", "Which one is Bach?"),
)
"""The widget of each lesson and its title, in the order they are numbered in links."""

_REFUSED = """() => { document.querySelector("#guess .lesson").dispatchEvent(new Event("lnf-refused")); }"""


class LearnTab(Tab):
    """A row of buttons and the lessons below it, of which one is shown."""

    name = "learn"
    title = "Learn"

    def __init__(self, annealing: Annealing, guess: Guess, sound: Sound) -> None:
        self._annealing, self._guess, self._sound = annealing, guess, sound
        self._turns = itertools.count()  # a page takes notice of an answer that differs from the one before

    def render(self) -> None:
        """Place the row and all lessons; the row's script hides those that are not at hand."""
        widget("lesson", titles=[title for _, title in LESSONS], elem_id="lessons")
        asks = {
            "annealing": [answers("train", self._annealing.view)],
            "guess": [answers("vote", self._guess.vote), answers("votes", self._guess.votes)],
        }
        for number, (name, _title) in enumerate(LESSONS, start=1):
            options = {"server_functions": asks[name]} if name in asks else {}
            if name != "guess":
                lesson(name, number, elem_id=f"lesson-{number}", elem_classes="lnf-lesson", **options)
                continue
            with gr.Column(elem_id=f"lesson-{number}", elem_classes="lnf-lesson"):
                self._question = lesson(name, number, elem_id="guess", value=None, **options)
                self._roll = unseen_roll(self._sound, "three openings", "guess-roll")

    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """A round is drawn when its lesson asks; the other lessons ask the server themselves or not at all."""
        asked = self._question.select(
            self._round,
            None,
            [self._question, self._roll],
            api_visibility="private",
            show_progress="hidden",
            concurrency_id="model",
        )
        asked.failure(None, None, None, js=_REFUSED)

    def _round(self, event: gr.EventData) -> tuple[Any, Any]:
        number = getattr(event, "round", None)
        try:
            payload = roll_payload(self._guess.round(number, new_folder()))
        except Exception as error:
            return {"error": words_for(error), "turn": next(self._turns)}, gr.skip()
        # nothing that gives the answer away
        payload |= {"title": "Which one is Bach?", "marker": "♪", "details": f"round {number}"}
        payload |= {"data_habits": "", "status": {}}
        payload["samples"] = [sample | {"habits": ""} for sample in payload["samples"]]
        return {"round": number, "turn": next(self._turns)}, gr.update(value=payload, visible=True)
