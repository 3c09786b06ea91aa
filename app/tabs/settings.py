"""The settings of a sample, folded behind one line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

import lnf_core
from app import catalogue
from app.fields import FIELDS, Field, Settings
from app.limits import LIMITS
from app.services.sampling import Sampling
from app.widgets import widget
from lnf_core.music import INSTRUMENTS
from lnf_core.music.reader import ENDINGS

_BY_NAME = {field.name: field for field in FIELDS}
# What was said of one file is not true of the next; other fields take it back as one types (common.js). The line beside
# the button is again that of the picture.
_TAKEN_BACK = """() => {
  const field = document.querySelector("#midi"), said = field.querySelector(".lnf-refusal");
  if (said) { said.remove(); field.closest("[role=tabpanel]").dispatchEvent(new CustomEvent("lnf-tell")); }
  return [];
}"""


class SettingsFold:
    """One input for each of :data:`~app.fields.FIELDS`, in their order."""

    inputs: list[gr.components.Component]
    for_clients: list[gr.components.Component]
    """The same for programs, who may leave out what has a usual value."""
    dataset: gr.Textbox
    """Whose settings are shown; no ``gr.State``, for which every page would hold a connection to the server."""
    music_part: gr.Column
    text_part: gr.Column
    hint: gr.HTML
    below: gr.Button
    """Samples too: on a phone the settings stand two screens below the button."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling

    def render(self) -> None:
        """Place the inputs, those for music in a row of their own."""
        entry = catalogue.first()
        made: dict[str, gr.components.Component] = {}
        more = {
            "music": "More: temperature, length, seed, instrument, go on from your own",
            "text": "More: temperature, length, seed, go on from your own",
        }
        widget("fold", folds="settings", words=more, elem_id="more")
        with gr.Column(elem_id="settings", elem_classes="lnf-folded"):
            with gr.Row(elem_classes="lnf-settings"):
                made["temperature"] = self._slider("temperature", LIMITS.temperature, 0.05)
                made["count"] = self._slider("count", LIMITS.count, 1)
                # Text fields, because a number field of Gradio shows 0 where it should be empty.
                made["length"] = self._text("length", "left to the model", **self._length_words(entry))
                made["seed"] = self._text("seed", "new each time", label="Seed")
            music = entry is None or entry.domain == "music"
            # While the page opens, Gradio hides a part only if all that stands in it is hidden; later it sees to that.
            of_music, of_text = _shown(music), _shown(not music)
            with gr.Column(visible=of_music, elem_id="music-settings") as self.music_part:
                with gr.Row(elem_classes="lnf-settings"):
                    made["tempo"] = self._slider("tempo", LIMITS.tempo, 1, visible=of_music)
                    made["instrument"] = widget(
                        "select",
                        value=_BY_NAME["instrument"].default,
                        options=list(INSTRUMENTS),
                        words=_BY_NAME["instrument"].label,
                        label="instrument",
                        elem_id="instrument",
                        min_width=140,
                        visible=of_music,
                    )
                made["draw"] = gr.Checkbox(
                    entry is not None and _drawn(entry.dataset),
                    label="Draw every key by chance: rougher than the likeliest keys, and a true sample of the model",
                    elem_id="draw",
                    container=False,
                    visible=of_music,
                )
                made["midi"] = gr.File(
                    label="Go on from the beginning of a MIDI file of your own",
                    file_types=list(ENDINGS),
                    height=130,
                    elem_id="midi",
                    visible=of_music,
                )
                made["midi"].change(None, None, None, js=_TAKEN_BACK, api_visibility="private")
            with gr.Column(visible=of_text, elem_id="text-settings") as self.text_part:
                begin = {"label": "Go on from a text of your own", "visible": of_text}
                made["begin"] = self._text("begin", "for example: the company said", **begin)
            words = entry.variant.temperature if entry else ""
            self.hint = gr.HTML(_hint(words), elem_id="temperature-words", apply_default_css=False)
            self.below = gr.Button("Sample", variant="primary", elem_id="sample-below")
        self.inputs = [made[field.name] for field in FIELDS]
        self.for_clients = [_undecided(field) if field.usual else made[field.name] for field in FIELDS]
        self.dataset = gr.Textbox(entry.dataset if entry else "", visible="hidden", label="data set of the settings")

    def _slider(self, name: str, bounds: tuple[float, float], step: float, **options: Any) -> gr.HTML:  # noqa: ANN401
        field = _BY_NAME[name]
        return widget(
            "slider",
            value=field.default,
            words=field.label,
            least=bounds[0],
            most=bounds[1],
            step=step,
            label=name,
            elem_id=name,
            min_width=140,
            **options,
        )

    def _text(self, name: str, placeholder: str, **words: Any) -> gr.Textbox:  # noqa: ANN401 - for gr.Textbox
        default = _BY_NAME[name].default
        return gr.Textbox(default, placeholder=placeholder, min_width=140, max_lines=1, elem_id=name, **words)

    def values(self, settings: Settings, *, drawn: bool = False) -> list[Any]:
        """What :attr:`inputs` show for ``settings``, of which the seed was ``drawn`` rather than asked for."""
        return [
            ""
            if field.name == "seed" and drawn
            else field.shown(getattr(settings, field.name))
            if field.name in ("length", "seed")
            else getattr(settings, field.name) or (False if field.name == "draw" else field.default)
            for field in FIELDS
        ]

    def for_checkpoint(self, name: str) -> tuple[Any, Any, Any, Any]:
        """Updates of the length, of the parts for music and for text, and of the hint, once ``name`` is chosen."""
        entry = catalogue.find(name)
        music = entry.domain == "music"
        return (
            gr.update(**self._length_words(entry)),
            gr.update(visible=_shown(music)),
            gr.update(visible=_shown(not music)),
            _hint(entry.variant.temperature),
        )

    def for_dataset(self, name: str, before: str) -> tuple[Any, str]:
        """Update of how keys are drawn where ``name`` is of another data set than ``before``, and that data set."""
        dataset = catalogue.find(name).dataset
        return gr.skip() if dataset == before else gr.update(value=_drawn(dataset)), dataset

    def meant(self, name: object, values: Mapping[str, Any], dataset: object) -> Mapping[str, Any]:
        """What :attr:`inputs` ask of ``name``, where they may still show what is usual of another ``dataset``.

        Who presses Sample at once is quicker than the update of :meth:`for_dataset`.
        """
        if str(name).split("/")[0] == dataset:
            return values
        return {**values, **{field.name: None for field in FIELDS if field.usual}}

    @property
    def length(self) -> gr.components.Component:
        """The input whose words depend on the model."""
        return self.inputs[[field.name for field in FIELDS].index("length")]

    @property
    def draw(self) -> gr.components.Component:
        """The input whose usual value depends on the data set."""
        return self.inputs[[field.name for field in FIELDS].index("draw")]

    @property
    def seed(self) -> gr.components.Component:
        """The input a kept seed goes to."""
        return self.inputs[[field.name for field in FIELDS].index("seed")]

    def _length_words(self, entry: catalogue.Entry | None) -> dict[str, str]:
        if entry is None:
            return {"label": "Length"}
        unit = entry.unit
        try:
            shortest, longest = self._sampling.bounds(entry.name)
        except lnf_core.LNFError:
            return {"label": f"Length in {unit}"}
        return {"label": f"Length in {unit}, {shortest} to {longest}"}


def with_fields(handler: Callable[..., Any], *more: str) -> Callable[..., Any]:
    """``handler(checkpoint, values by name, more, progress, request)`` with the names and defaults of FIELDS."""

    def named(checkpoint: Any, *values: Any) -> Any:  # noqa: ANN401
        given = {field.name: value for field, value in zip(FIELDS, values, strict=False)}
        return handler(checkpoint, given, *values[len(FIELDS) :])

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter("checkpoint", kind, annotation=str),
        *(inspect.Parameter(field.name, kind, default=field.default, annotation=field.hint) for field in FIELDS),
        *(inspect.Parameter(name, kind, default="", annotation=str) for name in more),
        inspect.Parameter("progress", kind, default=gr.Progress(), annotation=gr.Progress),
        inspect.Parameter("request", kind, default=None, annotation=gr.Request),
    ]
    named.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    # Gradio knows a request, and an MCP client the kind of a number, by these.
    named.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return named


def _undecided(field: Field) -> gr.Checkbox:
    """What a program leaves out has its component's value: neither on nor off, of which Gradio would make off."""
    box = gr.Checkbox(label=field.label, visible=False)
    box.value = None
    return box


def _drawn(dataset: str) -> bool:
    usual = _BY_NAME["draw"].usual
    return usual is not None and bool(usual(dataset))


def _shown(here: bool) -> Any:  # noqa: ANN401 - what Gradio takes for ``visible``
    """Out of sight a part stays in the page: Gradio mounts it anew without the properties of its widgets."""
    return True if here else "hidden"


def _hint(words: str) -> str:
    return f"<p>{words}</p>"
