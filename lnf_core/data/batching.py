"""Sequences of different lengths side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lnf_core.errors import InvalidInputError

# Training batches are cut after sorting by length * (1 +- this): neighbours change from epoch to epoch, yet a
# batch pads little.
_JITTER = 0.1


@dataclass(frozen=True, eq=False)
class SequenceBatch:
    """B sequences, zero-padded at the end."""

    x: Tensor
    """Text: int64 ``[T, B]``. Music: float32 ``[T, B, 88]``. T is the longest length."""
    lengths: Tensor
    """int64 ``[B]``: steps ``t >= lengths[b]`` are padding."""

    def to(self, device: torch.device | str) -> SequenceBatch:
        """The same batch with both tensors on ``device``."""
        return SequenceBatch(self.x.to(device), self.lengths.to(device))


def collate(sequences: Sequence[Tensor]) -> SequenceBatch:
    """Put sequences side by side: ``[T_b]`` or ``[T_b, V]`` each becomes ``[T, B]`` or ``[T, B, V]``.

    Raises:
        InvalidInputError: no sequence, an empty one, or ones that differ in more than their length.
    """
    if not sequences:
        raise InvalidInputError("A batch needs at least one sequence; none was given.")
    first = sequences[0]
    for position, sequence in enumerate(sequences):
        if sequence.dim() not in (1, 2) or len(sequence) == 0:
            raise InvalidInputError(
                f"Sequence {position} has shape {tuple(sequence.shape)}; "
                "a sequence is [T] or [T, keys] with at least one step."
            )
        if sequence.shape[1:] != first.shape[1:] or sequence.dtype != first.dtype:
            raise InvalidInputError(
                f"Sequence {position} is {sequence.dtype} {tuple(sequence.shape)}, but the first one is "
                f"{first.dtype} {tuple(first.shape)}; the sequences of a batch may differ only in length."
            )
    x = torch.nn.utils.rnn.pad_sequence(list(sequences))  # [T, B, ...], zeros at the end
    lengths = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64, device=first.device)
    return SequenceBatch(x, lengths)


def batch_indices(lengths: Sequence[int], batch_size: int, generator: torch.Generator | None = None) -> list[list[int]]:
    """Split the indices of ``lengths`` into batches of similar length; every index comes exactly once.

    All batches have ``batch_size`` indices but one, which has the rest.

    Args:
        lengths: the length of each sequence, in steps.
        batch_size: the most sequences in a batch.
        generator: ``None``: sorted from short to long, the same each time (evaluation). A CPU generator:
            other neighbours and another order of the batches at each call (training).

    Raises:
        InvalidInputError: ``batch_size`` below 1.
    """
    if batch_size < 1:
        raise InvalidInputError(f"batch_size is {batch_size}; it must be at least 1.")
    if len(lengths) == 0:
        return []
    keys = torch.tensor(lengths, dtype=torch.float64)
    if generator is None:
        order = torch.argsort(keys, stable=True).tolist()
        return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    noise = torch.rand(len(keys), generator=generator, dtype=torch.float64)
    order = torch.argsort(keys * (1.0 + _JITTER * (2.0 * noise - 1.0)), stable=True).tolist()
    sizes = [batch_size] * (len(order) // batch_size)
    rest = len(order) % batch_size
    if rest:
        # The short batch may be anywhere, else it would always hold the longest sequences.
        sizes.insert(int(torch.randint(len(sizes) + 1, (), generator=generator)), rest)
    starts = torch.tensor([0, *sizes]).cumsum(0).tolist()
    shuffled = torch.randperm(len(sizes), generator=generator).tolist()
    return [order[starts[batch] : starts[batch + 1]] for batch in shuffled]
