"""p(T): the empirical histogram of sequence lengths."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lnf_core.errors import ConfigError, InvalidInputError


class LengthPrior(nn.Module):
    """A categorical distribution over ``T = 0 ... max_length``."""

    log_probs: Tensor

    def __init__(self, counts: Tensor, max_length: int) -> None:
        """``counts`` ``[max_length + 1]``: how often each length occurs; it need not be normalised.

        Raises:
            ConfigError: counts of another size, negative, not finite, or zero for every length above 0.
        """
        super().__init__()
        counts = counts.double()
        if counts.shape != (max_length + 1,):
            raise ConfigError(
                f"length_counts has shape {list(counts.shape)}; a max_length of {max_length} needs [{max_length + 1}]: "
                "one count for each length from 0."
            )
        if not bool(torch.isfinite(counts).all()) or bool((counts < 0).any()) or not bool((counts[1:] > 0).any()):
            raise ConfigError("length_counts must be finite and non-negative, with a length of 1 or more among them.")
        self.register_buffer("log_probs", torch.log(counts / counts.sum()).float())

    def log_prob(self, lengths: Tensor) -> Tensor:
        """``log p(T)`` in nats for int64 ``lengths`` of any shape; minus infinity for a length never seen."""
        inside = lengths.clamp(0, len(self.log_probs) - 1)
        return torch.where(inside == lengths, self.log_probs[inside], -torch.inf)

    def sums_to_one(self) -> bool:
        """Whether this is a distribution, which what was read from a file need not be."""
        return bool((self.log_probs.double().exp().sum() - 1).abs() < 1e-3)

    def sample(
        self, count: int, generator: torch.Generator | None = None, shortest: int = 1, longest: int | None = None
    ) -> Tensor:
        """Draw ``count`` lengths, int64 ``[count]``, from ``shortest``, which is at least 1, to ``longest``.

        ``shortest`` itself where no length in between ever occurred.

        Raises:
            InvalidInputError: ``shortest`` is more than the model takes.
        """
        device = self.log_probs.device
        # Exponentials are rounded where they are drawn from: so the same seed draws the same for a model on any device.
        weights = self.log_probs.to(device if generator is None else generator.device).exp()
        shortest = max(1, shortest)  # a sequence without a step can be neither drawn nor heard
        if shortest >= len(weights):
            raise InvalidInputError(f"a length of {shortest} or more was asked for; the longest is {len(weights) - 1}.")
        weights[:shortest] = 0.0
        if longest is not None:
            weights[max(0, longest + 1) :] = 0.0
        if not bool(weights.any()):
            return torch.full((count,), shortest, device=device)
        return torch.multinomial(weights, count, replacement=True, generator=generator).to(device)

    @property
    def shortest_trained(self) -> int:
        """The shortest length of the training data, in steps; 1 for a flat histogram, which says nothing about it.

        Music adds one to every bin, so there a length that occurred is one that stands above the lowest bin.
        """
        weights = self.log_probs[1:].exp()
        lowest = weights.min()
        occurred = weights > (1.5 * lowest if lowest > 0 else 0.0)
        return int(occurred.nonzero()[0]) + 1 if bool(occurred.any()) else 1
