"""Composition of flows over dimensions, written once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lnf_core.config import LatentFlowConfig
from lnf_core.flows.autoregressive import AutoregressiveFlow
from lnf_core.flows.base import ConditionalFlow
from lnf_core.flows.coupling import CouplingFlow
from lnf_core.flows.diagonal import DiagonalFlow
from lnf_core.transforms import TRANSFORMS


class FlowStack(ConditionalFlow):
    """Apply ``layers`` first to last for z -> eps, last to first for eps -> z; log-determinants add up."""

    def __init__(self, layers: Iterable[ConditionalFlow]) -> None:
        """All layers share D and the context."""
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def _run(
        self, value: Tensor, context: Tensor, *, inverse: bool, weights: list[Any] | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        log_det = torch.zeros_like(value[..., 0])
        constants = weights or [None] * len(self.layers)
        pairs = list(zip(self.layers, constants, strict=True))
        for layer, own in reversed(pairs) if inverse else pairs:
            value, change = layer.inverse(value, context, own) if inverse else layer(value, context)  # type: ignore[operator]
            log_det = log_det + change
            yield value, log_det

    def forward(self, value: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Z -> eps."""
        *_, last = self._run(value, context, inverse=False)
        return last

    def inverse(self, value: Tensor, context: Tensor, weights: list[Any] | None = None) -> tuple[Tensor, Tensor]:
        """Eps -> z."""
        *_, last = self._run(value, context, inverse=True, weights=weights)
        return last

    def constants(self) -> list[Any]:
        """Those of every layer."""
        return [layer.constants() for layer in self.layers]  # type: ignore[operator]

    def trace(self, value: Tensor, context: Tensor, *, inverse: bool) -> list[Tensor]:
        """The value before the first layer and after every one, L + 1 times ``[..., D]``.

        With ``inverse`` from eps to z, last layer first; without from z to eps.
        """
        return [value, *(after for after, _ in self._run(value, context, inverse=inverse))]


def build_stack(config: LatentFlowConfig, context_size: int) -> FlowStack:
    """The flow over dimensions that ``config`` names, with the order of dimensions reversed between layers.

    The natural order belongs to the layer next to the sequence the time context reads: the first layer
    (from z) for AF, the last one for IAF. This is the reference implementation's convention.
    """
    transform = TRANSFORMS[config.transform]
    if config.dimension_flow == "diagonal":
        return FlowStack([DiagonalFlow(config.latent_size, context_size, transform)])
    flow = AutoregressiveFlow if config.dimension_flow == "af" else CouplingFlow
    offset = config.flow_layers - 1 if config.time_flow == "iaf" else 0
    return FlowStack(
        flow(config.latent_size, context_size, config.flow_hidden, transform, reverse=(layer + offset) % 2 == 1)
        for layer in range(config.flow_layers)
    )
