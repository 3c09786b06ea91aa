"""Which sequences each step sees, and every random number of a run, as functions of (seed, step or epoch).

Nothing here keeps state, so a resumed run needs no saved generator: it asks for the same step again.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from lnf_core.data import SequenceBatch, batch_indices, collate, random_transpose


def derive_seed(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for one purpose of one run, unrelated to those of other purposes."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def derive_generator(seed: int, *parts: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded by :func:`derive_seed`."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, *parts))


class BatchPlan:
    """The training batches of every epoch, the same on every process.

    Args:
        sequences: The training split.
        batch_size: Sequences a step, over all processes.
        seed: The run's seed.
        transpose_semitones: Largest shift of a piano roll; 0 for none.
    """

    def __init__(
        self, sequences: tuple[Tensor, ...], batch_size: int, *, seed: int, transpose_semitones: int = 0
    ) -> None:
        self._sequences = sequences
        self._lengths = [len(sequence) for sequence in sequences]
        self._batch_size = batch_size
        self._seed = seed
        self._transpose = transpose_semitones
        self._epoch = -1
        self._batches: list[list[int]] = []
        self.steps_per_epoch = len(self._plan(0))

    def _plan(self, epoch: int) -> list[list[int]]:
        if epoch != self._epoch:
            generator = derive_generator(self._seed, "order", epoch)
            self._batches = batch_indices(self._lengths, self._batch_size, generator)
            self._epoch = epoch
        return self._batches

    def indices(self, step: int) -> list[int]:
        """Sequence numbers of one step, over all processes."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._plan(epoch)[position]

    def batch(self, step: int) -> list[Tensor]:
        """The sequences of one step, transposed. The shift depends on the step and place, not on the process."""
        generator = derive_generator(self._seed, "transpose", step)
        sequences = [self._sequences[index] for index in self.indices(step)]
        if self._transpose == 0:
            return sequences
        return [random_transpose(roll, self._transpose, generator) for roll in sequences]


def shard(sequences: list[Tensor], rank: int, processes: int) -> tuple[SequenceBatch, float]:
    """One process's share of a step's sequences, padded together, and its weight in the loss.

    Every process needs a batch to take part in the gradient exchange: where there are fewer sequences than processes,
    those left over take the first one with weight 0.
    """
    own = sequences[rank::processes]
    return (collate(own), 1.0) if own else (collate(sequences[:1]), 0.0)


def symbol_count(sequences: list[Tensor]) -> int:
    """The denominator of every figure in nats a step: ``sum(T + 1)``."""
    return sum(len(sequence) + 1 for sequence in sequences)


def spread(batches: list[list[int]], count: int) -> list[list[int]]:
    """``count`` of the batches, evenly spread over the (sorted) lengths; all of them when ``count`` is 0."""
    if count == 0 or count >= len(batches):
        return batches
    return [batches[(2 * i + 1) * len(batches) // (2 * count)] for i in range(count)]
