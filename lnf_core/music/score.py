"""What a synthesizer needs of a ``PrettyMIDI``: checked notes in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lnf_core.errors import InvalidInputError
from lnf_core.music.midi import END_MARK

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI


@dataclass(frozen=True)
class Strike:
    """One note to play."""

    start: float
    """Seconds."""
    end: float
    pitch: int
    velocity: int
    program: int
    instrument: int
    """Position of its instrument in the MIDI."""
    is_drum: bool


def read_strikes(midi: PrettyMIDI, seconds_limit: float) -> tuple[list[Strike], float]:
    """The notes that start before ``seconds_limit``, in order of time, and the second at which the music ends.

    Raises:
        InvalidInputError: a note whose time, pitch, velocity or program no synthesizer can play.
    """
    strikes: list[Strike] = []
    music_end = max((float(text.time) for text in midi.text_events if text.text == END_MARK), default=0.0)
    for index, instrument in enumerate(midi.instruments):
        for note in instrument.notes:
            strike = Strike(
                start=float(note.start),
                end=float(note.end),
                pitch=int(note.pitch),
                velocity=int(note.velocity),
                program=int(instrument.program),
                instrument=index,
                is_drum=bool(instrument.is_drum),
            )
            times = 0.0 <= strike.start <= strike.end < math.inf
            if not (times and all(0 <= v <= 127 for v in (strike.pitch, strike.velocity, strike.program))):
                raise InvalidInputError(f"The MIDI holds a note that cannot be played: {note!r}; leave it out.")
            music_end = max(music_end, strike.end)
            if strike.start < seconds_limit:
                strikes.append(strike)
    strikes.sort(key=lambda strike: strike.start)
    return strikes, music_end
