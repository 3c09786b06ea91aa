"""Sampled music as a piano roll that plays."""

from __future__ import annotations

from typing import Any

from app.services.results import Music
from app.widgets import file_data
from app.widgets.title import head


def payload(music: Music, opening: bool = False) -> dict[str, Any]:
    """What ``piano_roll.js`` draws."""
    return {
        **head(music, opening),
        "seconds_per_beat": music.seconds_per_beat,
        "note": music.note,
        "caption": (
            "Each bar is one held note: higher is higher in pitch, its width is how long it sounds. "
            "The upright line is the moment you hear."
        ),
        "samples": [
            {
                "notes": [[round(start, 4), round(held, 4), pitch] for start, held, pitch in piece.notes],
                "seconds": round(piece.seconds, 4),
                "steps": len(piece.roll),
                "audio": file_data(piece.wav),
                "midi": file_data(piece.midi),
            }
            for piece in music.pieces
        ],
    }
