"""Widgets written as HTML, CSS and JavaScript, shown through ``gr.HTML`` without a build step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).resolve().parent


def widget(name: str, **options: Any) -> gr.HTML:  # noqa: ANN401 - passed through to gr.HTML
    """A ``gr.HTML`` made of ``<name>.html``, ``.css`` and ``.js`` in this folder.

    The template never changes with the value, so Gradio leaves the elements alone and the script, which
    watches ``value``, decides what to redraw. Text reaches the page as text, never as markup.
    """
    return gr.HTML(
        html_template=_read(name, "html"),
        css_template=_read(name, "css"),
        js_on_load=_read("common", "js") + _read(name, "js"),
        apply_default_css=False,
        **options,
    )


def _read(name: str, suffix: str) -> str:
    return (_HERE / f"{name}.{suffix}").read_text(encoding="utf-8")
