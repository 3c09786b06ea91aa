"""Inside a sequence: what its steps cost, how it comes about, and what its noise reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from app.errors import spoken
from app.model_bar import ModelBar
from app.services.between import Between
from app.services.inside import InsideViews
from app.services.sound import Sound
from app.tabs.between import BetweenPart
from app.tabs.tab import Tab
from app.tabs.views import File, follow_model, path_of, placed
from app.turns import Places


class InsideTab(Tab):
    """One picture, which asks for what it shows, and below it the way between two sequences."""

    name = "inside"
    title = "Inside a sequence"

    def __init__(self, views: InsideViews, places: Places, between: Between, sound: Sound) -> None:
        self._views, self._places = views, places
        self._between = BetweenPart(between, sound)

    def render(self) -> None:
        """Place the picture, and below it the way between two sequences."""
        self._picture = placed("inside", self._places, {"view": self._views.view, "poke": self._views.poke})
        self._between.render()

    def linked(self) -> Sequence[gr.components.Component]:
        """The fields of the way; the picture reads the link itself."""
        return self._between.linked()

    def follow(self, link: Mapping[str, str]) -> Sequence[Any]:
        """The way a link to this tab asks for."""
        return self._between.follow(link)

    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Follow the choice of a model; clients of the API ask by name."""
        follow_model(bar, self._picture)
        self._between.listen(bar, followed)

        @spoken
        def inside(checkpoint: str, seed: int = 0, text: str = "", midi: File | None = None) -> dict[str, Any]:
            """What each step of a sequence costs, the bound over draws, and the sequence after every layer."""
            return self._views.view({"checkpoint": checkpoint, "seed": seed, "text": text, "midi": path_of(midi)})

        gr.api(inside, api_name="inside", concurrency_id="model")
