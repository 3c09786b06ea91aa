"""The result: a piano roll that plays, or lines that can be read."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from typing import Any

import gradio as gr

import lnf_core
from app import catalogue, present, ready
from app.components.controls import Controls
from app.components.model_bar import ModelBar
from app.errors import spoken
from app.limits import LIMITS
from app.results import Music, Result
from app.service import Service
from app.settings import Settings, read_query
from app.widgets import widget
from app.zerogpu import gpu

_LOG = logging.getLogger("app")
# A link with settings samples by itself; a bare address keeps the ready-made sample.
_RUN_LINK = """() => {
  const asked = new URLSearchParams(window.location.search);
  const names = ["dataset", "variant", "seed", "length", "temperature", "count", "tempo", "instrument",
    "likeliest"];
  if (names.some((name) => asked.has(name)))
    setTimeout(() => document.querySelector("#sample-button").click(), 150);
}"""


class SampleView:
    """Shows samples and asks the service for new ones."""

    status: gr.HTML
    roll: gr.HTML
    lines: gr.HTML

    def __init__(self, service: Service) -> None:
        self._service = service

    def render(self) -> None:
        """Place the status line and both pictures, each with a ready-made sample; one of them is hidden."""
        entry = catalogue.first()
        music = self._ready(ready.music)
        text = self._ready(ready.text)
        is_music = entry.domain == "music" if entry else True
        # Its own event sends the seed back, see status.js.
        opening = present.opening_status() if music or text else None
        self.status = widget("status", value=opening, label="summary", elem_id="status")
        self.roll = widget(
            "piano_roll",
            value=present.roll_payload(music, opening=True) if isinstance(music, Music) else None,
            label="roll",
            elem_id="roll",
            visible=True if is_music else "hidden",
        )
        self.lines = widget(
            "text_lines",
            value=present.text_payload(text, opening=True) if text and not isinstance(text, Music) else None,
            label="lines",
            elem_id="lines",
            visible="hidden" if is_music else True,
        )

    def _ready(self, make: Any) -> Result | None:  # noqa: ANN401 - one of the two functions in ready.py
        try:
            result: Result | None = make(self._service, _folder())
        except (lnf_core.LNFError, OSError, ValueError, KeyError):
            _LOG.exception("The ready-made sample could not be prepared; the page opens without it")
            return None
        return result

    def listen(self, page: gr.Blocks, bar: ModelBar, controls: Controls) -> None:
        """Connect the choice of a model, the button, the link and the seed."""

        @spoken
        def choose(checkpoint: str) -> tuple[Any, ...]:
            is_music = catalogue.find(checkpoint).domain == "music"
            return (
                *controls.for_checkpoint(checkpoint),
                gr.update(visible=True if is_music else "hidden"),
                gr.update(visible="hidden" if is_music else True),
            )

        @gpu
        @spoken
        def sample(
            checkpoint: str,
            length: str,
            count: float,
            temperature: float,
            seed: str,
            tempo: float,
            instrument: str,
            likeliest: bool = False,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 - how Gradio knows that progress is wanted
        ) -> tuple[Any, ...]:
            settings = Settings.check(checkpoint, length, count, temperature, seed, tempo, instrument, likeliest)
            self._service.check_length(settings)

            def report(fraction: float, words: str) -> None:
                progress(fraction, desc=words)

            result = self._service.sample(settings, _folder(), report)
            if isinstance(result, Music):
                return present.status(result), present.roll_payload(result), gr.skip()
            return present.status(result), gr.skip(), present.text_payload(result)

        @spoken
        def restore(request: gr.Request) -> tuple[Any, ...]:
            entry = catalogue.first()
            settings = read_query(dict(request.query_params), entry.name if entry else None)
            if settings is None:
                return tuple(gr.skip() for _ in range(1 + len(controls.inputs)))
            return (settings.checkpoint, *controls.values(settings))

        def keep_seed(event: gr.EventData) -> str:
            return str(event.seed)

        bar.picker.change(
            choose,
            bar.picker,
            [controls.length, controls.music_row, self.roll, self.lines],
            api_name="choose",
            api_description="What changes on the page when another checkpoint is chosen.",
            show_progress="hidden",
        )
        controls.button.click(
            sample,
            [bar.picker, *controls.inputs],
            [self.status, self.roll, self.lines],
            api_name="sample",
            api_description=(
                "Draw sequences. An empty length draws from p(T), an empty seed picks one. Returns what was done, then "
                "the notes with MIDI and WAV files, or the lines with the probability of each character."
            ),
            concurrency_id="model",
            concurrency_limit=LIMITS.at_once,
            show_progress_on=self.status,
            trigger_mode="once",
        )
        self.status.select(keep_seed, None, controls.seed, api_visibility="private", show_progress="hidden")
        page.load(
            restore, None, [bar.picker, *controls.inputs], api_visibility="private", show_progress="hidden"
        ).success(None, None, None, js=_RUN_LINK)
        gr.api(list_models, api_name="models")


def list_models() -> list[dict[str, Any]]:
    """Every data set and variant, with the reason where one cannot be used."""
    return catalogue.options()


def _folder() -> Path:
    """A new folder inside Gradio's cache, where files are served from and deleted after an hour."""
    from gradio.utils import get_upload_folder

    return Path(get_upload_folder()) / uuid.uuid4().hex
