"""In which key a model would like to hear a piece.

Every music set stands in C (major or minor), and a model trained on one key knows no other well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lnf_core.checks import check_sequences
from lnf_core.data.rolls import KEYS, add_dummy_key, piano_keys
from lnf_core.models.base import ModelBase

SHIFTS = tuple(range(-6, 6))
"""Every key once, in semitones."""
CLEARLY = 0.2
"""Nats a step by which a key must be likelier than the one a piece is in: a model that has heard all keys before the
one it ended in finds several nearly as likely, and a piece that may stay should."""


@dataclass(frozen=True)
class KeySearch:
    """The transpositions of a roll that were tried."""

    shifts: tuple[int, ...]
    """Semitones upwards; those that would push a note off the keyboard are left out."""
    log_likelihoods: Tensor
    """``log p(x, T)`` of each, in nats, float64: an importance-sampled bound for a flow, exact for the baseline."""
    rolls: tuple[Tensor, ...]

    @property
    def best(self) -> int:
        """Index of the likeliest, or of the roll as it came where none is likelier by more than ``CLEARLY``."""
        likeliest, here = int(self.log_likelihoods.argmax()), self.shifts.index(0)
        gain = float(self.log_likelihoods[likeliest] - self.log_likelihoods[here])
        return likeliest if gain > CLEARLY * len(self.rolls[here]) else here


@torch.no_grad()
def likeliest_key(
    model: ModelBase, roll: Tensor, samples: int = 4, generator: torch.Generator | None = None
) -> KeySearch:
    """Score a roll ``[T, V]`` of 0/1, V as the model has it, in every key it fits into.

    Args:
        model: a music model; V is 88, or 89 with the output that never sounds at index 0.
        roll: at least one step.
        samples: importance samples K of each score.
        generator: randomness of the draws.

    Raises:
        InvalidInputError: a roll that does not fit the model, or of another width than those of a piano.
    """
    keyboard = piano_keys(roll)
    check_sequences(roll[:, None], torch.tensor([len(roll)], device=roll.device), model.config)
    silent = roll[:, :-KEYS]  # [T, 0 or 1]
    sounding = keyboard.any(0).nonzero().flatten()
    low, high = (int(sounding[0]), int(sounding[-1])) if len(sounding) else (0, 0)
    shifts = tuple(shift for shift in SHIFTS if low + shift >= 0 and high + shift < KEYS)
    rolls = tuple(torch.cat([silent, keyboard.roll(shift, 1)], 1) for shift in shifts)
    lengths = torch.full((len(rolls),), len(roll), device=roll.device)
    scores = model.log_likelihood(torch.stack(rolls, 1), lengths, samples, generator)
    return KeySearch(shifts, scores, rolls)


def in_likeliest_key(model: ModelBase, keyboard: Tensor) -> tuple[Tensor, int]:
    """A roll ``[T, 88]`` as ``model`` would like to hear it, ``[T, V]``, and how many semitones up it was moved for it.

    Equal rolls give equal answers.

    Raises:
        InvalidInputError: see :func:`likeliest_key`.
    """
    roll = add_dummy_key(keyboard) if model.config.vocab_size == KEYS + 1 else keyboard
    search = likeliest_key(model, roll, generator=torch.Generator().manual_seed(0))
    return search.rolls[search.best], search.shifts[search.best]
