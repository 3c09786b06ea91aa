"""The latent flow: a VAE whose prior over the latent sequence is a normalizing flow.

``log p(x, z, T) = log p(T) + log p(z | T) + sum_t log p(x_t | z, T)`` (Ziegler & Rush 2019, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lnf_core.checks import (
    check_latents,
    check_samples,
    check_sequences,
    check_temperature,
    check_total,
    resolve_lengths,
)
from lnf_core.config import LatentFlowConfig, ModelConfig
from lnf_core.flows.time import Progress, TimeFlow
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.decoder import Decoder
from lnf_core.models.emission import Emission
from lnf_core.models.encoder import Encoder, Posterior
from lnf_core.models.length_prior import LengthPrior
from lnf_core.models.results import Elbo, Sample
from lnf_core.nets.positions import PositionFeatures, step_mask

_LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Inversion:
    """A latent sequence pushed to the base noise and back."""

    eps: Tensor
    """``[T, B, D]``."""
    z: Tensor
    """``[T, B, D]``: ``eps`` pushed through the prior again."""
    error: float
    """Largest absolute difference between the z that was given and the one that came back."""


class LatentFlow(nn.Module):
    """Encoder q(z | x), flow prior p(z | T) and decoder p(x | z, T), with the length prior p(T)."""

    def __init__(self, config: LatentFlowConfig, length_counts: Tensor) -> None:
        """``length_counts`` ``[max_length + 1]`` is the histogram behind p(T)."""
        super().__init__()
        self.config = config
        self.length_prior = LengthPrior(length_counts, config.max_length)
        self.positions = PositionFeatures(config.positions, config.max_length, config.position_size)
        self.encoder = Encoder(config, self.positions.size)
        self.prior = TimeFlow(config, self.positions.size)
        self.decoder = Decoder(config, self.positions.size)
        self.emission = Emission(config.vocab_size, config.embedding_size, self.decoder.size, config.likelihood)

    # Scoring ---------------------------------------------------------------------------------------------------

    def encode(self, x: Tensor, lengths: Tensor, total_lengths: Tensor | None = None) -> Posterior:
        """``q(z | x)`` for a padded batch.

        ``total_lengths`` ``[B]`` says how long each sequence will be when x is only its beginning: the
        position features then count down to that end.
        """
        lengths = check_sequences(x, lengths, self.config)
        positions = self.positions(lengths if total_lengths is None else total_lengths, len(x))
        posterior: Posterior = self.encoder(self.emission.embed(x), lengths, positions)
        return posterior

    def log_prior(self, z: Tensor, lengths: Tensor) -> Tensor:
        """``log p(z_t | ...)`` in nats per step, ``[T, B]``; zero on padding."""
        eps, log_det = self.prior(z, lengths, self.positions(lengths, len(z)))
        base = -0.5 * (eps.square() + _LOG_2PI).sum(-1)
        log_prior: Tensor = base.masked_fill(~step_mask(lengths, len(z)), 0.0) + log_det
        return log_prior

    def log_emission(self, x: Tensor, z: Tensor, lengths: Tensor) -> Tensor:
        """``log p(x_t | z)`` in nats per step, ``[T, B]``; zero on padding."""
        log_prob = self.emission.log_prob(self._logits(z, lengths), x)
        return log_prob.masked_fill(~step_mask(lengths, len(z)), 0.0)

    def _logits(self, z: Tensor, lengths: Tensor) -> Tensor:
        return self.emission.logits(self.decoder(z, lengths, self.positions(lengths, len(z))))

    def elbo(self, x: Tensor, lengths: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Elbo:
        """The terms of the bound for K = ``samples`` draws of z.

        Args:
            x: int64 ``[T, B]`` or 0/1 ``[T, B, V]``, padded at the end.
            lengths: int64 ``[B]``.
            samples: K.
            generator: randomness of the draws; its numbers are read sample by sample.
        """
        check_samples(samples)
        posterior = self.encode(x, lengths)
        return self.elbo_at(x, lengths, posterior, posterior.noise(samples, generator))

    def elbo_at(self, x: Tensor, lengths: Tensor, posterior: Posterior, noise: Tensor) -> Elbo:
        """The terms of the bound at ``z = mean + std * noise`` for given noise ``[K, T, B, D]``."""
        samples, steps, batch, _ = noise.shape
        mask = step_mask(lengths, steps)
        z = posterior.mean + posterior.std * noise  # [K, T, B, D]
        z = z.masked_fill(~mask[..., None], 0.0)
        log_posterior = posterior.log_prob(z).masked_fill(~mask, 0.0).permute(1, 2, 0)  # [T, B, K]
        # The K samples become K more sequences: [T, B, K, D] -> [T, B * K, D].
        flat = z.permute(1, 2, 0, 3).reshape(steps, batch * samples, -1)
        many = lengths.repeat_interleave(samples)
        x_many = x.repeat_interleave(samples, dim=1)
        log_prior = self.log_prior(flat, many).unflatten(1, (batch, samples))
        reconstruction = self.log_emission(x_many, flat, many).unflatten(1, (batch, samples))
        return Elbo(reconstruction, log_posterior - log_prior, self.length_prior.log_prob(lengths), mask)

    def forward(self, x: Tensor, lengths: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Elbo:
        """The same as :meth:`elbo`, so that wrappers for distributed training can call it."""
        return self.elbo(x, lengths, samples, generator)

    @torch.no_grad()
    def log_likelihood(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 30,
        generator: torch.Generator | None = None,
        max_rows: int = 256,
    ) -> Tensor:
        """Importance-sampled ``log p(x, T)`` in nats, ``[B]``: ``log mean_k exp(log_weights_k)``.

        At most ``max_rows`` sequences (B times samples) are in flight at once; the result does not depend
        on it. A lower bound in expectation, tighter with more samples (Burda et al., ICLR 2016).
        """
        check_samples(samples)
        posterior = self.encode(x, lengths)
        at_once = max(1, max_rows // len(lengths))
        weights: list[Tensor] = []
        for start in range(0, samples, at_once):
            noise = posterior.noise(min(at_once, samples - start), generator)
            weights.append(self.elbo_at(x, lengths, posterior, noise).log_weights)
        return torch.cat(weights, -1).logsumexp(-1) - math.log(samples)

    # Sampling --------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self,
        count: int = 1,
        lengths: int | Sequence[int] | Tensor | None = None,
        *,
        temperature: float = 1.0,
        argmax: bool = False,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
    ) -> Sample:
        """Draw sequences from the model.

        Args:
            count: how many.
            lengths: steps of every sequence, or of each; ``None`` draws them from p(T).
            temperature: standard deviation of the base noise; 1 is the model.
            argmax: the most likely x given z in place of a draw.
            generator: all the randomness.
            progress: called with ``(steps done, steps)`` while the prior is being inverted.

        Raises:
            InvalidInputError: temperature, count or a length out of range.
        """
        temperature = check_temperature(temperature)
        steps = resolve_lengths(count, lengths, self.length_prior, self.config.max_length, generator)
        eps = temperature * self._noise(int(steps.max()), len(steps), generator)
        return self.from_noise(eps, steps, argmax=argmax, generator=generator, progress=progress)

    def _noise(self, steps: int, count: int, generator: torch.Generator | None) -> Tensor:
        device = self.length_prior.log_probs.device
        # Drawn sequence by sequence: a sequence's noise does not depend on how many are drawn after it.
        rows = [torch.randn(steps, self.config.latent_size, generator=generator, device=device) for _ in range(count)]
        return torch.stack(rows, 1).to(self.emission.bias.dtype)

    @torch.no_grad()
    def from_noise(
        self,
        eps: Tensor,
        lengths: Tensor,
        *,
        argmax: bool = False,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
    ) -> Sample:
        """Push base noise ``[T, B, D]`` through the prior and the decoder."""
        lengths = check_latents(eps, lengths, self.config)
        z, _ = self.prior.inverse(eps, lengths, self.positions(lengths, len(eps)), progress)
        eps = eps.masked_fill(~step_mask(lengths, len(eps))[..., None], 0.0)
        return self._emit(z, eps, lengths, argmax=argmax, generator=generator)

    def _emit(
        self, z: Tensor, eps: Tensor | None, lengths: Tensor, *, argmax: bool, generator: torch.Generator | None
    ) -> Sample:
        probabilities = self.decode(z, lengths)
        x = self.emission.draw(probabilities, argmax=argmax, generator=generator)
        mask = step_mask(lengths, len(z))
        x = x * (mask if x.ndim == 2 else mask[..., None])
        return Sample(x, lengths, probabilities * mask[..., None], z, eps)

    @torch.no_grad()
    def decode(self, z: Tensor, lengths: Tensor) -> Tensor:
        """What each x_t would be drawn from given ``z`` ``[T, B, D]``: probabilities ``[T, B, V]``."""
        return self.emission.probabilities(self._logits(z, check_latents(z, lengths, self.config)))

    @torch.no_grad()
    def reconstruct(self, x: Tensor, lengths: Tensor) -> Sample:
        """Encode x to the posterior mean and decode its most likely symbols; ``eps`` is the noise behind that z."""
        z = self.encode(x, lengths).mean.masked_fill(~step_mask(lengths, len(x))[..., None], 0.0)
        return self._emit(z, self.invert(z, lengths).eps, lengths, argmax=True, generator=None)

    @torch.no_grad()
    def invert(self, z: Tensor, lengths: Tensor) -> Inversion:
        """Push ``z`` ``[T, B, D]`` to the base noise and back, and say how far it came back from where it was."""
        lengths = check_latents(z, lengths, self.config)
        positions = self.positions(lengths, len(z))
        eps, _ = self.prior(z, lengths, positions)
        back, _ = self.prior.inverse(eps, lengths, positions)
        difference = (back - z).masked_fill(~step_mask(lengths, len(z))[..., None], 0.0)
        return Inversion(eps, back, float(difference.abs().max()))

    @torch.no_grad()
    def continue_from(
        self,
        prefix: Tensor,
        length: int,
        count: int = 1,
        *,
        temperature: float = 1.0,
        argmax: bool = False,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
    ) -> Sample:
        """Continue a beginning: encode it, keep its latents, sample the rest.

        The prefix's latents are posterior draws; their base noise is found by the density direction,
        which is causal in t, and fresh noise follows it. In the result the prefix itself is kept.

        Args:
            prefix: ``[T0]`` int64 or ``[T0, V]`` 0/1.
            length: total steps, prefix included; more than T0.
            count: how many continuations.
            temperature: standard deviation of the fresh base noise.
            argmax: the most likely x given z in place of a draw.
            generator: all the randomness.
            progress: called with ``(steps done, steps)`` while the prior is being inverted.

        Raises:
            InvalidInputError: an empty prefix, one that is not shorter than ``length``, or a bad argument.
        """
        temperature = check_temperature(temperature)
        known = len(prefix) if prefix.ndim else 0
        check_total(known, length)
        total = resolve_lengths(count, length, self.length_prior, self.config.max_length, generator)
        x = torch.stack([prefix] * count, 1)
        posterior = self.encode(x, torch.full_like(total, known), total)
        eps = temperature * self._noise(length, count, generator)
        z_known = posterior.mean + posterior.std * posterior.noise(1, generator)[0]
        eps_known, _ = self.prior(z_known, torch.full_like(total, known), self.positions(total, length)[:known])
        eps = torch.cat([eps_known, eps[known:]], 0)
        z, _ = self.prior.inverse(eps, total, self.positions(total, length), progress)
        z = torch.cat([z_known, z[known:]], 0)
        drawn = self._emit(z, eps, total, argmax=argmax, generator=generator)
        kept = torch.cat([x.to(drawn.x.dtype), drawn.x[known:]], 0)
        return Sample(kept, total, drawn.probabilities, z, eps)


SequenceModel = LatentFlow | LSTMBaseline


def build_model(config: ModelConfig, length_counts: Tensor) -> SequenceModel:
    """The model a configuration describes, freshly initialised."""
    if isinstance(config, LatentFlowConfig):
        return LatentFlow(config, length_counts)
    return LSTMBaseline(config, length_counts)
