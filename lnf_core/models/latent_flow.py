"""The latent flow: a VAE whose prior over the latent sequence is a normalizing flow.

``log p(x, z, T) = log p(T) + log p(z | T) + sum_t log p(x_t | z, T)`` (Ziegler & Rush 2019, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from lnf_core.checks import (
    check_latents,
    check_numbers,
    check_positive,
    check_sequences,
    check_temperature,
    check_totals,
)
from lnf_core.config import LatentFlowConfig
from lnf_core.engines import FlowSampler, prepare
from lnf_core.errors import InvalidInputError
from lnf_core.flows.time import TimeFlow
from lnf_core.models.base import ModelBase
from lnf_core.models.decoder import Decoder
from lnf_core.models.draws import Draws
from lnf_core.models.emission import Emission
from lnf_core.models.encoder import Encoder, Posterior
from lnf_core.models.length_prior import LengthPrior
from lnf_core.models.results import Bound, Elbo, Inversion, Sample
from lnf_core.nets.positions import Place, PositionFeatures, step_mask
from lnf_core.progress import Progress

_LOG_2PI = math.log(2.0 * math.pi)


class LatentFlow(ModelBase):
    """Encoder q(z | x), flow prior p(z | T) and decoder p(x | z, T), with the length prior p(T)."""

    config: LatentFlowConfig

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

        Raises:
            InvalidInputError: a batch that does not fit the model.
        """
        lengths = check_sequences(x, lengths, self.config)
        totals = lengths if total_lengths is None else check_totals(total_lengths, lengths, self.config.max_length)
        return self._encode(x, lengths, self.positions(totals, len(x)))

    def _encode(self, x: Tensor, lengths: Tensor, positions: Tensor) -> Posterior:
        posterior: Posterior = self.encoder(self.emission.embed(x), lengths, positions)
        return posterior

    def log_prior(self, z: Tensor, lengths: Tensor) -> Tensor:
        """``log p(z_t | ...)`` in nats per step, ``[T, B]``; zero on padding.

        Raises:
            InvalidInputError: latents or lengths that do not fit the model.
        """
        lengths = self._check_latents(z, lengths)
        return self._log_prior(z, lengths, self.positions(lengths, len(z)))

    def _log_prior(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        eps, log_det = self.prior(z, lengths, positions)
        base = -0.5 * (eps.square() + _LOG_2PI).sum(-1)
        log_prior: Tensor = base.masked_fill(~step_mask(lengths, len(z)), 0.0) + log_det
        return log_prior

    def log_emission(self, x: Tensor, z: Tensor, lengths: Tensor) -> Tensor:
        """``log p(x_t | z)`` in nats per step, ``[T, B]``; zero on padding.

        Raises:
            InvalidInputError: a batch or latents that do not fit the model, or of another number of steps each.
        """
        lengths = self._check_latents(z, check_sequences(x, lengths, self.config))
        if len(x) != len(z):
            raise InvalidInputError(f"x has {len(x)} steps and z {len(z)}; pad both to the same number.")
        return self._log_emission(x, z, lengths, self.positions(lengths, len(z)))

    def _log_emission(self, x: Tensor, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        log_prob = self.emission.log_prob(self._logits(z, lengths, positions), x)
        return log_prob.masked_fill(~step_mask(lengths, len(z)), 0.0)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        place: Place | None = None,
    ) -> Elbo:
        """The same as :meth:`elbo` for a batch known to fit: no check reads a tensor back from the device.

        Training calls this, through whatever wraps the model. ``place`` says where passages stand in their
        sequences; their first step is then told by its position alone, not by what went before.
        """
        totals, starts = (place.totals, place.starts) if place else (lengths, None)
        posterior = self._encode(x, lengths, self.positions(totals, len(x), starts))
        return self.elbo_at(x, lengths, posterior, posterior.noise(samples, generator), place)

    def elbo_at(
        self, x: Tensor, lengths: Tensor, posterior: Posterior, noise: Tensor, place: Place | None = None
    ) -> Elbo:
        """The terms of the bound at ``z = mean + std * noise`` for given noise ``[K, T, B, D]``."""
        samples, steps, batch, _ = noise.shape
        mask = step_mask(lengths, steps)
        z = posterior.mean + posterior.std * noise  # [K, T, B, D]
        z = z.masked_fill(~mask[..., None], 0.0)
        log_posterior = posterior.log_prob(z).masked_fill(~mask, 0.0).permute(1, 2, 0)  # [T, B, K]
        # The K samples become K more sequences: [T, B, K, D] -> [T, B * K, D].
        flat = z.permute(1, 2, 0, 3).reshape(steps, batch * samples, -1)
        many = lengths.repeat_interleave(samples)
        there = place.repeat(samples) if place else None
        positions = self.positions(there.totals, steps, there.starts) if there else self.positions(many, steps)
        log_prior = self._log_prior(flat, many, positions).unflatten(1, (batch, samples))
        log_px = self._log_emission(x.repeat_interleave(samples, dim=1), flat, many, positions)
        return Elbo(
            log_px.unflatten(1, (batch, samples)),
            log_posterior - log_prior,
            self.length_prior.log_prob(place.totals if place else lengths),
            mask,
        )

    @torch.no_grad()
    def bound(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 30,
        generator: torch.Generator | None = None,
        max_rows: int = 256,
    ) -> Bound:
        """Importance-sampled ``log p(x, T)`` and its parts from K = ``samples`` draws (Burda et al., ICLR 2016).

        So many sequences as ``max_rows`` (B times samples), or B if that is more, are in flight at once; the result
        does not depend on it.

        Raises:
            InvalidInputError: a batch that does not fit the model, or no samples.
        """
        check_positive("samples", samples)
        lengths = check_sequences(x, lengths, self.config)
        posterior = self._encode(x, lengths, self.positions(lengths, len(x)))
        at_once = max(1, max_rows // len(lengths))
        counts = [min(at_once, samples - start) for start in range(0, samples, at_once)]
        return Bound.of(self.elbo_at(x, lengths, posterior, posterior.noise(count, generator)) for count in counts)

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
        engine: str | FlowSampler = "auto",
    ) -> Sample:
        """Draw sequences from the model. What a sequence is like does not depend on those drawn with it.

        Args:
            count: how many.
            lengths: steps of every sequence, or of each; ``None`` draws them from p(T).
            temperature: standard deviation of the base noise; 1 is the model.
            argmax: the most likely x given z in place of a draw.
            generator: all the randomness, dropout aside: sample in evaluation mode.
            progress: called with ``(steps done, steps)`` while the prior is being inverted.
            engine: a name (see :mod:`lnf_core.engines`), or a sampler that was prepared from this model.

        Raises:
            InvalidInputError: temperature, count or a length out of range.
            EngineError: the engine asked for by name cannot run here.
        """
        sampler = prepare(self, engine)
        temperature = check_temperature(temperature)
        draws, lengths = self._begin(count, lengths, generator)
        eps = temperature * draws.normal(lengths, self.config.latent_size, self.emission.bias.dtype)
        uniforms = None if argmax else draws.uniform(lengths, *self.emission.uniform_shape())
        positions = self.positions(lengths, len(eps))
        return self._push(eps, lengths, sampler, positions, uniforms=uniforms, progress=progress)

    @torch.no_grad()
    def from_noise(
        self,
        eps: Tensor,
        lengths: Tensor,
        *,
        argmax: bool = False,
        generator: torch.Generator | None = None,
        progress: Progress | None = None,
        engine: str | FlowSampler = "auto",
    ) -> Sample:
        """Push base noise ``[T, B, D]`` through the prior and the decoder.

        Raises:
            InvalidInputError: noise or lengths that do not fit the model.
            EngineError: the engine asked for by name cannot run here.
        """
        lengths = self._check_latents(eps, lengths)
        eps = eps.masked_fill(~step_mask(lengths, len(eps))[..., None], 0.0)
        uniforms = None if argmax else self._uniforms(lengths, len(eps), generator)
        positions = self.positions(lengths, len(eps))
        return self._push(eps, lengths, prepare(self, engine), positions, uniforms=uniforms, progress=progress)

    def _check_latents(self, z: Tensor, lengths: Tensor) -> Tensor:
        return check_latents(z, lengths, self.config, self.emission.bias.dtype)

    def _uniforms(self, lengths: Tensor, steps: int, generator: torch.Generator | None) -> Tensor:
        uniforms = Draws(len(lengths), generator, self.device).uniform(lengths, *self.emission.uniform_shape())
        return functional.pad(uniforms, (0, 0) * (uniforms.ndim - 1) + (0, steps - len(uniforms)))

    def _push(
        self,
        eps: Tensor,
        lengths: Tensor,
        sampler: FlowSampler,
        positions: Tensor,
        *,
        uniforms: Tensor | None,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Sample:
        """Noise to z to x, whichever engine does it; ``known`` is a beginning of z that is given."""
        pushed = sampler.push(eps, lengths, positions, known, progress)
        x, probabilities = self._emit(sampler.logits(pushed.z, lengths, positions), lengths, uniforms)
        return Sample(x, lengths, probabilities, pushed.z, eps, sampler.engine, pushed.dependent_steps)

    def _emit(self, logits: Tensor, lengths: Tensor, uniforms: Tensor | None) -> tuple[Tensor, Tensor]:
        probabilities = self.emission.probabilities(logits)
        check_numbers(probabilities)
        x = self.emission.pick(probabilities, uniforms)
        mask = step_mask(lengths, len(x))
        return x * (mask if x.ndim == 2 else mask[..., None]), probabilities * mask[..., None]

    @torch.no_grad()
    def decode(self, z: Tensor, lengths: Tensor) -> Tensor:
        """What each x_t would be drawn from given ``z`` ``[T, B, D]``: probabilities ``[T, B, V]``, zero on padding.

        Raises:
            InvalidInputError: latents or lengths that do not fit the model.
        """
        lengths = self._check_latents(z, lengths)
        probabilities = self.emission.probabilities(self._logits(z, lengths, self.positions(lengths, len(z))))
        return probabilities.masked_fill(~step_mask(lengths, len(z))[..., None], 0.0)

    @torch.no_grad()
    def reconstruct(self, x: Tensor, lengths: Tensor) -> Sample:
        """Encode x to the posterior mean and decode its most likely symbols; ``eps`` is the noise behind that z."""
        lengths = check_sequences(x, lengths, self.config)
        positions = self.positions(lengths, len(x))
        z = self._encode(x, lengths, positions).mean.masked_fill(~step_mask(lengths, len(x))[..., None], 0.0)
        symbols, probabilities = self._emit(self._logits(z, lengths, positions), lengths, None)
        return Sample(symbols, lengths, probabilities, z, self.prior(z, lengths, positions)[0])

    def _logits(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        return self.emission.logits(self.decoder(z, lengths, positions))

    @torch.no_grad()
    def to_noise(self, z: Tensor, lengths: Tensor) -> Tensor:
        """The base noise behind ``z``, both ``[T, B, D]``: the density direction alone."""
        lengths = self._check_latents(z, lengths)
        eps: Tensor = self.prior(z, lengths, self.positions(lengths, len(z)))[0]
        return eps

    @torch.no_grad()
    def invert(self, z: Tensor, lengths: Tensor, engine: str | FlowSampler = "eager") -> Inversion:
        """Push ``z`` ``[T, B, D]`` to the base noise and back, and say how far it came back from where it was."""
        lengths = self._check_latents(z, lengths)
        positions = self.positions(lengths, len(z))
        eps, _ = self.prior(z, lengths, positions)
        back = prepare(self, engine).push(eps, lengths, positions).z
        difference = (back - z).masked_fill(~step_mask(lengths, len(z))[..., None], 0.0)
        return Inversion(eps, back, float(difference.abs().max()))

    @torch.no_grad()
    def step_error(self, z: Tensor, lengths: Tensor) -> float:
        """How far a step of ``z`` ``[T, B, D]`` comes back from its noise at most, given the true steps before it.

        What the flow itself loses to rounding. :meth:`invert` goes on from the steps that came back, and where the
        model finds a sequence unlikely, its recursion over time makes more of a difference with every step.
        """
        lengths = self._check_latents(z, lengths)
        positions = self.positions(lengths, len(z))
        eps, _ = self.prior(z, lengths, positions)
        back, _ = self.prior.stack.inverse(eps, self.prior.contexts(z, eps, positions))
        return float((back - z).masked_fill(~step_mask(lengths, len(z))[..., None], 0.0).abs().max())

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
        engine: str | FlowSampler = "auto",
    ) -> Sample:
        """Continue a beginning: encode it, keep its latents, sample the rest.

        The prefix's latents are posterior draws; the prior goes on from the state it is in after reading them. In
        the result the prefix itself is kept.

        Args:
            prefix: ``[T0]`` int64 or ``[T0, V]`` 0/1.
            length: total steps, prefix included; more than T0.
            count: how many continuations.
            temperature: standard deviation of the fresh base noise.
            argmax: the most likely x given z in place of a draw.
            generator: all the randomness.
            progress: called with ``(steps done, steps)`` while the prior is being inverted.
            engine: as in :meth:`sample`.

        Raises:
            InvalidInputError: an empty prefix, one that is not shorter than ``length``, or a bad argument.
            EngineError: the engine asked for by name cannot run here.
        """
        sampler = prepare(self, engine)
        temperature = check_temperature(temperature)
        draws, x, total = self._begin_after(prefix, length, count, generator)
        start = len(prefix)
        beginning = torch.full_like(total, start)
        positions = self.positions(total, length)
        posterior = self._encode(x, beginning, positions[:start])
        size = self.config.latent_size
        z_known = posterior.mean + posterior.std * draws.normal(beginning, size, posterior.mean.dtype)
        eps_known, _ = self.prior(z_known, beginning, positions[:start])
        fresh = temperature * draws.normal(total - beginning, size, z_known.dtype)
        uniforms = None if argmax else draws.uniform(total, *self.emission.uniform_shape())
        drawn = self._push(
            torch.cat([eps_known, fresh], 0),
            total,
            sampler,
            positions,
            uniforms=uniforms,
            known=z_known,
            progress=progress,
        )
        return replace(drawn, x=torch.cat([x.to(drawn.x.dtype), drawn.x[start:]], 0))
