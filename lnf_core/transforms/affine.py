"""Affine map: ``g(u) = a + exp(s / 2) u``."""

from __future__ import annotations

import torch
from torch import Tensor


class Affine:
    """Scale and shift. ``s`` is a log-variance, so the map cannot lose its sign (MODEL: elementwise transforms)."""

    num_parameters = 2

    def forward(self, value: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`~lnf_core.transforms.base.ElementwiseTransform`."""
        shift, log_variance = parameters.unbind(-1)
        return shift + torch.exp(0.5 * log_variance) * value, 0.5 * log_variance

    def inverse(self, value: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`~lnf_core.transforms.base.ElementwiseTransform`."""
        shift, log_variance = parameters.unbind(-1)
        return (value - shift) * torch.exp(-0.5 * log_variance), -0.5 * log_variance
