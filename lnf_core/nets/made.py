"""MADE: one feed-forward net that emits each dimension's parameters from the earlier dimensions.

Germain et al., "MADE: Masked Autoencoder for Distribution Estimation", ICML 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lnf_core.nets.mlp import start_near_identity


class MaskedLinear(nn.Linear):
    """A linear layer in which output ``o`` sees input ``i`` only where ``degree_out[o] >= degree_in[i]``."""

    mask: Tensor

    def __init__(self, degree_in: Tensor, degree_out: Tensor) -> None:
        """Degrees are int64 ``[in]`` and ``[out]``."""
        super().__init__(len(degree_in), len(degree_out))
        mask = degree_out[:, None] >= degree_in[None, :]
        self.register_buffer("mask", mask.float(), persistent=False)

    def masked_weight(self) -> Tensor:
        """The weight with its forbidden entries at zero, ``[out, in]``."""
        return self.weight * self.mask

    def forward(self, inputs: Tensor) -> Tensor:
        """``[..., in] -> [..., out]``."""
        return functional.linear(inputs, self.masked_weight(), self.bias)


@dataclass(frozen=True)
class MaskedWeights:
    """A MADE's weights with their forbidden entries at zero, made once for any number of steps."""

    values: Tensor
    """From the D values to the first layer, ``[F, D]``."""
    context: Tensor
    """From the context to the first layer, ``[F, H]``."""
    hidden: Tensor
    """``[F, F]``."""
    output: Tensor
    """``[P, D, F]``: the rows of one dimension are ``output[:, d]``."""


class MADE(nn.Module):
    """Parameters of D transforms; dimension ``order[r]`` depends on the context and on ``order[:r]``.

    Degrees: input ``order[r]`` has degree r + 1, the context 0, hidden unit j has j mod D, and the outputs
    of ``order[r]`` have degree r, so hidden units of degree r may feed them.
    """

    def __init__(self, size: int, context_size: int, hidden: int, num_parameters: int, *, reverse: bool) -> None:
        """``size`` is D, ``num_parameters`` is P; ``reverse`` counts the dimensions from the last to the first."""
        super().__init__()
        self.size, self.context_size, self.num_parameters = size, context_size, num_parameters
        ranks = torch.arange(size).flip(0) if reverse else torch.arange(size)  # rank of each dimension
        self.order: list[int] = torch.argsort(ranks).tolist()
        first = torch.cat([ranks + 1, torch.zeros(context_size, dtype=torch.int64)])
        units = torch.arange(hidden) % size
        outputs = ranks.repeat(num_parameters)  # the P outputs of one dimension lie D apart
        self.input_layer = MaskedLinear(first, units)
        self.hidden_layer = MaskedLinear(units, units)
        self.output_layer = MaskedLinear(units, outputs)
        start_near_identity(self.output_layer)

    def forward(self, value: Tensor, context: Tensor) -> Tensor:
        """``value`` ``[..., D]`` and ``context`` ``[..., H]`` to parameters ``[..., D, P]``."""
        hidden = functional.relu(self.input_layer(torch.cat([value, context.to(value.dtype)], -1)))
        hidden = functional.relu(self.hidden_layer(hidden))
        outputs: Tensor = self.output_layer(hidden)
        outputs = outputs.unflatten(-1, (self.num_parameters, self.size))
        return outputs.transpose(-1, -2)

    def masked_weights(self) -> MaskedWeights:
        """See :class:`MaskedWeights`."""
        first = self.input_layer.masked_weight()
        output = self.output_layer.masked_weight().unflatten(0, (self.num_parameters, self.size))
        return MaskedWeights(first[:, : self.size], first[:, self.size :], self.hidden_layer.masked_weight(), output)

    def stepper(
        self, context: Tensor, weights: MaskedWeights
    ) -> tuple[Callable[[int], Tensor], Callable[[int, Tensor], None]]:
        """The same net one dimension at a time: ``parameters(d)`` ``[..., P]``, then ``tell(d, value)``.

        Dimensions must be asked for and told in ``order``. The first layer's pre-activation is kept up to date as
        they become known (a forbidden connection has weight zero, so an unknown one may count as zero), and of the
        last layer only the rows of the dimension at hand are computed.
        """
        dtype = weights.context.dtype
        known = functional.linear(context.to(dtype), weights.context, self.input_layer.bias)
        bias = self.output_layer.bias.unflatten(0, (self.num_parameters, self.size))

        def parameters(d: int) -> Tensor:
            hidden = functional.linear(functional.relu(known), weights.hidden, self.hidden_layer.bias)
            return functional.linear(functional.relu(hidden), weights.output[:, d], bias[:, d])

        def tell(d: int, value: Tensor) -> None:
            nonlocal known
            known = known + value[..., None].to(dtype) * weights.values[:, d]

        return parameters, tell
