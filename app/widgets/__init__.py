"""Widgets written as HTML, CSS and JavaScript, one folder each, shown through ``gr.HTML``: no build step.

Their scripts are one file, which a browser fetches once and keeps. In the page itself they would be two thirds of what
every visit carries, and Gradio, which looks through the script of a widget for each property it does not find, would
read all of them again for each visitor.
"""

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
_GIVEN = "element, trigger, props, server, upload, watch"  # to the script of a gr.HTML
_BODIES: dict[str, str] = {}
"""What :func:`script` holds: a widget by its name and by what it shares."""


def widget(name: str, shared: tuple[str, ...] = (), **options: Any) -> gr.HTML:  # noqa: ANN401 - passed to gr.HTML
    """A ``gr.HTML`` made of the three files in the folder ``name``.

    The template never changes with the value, so Gradio leaves the elements alone and the script, which
    watches ``value``, decides what to redraw. Text reaches the page as text, never as markup.

    Args:
        name: the folder.
        shared: scripts and styles that several widgets have in common, as paths below this folder; they come first.
        options: passed through to ``gr.HTML``.
    """
    kind = " ".join((name, *shared))
    _BODIES[kind] = _joined("js", (*shared, f"{name}/{name}.js"))
    return gr.HTML(
        html_template=_text(f"{name}/{name}.html"),
        css_template=_joined("css", (*shared, f"{name}/{name}.css")),
        js_on_load=f"lnfWidget({json.dumps(kind)}, {_GIVEN})",
        apply_default_css=False,
        **options,
    )


def script() -> str:
    """The scripts of all widgets made so far, with what they have in common before them: one function of the page.

    ``resting.js`` comes first and runs at once.
    """
    common = _NAMES + _joined("js", ("waiting.js", "common.js"))
    kinds = "".join(f"{json.dumps(kind)}: () => {{\n{body}}},\n" for kind, body in _BODIES.items())
    return f"{_text('resting.js')}window.lnfWidget = (kind, {_GIVEN}) => {{\n{common}({{\n{kinds}}})[kind]();\n}};\n"


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


def _joined(suffix: str, files: tuple[str, ...]) -> str:
    return "".join(_text(file) for file in files if file.endswith(suffix))


def _text(file: str) -> str:
    """A file as it is sent: without the lines that explain it, a seventh of the page on its way to a visitor."""
    lines = (_HERE / file).read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.lstrip().startswith("//"))
