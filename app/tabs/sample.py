"""Sample: a piano roll that plays, or lines that can be read, and the settings that made them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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
from app.tabs.settings import SettingsFold, with_fields
from app.tabs.sounds import sound_server, tuning_server
from app.tabs.tab import Tab
from app.widgets import file_data, for_clients, widget
from app.widgets.piano_roll.payload import roll_payload
from app.widgets.status.payload import refusal
from app.widgets.text_lines.payload import text_payload

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
        music, text = (self._ready(make) for make in (ready.music, ready.text))
        roll = roll_payload(music, opening=True) if isinstance(music, Music) else None
        lines = text_payload(text, opening=True) if text and not isinstance(text, Music) else None
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

    def _ready(self, make: Any) -> Result | None:  # noqa: ANN401 - one of the two functions in ready.py
        try:
            result: Result | None = make(self._sampling, new_folder())
        except (lnf_core.LNFError, OSError, ValueError, KeyError):
            _LOG.exception("The ready-made sample could not be prepared; the page opens without it")
            return None
        return result

    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Connect the choice of a model, the button, the link and the seed."""
        settings = self._settings

        def choose(checkpoint: str) -> tuple[Any, ...]:
            # A picture that comes into sight says its own line (status.js): whichever order answers arrive in, the
            # words are those of what is seen.
            try:
                return (*settings.for_checkpoint(checkpoint), *_visible(catalogue.find(checkpoint).domain))
            except Exception as error:
                raise refused(error) from None

        def restore(request: gr.Request) -> tuple[Any, ...]:
            entry = catalogue.first()
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

        def keep_seed(event: gr.EventData) -> str:
            return str(event.seed)

        def pressed(
            checkpoint: object, given: _Given, dataset: object, progress: gr.Progress, request: gr.Request
        ) -> tuple[Any, ...]:
            return self._for_page(checkpoint, settings.meant(checkpoint, given, dataset), progress, request)

        bar.picker.change(
            choose,
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
            api_visibility="private",
            show_progress="hidden",
        )
        outputs = [self.status, self.roll, self.lines]
        shared: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": LIMITS.at_once}
        sampling = self.button.click(
            with_fields(pressed, "dataset"),
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
        sampling.failure(self._stops.stop, None, None, api_visibility="private", show_progress="hidden", queue=False)
        settings.below.click(None, None, None, api_visibility="private", js=_PRESS)
        self.status.select(keep_seed, None, settings.seed, api_visibility="private", show_progress="hidden")
        restored = page.load(
            restore,
            None,
            [bar.picker, *settings.inputs, self.status, settings.dataset],
            api_visibility="private",
            show_progress="hidden",
        )
        restored.success(None, self.status, None, js=ON_READ)
        restored.failure(None, None, None, js=NOT_READ)
        gr.api(list_models, api_name="models")

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
        self, checkpoint: object, given: _Given, progress: gr.Progress, request: gr.Request
    ) -> tuple[Any, ...]:
        try:
            result = self._draw(checkpoint, given, progress, request)
        except StoppedError:
            return gr.skip(), gr.skip(), gr.skip()
        except Exception as error:
            return refusal(error), gr.skip(), gr.skip()
        # Another data set may have been chosen meanwhile: what arrives is what is shown.
        if isinstance(result, Music):
            payload = roll_payload(result)
            return payload["status"], gr.update(value=payload, visible=True), gr.update(visible="hidden")
        payload = text_payload(result)
        return payload["status"], gr.update(visible="hidden"), gr.update(value=payload, visible=True)

    def _for_clients(
        self, checkpoint: object, given: _Given, progress: gr.Progress, request: gr.Request
    ) -> tuple[Any, ...]:
        # The page keeps what was typed for the other kind of model; a client meant something by it.
        check_own(catalogue.find(checkpoint), given)
        result = self._draw(checkpoint, given, progress, request)
        if not isinstance(result, Music):
            payload = text_payload(result)
            return payload["status"], gr.skip(), for_clients(payload)
        payload = for_clients(roll_payload(result))
        for sample, piece in zip(payload["samples"], result.pieces, strict=True):
            sample["audio"] = file_data(self._sound.of(piece.midi, "wav"))
        return payload["status"], payload, gr.skip()


def _visible(domain: str) -> tuple[Any, Any]:
    """Updates of the roll and of the lines: one is shown, the other stays in the page unseen."""
    music = domain == "music"
    return gr.update(visible=True if music else "hidden"), gr.update(visible="hidden" if music else True)


def list_models() -> list[dict[str, Any]]:
    """Every data set and variant, with the reason where one cannot be used."""
    return catalogue.options()
