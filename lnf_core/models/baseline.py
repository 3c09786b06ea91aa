"""The LSTM baseline: an exact next-symbol model with position features and the same p(T)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lnf_core.checks import check_samples, check_sequences, check_temperature, check_total, resolve_lengths
from lnf_core.config import BaselineConfig
from lnf_core.flows.time import Progress
from lnf_core.models.emission import Emission
from lnf_core.models.length_prior import LengthPrior
from lnf_core.models.results import Elbo, Sample
from lnf_core.nets.positions import PositionFeatures, step_mask


class LSTMBaseline(nn.Module):
    """``p(x_t | x_<t, T)`` from an LSTM over the earlier symbols and the position features of step t."""

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

    def _logits(self, x: Tensor, lengths: Tensor) -> Tensor:
        embedded = self.dropout(self.emission.embed(x))
        before = torch.cat([torch.zeros_like(embedded[:1]), embedded[:-1]], 0)  # step t reads x_{t-1}; step 0 nothing
        outputs, _ = self.lstm(torch.cat([before, self.positions(lengths, len(x))], -1))
        return self.emission.logits(self.dropout(outputs))

    def log_prob(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``log p(x_t | x_<t, T)`` in nats per step, ``[T, B]``; zero on padding."""
        lengths = check_sequences(x, lengths, self.config)
        log_prob = self.emission.log_prob(self._logits(x, lengths), x)
        return log_prob.masked_fill(~step_mask(lengths, len(x)), 0.0)

    def elbo(self, x: Tensor, lengths: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Elbo:
        """The exact likelihood in the shape of a bound: no latents, so the KL is zero and every sample the same."""
        log_prob = self.log_prob(x, lengths)[..., None].expand(-1, -1, check_samples(samples))
        mask = step_mask(lengths, len(x))
        return Elbo(log_prob, torch.zeros_like(log_prob), self.length_prior.log_prob(lengths), mask)

    def forward(self, x: Tensor, lengths: Tensor, samples: int = 1, generator: torch.Generator | None = None) -> Elbo:
        """The same as :meth:`elbo`, so that wrappers for distributed training can call it."""
        return self.elbo(x, lengths, samples, generator)

    @torch.no_grad()
    def log_likelihood(
        self,
        x: Tensor,
        lengths: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        max_rows: int = 256,
    ) -> Tensor:
        """Exact ``log p(x, T)`` in nats, ``[B]``; ``samples`` and ``generator`` change nothing here."""
        lengths = check_sequences(x, lengths, self.config)
        parts = zip(x.split(max(1, max_rows), 1), lengths.split(max(1, max_rows)), strict=True)
        return torch.cat([self.log_prob(*part).sum(0) for part in parts]) + self.length_prior.log_prob(lengths)

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
        """Draw sequences symbol by symbol; ``temperature`` divides the logits.

        Raises:
            InvalidInputError: temperature, count or a length out of range.
        """
        temperature = check_temperature(temperature)
        steps = resolve_lengths(count, lengths, self.length_prior, self.config.max_length, generator)
        return self._roll_out(None, steps, temperature, argmax=argmax, generator=generator, progress=progress)

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
        """Continue a beginning ``[T0]`` or ``[T0, V]`` up to ``length`` steps in total, ``count`` times.

        Raises:
            InvalidInputError: an empty prefix, one that is not shorter than ``length``, or a bad argument.
        """
        temperature = check_temperature(temperature)
        check_total(len(prefix) if prefix.ndim else 0, length)
        total = resolve_lengths(count, length, self.length_prior, self.config.max_length, generator)
        x = torch.stack([prefix] * count, 1)
        check_sequences(x, torch.full_like(total, len(prefix)), self.config)
        return self._roll_out(x, total, temperature, argmax=argmax, generator=generator, progress=progress)

    def _roll_out(
        self,
        prefix: Tensor | None,
        lengths: Tensor,
        temperature: float,
        *,
        argmax: bool,
        generator: torch.Generator | None,
        progress: Progress | None,
    ) -> Sample:
        steps = int(lengths.max())
        positions = self.positions(lengths, steps)
        before = positions.new_zeros(len(lengths), self.config.embedding_size)
        state: tuple[Tensor, Tensor] | None = None
        drawn: list[Tensor] = []
        probabilities: list[Tensor] = []
        for t in range(steps):
            output, state = self.lstm(torch.cat([before, positions[t]], -1)[None], state)
            probabilities.append(self.emission.probabilities(self.emission.logits(output[0]) / temperature))
            if prefix is not None and t < len(prefix):
                drawn.append(prefix[t].to(drawn[-1].dtype if drawn else prefix.dtype))
            else:
                drawn.append(self.emission.draw(probabilities[-1], argmax=argmax, generator=generator))
            before = self.emission.embed(drawn[-1])
            if progress:
                progress(t + 1, steps)
        mask = step_mask(lengths, steps)
        x = torch.stack(drawn)
        return Sample(
            x * (mask if x.ndim == 2 else mask[..., None]), lengths, torch.stack(probabilities) * mask[..., None]
        )
