"""No flow over dimensions (the AF-only ablation): each dimension is transformed given the context alone."""

from __future__ import annotations

from torch import Tensor, nn

from lnf_core.flows.base import ConditionalFlow
from lnf_core.nets.mlp import start_near_identity
from lnf_core.transforms import ElementwiseTransform


class DiagonalFlow(ConditionalFlow):
    """One linear layer of the context emits the parameters of all dimensions."""

    def __init__(self, size: int, context_size: int, transform: ElementwiseTransform) -> None:
        """``size`` is D."""
        super().__init__()
        self.size, self.transform = size, transform
        self.net = nn.Linear(context_size, size * transform.num_parameters)
        start_near_identity(self.net)

    def _transform_parameters(self, context: Tensor, like: Tensor) -> Tensor:
        outputs: Tensor = self.net(context)
        parameters: Tensor = outputs.to(like.dtype).unflatten(-1, (self.size, self.transform.num_parameters))
        return parameters

    def forward(self, value: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Z -> eps."""
        image, log_slope = self.transform.forward(value, self._transform_parameters(context, value))
        return image, log_slope.sum(-1)

    def inverse(self, value: Tensor, context: Tensor, weights: None = None) -> tuple[Tensor, Tensor]:
        """Eps -> z."""
        image, log_slope = self.transform.inverse(value, self._transform_parameters(context, value))
        return image, log_slope.sum(-1)
