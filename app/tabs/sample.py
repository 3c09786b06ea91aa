"""Sample: a piano roll that plays, or lines that can be read, and the settings that made them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

import lnf_core
from app import catalogue, ready
from app.cache import new_folder
from app.errors import refused, spoken
from app.fields import Settings, check_own, read_query
from app.limits import LIMITS
from app.model_bar import ModelBar
from app.services.sampled import Music, Result
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.stops import StoppedError, Stops
from app.tabs.link import NOT_READ, ON_READ
from app.tabs.pictures import in_sight, payload
from app.tabs.settings import SettingsFold, with_fields
from app.tabs.sounds import sound_server, tuning_server
from app.tabs.tab import Tab
from app.widgets import file_data, for_clients, widget
from app.widgets.status.payload import refusal

_LOG = logging.getLogger("app")
_Given = Mapping[str, Any]  # values from the network by the names of FIELDS
_PRESS = """() => { document.querySelector("#sample-button").click(); return []; }"""

_CANCELLING = """() => {
  document.querySelector("#status .status").dispatchEvent(new CustomEvent("lnf-cancelling", { bubbles: true }));
  return [];
}"""


class SampleTab(Tab):
    """Shows samples and asks for new ones."""

    name = "sample"
    title = "Sample"
    button: gr.Button
    status: gr.HTML
    roll: gr.HTML
    lines: gr.HTML

    def __init__(self, sampling: Sampling, sound: Sound) -> None:
        self._sampling, self._sound = sampling, sound
        self._settings = SettingsFold(sampling)
        self._stops = Stops()

    def render(self) -> None:
        """Place the button and the line beside it, the picture, and the settings; each picture has a sample ready."""
        entry = catalogue.first()
        is_music = entry.domain == "music" if entry else True
        roll, lines = self._ready(ready.music, seen=is_music), self._ready(ready.text, seen=not is_music)
        shown = roll if is_music else lines
        with gr.Row(elem_classes="lnf-do"):
            self.button = gr.Button("Sample", variant="primary", elem_id="sample-button", scale=0, min_width=140)
            self.status = widget("status", value=shown and shown["status"], label="summary", elem_id="status")
            # In sight while a sample takes longer than a moment (theme.css).
            self._cancel = gr.Button("Cancel", elem_id="sample-cancel", scale=0, min_width=100)
        self.roll = widget(
            "piano_roll",
            ("piano_roll/reveal.js", "piano_roll/tuning.js"),
            value=roll,
            label="roll",
            elem_id="roll",
            visible=True if is_music else "hidden",
            server_functions=[sound_server(self._sound), tuning_server(self._sampling)],
        )
        self.lines = widget(
            "text_lines", value=lines, label="lines", elem_id="lines", visible="hidden" if is_music else True
        )
        self._settings.render()
        # Clients of the API get errors as errors and every file at once; the page shows errors where they belong.
        self._api = gr.Button(visible=False)

    def _ready(self, make: Callable[[Sampling, Path], Result | None], *, seen: bool) -> dict[str, Any] | None:
        try:
            result = make(self._sampling, new_folder())
            if result is None:
                return None
            shown = payload(result, opening=True)
            if not seen:  # what the page does not open with is found again by its address
                shown["status"]["query"] = result.settings.query()
            return shown
        except (lnf_core.LNFError, OSError, ValueError, KeyError):
            _LOG.exception("The ready-made sample could not be prepared; the page opens without it")
            return None

    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Connect the choice of a model, the button, the link and the seed."""
        settings, outputs = self._settings, [self.status, self.roll, self.lines]
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        shared: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": LIMITS.at_once}
        bar.picker.change(
            self._choose,
            bar.picker,
            [settings.length, settings.music_part, settings.text_part, settings.hint, self.roll, self.lines],
            api_name="choose",
            api_description="What changes on the page when another checkpoint is chosen.",
            show_progress="hidden",
        )
        bar.picker.change(
            settings.for_dataset,
            [bar.picker, settings.dataset],
            [settings.draw, settings.dataset],
            **quiet,
        )
        sampling = self.button.click(
            with_fields(self._for_page, "dataset"),
            [bar.picker, *settings.inputs, settings.dataset],
            outputs,
            api_visibility="private",
            show_progress_on=self.status,
            trigger_mode="once",
            **shared,
        )
        self._api.click(
            spoken(with_fields(self._for_clients)),
            [bar.picker, *settings.for_clients],
            outputs,
            api_name="sample",
            api_description=(
                "Draw sequences. An empty length draws from p(T), an empty seed picks one. Returns what was done, then "
                "the notes with MIDI and WAV files, or the lines with the probability of each character."
            ),
            **shared,
        )
        # What still waits is taken out of the queue, and counts as failed. Only by then is it known whether it is being
        # drawn, which ends with its step. The line and the picture of before are shown again; both are of one result.
        self._cancel.click(None, None, None, api_visibility="private", cancels=[sampling], js=_CANCELLING)
        sampling.failure(self._stops.stop, None, None, queue=False, **quiet)
        settings.below.click(None, None, None, api_visibility="private", js=_PRESS)
        self.status.select(_seed_to_keep, None, settings.seed, **quiet)
        link = page.load(self._restore, None, [bar.picker, *settings.inputs, self.status, settings.dataset], **quiet)
        link.success(None, self.status, None, js=ON_READ)
        link.failure(None, None, None, js=NOT_READ)
        gr.api(catalogue.options, api_name="models")

    def _choose(self, checkpoint: str) -> tuple[Any, ...]:
        # A picture that comes into sight says its own line (status.js): whichever order answers arrive in, the words
        # are those of what is seen.
        try:
            return (*self._settings.for_checkpoint(checkpoint), *in_sight(catalogue.find(checkpoint).domain))
        except Exception as error:
            raise refused(error) from None

    def _restore(self, request: gr.Request) -> tuple[Any, ...]:
        """Model, settings, line and data set as the link has them; whole seconds where the model must be loaded."""
        entry, settings = catalogue.first(), self._settings
        nothing = [gr.skip()] * (1 + len(settings.inputs))
        try:
            asked = read_query(dict(request.query_params), entry.name if entry else None, self._sampling.bounds)
        except Exception as error:
            return (*nothing, refusal(error), gr.skip())
        if asked is None:
            return (*nothing, gr.skip(), gr.skip())
        name, values = asked.settings.checkpoint, settings.values(asked.settings, drawn=asked.seed_is_open)
        said: Any = gr.skip()
        if asked.problems:
            of_link = {"more": "Press Sample to go on without it.", "domain": catalogue.find(name).domain}
            said = refusal(*asked.problems) | of_link
        return (name, *values, said, name.split("/")[0])

    def _draw(self, checkpoint: object, given: _Given, progress: gr.Progress, request: gr.Request) -> Result:
        # The mark before all else: the model may have to be loaded first, and who cancels then means it.
        with self._stops.of(request) as stop:
            name = catalogue.find(checkpoint).name
            settings = Settings.check(name, self._sampling.bounds(name), **given)

            def report(fraction: float, words: str) -> None:
                if stop.is_set():
                    raise StoppedError
                progress(fraction, desc=words)

            return self._sampling.sample(settings, new_folder(), report)

    def _for_page(
        self, checkpoint: object, given: _Given, dataset: object, progress: gr.Progress, request: gr.Request
    ) -> tuple[Any, ...]:
        try:
            meant = self._settings.meant(checkpoint, given, dataset)
            result = self._draw(checkpoint, meant, progress, request)
        except StoppedError:
            return gr.skip(), gr.skip(), gr.skip()
        except Exception as error:
            return refusal(error), gr.skip(), gr.skip()
        # Another data set may have been chosen meanwhile: what arrives is what is shown.
        shown = payload(result)
        return shown["status"], *in_sight(result.entry.domain, value=shown)

    def _for_clients(
        self, checkpoint: object, given: _Given, progress: gr.Progress, request: gr.Request
    ) -> tuple[Any, ...]:
        # The page keeps what was typed for the other kind of model; a client meant something by it.
        check_own(catalogue.find(checkpoint), given)
        result = self._draw(checkpoint, given, progress, request)
        shown = for_clients(payload(result))
        if not isinstance(result, Music):
            return shown["status"], gr.skip(), shown
        for sample, piece in zip(shown["samples"], result.pieces, strict=True):
            sample["audio"] = file_data(self._sound.of(piece.midi, "wav"))
        return shown["status"], shown, gr.skip()


def _seed_to_keep(event: gr.EventData) -> str:
    return str(event.seed)
