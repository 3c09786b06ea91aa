"""Widgets written as HTML, CSS and JavaScript, one folder each, shown through ``gr.HTML``: no build step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).resolve().parent


def widget(name: str, **options: Any) -> gr.HTML:  # noqa: ANN401 - passed through to gr.HTML
    """A ``gr.HTML`` made of the three files in the folder ``name``.

    The template never changes with the value, so Gradio leaves the elements alone and the script, which
    watches ``value``, decides what to redraw. Text reaches the page as text, never as markup.
    """
    return gr.HTML(
        html_template=_read(name, "html"),
        css_template=_read(name, "css"),
        js_on_load=(_HERE / "common.js").read_text(encoding="utf-8") + _read(name, "js"),
        apply_default_css=False,
        **options,
    )


def file_data(path: Path) -> dict[str, Any]:
    """A file as widgets receive it: the marker makes Gradio serve it, and clients of the API download it."""
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def _read(name: str, suffix: str) -> str:
    return (_HERE / name / f"{name}.{suffix}").read_text(encoding="utf-8")
