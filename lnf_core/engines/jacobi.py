"""The ``jacobi`` engine: all steps of an autoregressive prior at once, again and again, until they stop moving.

A step of the loop over time, ``z_t = g(eps_t; h(z_<t))``, is an equation for z as a whole. Each sweep puts the last
guess into every right-hand side in one parallel pass. A step is right once all earlier ones are, so T sweeps always
suffice; where z_t depends little on the distant past, far fewer do (Song et al., "Accelerating Feedforward
Computation via Parallel Nonlinear Equation Solving", ICML 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lnf_core.engines.contract import BaselineSampler, Pushed
from lnf_core.engines.eager import EagerFlow
from lnf_core.errors import EngineError
from lnf_core.nets.positions import step_mask
from lnf_core.progress import Progress

if TYPE_CHECKING:
    from lnf_core.flows.time import TimeContext
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.build import SequenceModel
    from lnf_core.models.latent_flow import LatentFlow

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
"""A step is settled when a sweep moves it by no more than this, relative to 1 + \\|z\\|."""


@dataclass(frozen=True)
class JacobiFlow(EagerFlow):
    """See :class:`~lnf_core.engines.contract.FlowSampler`; the decoder is eager's."""

    engine: str = "jacobi"

    def push(
        self,
        eps: Tensor,
        lengths: Tensor,
        positions: Tensor,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.push`; ``dependent_steps`` counts the sweeps."""
        context = self.model.prior.context
        if self.model.prior.reads != "z" or context is None:
            return super().push(eps, lengths, positions, known, progress)
        with torch.autocast(eps.device.type, enabled=False):
            z, sweeps = self._solve(context, eps, lengths, positions, known, progress)
        return Pushed(z.masked_fill(~step_mask(lengths, len(z))[..., None], 0.0), sweeps)

    def _solve(
        self,
        context: TimeContext,
        eps: Tensor,
        lengths: Tensor,
        positions: Tensor,
        known: Tensor | None,
        progress: Progress | None,
    ) -> tuple[Tensor, int]:
        stack, steps = self.model.prior.stack, len(eps)
        weights, tolerance = stack.constants(), TOLERANCE[eps.dtype]
        real = step_mask(lengths, steps)
        z = eps.clone()
        settled, sweeps = 0, 0
        state = context.initial_state(positions)
        if known is not None:
            settled = len(known)
            z[:settled] = known
            state = context.advance(known, positions, 0, state)
        while settled < steps:
            contexts = context.parallel_from(z[settled:], positions, settled, state)
            after, _ = stack.inverse(eps[settled:], contexts, weights)
            moved = (after - z[settled:]).abs() > tolerance * (1.0 + after.abs())
            z[settled:] = after
            sweeps += 1
            still = (moved.any(-1) & real[settled:]).any(-1).nonzero()
            # The first step that moved is right as well: nothing in its past moved in this sweep.
            fresh = int(still[0]) + 1 if len(still) else steps - settled
            if settled + fresh < steps:
                state = context.advance(z[settled : settled + fresh], positions, settled, state)
            settled += fresh
            if progress:
                progress(settled, steps)
        return z, sweeps


class JacobiEngine:
    """Worth it where a sweep costs little more than a step: on a GPU, or for priors with a short memory."""

    name = "jacobi"

    def why_not(self, model: SequenceModel) -> str | None:
        """See :class:`~lnf_core.engines.contract.Engine`."""
        from lnf_core.models.baseline import LSTMBaseline

        if isinstance(model, LSTMBaseline):
            return "jacobi solves a flow for its latents and the LSTM baseline has none; use eager or numba_cpu."
        if model.emission.bias.dtype not in TOLERANCE:
            return f"jacobi knows no tolerance for {model.emission.bias.dtype}; use eager."
        if model.training:
            return "jacobi needs the same answer to the same question and dropout is random; call model.eval() first."
        return None

    def flow(self, model: LatentFlow) -> JacobiFlow:
        """Nothing to make ready."""
        return JacobiFlow(model)

    def baseline(self, model: LSTMBaseline) -> BaselineSampler:
        """Never: see :meth:`why_not`.

        Raises:
            EngineError: always.
        """
        raise EngineError(str(self.why_not(model)))
