"""What the models return, as named values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Elbo:
    """The terms of the bound, per step and posterior sample, in nats; steps of padding are exactly zero."""

    reconstruction: Tensor
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
        return (self.reconstruction - self.kl).sum(0) + self.log_p_length[:, None]

    @property
    def value(self) -> Tensor:
        """The ELBO of each sequence with ``log p(T)``, averaged over K: ``[B]``."""
        return self.log_weights.mean(-1)


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

    def __len__(self) -> int:
        """How many sequences."""
        return len(self.lengths)

    def sequence(self, index: int) -> Tensor:
        """Sequence ``index`` without its padding, ``[T_b]`` or ``[T_b, V]``."""
        return self.x[: int(self.lengths[index]), index]

    def __iter__(self) -> Iterator[Tensor]:
        """The sequences, each without its padding."""
        return (self.sequence(index) for index in range(len(self)))
