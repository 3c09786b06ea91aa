"""MIDI to roll.

A file may come from a stranger: every failure is a :class:`MidiError` of one sentence, and nothing is allocated before
its size is known to be small.
"""

from __future__ import annotations

import io
import math
import operator
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lnf_core.data.rolls import KEYS
from lnf_core.errors import InvalidInputError, MidiError
from lnf_core.music.midi import END_MARK, check_steps_per_beat
from lnf_core.music.roll import LOWEST_PITCH, check_shift, note_name, pitch_of

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

MAX_BYTES = 1 << 20
ENDINGS = (".mid", ".midi")
TOO_LARGE = f"The MIDI file is larger than {MAX_BYTES >> 20} MiB; choose a smaller one."
NOT_MIDI = "This is not a MIDI file; choose a Standard MIDI File (.mid)."
_DRUM_CHANNEL = 9
# MIDI numbers are chains of bytes >= 0x80 ended by one below. A real one has at most four; mido reads a chain of
# any length, in time that grows with its square, so a longer one than any text could hold is refused beforehand.
_LONG_NUMBER = re.compile(rb"[\x80-\xff]{4097}")

_Span = tuple[int, int, int]
"""pitch, first tick, last tick."""


@dataclass(frozen=True)
class MidiRoll:
    """What was read from a MIDI file, and what was left out."""

    roll: Tensor
    """``[T, 88]`` float32, 0/1."""
    dropped_notes: int
    """Notes outside the 88 keys."""
    drum_notes: int
    """Notes of drum kits, which have no pitch."""
    notes: int
    """Notes that are on the roll."""
    moved_notes: int
    """Those of them that begin more than a quarter of a step from the step they were moved to."""


@dataclass(frozen=True)
class _Score:
    """Notes in ticks, before any grid."""

    ticks_per_beat: int
    spans: list[_Span]
    drum_notes: int
    end: int
    """Tick of the end mark, 0 without one."""


def midi_to_roll(
    source: str | Path | bytes | PrettyMIDI, *, steps_per_beat: int = 2, sounding_shift: int = 0, max_steps: int = 4096
) -> Tensor:
    """The roll ``[T, 88]`` (float32, 0/1) of a MIDI file; see :func:`read_midi` for what it leaves out.

    Raises:
        MidiError: unreadable, empty, without notes in the 88 keys, too large or too long.
        InvalidInputError: ``steps_per_beat`` or ``max_steps`` out of range.
    """
    return read_midi(source, steps_per_beat=steps_per_beat, sounding_shift=sounding_shift, max_steps=max_steps).roll


def read_midi(
    source: str | Path | bytes | PrettyMIDI,
    *,
    steps_per_beat: int = 2,
    sounding_shift: int = 0,
    max_steps: int = 4096,
) -> MidiRoll:
    """Quantise the notes of a MIDI file to a grid of beats.

    Beats are the file's own, so its tempo changes do not move a note off the grid. Starts and ends go to the nearest
    step; every note keeps at least one. All pitched tracks are laid over each other; drums are left out, and so are
    notes outside the 88 keys. The roll ends with its last note, or at the end mark :func:`roll_to_midi` leaves.

    Args:
        source: path, contents of a file, or a ``PrettyMIDI``.
        steps_per_beat: rows of the roll for each beat.
        sounding_shift: semitones from the roll's keys to the pitches in the file, as for :func:`roll_to_midi`.
        max_steps: longest roll accepted.

    Raises:
        MidiError: unreadable, empty, without notes in the 88 keys, too large or too long.
        InvalidInputError: ``steps_per_beat`` or ``max_steps`` out of range.
    """
    steps_per_beat, max_steps = check_steps_per_beat(steps_per_beat), _check_max_steps(max_steps)
    lowest = pitch_of(0, check_shift(sounding_shift))
    if isinstance(source, (bytes, bytearray, memoryview)):
        score = _parse(bytes(source))
    elif isinstance(source, (str, os.PathLike)):
        score = _parse(_read_bounded(Path(source)))
    else:
        score = _from_pretty_midi(source)
    return _quantise(score, steps_per_beat, lowest, max_steps)


def _check_max_steps(max_steps: int) -> int:
    try:
        steps = operator.index(max_steps)
    except TypeError:
        steps = 0
    if steps < 1:
        raise InvalidInputError(f"max_steps is {max_steps!r}; give a whole number of at least 1.")
    return steps


def _read_bounded(path: Path) -> bytes:
    try:
        if not path.is_file():  # also keeps us from waiting on a pipe
            raise MidiError(f"There is no MIDI file {path.name!r}; check the path.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, MidiError):
            raise
        raise MidiError(f"The MIDI file {path.name!r} cannot be opened; check the path and its permissions.") from error


def _parse(data: bytes) -> _Score:
    if not data:
        raise MidiError("The MIDI file is empty; choose a Standard MIDI File (.mid).")
    if len(data) > MAX_BYTES:
        raise MidiError(TOO_LARGE)
    if not data.startswith(b"MThd"):
        raise MidiError(NOT_MIDI)
    unreadable = "The MIDI file is damaged and cannot be read; export it again as a Standard MIDI File (.mid)."
    if _LONG_NUMBER.search(data):
        raise MidiError(unreadable)
    import mido  # type: ignore[import-untyped]

    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except Exception as error:  # mido reports damage by a dozen built-in exceptions
        raise MidiError(unreadable) from error
    if file.ticks_per_beat <= 0:  # negative: SMPTE frames
        raise MidiError("The MIDI file counts time in film frames, not beats; export it with a beat (PPQ) time base.")
    spans: list[_Span] = []
    drum_notes = end = 0
    for track in file.tracks:
        tick = 0
        open_notes: dict[tuple[int, int], tuple[int, int]] = {}
        for event in track:
            tick += event.time
            if event.type == "text" and event.text == END_MARK:
                end = max(end, tick)
            elif event.type in ("note_on", "note_off"):
                struck = event.type == "note_on" and event.velocity > 0
                since = _press(open_notes, (event.channel, event.note), tick, struck=struck)
                if since is None:
                    continue
                if event.channel == _DRUM_CHANNEL:
                    drum_notes += 1
                else:
                    spans.append((event.note, since, tick))
    return _Score(file.ticks_per_beat, spans, drum_notes, end)


def _press(
    open_notes: dict[tuple[int, int], tuple[int, int]], key: tuple[int, int], tick: int, *, struck: bool
) -> int | None:
    """Follow one key of one channel; returns the tick since which a note sounded that ends now.

    A release ends every earlier strike of its key. One at the very tick of a new strike was meant for the note before
    it, whichever comes first in the file, so the new note stays open (``pretty_midi`` reads files the same way).
    """
    since, latest = open_notes.pop(key, (tick, -1))
    if struck:
        open_notes[key] = (since, tick)
        return None
    if latest < 0 or since == tick:
        return None
    if latest == tick:
        open_notes[key] = (tick, tick)
    return since


def _from_pretty_midi(midi: PrettyMIDI) -> _Score:
    try:
        notes = [(note, instrument.is_drum) for instrument in midi.instruments for note in instrument.notes]
        marks = [text.time for text in midi.text_events if text.text == END_MARK]
        for time in (*marks, *(time for note, _ in notes for time in (note.start, note.end))):
            if not (math.isfinite(time) and time >= 0.0):
                raise MidiError(f"The MIDI holds a time of {time} s; every time must be a number of at least 0.")
        pitched = [note for note, is_drum in notes if not is_drum]
        return _Score(
            ticks_per_beat=int(midi.resolution),
            spans=[(int(n.pitch), int(midi.time_to_tick(n.start)), int(midi.time_to_tick(n.end))) for n in pitched],
            drum_notes=len(notes) - len(pitched),
            end=max((int(midi.time_to_tick(time)) for time in marks), default=0),
        )
    except (AttributeError, TypeError) as error:
        raise MidiError(f"A {type(midi).__name__} is no MIDI; give a path, bytes or a PrettyMIDI.") from error
    except (ArithmeticError, ValueError, IndexError) as error:
        if isinstance(error, MidiError):
            raise
        raise MidiError("The MIDI's tempo map or its times make no sense; choose another file.") from error


def _quantise(score: _Score, steps_per_beat: int, lowest: int, max_steps: int) -> MidiRoll:
    in_keys = [span for span in score.spans if 0 <= span[0] - lowest < KEYS]
    dropped = len(score.spans) - len(in_keys)
    if not in_keys:
        if dropped:
            shift = lowest - LOWEST_PITCH
            raise MidiError(
                f"None of the {dropped} notes of the MIDI file lies in the {KEYS} keys of this data, "
                f"{note_name(0, shift)} to {note_name(KEYS - 1, shift)}; transpose it first."
            )
        raise MidiError("The MIDI file has no notes" + (" but drums." if score.drum_notes else "; choose another."))
    steps = list(_to_steps(in_keys, score.ticks_per_beat, steps_per_beat, lowest))
    mark = _nearest_step(score.end, score.ticks_per_beat, steps_per_beat)
    length = max([mark, *(end for _, _, end in steps)])
    if length > max_steps:
        # A damaged file may claim a length of thousands of digits.
        given = f"{length} steps" if length < 10**9 else "over a billion steps"
        raise MidiError(
            f"The MIDI file is {given} long at {steps_per_beat} a beat; at most {max_steps} are accepted, so cut it."
        )
    roll = torch.zeros(length, KEYS)
    array = roll.numpy()  # a view; much faster to index than the tensor
    for key, start, end in steps:
        array[start:end, key] = 1.0
    moved = sum(_is_moved(first, score.ticks_per_beat, steps_per_beat) for _, first, _ in in_keys)
    return MidiRoll(roll, dropped, score.drum_notes, len(in_keys), moved)


def _is_moved(tick: int, ticks_per_beat: int, steps_per_beat: int) -> bool:
    after = tick * steps_per_beat % ticks_per_beat
    return 4 * min(after, ticks_per_beat - after) > ticks_per_beat


def _nearest_step(tick: int, ticks_per_beat: int, steps_per_beat: int) -> int:
    # Whole numbers throughout: a damaged file may hold ticks that no float can.
    return (2 * tick * steps_per_beat + ticks_per_beat) // (2 * ticks_per_beat)


def _to_steps(
    spans: list[_Span], ticks_per_beat: int, steps_per_beat: int, lowest: int
) -> Iterator[tuple[int, int, int]]:
    for pitch, first, last in spans:
        start = _nearest_step(first, ticks_per_beat, steps_per_beat)
        end = _nearest_step(last, ticks_per_beat, steps_per_beat)
        yield pitch - lowest, start, max(end, start + 1)
