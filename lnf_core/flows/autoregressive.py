"""AF over dimensions: a MADE emits each dimension's parameters from the earlier ones.

Papamakarios et al., "Masked Autoregressive Flow for Density Estimation", NeurIPS 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lnf_core.flows.base import ConditionalFlow
from lnf_core.nets.made import MADE, MaskedWeights
from lnf_core.transforms import ElementwiseTransform


class AutoregressiveFlow(ConditionalFlow):
    """Density in one pass; sampling one dimension after the other."""

    def __init__(
        self, size: int, context_size: int, hidden: int, transform: ElementwiseTransform, *, reverse: bool
    ) -> None:
        """``size`` is D; ``reverse`` runs through the dimensions from the last to the first."""
        super().__init__()
        self.transform = transform
        self.net = MADE(size, context_size, hidden, transform.num_parameters, reverse=reverse)

    def forward(self, value: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Z -> eps, parallel in D."""
        image, log_slope = self.transform.forward(value, self.net(value, context).to(value.dtype))
        return image, log_slope.sum(-1)

    def inverse(self, value: Tensor, context: Tensor, weights: MaskedWeights | None = None) -> tuple[Tensor, Tensor]:
        """Eps -> z, sequential in D; ``weights`` of :meth:`constants` spare masking them again."""
        parameters, tell = self.net.stepper(context, weights or self.constants())
        columns: list[Tensor] = [value[..., 0]] * self.net.size
        log_det = torch.zeros_like(value[..., 0])
        for d in self.net.order:
            columns[d], log_slope = self.transform.inverse(value[..., d], parameters(d))
            tell(d, columns[d])
            log_det = log_det + log_slope
        return torch.stack(columns, -1), log_det

    def constants(self) -> MaskedWeights:
        """The net's masked weights."""
        return self.net.masked_weights()
