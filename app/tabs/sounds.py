"""Rolls that sound: what their script asks of the server, a piece's sound and pieces at another tempo or instrument."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr

from app.cache import drawn_piece, new_folder
from app.errors import told
from app.fields import Settings
from app.limits import LIMITS, whole
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.widgets import widget
from app.widgets.piano_roll.payload import tuned_payload

_NO_SUCH_PIECE = "There is no such piece here."


def sound_server(sounds: Sound) -> Callable[[Any], Awaitable[dict[str, Any]]]:
    """What the roll's script asks for the sound of a piece."""

    async def sound(wanted: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a browser sends
        """``{"piece": [folder, file], "kind": "flac"}`` to the path of the sound, or to an error in words."""
        try:
            folder, file = wanted["piece"]
            midi, kind = drawn_piece(folder, file), str(wanted["kind"])
        except (TypeError, ValueError, KeyError):
            return {"error": _NO_SUCH_PIECE}
        try:
            return {"path": str(await sounds.in_turn(midi, kind))}
        except Exception as error:
            return told(error)

    return sound


def tuning_server(sampling: Sampling) -> Callable[[Any], Awaitable[dict[str, Any]]]:
    """What the roll's script asks where tempo or instrument have changed."""

    async def tuned(wanted: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a browser sends
        """The pieces of a sample, ``[[folder, file, steps], ...]``, played anew; or an error in words."""
        try:
            checkpoint, heard = wanted["checkpoint"], {name: wanted[name] for name in ("tempo", "instrument")}
            given = [(drawn_piece(folder, file), steps) for folder, file, steps in wanted["pieces"][: LIMITS.count[1]]]
        except (TypeError, ValueError, KeyError):
            return {"error": _NO_SUCH_PIECE}
        try:
            settings = Settings.check(checkpoint, **heard)
            drawn = [(midi, whole("length", "The length", steps, LIMITS.length)) for midi, steps in given]
            pieces = await sampling.tuned_in_turn(settings, drawn, new_folder())
            return tuned_payload(pieces, 60.0 / settings.tempo)
        except Exception as error:
            return told(error)

    return tuned


def unseen_roll(sound: Sound, label: str, elem_id: str) -> gr.HTML:
    """A roll that comes into sight with its first pieces."""
    return widget(
        "piano_roll",
        ("piano_roll/reveal.js",),
        value=None,
        label=label,
        elem_id=elem_id,
        visible="hidden",
        server_functions=[sound_server(sound)],
    )
