"""What ``piano_roll.js`` draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.services.sampled import Music, Piece
from app.widgets import file_data, packed
from app.widgets.status.payload import head
from lnf_core.analysis.statistics import MusicStatistics

_SHADE = "tells the registers of a choir apart, from bass (dark) to soprano (light)"


def roll_payload(music: Music, opening: bool = False) -> dict[str, Any]:
    """Plain values, and files as Gradio serves them; sound is asked for when a piece is played."""
    return {
        **head(music, opening),
        "seconds_per_beat": music.seconds_per_beat,
        "note": music.note,
        "given": round(music.given, 4),
        "caption": (
            "Each bar is one held note: higher is higher in pitch, its width is how long it sounds. The shade "
            f"{_SHADE if music.entry.dataset == 'jsb' else 'goes from low (dark) to high (light)'}. "
            "The upright line is what you hear."
        ),
        "data_habits": _habits("The music it learnt from", music.data) if music.data else "",
        "samples": [
            {
                **_heard(piece),
                "steps": len(piece.roll),
                "habits": _habits("This piece", piece.statistics),
                "midi": file_data(piece.midi),
            }
            for piece in music.pieces
        ],
    }


def tuned_payload(pieces: Sequence[Piece], seconds_per_beat: float) -> dict[str, Any]:
    """What of the payload is another once pieces are played at another tempo or on another instrument."""
    return {
        "seconds_per_beat": seconds_per_beat,
        "samples": [{**_heard(piece), "midi": str(piece.midi)} for piece in pieces],
    }


def _heard(piece: Piece) -> dict[str, Any]:
    return {
        "notes": packed([[round(start, 4), round(held, 4), pitch] for start, held, pitch in piece.notes]),
        "seconds": round(piece.seconds, 4),
        "piece": [piece.midi.parent.name, piece.midi.name],
    }


def _habits(who: str, found: MusicStatistics) -> str:
    """Simple statistics in words; the same ones for a piece and for the data."""
    triads = "" if found.triads is None else f", {found.triads:.0%} of the chords are plain triads or sevenths"
    return (
        f"{who}: {found.notes:.1f} notes at a time, three or four {found.three_or_four_notes:.0%} of the time{triads}, "
        f"{found.clashes:.2f} semitone clashes at a time."
    )
