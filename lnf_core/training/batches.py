"""Which sequences each step sees, and every random number of a run, as functions of (seed, step or epoch).

Nothing here keeps state, so a resumed run needs no saved generator: it asks for the same step again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from lnf_core.data import SequenceBatch, batch_indices, collate, random_transpose
from lnf_core.nets.positions import Place


def derive_seed(seed: int, *parts: str | int) -> int:
    """A 63-bit seed for one purpose of one run, unrelated to those of other purposes."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def derive_generator(seed: int, *parts: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded by :func:`derive_seed`."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, *parts))


@dataclass(frozen=True, eq=False)
class Passage:
    """What a training step sees of one sequence: all of it, or a passage cut from it."""

    x: Tensor
    """``[T]`` or ``[T, V]``."""
    start: int
    """The step of the sequence that is step 0 of the passage."""
    total: int
    """Length of the whole sequence."""

    @property
    def symbols(self) -> int:
        """Its share of ``sum(T + 1)``: the end of a sequence counts as one."""
        return len(self.x) + (self.start + len(self.x) == self.total)


class BatchPlan:
    """The training batches of every epoch, the same on every process.

    Args:
        sequences: The training split.
        batch_size: Passages a step, over all processes.
        seed: The run's seed.
        transpose_semitones: Largest shift of a piano roll; 0 for none.
        crop_steps: The longest passage; 0 leaves every sequence whole.
    """

    def __init__(
        self,
        sequences: tuple[Tensor, ...],
        batch_size: int,
        *,
        seed: int,
        transpose_semitones: int = 0,
        crop_steps: int = 0,
    ) -> None:
        self._sequences = sequences
        self._batch_size = batch_size
        self._seed = seed
        self._transpose = transpose_semitones
        self._crop = crop_steps
        self._epoch = -1
        self._cuts: list[tuple[int, int, int]] = []
        self._batches: list[list[int]] = []
        self.steps_per_epoch = len(self._plan(0))

    def _plan(self, epoch: int) -> list[list[int]]:
        if epoch != self._epoch:
            self._cuts = self._cut(derive_generator(self._seed, "crop", epoch))
            lengths = [stop - start for _, start, stop in self._cuts]
            self._batches = batch_indices(lengths, self._batch_size, derive_generator(self._seed, "order", epoch))
            self._epoch = epoch
        return self._batches

    def _cut(self, generator: torch.Generator) -> list[tuple[int, int, int]]:
        """``(sequence, start, stop)`` of every passage: together they are the whole split.

        A sequence is cut at equal distances from a random first cut on, so that the number of passages, and with it
        that of the steps, is the same in every epoch.
        """
        cuts = []
        for number, length in enumerate(map(len, self._sequences)):
            pieces = -(-length // self._crop) if self._crop else 1
            phase = float(torch.rand((), generator=generator))
            between = [round(length * (piece + phase) / pieces) for piece in range(pieces)] if pieces > 1 else []
            edges = [0, *(min(max(edge, 1), length - 1) for edge in between), length]
            cuts += [(number, start, stop) for start, stop in pairwise(edges)]
        return cuts

    def batch(self, step: int) -> list[Passage]:
        """The passages of one step, transposed. The shift depends on the step and place, not on the process."""
        generator = derive_generator(self._seed, "transpose", step)
        epoch, position = divmod(step, self.steps_per_epoch)
        passages = []
        for passage in self._plan(epoch)[position]:
            number, start, stop = self._cuts[passage]
            whole = self._sequences[number]
            x = whole[start:stop]
            if self._transpose:
                x = random_transpose(x, self._transpose, generator)
            passages.append(Passage(x, start, len(whole)))
        return passages


def shard(passages: list[Passage], rank: int, processes: int) -> tuple[SequenceBatch, Place, float]:
    """One process's share of a step's passages, padded together, where they stand, and its weight in the loss.

    Every process needs a batch to take part in the gradient exchange: where there are fewer passages than processes,
    those left over take the first one with weight 0.
    """
    own = passages[rank::processes]
    share = own or passages[:1]
    place = Place(torch.tensor([p.start for p in share]), torch.tensor([p.total for p in share]))
    return collate([passage.x for passage in share]), place, 1.0 if own else 0.0


def symbol_count(passages: list[Passage]) -> int:
    """The denominator of every figure in nats a step: ``sum(T + 1)``."""
    return sum(passage.symbols for passage in passages)


def spread(batches: list[list[int]], count: int) -> list[list[int]]:
    """``count`` of the batches, evenly spread over the (sorted) lengths; all of them when ``count`` is 0."""
    if count == 0 or count >= len(batches):
        return batches
    return [batches[(2 * i + 1) * len(batches) // (2 * count)] for i in range(count)]
