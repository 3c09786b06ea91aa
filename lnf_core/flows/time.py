"""The flow over time: AF and IAF are one map, read from its two ends.

Both are ``eps_t = f(z_t; h_t)`` with ``f`` a flow over dimensions. In AF ``h_t`` summarises ``z_<t``:
the density is parallel in t and sampling is sequential. In IAF (Kingma et al., NeurIPS 2016) ``h_t``
summarises ``eps_<t``: sampling is parallel in t and the density is sequential.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from lnf_core.config import LatentFlowConfig
from lnf_core.flows.stack import build_stack
from lnf_core.nets.lstm import LSTMState
from lnf_core.nets.mlp import mlp
from lnf_core.nets.positions import step_mask
from lnf_core.progress import Progress

_Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class TimeContext(nn.Module):
    """``h_t`` from an LSTM over the earlier steps of one sequence and the position features of step t.

    The initial state, and so ``h_0``, comes from a ReLU net of the position features of step 0.
    """

    def __init__(self, config: LatentFlowConfig, position_size: int) -> None:
        """``position_size`` is F, the width of the position features."""
        super().__init__()
        self.layers, self.hidden = config.prior_layers, config.prior_hidden or config.hidden_size
        between = config.dropout if config.prior_layers > 1 else 0.0
        self.lstm = nn.LSTM(config.latent_size + position_size, self.hidden, self.layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.initial = mlp(position_size, self.hidden, 2 * self.layers * self.hidden)

    def initial_state(self, positions: Tensor) -> LSTMState:
        """The state before step 0, from positions ``[T, B, F]``."""
        both = self.initial(positions[0]).to(positions.dtype)  # autocast may have made it bf16
        hidden, cell = both.unflatten(-1, (self.layers, self.hidden, 2)).permute(3, 1, 0, 2).contiguous().unbind(0)
        return hidden, cell

    def parallel(self, sequence: Tensor, positions: Tensor) -> Tensor:
        """All ``h_t`` at once: ``[T, B, D]`` and ``[T, B, F]`` to ``[T, B, H]``."""
        return self.parallel_from(sequence, positions, 0, self.initial_state(positions))

    def parallel_from(self, sequence: Tensor, positions: Tensor, start: int, state: LSTMState) -> Tensor:
        """``h_t`` from step ``start`` on, given those elements ``[T - start, B, D]`` and the state before them."""
        # Input s is element s with the positions of step s + 1, the first it helps to predict. The last input helps
        # none and its output is dropped; it is there because an LSTM takes no empty sequence, which T = 1 would give.
        ahead = torch.cat([positions[start + 1 :], positions[-1:]], 0)
        outputs, _ = self.lstm(torch.cat([sequence, ahead.to(sequence.dtype)], -1), state)
        context: Tensor = self.dropout(torch.cat([state[0][-1:].to(outputs.dtype), outputs[:-1]], 0))
        return context

    def advance(self, elements: Tensor, positions: Tensor, start: int, state: LSTMState) -> LSTMState:
        """The state after reading ``elements`` ``[S, B, D]``, the first being that of step ``start``; S > 0.

        At least one step follows them.
        """
        ahead = positions[start + 1 : start + 1 + len(elements)]
        after: LSTMState = self.lstm(torch.cat([elements, ahead.to(elements.dtype)], -1), state)[1]
        return after

    def stepper(self, positions: Tensor) -> Callable[[int, Tensor, LSTMState], LSTMState]:
        """The same recursion one step at a time: ``advance(t, element, state)`` reads element t - 1, ``[B, D]``.

        What does not depend on the elements is computed here, once for all steps: the positions' share of
        the first layer's gates, and the sums of the two biases PyTorch keeps.
        """
        size = positions.shape[-1]
        weights = [
            [getattr(self.lstm, f"weight_{end}_l{layer}") for end in ("ih", "hh")] for layer in range(self.layers)
        ]
        biases = [
            getattr(self.lstm, f"bias_ih_l{layer}") + getattr(self.lstm, f"bias_hh_l{layer}")
            for layer in range(self.layers)
        ]
        from_positions = functional.linear(positions, weights[0][0][:, -size:], biases[0])  # [T, B, 4H]
        from_element = weights[0][0][:, :-size]

        def advance(t: int, element: Tensor, state: LSTMState) -> LSTMState:
            hidden: list[Tensor] = []
            cells: list[Tensor] = []
            gates = from_positions[t] + functional.linear(element, from_element)
            for layer, (enters, recurs) in enumerate(weights):
                if layer:
                    below = functional.dropout(hidden[-1], self.lstm.dropout, self.training)
                    gates = functional.linear(below, enters, biases[layer])
                gates = gates + functional.linear(state[0][layer], recurs)
                enter, forget, new, leave = gates.chunk(4, -1)
                cells.append(torch.sigmoid(forget) * state[1][layer] + torch.sigmoid(enter) * torch.tanh(new))
                hidden.append(torch.sigmoid(leave) * torch.tanh(cells[-1]))
            return torch.stack(hidden), torch.stack(cells)

        return advance


class TimeFlow(nn.Module):
    """The prior's map between ``z`` and ``eps``, ``[T, B, D]``.

    ``forward`` (z -> eps) and ``inverse`` (eps -> z) return ``(tensor, log_abs_det)``; the
    log-determinant is per step, ``[T, B]``. Steps of padding are exactly zero in both.
    """

    def __init__(self, config: LatentFlowConfig, position_size: int) -> None:
        """``position_size`` is F, the width of the position features."""
        super().__init__()
        self.reads = {"af": "z", "iaf": "eps", "none": "nothing"}[config.time_flow]
        self.context = None if self.reads == "nothing" else TimeContext(config, position_size)
        self.context_size = self.context.hidden if self.context else position_size
        self.stack = build_stack(config, self.context_size)

    def forward(self, z: Tensor, lengths: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Z -> eps: one pass if the context reads z, a loop over time if it reads eps."""
        if self.reads == "eps":
            image, log_det = self._sequential(z, positions, self.stack.forward)
        else:
            image, log_det = self._parallel(z, positions, self.stack.forward)
        return _without_padding(image, log_det, lengths)

    def inverse(
        self,
        eps: Tensor,
        lengths: Tensor,
        positions: Tensor,
        *,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Eps -> z: a loop over time if the context reads z; ``progress(step, steps)`` is called in it.

        With ``known`` ``[T0, B, D]`` the first T0 steps of z are given, and their log-determinants are not computed:
        they are zero.
        """
        if self.reads == "z":
            weights = self.stack.constants()
            image, log_det = self._sequential(
                eps, positions, lambda value, context: self.stack.inverse(value, context, weights), known, progress
            )
        else:
            image, log_det = self._parallel(eps, positions, self.stack.inverse)
            if known is not None:
                image = torch.cat([known, image[len(known) :]], 0)
                log_det = torch.cat([torch.zeros_like(log_det[: len(known)]), log_det[len(known) :]], 0)
            if progress:
                progress(len(eps), len(eps))
        return _without_padding(image, log_det, lengths)

    def contexts(self, z: Tensor, eps: Tensor, positions: Tensor) -> Tensor:
        """All that each step's flow over dimensions is conditioned on, ``[T, B, H]``, where z and eps are known."""
        if self.context is None:
            return positions
        return self.context.parallel(z if self.reads == "z" else eps, positions)

    def _parallel(self, source: Tensor, positions: Tensor, step: _Step) -> tuple[Tensor, Tensor]:
        """The context reads ``source``, which is known for all t."""
        return step(source, self.context.parallel(source, positions) if self.context else positions)

    def _sequential(
        self,
        source: Tensor,
        positions: Tensor,
        step: _Step,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The context reads the image, which becomes known step by step."""
        assert self.context is not None  # reads == "nothing" never comes here
        # Never under autocast: rounding to bf16 would pile up along the recursion, and at one step's size
        # the casts cost more than the products they speed up.
        with torch.autocast(source.device.type, enabled=False):
            advance = self.context.stepper(positions)
            images = [] if known is None else list(known)
            state = self.context.initial_state(positions)
            if known is not None:
                state = self.context.advance(known, positions, 0, state)
            log_dets = [torch.zeros_like(image[..., 0]) for image in images]
            start = len(images)
            for t in range(start, len(source)):
                if t > start:
                    state = advance(t, images[-1], state)
                image, log_det = step(source[t], self.context.dropout(state[0][-1]))
                images.append(image)
                log_dets.append(log_det)
                if progress:
                    progress(t + 1, len(source))
            return torch.stack(images), torch.stack(log_dets)


def _without_padding(image: Tensor, log_det: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    mask = step_mask(lengths, len(image))
    return image.masked_fill(~mask[..., None], 0.0), log_det.masked_fill(~mask, 0.0)
