"""The ``eager`` engine: the model's own modules, one step after the other where the model has it so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lnf_core.engines.contract import Pushed
from lnf_core.progress import Progress

if TYPE_CHECKING:
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.build import SequenceModel
    from lnf_core.models.latent_flow import LatentFlow

COLDEST = 1e-30
"""Logits divided by less may overflow float32; by this only those that are equal leave anything to chance."""


@dataclass(frozen=True)
class EagerFlow:
    """See :class:`~lnf_core.engines.contract.FlowSampler`."""

    model: LatentFlow
    engine: str = "eager"

    def push(
        self,
        eps: Tensor,
        lengths: Tensor,
        positions: Tensor,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.push`."""
        prior = self.model.prior
        z, _ = prior.inverse(eps, lengths, positions, known=known, progress=progress)
        done = 0 if known is None else len(known)
        return Pushed(z, len(eps) - done if prior.reads == "z" else 1)

    def trace(self, eps: Tensor, context: Tensor) -> Tensor:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.trace`."""
        return torch.stack(self.model.prior.stack.trace(eps, context.expand(len(eps), -1), inverse=True))

    def logits(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.logits`."""
        return self.model.emission.logits(self.model.decoder(z, lengths, positions))


@dataclass(frozen=True)
class EagerBaseline:
    """See :class:`~lnf_core.engines.contract.BaselineSampler`."""

    model: LSTMBaseline
    engine: str = "eager"

    def roll_out(
        self,
        prefix: Tensor | None,
        lengths: Tensor,
        positions: Tensor,
        temperature: float,
        uniforms: Tensor | None,
        progress: Progress | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See :meth:`~lnf_core.engines.contract.BaselineSampler.roll_out`."""
        steps, known = len(positions), 0 if prefix is None else len(prefix)
        temperature = max(temperature, COLDEST)
        emission = self.model.emission
        before = positions.new_zeros(len(lengths), self.model.config.embedding_size)
        state: tuple[Tensor, Tensor] | None = None
        drawn: list[Tensor] = []
        probabilities: list[Tensor] = []
        for t in range(steps):
            output, state = self.model.lstm(torch.cat([before, positions[t]], -1)[None], state)
            probabilities.append(emission.probabilities(emission.logits(output[0]) / temperature))
            x = emission.pick(probabilities[-1], None if uniforms is None else uniforms[t])
            drawn.append(x if prefix is None or t >= known else prefix[t].to(x.dtype))
            before = emission.embed(drawn[-1])
            if progress:
                progress(t + 1, steps)
        return torch.stack(drawn), torch.stack(probabilities)


class EagerEngine:
    """Runs anywhere PyTorch does."""

    name = "eager"

    def why_not(self, model: SequenceModel) -> str | None:
        """Nothing ever keeps it."""
        return None

    def flow(self, model: LatentFlow) -> EagerFlow:
        """Nothing to make ready."""
        return EagerFlow(model)

    def baseline(self, model: LSTMBaseline) -> EagerBaseline:
        """Nothing to make ready."""
        return EagerBaseline(model)
