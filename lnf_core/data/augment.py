"""Training-time changes to a piece that keep it music."""

from __future__ import annotations

import torch
from torch import Tensor

from lnf_core.data.rolls import KEYS, add_dummy_key
from lnf_core.errors import InvalidInputError


def random_transpose(roll: Tensor, max_semitones: int, generator: torch.Generator) -> Tensor:
    """Shift a whole piece up or down, uniformly over the shifts that lose no note.

    Args:
        roll: 0/1 ``[T, 88]``, or ``[T, 89]`` with the dummy key, which stays; not changed.
        max_semitones: shifts lie in ``[-max_semitones, max_semitones]``, fewer where a note would leave the keys.
        generator: a CPU generator; exactly one number is drawn from it.

    Returns:
        A new tensor of the same shape and type.

    Raises:
        InvalidInputError: another shape, or a negative ``max_semitones``.
    """
    if roll.dim() == 2 and roll.shape[1] == KEYS + 1:
        return add_dummy_key(random_transpose(roll[:, 1:], max_semitones, generator))
    if roll.dim() != 2 or roll.shape[1] != KEYS:
        raise InvalidInputError(f"The roll has shape {tuple(roll.shape)}; expected [T, {KEYS}].")
    if max_semitones < 0:
        raise InvalidInputError(f"max_semitones is {max_semitones}; it must be 0 or more.")
    sounding = roll.ne(0).any(dim=0).nonzero().flatten().tolist()  # keys, ascending
    lowest, highest = (sounding[0], sounding[-1]) if sounding else (0, KEYS - 1)
    least = max(-max_semitones, -lowest)
    most = min(max_semitones, KEYS - 1 - highest)
    shift = int(torch.randint(least, most + 1, (), generator=generator))
    # The keys that wrap around are silent: that is what least and most ensure.
    return torch.roll(roll, shift, dims=1)
