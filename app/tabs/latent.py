"""Latent space: thousands of draws of one hidden vector, and what they stand for."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app import catalogue
from app.errors import spoken, words_for
from app.model_bar import ModelBar
from app.services.latent import LatentViews
from app.widgets import widget


class LatentTab:
    """A picture that asks the server for what it shows; its value is the name of the checkpoint."""

    name = "latent"
    title = "Latent space"
    cloud: gr.HTML

    def __init__(self, views: LatentViews) -> None:
        self._views = views

    def render(self) -> None:
        """Place the picture."""
        entry = catalogue.first()
        self.cloud = widget(
            "cloud",
            value=entry.name if entry else None,
            label="cloud",
            elem_id="cloud",
            server_functions=[self._server()],
        )

    def listen(self, page: gr.Blocks, bar: ModelBar) -> None:
        """Follow the choice of a model; clients of the API ask by name."""
        bar.picker.change(_chosen, bar.picker, self.cloud, api_visibility="private", show_progress="hidden")

        @spoken
        def latent(checkpoint: str, seed: int = 0, step: int = 1, text: str = "") -> dict[str, Any]:
            """Draws of the hidden vector of one step, after every layer, and the symbols they decode to."""
            return self._views.view({"checkpoint": checkpoint, "seed": seed, "step": step, "text": text})

        gr.api(latent, api_name="latent", concurrency_id="model")

    def _server(self) -> Any:  # noqa: ANN401 - a plain function, as Gradio wants it
        views = self._views

        def view(asked: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a browser sends
            try:
                return views.view(asked if isinstance(asked, dict) else {})
            except Exception as error:
                return {"error": words_for(error)}

        return view


def _chosen(name: str) -> str:
    return name
