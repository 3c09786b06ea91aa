"""All the randomness of sampling, sequence by sequence: no sequence's numbers depend on the others drawn with it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lnf_core.models.length_prior import LengthPrior


def standard_normal(shape: Sequence[int], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Noise of a device and dtype like ``like``'s, drawn where ``generator`` is: see :class:`Draws`."""
    source = like.device if generator is None else generator.device
    return torch.randn(tuple(shape), generator=generator, device=source, dtype=like.dtype).to(like.device)


class Draws:
    """One generator for each of ``count`` sequences, seeded by the caller's one after the other.

    Numbers are drawn where the caller's generator is: a generator of the processor draws the same for a model on any
    device, one of the GPU spares a large batch the way there.
    """

    def __init__(self, count: int, generator: torch.Generator | None, device: torch.device) -> None:
        """Without a ``generator`` torch's global one seeds them, that of the device."""
        self._device = device
        self._source = device if generator is None else generator.device
        self._generators = [
            torch.Generator(self._source).manual_seed(
                int(torch.randint(2**63 - 1, (), generator=generator, device=self._source, dtype=torch.int64))
            )
            for _ in range(count)
        ]

    def lengths(self, prior: LengthPrior) -> Tensor:
        """One length each from p(T), int64 ``[B]``."""
        return torch.cat([prior.sample(1, generator) for generator in self._generators])

    def normal(self, lengths: Tensor, size: int, dtype: torch.dtype) -> Tensor:
        """Standard normal ``[T, B, size]``, zero on padding."""
        rows = [
            torch.randn(steps, size, generator=generator, device=self._source)
            for steps, generator in zip(lengths.tolist(), self._generators, strict=True)
        ]
        return pad_sequence(rows).to(self._device, dtype)

    def uniform(self, lengths: Tensor, *shape: int) -> Tensor:
        """Uniform in [0, 1), float64 ``[T, B, *shape]``, zero on padding."""
        rows = [
            torch.rand(steps, *shape, generator=generator, device=self._source, dtype=torch.float64)
            for steps, generator in zip(lengths.tolist(), self._generators, strict=True)
        ]
        return pad_sequence(rows).to(self._device)
