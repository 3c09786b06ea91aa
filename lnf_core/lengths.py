"""p(T): the empirical histogram of sequence lengths."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lnf_core.errors import ConfigError


class LengthPrior(nn.Module):
    """A categorical distribution over ``T = 0 ... max_length``."""

    log_probs: Tensor

    def __init__(self, counts: Tensor) -> None:
        """``counts`` ``[max_length + 1]``: how often each length occurs; it need not be normalised.

        Raises:
            ConfigError: counts that are negative, not finite, or all zero.
        """
        super().__init__()
        counts = counts.double()
        if counts.ndim != 1 or not bool(torch.isfinite(counts).all()) or bool((counts < 0).any()) or counts.sum() <= 0:
            raise ConfigError("length_counts must be one row of finite, non-negative counts with a positive sum.")
        self.register_buffer("log_probs", torch.log(counts / counts.sum()).float())

    def log_prob(self, lengths: Tensor) -> Tensor:
        """``log p(T)`` in nats for int64 ``lengths`` of any shape; minus infinity for a length never seen."""
        inside = lengths.clamp(0, len(self.log_probs) - 1)
        return torch.where(inside == lengths, self.log_probs[inside], -torch.inf)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw ``count`` lengths of at least 1, int64 ``[count]``."""
        weights = self.log_probs.exp()
        weights[0] = 0.0  # a sequence without a step can be neither drawn nor heard
        return torch.multinomial(weights, count, replacement=True, generator=generator)
