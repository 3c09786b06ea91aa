"""Samplers of the ``cuda_graph`` engine: made from a model's weights; a batch size is recorded when it first comes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lnf_core.engines.contract import Pushed
from lnf_core.engines.cuda_graph.recording import Recordings, record
from lnf_core.engines.cuda_graph.recurrence import CellWeights, Recurrence, pack_cells
from lnf_core.engines.cuda_graph.stack import PackedStack, pack_stack
from lnf_core.engines.eager import COLDEST, EagerFlow
from lnf_core.engines.prepared import Weights
from lnf_core.nets.positions import step_mask
from lnf_core.progress import Progress

if TYPE_CHECKING:
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.latent_flow import LatentFlow

_STEPS = 8
"""Time steps in one recording: launching it takes longer than running one."""


class GraphFlow:
    """See :class:`~lnf_core.engines.contract.FlowSampler`."""

    engine = "cuda_graph"

    def __init__(self, model: LatentFlow) -> None:
        self.model, self._weights = model, Weights(model)
        prior = model.prior
        self.stack = pack_stack(prior.stack)
        self.cells = pack_cells(prior.context.lstm, model.positions.size) if prior.context else None
        self._plain = EagerFlow(model)
        self._recorded = Recordings(self._record)
        self._busy = threading.Lock()  # a loop has one memory: two threads may hold the same sampler

    @torch.no_grad()
    def trace(self, eps: Tensor, context: Tensor) -> Tensor:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.trace`; eager's."""
        self._weights.check()
        return self._plain.trace(eps, context)

    @torch.no_grad()
    def logits(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.logits`; eager's."""
        self._weights.check()
        return self._plain.logits(z, lengths, positions)

    @torch.no_grad()
    def push(
        self,
        eps: Tensor,
        lengths: Tensor,
        positions: Tensor,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.push`."""
        self._weights.check()
        done = 0 if known is None else len(known)
        with torch.autocast(eps.device.type, enabled=False):
            if self.model.prior.reads == "z":
                z = self._loop(eps, positions, known, progress)
            else:
                z = self._at_once(eps, positions, known)
                if progress:
                    progress(len(eps), len(eps))
        z = z.masked_fill(~step_mask(lengths, len(eps))[..., None], 0.0)
        return Pushed(z, len(eps) - done if self.model.prior.reads == "z" else 1)

    def _at_once(self, eps: Tensor, positions: Tensor, known: Tensor | None) -> Tensor:
        context = self.model.prior.context
        read = context.parallel(eps, positions) if context else positions
        flat = eps.flatten(0, 1).contiguous()
        z = self.stack.invert(flat, read.flatten(0, 1), torch.empty_like(flat)).view_as(eps)
        return z if known is None else torch.cat([known, z[len(known) :]])

    def _loop(self, eps: Tensor, positions: Tensor, known: Tensor | None, progress: Progress | None) -> Tensor:
        context, rows = self.model.prior.context, eps.shape[1]
        assert context is not None and self.cells is not None
        state = context.initial_state(positions)
        if known is not None:
            state = context.advance(known, positions, 0, state)
        with self._busy:
            one_step = len(eps) - (0 if known is None else len(known)) == 1  # which no recording runs
            loop = _Loop(self.model, self.stack, self.cells, rows) if one_step else self._recorded.of(rows)
            return loop.run(eps, positions, state, known, progress)

    def _record(self, rows: int) -> _Loop:
        assert self.cells is not None
        loop = _Loop(self.model, self.stack, self.cells, rows)
        loop.record()
        return loop


class _Loop:
    """The loop over time for one batch size."""

    def __init__(self, model: LatentFlow, stack: PackedStack, cells: CellWeights, rows: int) -> None:
        self._stack, self._state = stack, Recurrence(cells, rows)
        new = cells.from_positions.new_zeros
        self._eps = new(_STEPS, rows, model.config.latent_size)
        self._z = torch.zeros_like(self._eps)
        self._positions = new(_STEPS, rows, len(cells.from_positions))
        self._sums = new(rows, stack.sums_size)
        self._replay = self._chunk

    def record(self) -> None:
        """Before the first run of more than one step."""
        self._replay = record(self._chunk, self._eps.device)

    def _chunk(self) -> None:
        for step in range(_STEPS):
            self._state.step(self._positions[step])
            self._flow(self._eps[step], self._z[step])

    def _flow(self, eps: Tensor, z: Tensor) -> None:
        self._stack.invert(eps, self._state.top, z, self._sums)
        self._state.element.copy_(z)

    def run(
        self,
        eps: Tensor,
        positions: Tensor,
        state: tuple[Tensor, Tensor],
        known: Tensor | None,
        progress: Progress | None,
    ) -> Tensor:
        """All of z; ``state`` is that before the first step to be solved."""
        steps, start = len(eps), 0 if known is None else len(known)
        z = torch.empty_like(eps)
        if known is not None:
            z[:start] = known
        share = self._state.positions_share(positions)
        self._state.start(*state)
        self._eps[0] = eps[start]
        self._flow(self._eps[0], self._z[0])
        z[start] = self._z[0]
        if progress:
            progress(start + 1, steps)
        for first in range(start + 1, steps, _STEPS):
            count = min(_STEPS, steps - first)
            # Steps after the last one are solved too, for whatever stands there, and read by nobody.
            self._eps[:count] = eps[first : first + count]
            self._positions[:count] = share[first : first + count]
            self._replay()
            z[first : first + count] = self._z[:count]
            if progress:
                progress(first + count, steps)
        return z


class GraphBaseline:
    """See :class:`~lnf_core.engines.contract.BaselineSampler`."""

    engine = "cuda_graph"

    def __init__(self, model: LSTMBaseline) -> None:
        self.model, self._weights = model, Weights(model)
        self._cells = pack_cells(model.lstm, model.positions.size)
        self._recorded: Recordings[tuple[int, bool], _RollOut] = Recordings(
            lambda key: _RollOut(self.model, self._cells, *key)
        )
        self._busy = threading.Lock()

    @torch.no_grad()
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
        self._weights.check()
        key = len(lengths), uniforms is not None
        with self._busy, torch.autocast(positions.device.type, enabled=False):
            return self._recorded.of(key).run(prefix, positions, max(temperature, COLDEST), uniforms, progress)


class _RollOut:
    """The baseline's loop for one batch size, drawing or taking the most likely."""

    def __init__(self, model: LSTMBaseline, cells: CellWeights, rows: int, draws: bool) -> None:
        self._emission = model.emission
        self._state = Recurrence(cells, rows)
        weight = cells.from_positions
        self._positions = weight.new_zeros(rows, len(weight))
        self._temperature = weight.new_ones(())
        shape = (rows, *self._emission.uniform_shape())
        self._uniforms = torch.zeros(shape, dtype=torch.float64, device=weight.device) if draws else None
        self._replay = record(self._step, weight.device)

    def _step(self) -> None:
        self._state.step(self._positions)
        self._probabilities = self._emission.probabilities(self._emission.logits(self._state.top) / self._temperature)
        self._x = self._emission.pick(self._probabilities, self._uniforms)
        self._state.element.copy_(self._emission.embed(self._x))

    def run(
        self,
        prefix: Tensor | None,
        positions: Tensor,
        temperature: float,
        uniforms: Tensor | None,
        progress: Progress | None,
    ) -> tuple[Tensor, Tensor]:
        """All symbols and probabilities."""
        steps, known = len(positions), 0 if prefix is None else len(prefix)
        share = self._state.positions_share(positions)
        self._state.clear()
        self._temperature.fill_(temperature)
        drawn: list[Tensor] = []
        probabilities: list[Tensor] = []
        for t in range(steps):
            self._positions.copy_(share[t])
            if self._uniforms is not None and uniforms is not None:
                self._uniforms.copy_(uniforms[t])
            self._replay()
            probabilities.append(self._probabilities.clone())
            x = self._x.clone()
            if prefix is not None and t < known:
                x = prefix[t].to(x.dtype)
                self._state.element.copy_(self._emission.embed(x))
            drawn.append(x)
            if progress:
                progress(t + 1, steps)
        return torch.stack(drawn), torch.stack(probabilities)
