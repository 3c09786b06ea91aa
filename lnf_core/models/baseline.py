"""The LSTM baseline: an exact next-symbol model with position features and the same p(T)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lnf_core.checks import check_numbers, check_positive, check_sequences, check_temperature
from lnf_core.config import BaselineConfig
from lnf_core.engines import BaselineSampler, prepare
from lnf_core.models.base import ModelBase
from lnf_core.models.draws import Draws
from lnf_core.models.emission import Emission
from lnf_core.models.length_prior import LengthPrior
from lnf_core.models.results import Bound, Elbo, Sample
from lnf_core.nets.positions import Place, PositionFeatures, step_mask
from lnf_core.progress import Progress


class LSTMBaseline(ModelBase):
    """``p(x_t | x_<t, T)`` from an LSTM over the earlier symbols and the position features of step t."""

    config: BaselineConfig

    def __init__(self, config: BaselineConfig, length_counts: Tensor) -> None:
        """``length_counts`` ``[max_length + 1]`` is the histogram behind p(T)."""
        super().__init__()
        self.config = config
        self.length_prior = LengthPrior(length_counts, config.max_length)
        self.positions = PositionFeatures(config.positions, config.max_length, config.position_size)
        self.emission = Emission(config.vocab_size, config.embedding_size, config.hidden_size, config.likelihood)
        between = config.dropout if config.layers > 1 else 0.0
        inputs = config.embedding_size + self.positions.size
        self.lstm = nn.LSTM(inputs, config.hidden_size, config.layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)

    def _logits(self, x: Tensor, lengths: Tensor, place: Place | None = None) -> Tensor:
        embedded = self.dropout(self.emission.embed(x))
        before = torch.cat([torch.zeros_like(embedded[:1]), embedded[:-1]], 0)  # step t reads x_{t-1}; step 0 nothing
        totals, starts = (place.totals, place.starts) if place else (lengths, None)
        positions = self.positions(totals, len(x), starts)
        outputs, _ = self.lstm(torch.cat([before, positions], -1))
        return self.emission.logits(self.dropout(outputs))

    def log_prob(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``log p(x_t | x_<t, T)`` in nats per step, ``[T, B]``; zero on padding."""
        return self._log_prob(x, check_sequences(x, lengths, self.config))

    def _log_prob(self, x: Tensor, lengths: Tensor, place: Place | None = None) -> Tensor:
        log_prob = self.emission.log_prob(self._logits(x, lengths, place), x)
        return log_prob.masked_fill(~step_mask(lengths, len(x)), 0.0)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        place: Place | None = None,
    ) -> Elbo:
        """The same as :meth:`elbo` for a batch known to fit: training calls this, through whatever wraps the model."""
        log_prob = self._log_prob(x, lengths, place)[..., None].expand(-1, -1, samples)
        mask = step_mask(lengths, len(x))
        return Elbo(
            log_prob, torch.zeros_like(log_prob), self.length_prior.log_prob(place.totals if place else lengths), mask
        )

    @torch.no_grad()
    def bound(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        max_rows: int = 256,
    ) -> Bound:
        """Exact ``log p(x, T)`` in the shape of a bound; ``samples`` and ``generator`` change nothing here.

        Raises:
            InvalidInputError: a batch that does not fit the model, or no samples.
        """
        check_positive("samples", samples)
        lengths = check_sequences(x, lengths, self.config)
        parts = zip(x.split(max(1, max_rows), 1), lengths.split(max(1, max_rows)), strict=True)
        bounds = [Bound.of([self(*part)]) for part in parts]
        return Bound(
            *(torch.cat([getattr(bound, field.name) for bound in bounds]) for field in dataclasses.fields(Bound))
        )

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
        engine: str | BaselineSampler = "auto",
    ) -> Sample:
        """Draw sequences symbol by symbol; ``temperature`` divides the logits.

        The arguments are those of :meth:`lnf_core.models.latent_flow.LatentFlow.sample`.

        Raises:
            InvalidInputError: temperature, count or a length out of range.
            EngineError: the engine asked for by name cannot run here.
        """
        sampler = prepare(self, engine)
        temperature = check_temperature(temperature)
        draws, lengths = self._begin(count, lengths, generator)
        return self._roll_out(None, lengths, temperature, sampler, None if argmax else draws, progress)

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
        engine: str | BaselineSampler = "auto",
    ) -> Sample:
        """Continue a beginning ``[T0]`` or ``[T0, V]`` up to ``length`` steps in total, ``count`` times.

        Raises:
            InvalidInputError: an empty prefix, one that is not shorter than ``length``, or a bad argument.
            EngineError: the engine asked for by name cannot run here.
        """
        sampler = prepare(self, engine)
        temperature = check_temperature(temperature)
        draws, x, total = self._begin_after(prefix, length, count, generator)
        return self._roll_out(x, total, temperature, sampler, None if argmax else draws, progress)

    def _roll_out(
        self,
        prefix: Tensor | None,
        lengths: Tensor,
        temperature: float,
        sampler: BaselineSampler,
        draws: Draws | None,
        progress: Progress | None,
    ) -> Sample:
        """Without ``draws`` the most likely symbols."""
        steps = int(lengths.max())
        uniforms = None if draws is None else draws.uniform(lengths, *self.emission.uniform_shape())
        positions = self.positions(lengths, steps)
        x, probabilities = sampler.roll_out(prefix, lengths, positions, temperature, uniforms, progress)
        check_numbers(probabilities)
        mask = step_mask(lengths, steps)
        return Sample(
            x * (mask if x.ndim == 2 else mask[..., None]),
            lengths,
            probabilities * mask[..., None],
            engine=sampler.engine,
            dependent_steps=steps,
        )
