"""What a result is shown as: music as a roll, text as lines. Both stand in one place, and one of them is in sight."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.services.sampled import Music, Result
from app.widgets.piano_roll.payload import roll_payload
from app.widgets.text_lines.payload import text_payload


def payload(result: Result, *, opening: bool = False) -> dict[str, Any]:
    """What the roll or the lines draw; ``opening`` where it is there before anybody asks."""
    return roll_payload(result, opening) if isinstance(result, Music) else text_payload(result, opening)


def in_sight(domain: str, **shown: Any) -> tuple[Any, Any]:  # noqa: ANN401 - for gr.update
    """Updates of the roll and of the lines: of ``domain`` the one with what is ``shown``; the other stays unseen."""
    here, away = gr.update(visible=True, **shown), gr.update(visible="hidden")
    return (here, away) if domain == "music" else (away, here)
