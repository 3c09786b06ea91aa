"""Somebody's own music as a model would read it: on its grid, on its keys, in the key it knows best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lnf_core.analysis.keys import in_likeliest_key
from lnf_core.data import sounding_shift
from lnf_core.models.base import ModelBase
from lnf_core.music import KEYS, Performance, note_name

_MANY_MOVED = 0.1
"""Of the notes, off the model's grid, from which on somebody should know."""


@dataclass(frozen=True)
class Opening:
    """The beginning of a piece, and what was done to it."""

    x: Tensor
    """``[T, V]``, from the first note on."""
    remarks: tuple[str, ...]
    """What was left out or moved, a part of a sentence each; none when the model reads the file as it came."""


def read_opening(
    source: str | Path | bytes, dataset: str, model: ModelBase, longest: int, *, unit: str = "steps"
) -> Opening:
    """The beginning of a MIDI file, at most ``longest`` steps of ``dataset``, for ``model`` to go on from.

    Args:
        source: a file, or what one holds.
        dataset: whose grid and keys the model has.
        model: a model of music.
        longest: steps at most, at least 1.
        unit: what the remarks call a step.

    Raises:
        MidiError: see :func:`~lnf_core.music.reader.read_midi`.
        InvalidInputError: see :func:`~lnf_core.analysis.keys.in_likeliest_key`.
    """
    found = Performance(dataset).read(source)
    roll = found.roll[int(found.roll.any(1).nonzero()[0]) :]  # a rest before the first note would be part of the music
    remarks = []
    if len(roll) > longest:
        remarks.append(f"of its {len(roll)} {unit} the first {longest} are used")
    if found.moved_notes > _MANY_MOVED * found.notes:
        begins, was = ("begins", "was") if found.moved_notes == 1 else ("begin", "were")
        remarks.append(
            f"{found.moved_notes} of its {found.notes} notes {begins} between the {unit} this model counts in and "
            f"{was} moved to the nearest, so some sound together"
        )
    lowest, highest = (note_name(key, sounding_shift(dataset)) for key in (0, KEYS - 1))
    keys = f"the keys this model has, {lowest} to {highest},"
    left_out = [
        f"{count} {what if count == 1 else several}"
        for count, what, several in (
            (found.dropped_notes, f"note outside {keys}", f"notes outside {keys}"),
            (found.drum_notes, "drum note", "drum notes"),
        )
        if count
    ]
    if left_out:
        remarks.append(f"{' and '.join(left_out)} left out")
    x, shift = in_likeliest_key(model, roll[:longest].to(model.device))
    if shift:
        remarks.append(
            f"moved {'up' if shift > 0 else 'down'} by {abs(shift)} semitone{'s' if abs(shift) > 1 else ''} "
            "to the key this model finds likeliest"
        )
    return Opening(x, tuple(remarks))
