"""Tabs that look into one sequence of the model at hand: their widgets ask the server for what they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from app import catalogue
from app.errors import spoken, words_for
from app.model_bar import ModelBar
from app.services.inside import InsideViews
from app.services.latent import LatentViews
from app.widgets import widget

_View = Callable[[Mapping[str, Any]], dict[str, Any]]


class LatentTab:
    """Latent space: thousands of draws of one hidden vector, and what they stand for."""

    name = "latent"
    title = "Latent space"

    def __init__(self, views: LatentViews) -> None:
        self._views = views

    def render(self) -> None:
        """Place the picture."""
        self._picture = _placed("cloud", {"view": self._views.view})

    def listen(self, page: gr.Blocks, bar: ModelBar) -> None:
        """Follow the choice of a model; clients of the API ask by name."""
        _follow(bar, self._picture)

        @spoken
        def latent(checkpoint: str, seed: int = 0, step: int = 1, text: str = "") -> dict[str, Any]:
            """Draws of the hidden vector of one step, after every layer, and the symbols they decode to."""
            return self._views.view({"checkpoint": checkpoint, "seed": seed, "step": step, "text": text})

        gr.api(latent, api_name="latent", concurrency_id="model")


class InsideTab:
    """Inside a sequence: what its steps cost, how it comes about, and what its noise reaches."""

    name = "inside"
    title = "Inside a sequence"

    def __init__(self, views: InsideViews) -> None:
        self._views = views

    def render(self) -> None:
        """Place the picture."""
        self._picture = _placed("inside", {"view": self._views.view, "poke": self._views.poke})

    def listen(self, page: gr.Blocks, bar: ModelBar) -> None:
        """Follow the choice of a model; clients of the API ask by name."""
        _follow(bar, self._picture)

        @spoken
        def inside(checkpoint: str, seed: int = 0, text: str = "") -> dict[str, Any]:
            """What each step of a sequence costs, the bound over draws, and the sequence after every layer."""
            return self._views.view({"checkpoint": checkpoint, "seed": seed, "text": text})

        gr.api(inside, api_name="inside", concurrency_id="model")


def _placed(name: str, views: Mapping[str, _View]) -> gr.HTML:
    """A widget whose value is the name of a checkpoint, and what its script may ask for."""
    entry = catalogue.first()
    return widget(
        name,
        value=entry.name if entry else None,
        label=name,
        elem_id=name,
        server_functions=[_answers(called, view) for called, view in views.items()],
    )


def _answers(name: str, view: _View) -> Callable[[Any], dict[str, Any]]:
    """``view`` as a plain function called ``name``, as Gradio wants it; errors are told in words."""

    def answer(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a browser sends
        try:
            return view(asked if isinstance(asked, dict) else {})
        except Exception as error:
            return {"error": words_for(error)}

    answer.__name__ = name
    return answer


def _follow(bar: ModelBar, picture: gr.HTML) -> None:
    bar.picker.change(_chosen, bar.picker, picture, api_visibility="private", show_progress="hidden")


def _chosen(name: str) -> str:
    return name
