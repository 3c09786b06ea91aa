"""q(z | x): a diagonal Gaussian for every step, from a bidirectional LSTM over the whole sequence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from lnf_core.config import LatentFlowConfig
from lnf_core.models.draws import standard_normal
from lnf_core.nets.lstm import BidirectionalLSTM


@dataclass(frozen=True)
class Posterior:
    """The Gaussian ``q(z_t | x)``: ``mean`` and ``log_variance``, each ``[T, B, D]``."""

    mean: Tensor
    log_variance: Tensor

    @property
    def std(self) -> Tensor:
        """Standard deviations, ``[T, B, D]``."""
        return torch.exp(0.5 * self.log_variance)

    def noise(self, samples: int, generator: torch.Generator | None = None) -> Tensor:
        """Standard normal noise for ``samples`` draws of z, ``[K, T, B, D]``.

        Drawn sample by sample: the numbers of a sample do not depend on how many are drawn together.
        """
        like = self.mean
        return torch.stack([standard_normal(like.shape, like, generator) for _ in range(samples)])

    def log_prob(self, z: Tensor) -> Tensor:
        """``log q(z_t | x)`` in nats, summed over D: ``[..., T, B, D] -> [..., T, B]``."""
        log_density: Tensor = Normal(self.mean, self.std, validate_args=False).log_prob(z)
        return log_density.sum(-1)


class Encoder(nn.Module):
    """Embedded symbols and position features to a :class:`Posterior`."""

    def __init__(self, config: LatentFlowConfig, position_size: int) -> None:
        """``position_size`` is F."""
        super().__init__()
        inputs = config.embedding_size + position_size
        self.lstm = BidirectionalLSTM(inputs, config.hidden_size, config.encoder_layers)
        self.output = nn.Linear(2 * config.hidden_size, 2 * config.latent_size)

    def forward(self, embedded: Tensor, lengths: Tensor, positions: Tensor) -> Posterior:
        """``embedded`` ``[T, B, E]``, ``positions`` ``[T, B, F]``."""
        outputs = self.lstm(torch.cat([embedded, positions], -1), lengths)
        mean, log_variance = (
            self.output(torch.cat(outputs, -1)).to(self.output.weight.dtype).unflatten(-1, (-1, 2)).unbind(-1)
        )
        return Posterior(mean, log_variance)
