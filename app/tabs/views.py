"""Tabs that look into one sequence of the model at hand: their widgets ask the server for what they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from app import catalogue
from app.cache import new_folder
from app.errors import answers_in_turn, spoken
from app.model_bar import ModelBar
from app.services.between import SPACES, STOPS, Between, no_such_way
from app.services.inside import InsideViews
from app.services.latent import LatentViews
from app.services.sampled import Music
from app.services.sound import Sound
from app.tabs.link import MIX_IF_ASKED
from app.tabs.sample import refusal, sound_server
from app.turns import Places
from app.widgets import for_clients, widget
from app.widgets.piano_roll.payload import roll_payload
from app.widgets.text_lines.payload import text_payload

_MIX = """() => { document.querySelector("#mix").click(); return []; }"""
_CHOSEN = "(name) => name"
_View = Callable[[Mapping[str, Any]], dict[str, Any]]
_File = dict[str, Any]  # as a client's handle_file sends it; Gradio has put the file into its cache


class LatentTab:
    """Latent space: thousands of draws of one hidden vector, and what they stand for."""

    name = "latent"
    title = "Latent space"

    def __init__(self, views: LatentViews, places: Places) -> None:
        self._views, self._places = views, places

    def render(self) -> None:
        """Place the picture."""
        self._picture = _placed("cloud", self._places, {"view": self._views.view})

    def listen(self, page: gr.Blocks, bar: ModelBar) -> None:
        """Follow the choice of a model; clients of the API ask by name."""
        _follow(bar, self._picture)

        @spoken
        def latent(
            checkpoint: str, seed: int = 0, step: int = 1, text: str = "", midi: _File | None = None
        ) -> dict[str, Any]:
            """Draws of the hidden vector of one step, after every layer, and the symbols they decode to."""
            asked = {"checkpoint": checkpoint, "seed": seed, "step": step, "text": text, "midi": _path(midi)}
            return self._views.view(asked)

        gr.api(latent, api_name="latent", concurrency_id="model")


class InsideTab:
    """Inside a sequence: what its steps cost, how it comes about, and what its noise reaches."""

    name = "inside"
    title = "Inside a sequence"

    def __init__(self, views: InsideViews, places: Places, between: Between, sound: Sound) -> None:
        self._views, self._places, self._between, self._sound = views, places, between, sound

    def render(self) -> None:
        """Place the picture, and below it the way between two sequences."""
        self._picture = _placed("inside", self._places, {"view": self._views.view, "poke": self._views.poke})
        gr.HTML(
            "<h3>Between two sequences</h3><p>Two samples as the model reads them back, and four stops on the way "
            "between them; of music, press Play and drag from one to the other. Through the noise "
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
        self._roll = widget(
            "piano_roll",
            ("piano_roll/reveal.js",),
            value=None,
            label="way of music",
            elem_id="way-roll",
            visible="hidden",
            server_functions=[sound_server(self._sound)],
        )
        self._lines = widget("text_lines", value=None, label="way of text", elem_id="way-lines", visible="hidden")

    def listen(self, page: gr.Blocks, bar: ModelBar) -> None:
        """Follow the choice of a model; clients of the API ask by name."""
        _follow(bar, self._picture)
        self._mix.click(
            self._show,
            [bar.picker, self._first, self._second, self._through],
            [self._said, self._roll, self._lines],
            api_visibility="private",
            show_progress_on=self._said,
            trigger_mode="once",
            concurrency_id="model",
        )
        for seed in (self._first, self._second):  # Enter in a field mixes, as it samples on the first tab
            seed.submit(None, None, None, js=_MIX, api_visibility="private")

        @spoken
        def between(checkpoint: str, first: int = 1, second: int = 2, through: str = "noise") -> dict[str, Any]:
            """Two sampled sequences and four on the way from one to the other, as the notes or lines of a sample."""
            return for_clients(self._mixed(checkpoint, first, second, through))

        gr.api(between, api_name="between", concurrency_id="model")
        page.load(
            _asked_way,
            None,
            [self._first, self._second, self._through, self._said],
            api_visibility="private",
            show_progress="hidden",
        ).success(None, self._said, None, js=MIX_IF_ASKED)

        @spoken
        def inside(checkpoint: str, seed: int = 0, text: str = "", midi: _File | None = None) -> dict[str, Any]:
            """What each step of a sequence costs, the bound over draws, and the sequence after every layer."""
            return self._views.view({"checkpoint": checkpoint, "seed": seed, "text": text, "midi": _path(midi)})

        gr.api(inside, api_name="inside", concurrency_id="model")

    def _show(self, checkpoint: str, first: str, second: str, through: str) -> tuple[Any, Any, Any]:
        try:
            payload = self._mixed(checkpoint, first, second, through)
        except Exception as error:
            return refusal(error), gr.skip(), gr.skip()
        shown, hidden = gr.update(value=payload, visible=True), gr.update(visible="hidden")
        music = "samples" in payload
        return payload["status"], shown if music else hidden, hidden if music else shown

    def _mixed(self, checkpoint: object, first: object, second: object, through: object) -> dict[str, Any]:
        way = self._between.way(checkpoint, first, second, through, new_folder())
        result = way.result
        payload = roll_payload(result) if isinstance(result, Music) else text_payload(result)
        payload["way"] = True
        # The ends as the slider of music and the lines of text call them.
        if isinstance(result, Music):
            ends, keys = ("the first", "the second"), ", likeliest keys"
        else:
            ends, keys = ("1", str(STOPS)), ""
            payload["caption"] = (
                "Each character is the likeliest one given the hidden vectors of its stop, tinted by its probability; "
                "between the ends, where noise or vectors are mixed, the decoder may be less sure. <unk> stands for a "
                "rare word, N for a number."
            )
        payload["details"] = (
            f"{ends[0]} is seed {way.first} and {ends[1]} seed {way.second} as the model reads them back, "
            f"through the {way.through}{keys}"
        )
        payload["status"] = {
            "kind": "done",
            "checkpoint": result.entry.name,
            "button": "Mix",
            "cannot": {"lstm": "The LSTM has no hidden vectors to mix."},
            "text": f"{result.entry.title}: from seed {way.first} to seed {way.second} through the {way.through}.",
            "query": way.link,
        }
        return payload


def _path(file: object) -> object:
    return file.get("path") if isinstance(file, Mapping) else file


def _asked_way(request: gr.Request) -> tuple[Any, Any, Any, Any]:
    """What a link asks for. Seeds are judged when it is mixed; a way there is not could not be chosen until then."""
    asked = dict(request.query_params)
    if asked.get("tab") != InsideTab.name:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()
    through, said = asked.get("through", gr.skip()), gr.skip()
    if "through" in asked and through not in SPACES:
        through, said = gr.skip(), refusal(no_such_way(through))
    return asked.get("first", gr.skip()), asked.get("second", gr.skip()), through, said


def _placed(name: str, places: Places, views: Mapping[str, _View]) -> gr.HTML:
    """A widget whose value is the name of a checkpoint, and what its script may ask for."""
    entry = catalogue.first()
    return widget(
        name,
        ("sequence/sequence.js", "sequence/sequence.css"),
        value=entry.name if entry else None,
        label=name,
        elem_id=name,
        server_functions=[answers_in_turn(called, view, places) for called, view in views.items()],
    )


def _follow(bar: ModelBar, picture: gr.HTML) -> None:
    # In the browser: asked of the server, a picture would still draw the model of before.
    bar.picker.change(None, bar.picker, picture, js=_CHOSEN, api_visibility="private")
