"""Latent space: thousands of draws of one hidden vector, and what they stand for."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.errors import spoken
from app.model_bar import ModelBar
from app.services.latent import LatentViews
from app.tabs.tab import Tab
from app.tabs.views import File, follow_model, path_of, placed
from app.turns import Places


class LatentTab(Tab):
    """One picture, which asks for what it shows."""

    name = "latent"
    title = "Latent space"

    def __init__(self, views: LatentViews, places: Places) -> None:
        self._views, self._places = views, places

    def render(self) -> None:
        """Place the picture."""
        self._picture = placed("cloud", self._places, {"view": self._views.view})

    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Follow the choice of a model; clients of the API ask by name."""
        follow_model(bar, self._picture)

        @spoken
        def latent(
            checkpoint: str, seed: int = 0, step: int = 1, text: str = "", midi: File | None = None
        ) -> dict[str, Any]:
            """Draws of the hidden vector of one step, after every layer, and the symbols they decode to."""
            asked = {"checkpoint": checkpoint, "seed": seed, "step": step, "text": text, "midi": path_of(midi)}
            return self._views.view(asked)

        gr.api(latent, api_name="latent", concurrency_id="model")
