"""Exponential moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averaged copy of a module's parameters.

    The decay of update t is ``min(decay, (1 + t) / (10 + t))``: early on the average follows the weights closely, so
    the initial values are soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._parameters = dict(module.named_parameters())
        self.values: dict[str, Tensor] = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights, once after every optimiser step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.values.values()), list(self._parameters.values()), 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the module holds the averaged weights; its own come back afterwards.

        Values are copied, not pointers swapped: cuDNN keeps an LSTM's weights in one block of memory.
        """
        own = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._fill(self.values)
        try:
            yield
        finally:
            self._fill(own)

    @torch.no_grad()
    def _fill(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])

    @torch.no_grad()
    def load(self, values: Mapping[str, Tensor], updates: int) -> None:
        """Take up a saved average."""
        for name, value in self.values.items():
            value.copy_(values[name])
        self.updates = updates
