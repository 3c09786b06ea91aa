"""A stack of flows over dimensions, its weights as the kernels read them, inverted in one launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor, nn
from torch.nn import functional

from lnf_core.engines.cuda_graph.kernels import autoregressive_kernel, coupling_kernel, diagonal_kernel
from lnf_core.flows.autoregressive import AutoregressiveFlow
from lnf_core.flows.coupling import CouplingFlow
from lnf_core.flows.diagonal import DiagonalFlow
from lnf_core.flows.stack import FlowStack
from lnf_core.transforms.nlsq import NLSq


@dataclass(frozen=True)
class PackedStack:
    """Eps -> z in two launches: the context's share of all layers, then the flows."""

    context_weight: Tensor
    """``[S, H]``: from the context to what the kernel calls sums."""
    context_bias: Tensor
    """``[S]``."""
    _launch: Callable[[Tensor, Tensor, Tensor], None]

    @property
    def sums_size(self) -> int:
        """S."""
        return len(self.context_bias)

    def invert(self, eps: Tensor, context: Tensor, z: Tensor, sums: Tensor | None = None) -> Tensor:
        """``eps`` ``[B, D]`` and ``context`` ``[B, H]`` into ``z``, whose rows may be parts of longer ones.

        ``sums`` ``[B, S]`` is written over.
        """
        sums = torch.addmm(self.context_bias, context, self.context_weight.T, out=sums)
        self._launch(eps, sums, z)
        return z


def pack_stack(stack: FlowStack) -> PackedStack:
    """Copies the weights ``stack`` has now."""
    layers = list(reversed(stack.layers))  # in the order of sampling
    if all(isinstance(layer, AutoregressiveFlow) for layer in layers):
        return _autoregressive(layers)  # type: ignore[arg-type]
    if all(isinstance(layer, CouplingFlow) for layer in layers):
        return _coupling(layers)  # type: ignore[arg-type]
    (layer,) = layers
    assert isinstance(layer, DiagonalFlow)
    return _diagonal(layer)


def _power(number: int) -> int:
    return int(triton.next_power_of_2(max(number, 2)))


def _widen(tensor: Tensor, *sizes: int) -> Tensor:
    """Zeros after the end of the last axes, up to ``sizes``."""
    pads = [pad for size, wanted in zip(tensor.shape[::-1], sizes[::-1], strict=False) for pad in (0, wanted - size)]
    return functional.pad(tensor, pads).contiguous()


def _autoregressive(layers: list[AutoregressiveFlow]) -> PackedStack:
    size, parameters = layers[0].net.size, layers[0].net.num_parameters
    hidden = layers[0].net.hidden_layer.out_features
    many = -(-hidden // size)  # units of each degree; those that are missing have no weight
    units, wide, ranks = many * size, _power(many * size), _power(size)
    first, second, second_bias, third, third_bias = ([] for _ in range(5))
    context: list[Tensor] = []
    context_bias: list[Tensor] = []
    for layer in layers:
        net, order = layer.net, layer.net.order
        weights = net.masked_weights()
        first.append(_widen(weights.values[:, order].T, size, wide))
        second.append(_widen(weights.hidden.T, units, wide))
        second_bias.append(_widen(net.hidden_layer.bias, wide))
        third.append(_widen(weights.output[:, order].permute(2, 0, 1), units, parameters, ranks))
        third_bias.append(_widen(net.output_layer.bias.unflatten(0, (parameters, size))[:, order], parameters, ranks))
        context.append(_widen(weights.context, units, weights.context.shape[1]))
        context_bias.append(_widen(net.input_layer.bias, units))
    launch = _launcher(
        autoregressive_kernel,
        (first, second, second_bias, third, third_bias),
        [layer.net.order[0] != 0 for layer in layers],
        warps=1,
        SIZE=size,
        UNITS=many,
        P=parameters,
        NLSQ=_is_nlsq(layers[0]),
        HIDDEN=wide,
        RANKS=ranks,
    )
    return PackedStack(torch.cat(context).detach(), torch.cat(context_bias).detach(), launch)


def _coupling(layers: list[CouplingFlow]) -> PackedStack:
    kept, changed, parameters = layers[0].kept, layers[0].changed, layers[0].transform.num_parameters
    (_, _, leaves) = _linear(layers[0])
    hidden = leaves.in_features
    wide, half = _power(hidden), _power(changed)
    first, second, second_bias, third, third_bias = ([] for _ in range(5))
    context: list[Tensor] = []
    context_bias: list[Tensor] = []
    for layer in layers:
        enters, between, leaves = _linear(layer)
        first.append(_widen(enters.weight[:, :kept], wide, half))
        second.append(_widen(between.weight, wide, wide))
        second_bias.append(_widen(between.bias, wide))
        third.append(_widen(leaves.weight.unflatten(0, (changed, parameters)).transpose(0, 1), half, wide))
        third_bias.append(_widen(leaves.bias.unflatten(0, (changed, parameters)).T, half))
        context.append(enters.weight[:, kept:])
        context_bias.append(enters.bias)
    launch = _launcher(
        coupling_kernel,
        (first, second, second_bias, third, third_bias),
        [layer.reverse for layer in layers],
        warps=4,
        SIZE=kept + changed,
        UNITS=hidden,
        P=parameters,
        NLSQ=_is_nlsq(layers[0]),
        HIDDEN=wide,
        HALF=half,
    )
    return PackedStack(torch.cat(context).detach(), torch.cat(context_bias).detach(), launch)


def _launcher(
    kernel: Any,  # noqa: ANN401 - Triton's functions have no type
    weights: Sequence[Sequence[Tensor]],
    reverse: Sequence[bool],
    *,
    warps: int,
    **sizes: int,
) -> Callable[[Tensor, Tensor, Tensor], None]:
    """A stack of flows in one launch; of every weight one tensor a layer, in the order of sampling."""
    packed = [torch.stack(list(layers)).detach() for layers in weights]
    turned = torch.tensor(reverse, dtype=torch.int32, device=packed[0].device)

    def launch(eps: Tensor, sums: Tensor, z: Tensor) -> None:
        kernel[(len(eps),)](eps, sums, z, z.stride(0), *packed, turned, LAYERS=len(turned), **sizes, num_warps=warps)

    return launch


def _is_nlsq(layer: AutoregressiveFlow | CouplingFlow | DiagonalFlow) -> bool:
    return isinstance(layer.transform, NLSq)


def _linear(layer: CouplingFlow) -> list[nn.Linear]:
    return [part for part in layer.net if isinstance(part, nn.Linear)]


def _diagonal(layer: DiagonalFlow) -> PackedStack:
    parameters, block, nlsq = layer.transform.num_parameters, _power(layer.size), _is_nlsq(layer)

    def launch(eps: Tensor, sums: Tensor, z: Tensor) -> None:
        diagonal_kernel[(len(eps),)](
            eps, sums, z, z.stride(0), SIZE=layer.size, P=parameters, NLSQ=nlsq, BLOCK=block, num_warps=1
        )

    return PackedStack(layer.net.weight.detach().clone(), layer.net.bias.detach().clone(), launch)
