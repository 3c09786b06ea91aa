"""The piano roll: one row a step, one column for each of the 88 keys, 1 where a key sounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lnf_core.errors import InvalidInputError

KEYS = 88
LOWEST_PITCH = 21
"""MIDI number of column 0 (A0); column 87 is 108 (C8)."""


@dataclass(frozen=True)
class HeldNote:
    """A key that is down during the steps ``start <= t < end``."""

    key: int
    """Column of the roll, 0..87."""
    start: int
    end: int

    @property
    def pitch(self) -> int:
        """MIDI note number, 21..108."""
        return self.key + LOWEST_PITCH


def check_roll(roll: Tensor) -> NDArray[np.bool_]:
    """The roll as a boolean array ``[T, 88]``; ``T`` may be 0.

    Raises:
        InvalidInputError: another shape, or a value that is neither 0 nor 1.
    """
    if roll.ndim != 2 or roll.shape[1] != KEYS:
        raise InvalidInputError(f"The roll has shape {tuple(roll.shape)}; give [T, {KEYS}], one row a step.")
    values = roll.detach().to("cpu", torch.float32).numpy()
    sounding: NDArray[np.bool_] = values == 1.0
    if not np.all(sounding | (values == 0.0)):
        wrong = values[~sounding & (values != 0.0)][0]
        raise InvalidInputError(f"The roll holds {wrong}; every entry must be 0 or 1. Sample or threshold it first.")
    return sounding


def held_notes(roll: Tensor, *, tie: bool = True) -> Iterator[HeldNote]:
    """The notes of a roll ``[T, 88]``, key by key, each key in order of time.

    Args:
        roll: 0/1 values.
        tie: equal consecutive steps are one held note; without it every sounding step is struck anew.

    Raises:
        InvalidInputError: see :func:`check_roll`.
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
