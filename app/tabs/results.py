"""Results: the figures of every checkpoint beside the paper's, from the checkpoints' own files."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.model_bar import ModelBar
from app.services import results
from app.tabs.tab import Tab
from app.widgets import widget


class ResultsTab(Tab):
    """Tables; nothing to set."""

    name = "results"
    title = "Results"

    def render(self) -> None:
        """Place the tables."""
        widget("table", value=results.figures(), label="figures", elem_id="figures")
        for number, table in enumerate(results.habits()):
            widget("table", value=table, label=f"statistics {number + 1}", elem_id=f"habits-{number + 1}")

    def listen(self, page: gr.Blocks, bar: ModelBar, followed: gr.events.Dependency) -> None:
        """Nothing changes here. Clients of the API may ask for the same figures."""
        gr.api(tables, api_name="results")


def tables() -> list[dict[str, Any]]:
    """Likelihoods beside the paper's and statistics of samples, as columns and rows of text."""
    return [results.figures(), *results.habits()]
