"""Widgets written as HTML, CSS and JavaScript, one folder each, shown through ``gr.HTML``: no build step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from app.fields import TABS
from lnf_core.music.reader import ENDINGS, MAX_BYTES, NOT_MIDI, TOO_LARGE

_OWN_FILE = {"most": MAX_BYTES, "large": TOO_LARGE, "endings": ENDINGS, "other": NOT_MIDI}
_NAMES = f"const TAB_NAMES = {json.dumps(TABS)}, OWN_FILE = {json.dumps(_OWN_FILE)};\n"  # for common.js
_HERE = Path(__file__).resolve().parent


def widget(name: str, shared: tuple[str, ...] = (), **options: Any) -> gr.HTML:  # noqa: ANN401 - passed to gr.HTML
    """A ``gr.HTML`` made of the three files in the folder ``name``.

    The template never changes with the value, so Gradio leaves the elements alone and the script, which
    watches ``value``, decides what to redraw. Text reaches the page as text, never as markup.

    Args:
        name: the folder.
        shared: scripts and styles that several widgets have in common, as paths below this folder; they come first.
        options: passed through to ``gr.HTML``.
    """
    scripts, styles = (
        "".join(_text(file) for file in (*first, *shared, f"{name}/{name}.{suffix}") if file.endswith(f".{suffix}"))
        for suffix, first in (("js", ("waiting.js", "common.js")), ("css", ()))
    )
    return gr.HTML(
        html_template=_text(f"{name}/{name}.html"),
        css_template=styles,
        js_on_load=_NAMES + scripts,
        apply_default_css=False,
        **options,
    )


def page_script(body: str, given: str = "") -> str:
    """``body`` as the script of an event of Gradio's, which hands it ``given``; ``waiting.js`` comes first."""
    return f"({given}) => {{\n{_text('waiting.js')}{body}}}"


def packed(value: Any) -> str:  # noqa: ANN401 - any plain value
    """Many small values as one text, which ``unpacked`` of common.js reads.

    Gradio copies a component's value one leaf at a time whenever its state changes, a dozen times a press: of thousands
    of numbers that took longer than drawing them.
    """
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def for_clients(payload: dict[str, Any]) -> dict[str, Any]:
    """The value of a roll or of lines for a client of the API: what was packed for the page as lists again."""
    if "lines" in payload:
        return {**payload, "lines": json.loads(payload["lines"])}
    return {
        **payload,
        "samples": [{**sample, "notes": json.loads(sample["notes"])} for sample in payload["samples"]],
    }


def file_data(path: Path) -> dict[str, Any]:
    """A file as widgets receive it: the marker makes Gradio serve it, and clients of the API download it."""
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def _text(file: str) -> str:
    """A file as it is sent: without the lines that explain it, a seventh of the page on its way to a visitor."""
    lines = (_HERE / file).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("//"))
