"""What the latent flow and the baseline have in common: the checked edge of scoring, and how sampling begins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lnf_core.checks import check_positive, check_sequences, check_tensor, check_total, resolve_lengths, warn_of_short
from lnf_core.config import ModelConfig
from lnf_core.models.draws import Draws
from lnf_core.models.emission import Emission
from lnf_core.models.length_prior import LengthPrior
from lnf_core.models.results import Bound, Elbo
from lnf_core.nets.positions import Place


class ModelBase(nn.Module, ABC):
    """A model of sequences ``x`` with a length prior; subclasses score and sample."""

    config: ModelConfig
    length_prior: LengthPrior
    emission: Emission

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.emission.bias.device

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        place: Place | None = None,
    ) -> Elbo:
        """The same as :meth:`elbo` for a batch known to fit: no check reads a tensor back from the device.

        Training calls this, through whatever wraps the model. ``place`` says where passages stand in their sequences.
        """

    @abstractmethod
    def bound(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 30,
        generator: torch.Generator | None = None,
        max_rows: int = 256,
    ) -> Bound:
        """``log p(x, T)`` and its parts from K = ``samples`` draws; ``max_rows`` rows, or B if more, run at once."""

    def elbo(self, x: Tensor, lengths: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Elbo:
        """The terms of the bound for K = ``samples`` draws of z.

        The baseline has no z: its bound is exact, with a KL of zero and every sample the same.

        Args:
            x: int64 ``[T, B]`` or 0/1 ``[T, B, V]``, padded at the end.
            lengths: int64 ``[B]``.
            samples: K.
            generator: randomness of the draws; its numbers are read sample by sample.

        Raises:
            InvalidInputError: a batch that does not fit the model, or no samples.
        """
        check_positive("samples", samples)
        return self.forward(x, check_sequences(x, lengths, self.config), samples, generator)

    def log_likelihood(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 30,
        generator: torch.Generator | None = None,
        max_rows: int = 256,
    ) -> Tensor:
        """``log p(x, T)`` in nats, float64 ``[B]``: see :meth:`bound`."""
        return self.bound(x, lengths, samples, generator, max_rows).log_likelihood

    def _begin(
        self, count: int, lengths: int | Sequence[int] | Tensor | None, generator: torch.Generator | None
    ) -> tuple[Draws, Tensor]:
        """The randomness of each sequence, and its length: as asked for, or drawn from p(T)."""
        count, asked = resolve_lengths(count, lengths, self.config.max_length, self.device)
        draws = Draws(count, generator, self.device)
        if asked is None:
            return draws, draws.lengths(self.length_prior)
        warn_of_short(asked, self.length_prior)
        return draws, asked

    def _begin_after(
        self, prefix: Tensor, length: int, count: int, generator: torch.Generator | None
    ) -> tuple[Draws, Tensor, Tensor]:
        """The randomness of each continuation of ``prefix``, what each begins with, and its total length."""
        check_tensor("the prefix", prefix)
        check_total(len(prefix) if prefix.ndim else 0, length)
        count, _ = resolve_lengths(count, length, self.config.max_length, self.device)
        total = torch.full((count,), length, device=self.device)
        x = torch.stack([prefix] * count, 1)
        check_sequences(x, torch.full_like(total, len(prefix)), self.config)
        return Draws(count, generator, self.device), x, total
