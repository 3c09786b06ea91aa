"""SCF over dimensions: split coupling, after Dinh et al., "Density estimation using Real NVP", ICLR 2017."""

from __future__ import annotations

import torch
from torch import Tensor

from lnf_core.flows.base import ConditionalFlow
from lnf_core.nets.mlp import mlp, start_near_identity
from lnf_core.transforms import ElementwiseTransform


class CouplingFlow(ConditionalFlow):
    """The first half passes through and, with the context, emits the parameters of the second half.

    Parallel in D in both directions. The pass-through half is the same tensor, not a copy: gradients
    flow through both of its uses.
    """

    def __init__(
        self, size: int, context_size: int, hidden: int, transform: ElementwiseTransform, *, reverse: bool
    ) -> None:
        """``size`` is D; with ``reverse`` the last D // 2 dimensions are the half that passes through."""
        super().__init__()
        self.transform, self.reverse = transform, reverse
        self.kept, self.changed = size // 2, size - size // 2
        self.net = mlp(self.kept + context_size, hidden, self.changed * transform.num_parameters, hidden_layers=2)
        start_near_identity(self.net[-1])  # type: ignore[arg-type]  # mlp always ends in nn.Linear

    def _split(self, value: Tensor) -> tuple[Tensor, Tensor]:
        if self.reverse:
            changed, kept = value.split([self.changed, self.kept], -1)
        else:
            kept, changed = value.split([self.kept, self.changed], -1)
        return kept, changed

    def _join(self, kept: Tensor, changed: Tensor) -> Tensor:
        return torch.cat([changed, kept] if self.reverse else [kept, changed], -1)

    def _transform_parameters(self, kept: Tensor, context: Tensor) -> Tensor:
        outputs: Tensor = self.net(torch.cat([kept, context.to(kept.dtype)], -1))
        parameters: Tensor = outputs.to(kept.dtype).unflatten(-1, (self.changed, self.transform.num_parameters))
        return parameters

    def forward(self, value: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Z -> eps."""
        kept, changed = self._split(value)
        image, log_slope = self.transform.forward(changed, self._transform_parameters(kept, context))
        return self._join(kept, image), log_slope.sum(-1)

    def inverse(self, value: Tensor, context: Tensor, weights: None = None) -> tuple[Tensor, Tensor]:
        """Eps -> z."""
        kept, changed = self._split(value)
        image, log_slope = self.transform.inverse(changed, self._transform_parameters(kept, context))
        return self._join(kept, image), log_slope.sum(-1)
