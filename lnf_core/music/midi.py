"""Roll to MIDI."""

from __future__ import annotations

import io
import math
import operator
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex

from torch import Tensor

from lnf_core.data.rolls import check_roll
from lnf_core.errors import InvalidInputError
from lnf_core.music.instruments import check_program
from lnf_core.music.roll import check_shift, held_notes

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

END_MARK = "end of roll"
"""Text event that tells where a roll ends whose last steps are silent: MIDI itself only knows notes."""
MIN_TEMPO, MAX_TEMPO = 10.0, 400.0
MAX_STEPS_PER_BEAT = 48
VELOCITY = 80


def check_steps_per_beat(steps_per_beat: SupportsIndex) -> int:
    """The grid as a plain ``int``.

    Raises:
        InvalidInputError: not a whole number in 1..48.
    """
    try:
        steps = operator.index(steps_per_beat)
    except TypeError:
        steps = 0
    if not 1 <= steps <= MAX_STEPS_PER_BEAT:
        raise InvalidInputError(
            f"steps_per_beat is {steps_per_beat!r}; give a whole number from 1 to {MAX_STEPS_PER_BEAT}."
        )
    return steps


def check_tempo(tempo: float) -> float:
    """The tempo as a ``float``, in beats per minute.

    Raises:
        InvalidInputError: not a number in 10..400.
    """
    try:
        beats = float(tempo)
    except (TypeError, ValueError, OverflowError):
        beats = math.nan
    if not MIN_TEMPO <= beats <= MAX_TEMPO:
        raise InvalidInputError(
            f"The tempo is {tempo!r}; give beats per minute between {MIN_TEMPO:g} and {MAX_TEMPO:g}."
        )
    return beats


def roll_to_midi(
    roll: Tensor,
    *,
    tempo: float = 96.0,
    program: int = 0,
    steps_per_beat: int = 2,
    sounding_shift: int = 0,
    tie: bool = True,
) -> PrettyMIDI:
    """One instrument playing a roll.

    Args:
        roll: ``[T, 88]``, 0/1; column 0 is MIDI note 21. ``T = 0`` gives a file without notes.
        tempo: beats per minute, 10..400.
        program: General MIDI program, 0..127.
        steps_per_beat: rows of the roll for each beat.
        sounding_shift: semitones added to every key: -12 for the chorales, whose rolls stand an octave too high.
        tie: a key that sounds in consecutive steps is one held note; otherwise it is struck at each step.

    Raises:
        InvalidInputError: an argument out of range.
    """
    sounding = check_roll(roll)
    tempo, program, steps_per_beat = check_tempo(tempo), check_program(program), check_steps_per_beat(steps_per_beat)
    sounding_shift = check_shift(sounding_shift)
    import pretty_midi  # a quarter of a second, so not before it is needed

    # A step is a whole number of ticks, so every note starts exactly on the grid.
    ticks_per_step = -(-480 // steps_per_beat)
    midi = pretty_midi.PrettyMIDI(resolution=ticks_per_step * steps_per_beat, initial_tempo=tempo)
    seconds = 60.0 / (tempo * steps_per_beat)
    instrument = pretty_midi.Instrument(program=program)
    instrument.notes = [
        pretty_midi.Note(VELOCITY, note.pitch(sounding_shift), note.start * seconds, note.end * seconds)
        for note in held_notes(roll, tie=tie)
    ]
    midi.instruments.append(instrument)
    if len(sounding) and not sounding[-1].any():
        midi.text_events.append(pretty_midi.Text(END_MARK, len(sounding) * seconds))
    return midi


def midi_bytes(midi: PrettyMIDI) -> bytes:
    """The Standard MIDI File."""
    buffer = io.BytesIO()
    midi.write(buffer)
    return buffer.getvalue()


def write_midi(path: str | Path, midi: PrettyMIDI) -> None:
    """Write a Standard MIDI File (``.mid``)."""
    Path(path).write_bytes(midi_bytes(midi))
