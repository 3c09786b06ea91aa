"""What people hear and read: simple statistics of rolls and lines, for samples and data alike.

A share that has nothing to be a share of (triads where no step has three notes) is ``None``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lnf_core.data.rolls import KEYS, check_roll, piano_keys
from lnf_core.errors import InvalidInputError

_PITCH_CLASS = np.arange(KEYS) % 12  # counted from the lowest key; every statistic is the same in all keys
_CHORDS = (
    (0, 4, 7),  # major
    (0, 3, 7),  # minor
    (0, 3, 6),  # diminished
    (0, 4, 7, 10),  # the same with a seventh: dominant,
    (0, 4, 7, 11),  # major,
    (0, 3, 7, 10),  # minor,
    (0, 3, 6, 10),  # half-diminished
    (0, 3, 6, 9),  # and diminished
)
_WIDE_LEAP = 7  # semitones: a fifth


@dataclass(frozen=True)
class MusicStatistics:
    """What a set of rolls is like, averaged over all their steps."""

    steps: int
    notes: float
    """Sounding keys a step."""
    three_or_four_notes: float
    """Share of steps with three or four sounding keys: the voices of a choir."""
    triads: float | None
    """Of the steps with at least three sounding keys, the share whose pitch classes all belong to one major, minor or
    diminished triad, with or without a seventh."""
    clashes: float
    """Semitone clashes a step: pairs of sounding pitch classes one semitone apart, in whichever octaves they sound."""
    wide_leaps: float | None
    """Of the moves between neighbouring steps that both sound, the share where the highest note leaps by more than
    seven semitones."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MusicStatistics:
        """The inverse of :meth:`to_dict`; statistics not known here, a newer lnf_core's, are left out.

        Raises:
            InvalidInputError: one is missing.
        """
        missing = [field.name for field in fields(cls) if field.name not in values]
        if missing:
            raise InvalidInputError(f"The statistics lack {', '.join(missing)}; measure them again.")
        return cls(**{field.name: values[field.name] for field in fields(cls)})


@dataclass(frozen=True)
class TextStatistics:
    """What a set of lines is like."""

    words: int
    """Words, parted by white space."""
    known_words: float | None
    """Share of them that occur in the training split."""
    word_length: float | None
    """Characters a word."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def music_statistics(rolls: Iterable[Tensor]) -> MusicStatistics:
    """Measure rolls, samples or data.

    Args:
        rolls: 0/1 ``[T, 88]`` each, or ``[T, 89]`` with the paper's silent output first; lengths may differ.

    Raises:
        InvalidInputError: no step at all, another shape, or values other than 0 and 1.
    """
    pieces = [check_roll(piano_keys(roll)) for roll in rolls]
    steps = sum(len(piece) for piece in pieces)
    if not steps:
        raise InvalidInputError("The rolls hold no step to measure; give at least one.")
    sounding = np.concatenate(pieces)  # [N, 88]
    notes = sounding.sum(axis=1)  # [N]
    classes = _pitch_classes(sounding)  # [N, 12]
    leaps = np.concatenate([_top_moves(piece) for piece in pieces]) > _WIDE_LEAP
    return MusicStatistics(
        steps=steps,
        notes=float(notes.mean()),
        three_or_four_notes=float(((notes == 3) | (notes == 4)).mean()),
        triads=_share(_in_a_chord(classes)[notes >= 3]),
        clashes=float((classes & np.roll(classes, 1, axis=1)).sum() / steps),
        wide_leaps=_share(leaps),
    )


def unlikeness(one: MusicStatistics, other: MusicStatistics) -> float:
    """How far two pieces of music are apart by these statistics alone: 0 where all agree.

    The sum of the absolute differences, notes a step in quarters so that a missing voice counts as much as a share.
    """
    pairs = [
        (one.notes / 4.0, other.notes / 4.0),
        (one.three_or_four_notes, other.three_or_four_notes),
        (one.triads or 0.0, other.triads or 0.0),
        (one.clashes, other.clashes),
        (one.wide_leaps or 0.0, other.wide_leaps or 0.0),
    ]
    return sum(abs(a - b) for a, b in pairs)


def text_statistics(lines: Iterable[str], vocabulary_words: Collection[str]) -> TextStatistics:
    """Measure lines of text.

    Args:
        lines: samples or data.
        vocabulary_words: the words of the training split, see :func:`words_of`; a set or frozenset.
    """
    words = [word for line in lines for word in line.split()]
    return TextStatistics(
        words=len(words),
        known_words=_share([word in vocabulary_words for word in words]),
        word_length=_share([len(word) for word in words]),
    )


def words_of(lines: Iterable[str]) -> frozenset[str]:
    """Every word of the lines, parted by white space."""
    return frozenset(word for line in lines for word in line.split())


def _pitch_classes(sounding: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the twelve pitch classes sound: ``[N, 88] -> [N, 12]``."""
    return np.stack([sounding[:, pitch_class == _PITCH_CLASS].any(axis=1) for pitch_class in range(12)], axis=1)


def _in_a_chord(classes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether all sounding pitch classes belong to one chord, on any root: ``[N, 12] -> [N]``."""
    found = np.zeros(len(classes), dtype=bool)
    for chord in _CHORDS:
        for root in range(12):
            others = [pitch_class for pitch_class in range(12) if (pitch_class - root) % 12 not in chord]
            found |= ~classes[:, others].any(axis=1)
    return found


def _top_moves(piece: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Semitones the highest note moves by, for each two neighbouring steps of a piece ``[T, 88]`` that both sound."""
    top = KEYS - 1 - piece[:, ::-1].argmax(axis=1)  # [T]; meaningless where nothing sounds
    sounds = piece.sum(axis=1) > 0
    moves: NDArray[np.int64] = np.abs(top[1:] - top[:-1])[sounds[1:] & sounds[:-1]]
    return moves


def _share(values: Sequence[float] | NDArray[np.bool_]) -> float | None:
    return float(np.mean(values)) if len(values) else None
