"""Between two sequences: two seeds, the way from one to the other, and what lies on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from app.cache import new_folder
from app.errors import spoken
from app.model_bar import ModelBar
from app.services.between import SPACES, STOPS, Between, Way, no_such_way
from app.services.sampled import Music
from app.services.sound import Sound
from app.tabs.link import MIX_IF_ASKED
from app.tabs.pictures import in_sight, payload
from app.tabs.sounds import unseen_roll
from app.widgets import for_clients, widget
from app.widgets.status.payload import refusal
from app.widgets.text_lines.payload import stands_for

_MIX = """() => { document.querySelector("#mix").click(); return []; }"""


class BetweenPart:
    """The lower part of a tab: the ends, a button, and a roll or lines."""

    def __init__(self, between: Between, sound: Sound) -> None:
        self._between, self._sound = between, sound

    def render(self) -> None:
        """Place the words, the fields and the pictures."""
        gr.HTML(
            "<h3>Between two sequences</h3><p>Two samples as the model encodes them and reads them back, and four "
            "stops on the way between them; of music, press Play and drag from one to the other. Through the noise "
            "(the flow's own coordinates) each stop is as likely as a sample; straight through the hidden vectors it "
            "need not be.</p>",
            elem_classes="lnf-part",
            apply_default_css=False,
        )
        with gr.Row(elem_classes="lnf-settings"):
            self._first = gr.Textbox("1", label="From seed", elem_id="first", min_width=100, max_lines=1)
            self._second = gr.Textbox("2", label="To seed", elem_id="second", min_width=100, max_lines=1)
            self._through = gr.Radio(list(SPACES), value="noise", label="Through the", elem_id="through", min_width=160)
            self._mix = gr.Button("Mix", variant="primary", elem_id="mix", scale=0, min_width=120)
        self._said = widget("status", value=None, label="mixed", elem_id="mixed")
        self._roll = unseen_roll(self._sound, "way of music", "way-roll")
        self._lines = widget("text_lines", value=None, label="way of text", elem_id="way-lines", visible="hidden")

    def linked(self) -> Sequence[gr.components.Component]:
        """The ends, the way, and the line that says what is wrong with it."""
        return [self._first, self._second, self._through, self._said]

    def follow(self, link: Mapping[str, str]) -> Sequence[Any]:
        """Seeds are judged when it is mixed; a way there is not could not be chosen until then."""
        through, said = link.get("through", gr.skip()), gr.skip()
        if "through" in link and through not in SPACES:
            through, said = gr.skip(), refusal(no_such_way(through))
        return [link.get("first", gr.skip()), link.get("second", gr.skip()), through, said]

    def listen(self, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Mix at a press, at Enter in a field, or because a link has two seeds."""
        self._mix.click(
            self._show,
            [bar.picker, self._first, self._second, self._through],
            [self._said, self._roll, self._lines],
            api_visibility="private",
            show_progress_on=self._said,
            trigger_mode="once",
            concurrency_id="model",
        )
        for seed in (self._first, self._second):  # as it samples on the first tab
            seed.submit(None, None, None, js=_MIX, api_visibility="private")
        followed.success(None, self._said, None, js=MIX_IF_ASKED)

        @spoken
        def between(checkpoint: str, first: int = 1, second: int = 2, through: str = "noise") -> dict[str, Any]:
            """Two sampled sequences and four on the way from one to the other, as the notes or lines of a sample."""
            return for_clients(way_payload(self._between.way(checkpoint, first, second, through, new_folder())))

        gr.api(between, api_name="between", concurrency_id="model")

    def _show(self, checkpoint: str, first: str, second: str, through: str) -> tuple[Any, Any, Any]:
        try:
            way = self._between.way(checkpoint, first, second, through, new_folder())
        except Exception as error:
            return refusal(error), gr.skip(), gr.skip()
        shown = way_payload(way)
        return shown["status"], *in_sight(way.result.entry.domain, value=shown)


def way_payload(way: Way) -> dict[str, Any]:
    """A way as the roll or the lines draw it: one picture of all its stops, and whose they are."""
    result = way.result
    # The ends as the slider of music and the lines of text call them.
    shown = payload(result)
    if isinstance(result, Music):
        ends, keys = ("the first", "the second"), ", likeliest keys"
    else:
        ends, keys = ("1", str(STOPS)), ""
        shown["caption"] = (
            "Each character is the likeliest one given the hidden vectors of its stop, tinted by its probability; "
            "between the ends, where noise or vectors are mixed, the decoder may be less sure."
        ) + stands_for(result.entry.dataset)
    return shown | {
        "way": True,
        "details": (
            f"{ends[0]} is seed {way.first} and {ends[1]} seed {way.second} as the model encodes and reads them, "
            f"through the {way.through}{keys}"
        ),
        "status": {
            "kind": "done",
            "checkpoint": result.entry.name,
            "button": "Mix",
            "cannot": {"lstm": "The LSTM has no hidden vectors to mix."},
            "text": f"{result.entry.title}: from seed {way.first} to seed {way.second} through the {way.through}.",
            "query": way.link,
        },
    }
