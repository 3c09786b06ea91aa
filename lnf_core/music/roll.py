"""The piano roll: one row a step, one column for each of the 88 keys, 1 where a key sounds."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
from torch import Tensor

from lnf_core.data.rolls import KEYS, check_roll
from lnf_core.errors import InvalidInputError

LOWEST_PITCH = 21
"""MIDI number of column 0 (A0); column 87 is 108 (C8)."""


MAX_SHIFT = LOWEST_PITCH - 2
"""Largest shift either way that leaves every key a MIDI number: 108 + 19 is the last one."""
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def check_shift(sounding_shift: SupportsIndex) -> int:
    """The shift as a plain ``int``, in semitones.

    Raises:
        InvalidInputError: not a whole number in -19..19.
    """
    try:
        shift = operator.index(sounding_shift)
    except TypeError:
        shift = MAX_SHIFT + 1
    if abs(shift) > MAX_SHIFT:
        raise InvalidInputError(
            f"sounding_shift is {sounding_shift!r}; give whole semitones from {-MAX_SHIFT} to {MAX_SHIFT}."
        )
    return shift


def pitch_of(key: int, sounding_shift: int = 0) -> int:
    """The MIDI number at which column ``key`` sounds; rolls of the chorales stand an octave too high."""
    return key + LOWEST_PITCH + sounding_shift


def note_name(key: int, sounding_shift: int = 0) -> str:
    """The name of what sounds when column ``key`` is played: MIDI number 60 is C4."""
    pitch = pitch_of(key, sounding_shift)
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


@dataclass(frozen=True)
class HeldNote:
    """A key that is down during the steps ``start <= t < end``."""

    key: int
    """Column of the roll, 0..87."""
    start: int
    end: int

    def pitch(self, sounding_shift: int = 0) -> int:
        """MIDI note number, 21..108 without a shift (see :func:`pitch_of`)."""
        return pitch_of(self.key, sounding_shift)


def held_notes(roll: Tensor, *, tie: bool = True) -> Iterator[HeldNote]:
    """The notes of a roll ``[T, 88]``, key by key, each key in order of time.

    Args:
        roll: 0/1 values.
        tie: equal consecutive steps are one held note; without it every sounding step is struck anew.

    Raises:
        InvalidInputError: see :func:`~lnf_core.data.rolls.check_roll`.
    """
    sounding = check_roll(roll)
    silent = np.zeros((1, KEYS), dtype=np.int8)
    change = np.diff(np.concatenate([silent, sounding.astype(np.int8), silent]), axis=0)  # [T + 1, 88]
    # Transposed, so that the n-th start and the n-th end belong to the same note.
    keys, starts = np.nonzero(change.T == 1)
    _, ends = np.nonzero(change.T == -1)
    for key, start, end in zip(keys.tolist(), starts.tolist(), ends.tolist(), strict=True):
        if tie:
            yield HeldNote(key, start, end)
        else:
            for step in range(start, end):
                yield HeldNote(key, step, step + 1)
