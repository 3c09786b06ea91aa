"""What the tabs have in common that look into one sequence: a widget that asks the server for what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from app import catalogue
from app.errors import answers_in_turn
from app.model_bar import ModelBar
from app.turns import Places
from app.widgets import widget

File = dict[str, Any]
"""As a client's handle_file sends it; Gradio has put the file into its cache."""
_CHOSEN = "(name) => name"
_View = Callable[[Mapping[str, Any]], dict[str, Any]]


def placed(name: str, places: Places, views: Mapping[str, _View]) -> gr.HTML:
    """A widget whose value is the name of a checkpoint, and what its script may ask for."""
    entry = catalogue.first()
    return widget(
        name,
        ("sequence/sequence.js", "sequence/sequence.css"),
        value=entry.name if entry else None,
        label=name,
        elem_id=name,
        server_functions=[answers_in_turn(called, view, places) for called, view in views.items()],
    )


def follow_model(bar: ModelBar, picture: gr.HTML) -> None:
    """Let ``picture`` show the model that is chosen."""
    # In the browser: asked of the server, a picture would still draw the model of before.
    bar.picker.change(None, bar.picker, picture, js=_CHOSEN, api_visibility="private")


def path_of(file: object) -> object:
    """Where the file of a client lies."""
    return file.get("path") if isinstance(file, Mapping) else file
