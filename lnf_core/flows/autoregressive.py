"""AF over dimensions: a MADE emits each dimension's parameters from the earlier ones.

Papamakarios et al., "Masked Autoregressive Flow for Density Estimation", NeurIPS 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lnf_core.flows.base import ConditionalFlow
from lnf_core.nets.made import MADE
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

    def inverse(self, value: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Eps -> z, sequential in D.

        The first layer's pre-activation is kept up to date as dimensions become known (a forbidden
        connection has weight zero, so an unknown dimension may count as zero), and of the last layer
        only the rows of the dimension at hand are computed.
        """
        net, size = self.net, self.net.size
        weight = net.input_layer.masked_weight()
        known = functional.linear(context.to(weight.dtype), weight[:, size:], net.input_layer.bias)
        middle = net.hidden_layer.masked_weight()
        last = net.output_layer.masked_weight().unflatten(0, (net.num_parameters, size))
        bias = net.output_layer.bias.unflatten(0, (net.num_parameters, size))
        columns: list[Tensor] = [value[..., 0]] * size
        log_det = torch.zeros_like(value[..., 0])
        for d in net.order:
            hidden = functional.linear(functional.relu(known), middle, net.hidden_layer.bias)
            parameters = functional.linear(functional.relu(hidden), last[:, d], bias[:, d])
            columns[d], log_slope = self.transform.inverse(value[..., d], parameters)
            known = known + columns[d][..., None] * weight[:, d]
            log_det = log_det + log_slope
        return torch.stack(columns, -1), log_det
