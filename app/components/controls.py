"""The settings of a sample and the button."""

from __future__ import annotations

from typing import Any, TypeVar

import gradio as gr

import lnf_core
from app import catalogue
from app.limits import LIMITS
from app.service import Service
from app.settings import DEFAULT_COUNT, DEFAULT_INSTRUMENT, DEFAULT_TEMPO, Settings
from lnf_core.data import steps_per_beat
from lnf_core.music import INSTRUMENTS

Part = TypeVar("Part", bound=gr.components.Component)


def _unjudged(part: Part) -> Part:
    """Hand values on as they came: ``limits.py`` is the one judge, and its sentences say more."""
    part.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return part


class Controls:
    """Length, how many, temperature, seed; for music also tempo and instrument."""

    length: gr.Textbox
    count: gr.Slider
    temperature: gr.Slider
    seed: gr.Textbox
    tempo: gr.Slider
    instrument: gr.Dropdown
    music_row: gr.Row
    likeliest: gr.Checkbox
    button: gr.Button

    def __init__(self, service: Service) -> None:
        self._service = service

    def render(self) -> None:
        """Place the settings in one or two rows and the button below."""
        entry = catalogue.first()
        with gr.Row(elem_classes="lnf-settings"):
            self.temperature = _unjudged(
                gr.Slider(
                    *LIMITS.temperature, value=1.0, step=0.05, label="Temperature", elem_id="temperature", min_width=140
                )
            )
            self.count = _unjudged(
                gr.Slider(*LIMITS.count, value=DEFAULT_COUNT, step=1, label="How many", min_width=140)
            )
            # Text fields, because a number field of Gradio shows 0 where it should be empty.
            self.length = gr.Textbox(
                "",
                placeholder="drawn from p(T)",
                min_width=140,
                max_lines=1,
                elem_id="length",
                **self._length_words(entry),
            )
            self.seed = gr.Textbox(
                "", label="Seed", placeholder="new each time", min_width=140, max_lines=1, elem_id="seed"
            )
        self.music_row = gr.Row(visible=entry is None or entry.domain == "music", elem_classes="lnf-settings")
        with self.music_row:
            self.tempo = _unjudged(
                gr.Slider(*LIMITS.tempo, value=DEFAULT_TEMPO, step=1, label="Tempo (beats a minute)", min_width=140)
            )
            self.instrument = _unjudged(
                gr.Dropdown(list(INSTRUMENTS), value=DEFAULT_INSTRUMENT, label="Instrument", min_width=140)
            )
        self.likeliest = gr.Checkbox(
            False,
            label="Likeliest symbols: no draw after the flow, only what the decoder thinks most likely",
            elem_id="likeliest",
            container=False,
        )
        self.button = gr.Button("Sample", variant="primary", size="lg", elem_id="sample-button")

    def listen(self) -> None:
        """Nothing of its own: the sample view listens to the button."""

    @property
    def inputs(self) -> list[gr.components.Component]:
        """What a request is made of, after the checkpoint."""
        return [self.length, self.count, self.temperature, self.seed, self.tempo, self.instrument, self.likeliest]

    def values(self, settings: Settings) -> list[Any]:
        """What :attr:`inputs` show for ``settings``."""
        return [
            "" if settings.length is None else str(settings.length),
            settings.count,
            settings.temperature,
            str(settings.seed),
            settings.tempo,
            settings.instrument,
            settings.likeliest,
        ]

    def for_checkpoint(self, name: str) -> tuple[Any, Any]:
        """Updates of the length and of the row for music once ``name`` is chosen."""
        entry = catalogue.find(name)
        return gr.update(**self._length_words(entry)), gr.update(visible=entry.domain == "music")

    def _length_words(self, entry: catalogue.Entry | None) -> dict[str, str]:
        if entry is None:
            return {"label": "Length"}
        beats = {1: "beats", 2: "half beats"}
        unit = beats[steps_per_beat(entry.dataset)] if entry.domain == "music" else "characters"
        try:
            longest = min(self._service.max_length(entry.name), LIMITS.length[1])
        except lnf_core.LNFError:
            return {"label": f"Length in {unit}"}
        return {"label": f"Length in {unit}, 1 to {longest}"}
