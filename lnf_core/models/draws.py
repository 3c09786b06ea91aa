"""All the randomness of sampling, sequence by sequence: no sequence's numbers depend on the others drawn with it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lnf_core.models.length_prior import LengthPrior


class Draws:
    """One generator for each of ``count`` sequences, seeded by the caller's one after the other."""

    def __init__(self, count: int, generator: torch.Generator | None, device: torch.device) -> None:
        """Without a ``generator`` torch's global one seeds them."""
        self._device = device
        where = device if generator is None else generator.device
        self._generators = [
            torch.Generator(device).manual_seed(
                int(torch.randint(2**63 - 1, (), generator=generator, device=where, dtype=torch.int64))
            )
            for _ in range(count)
        ]

    def lengths(self, prior: LengthPrior) -> Tensor:
        """One length each from p(T), int64 ``[B]``."""
        return torch.cat([prior.sample(1, generator) for generator in self._generators])

    def normal(self, lengths: Tensor, size: int, dtype: torch.dtype) -> Tensor:
        """Standard normal ``[T, B, size]``, zero on padding."""
        rows = [
            torch.randn(int(steps), size, generator=generator, device=self._device)
            for steps, generator in zip(lengths, self._generators, strict=True)
        ]
        return pad_sequence(rows).to(dtype)

    def uniform(self, lengths: Tensor, *shape: int) -> Tensor:
        """Uniform in [0, 1), float64 ``[T, B, *shape]``, zero on padding."""
        rows = [
            torch.rand(int(steps), *shape, generator=generator, device=self._device, dtype=torch.float64)
            for steps, generator in zip(lengths, self._generators, strict=True)
        ]
        return pad_sequence(rows)
