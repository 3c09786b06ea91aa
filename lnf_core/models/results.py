"""What the models return, as named values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Elbo:
    """The terms of the bound, per step and posterior sample, in nats; steps of padding are exactly zero."""

    log_px: Tensor
    """``log p(x_t | z)``, ``[T, B, K]``."""
    kl: Tensor
    """``log q(z_t | x) - log p(z_t | ...)`` at the drawn z, ``[T, B, K]``: an estimate, it may be negative."""
    log_p_length: Tensor
    """``log p(T)``, ``[B]``."""
    mask: Tensor
    """``[T, B]`` bool, false on padding."""

    @property
    def log_weights(self) -> Tensor:
        """``log p(x, z_k, T) - log q(z_k | x)``, ``[B, K]``: the terms importance sampling averages."""
        return (self.log_px - self.kl).sum(0) + self.log_p_length[:, None]

    @property
    def value(self) -> Tensor:
        """The ELBO of each sequence with ``log p(T)``, averaged over K: ``[B]``."""
        return self.log_weights.mean(-1)


@dataclass(frozen=True)
class Bound:
    """What K posterior samples say about each sequence of a batch, float64 ``[B]``, in nats, with ``log p(T)``."""

    log_likelihood: Tensor
    """``log mean_k exp(log_weights_k)``: below ``log p(x, T)`` in expectation, tighter with K (Burda et al. 2016)."""
    elbo: Tensor
    """The mean of the log weights: the bound for K = 1, averaged over the K draws."""
    log_px: Tensor
    """``log p(x | z)``, averaged over K."""
    kl: Tensor
    """``log q(z | x) - log p(z | T)``, averaged over K."""

    @classmethod
    def of(cls, parts: Iterable[Elbo]) -> Bound:
        """Importance sampling over draws that were made in several parts."""
        parts = list(parts)
        # Summed in float64: over thousands of steps a float32 sum is off by some thousandths of a nat.
        log_weights = torch.cat(
            [(part.log_px.double() - part.kl).sum(0) + part.log_p_length[:, None] for part in parts], -1
        )  # [B, K]
        samples = log_weights.shape[-1]
        return cls(
            log_likelihood=log_weights.logsumexp(-1) - math.log(samples),
            elbo=log_weights.mean(-1),
            log_px=torch.stack([part.log_px.double().sum((0, 2)) for part in parts]).sum(0) / samples,
            kl=torch.stack([part.kl.double().sum((0, 2)) for part in parts]).sum(0) / samples,
        )


@dataclass(frozen=True)
class Inversion:
    """A latent sequence pushed to the base noise and back."""

    eps: Tensor
    """``[T, B, D]``."""
    z: Tensor
    """``[T, B, D]``: ``eps`` pushed through the prior again."""
    error: float
    """Largest absolute difference between the z that was given and the one that came back; of a sequence that the model
    finds unlikely it says more of the recursion over time than of the flow (:meth:`~LatentFlow.step_error`)."""


@dataclass(frozen=True)
class Sample:
    """Sequences and how they came about; everything is padded with zeros after each sequence's end."""

    x: Tensor
    """``[T, B]`` int64 (categorical) or ``[T, B, V]`` 0/1 floats (bernoulli)."""
    lengths: Tensor
    """``[B]`` int64."""
    probabilities: Tensor
    """``[T, B, V]``: what each x_t was drawn from."""
    z: Tensor | None = None
    """``[T, B, D]``, for latent flows."""
    eps: Tensor | None = None
    """``[T, B, D]``, the base noise behind ``z``."""
    engine: str = "eager"
    """Which engine drew it."""
    dependent_steps: int = 0
    """Passes that had to wait for the one before (see :class:`~lnf_core.engines.contract.Pushed`)."""

    def __len__(self) -> int:
        """How many sequences."""
        return len(self.lengths)

    def sequence(self, index: int) -> Tensor:
        """Sequence ``index`` without its padding, ``[T_b]`` or ``[T_b, V]``."""
        return self.x[: int(self.lengths[index]), index]

    def __iter__(self) -> Iterator[Tensor]:
        """The sequences, each without its padding."""
        return (self.sequence(index) for index in range(len(self)))
