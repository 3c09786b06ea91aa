"""Data set and variant."""

from __future__ import annotations

import gradio as gr

from app import catalogue
from app.widgets import widget


class ModelBar:
    """Its value is the name of a checkpoint, such as ``jsb/af-scf``; those that cannot be used are greyed out."""

    picker: gr.HTML

    def render(self) -> None:
        """Place the two rows of choices."""
        entry = catalogue.first()
        self.picker = widget(
            "picker",
            value=entry.name if entry else None,
            options=catalogue.options(),
            label="checkpoint",
            elem_id="model-bar",
        )
