"""What every transform and every flow must satisfy, checked in one way for all of them.

A :class:`Bijection` is a map of flat vectors ``[n]``, in both directions. Each direction returns its
image and its own log-determinant, a scalar. ``inputs`` (parameters, contexts, weights) are what both
directions are conditioned on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.autograd.functional import jacobian
from torch.func import functional_call

from lnf_core.flows.base import ConditionalFlow
from lnf_core.transforms import ElementwiseTransform

Pair = tuple[Tensor, Tensor]
Map = Callable[..., Pair]


@dataclass(frozen=True)
class Bijection:
    forward: Map
    inverse: Map
    inputs: tuple[Tensor, ...] = ()


def of_transform(transform: ElementwiseTransform, parameters: Tensor) -> Bijection:
    def run(map_: Map) -> Map:
        def flat(value: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
            image, log_slope = map_(value, parameters)
            return image, log_slope.sum()

        return flat

    return Bijection(run(transform.forward), run(transform.inverse), (parameters,))


class _Inverse(nn.Module):
    """``functional_call`` only knows ``forward``."""

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, *arguments: Tensor) -> tuple[Tensor, Tensor]:
        return self.flow.inverse(*arguments)  # type: ignore[no-any-return, operator]


def of_flow(flow: ConditionalFlow, context: Tensor) -> Bijection:
    """A flow over dimensions under one context ``[H]``, differentiable in its weights too."""
    names = [name for name, _ in flow.named_parameters()]
    weights = tuple(parameter.detach().clone() for parameter in flow.parameters())

    def call(module: nn.Module, prefix: str, value: Tensor, context: Tensor, weights: tuple[Tensor, ...]) -> Pair:
        tensors = {prefix + name: weight for name, weight in zip(names, weights, strict=True)}
        tensors |= {prefix + name: buffer.to(value.dtype) for name, buffer in flow.named_buffers()}
        return functional_call(module, tensors, (value, context))  # type: ignore[no-any-return]

    def forward(value: Tensor, context: Tensor, *weights: Tensor) -> Pair:
        return call(flow, "", value, context, weights)

    def inverse(value: Tensor, context: Tensor, *weights: Tensor) -> Pair:
        return call(_Inverse(flow), "flow.", value, context, weights)

    return Bijection(forward, inverse, (context, *weights))


def check_bijection(bijection: Bijection, value: Tensor, *, single_precision: float = 2e-5) -> None:
    """All of it at one float64 ``value`` ``[n]``; ``single_precision`` bounds the float32 round trip."""
    check_round_trip(bijection, value, 1e-9)
    check_log_determinants(bijection, value)
    check_gradients(bijection, value)
    single = Bijection(bijection.forward, bijection.inverse, tuple(tensor.float() for tensor in bijection.inputs))
    check_round_trip(single, value.float(), single_precision)


def check_round_trip(bijection: Bijection, value: Tensor, tolerance: float) -> None:
    image, log_det = bijection.forward(value, *bijection.inputs)
    back, inverse_log_det = bijection.inverse(image, *bijection.inputs)
    assert back.dtype == image.dtype == log_det.dtype == value.dtype
    torch.testing.assert_close(back, value, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(inverse_log_det, -log_det, atol=tolerance, rtol=tolerance)
    again, _ = bijection.forward(bijection.inverse(value, *bijection.inputs)[0], *bijection.inputs)
    torch.testing.assert_close(again, value, atol=tolerance, rtol=tolerance)


def check_log_determinants(bijection: Bijection, value: Tensor) -> None:
    """Each direction's own log-determinant against ``slogdet`` of its own Jacobian."""
    for direction in (bijection.forward, bijection.inverse):
        _, log_det = direction(value, *bijection.inputs)
        sign, expected = torch.linalg.slogdet(jacobian_of(direction, value, *bijection.inputs))
        assert sign == 1  # a composition of increasing, triangular maps
        torch.testing.assert_close(log_det, expected, atol=1e-9, rtol=1e-9)


def check_gradients(bijection: Bijection, value: Tensor) -> None:
    """Autograd against finite differences, in the value and in all that it is conditioned on."""
    arguments = [tensor.detach().clone().requires_grad_() for tensor in (value, *bijection.inputs)]
    for direction in (bijection.forward, bijection.inverse):
        assert gradcheck(direction, arguments, fast_mode=True, atol=1e-5, rtol=1e-4)


def jacobian_of(direction: Map, value: Tensor, *inputs: Tensor) -> Tensor:
    """``[n, n]``: row i is the gradient of image i."""
    result: Tensor = jacobian(lambda v: direction(v, *inputs)[0], value)
    return result


def assert_depends_exactly(matrix: Tensor, allowed: Tensor) -> None:
    """A Jacobian is zero, exactly, outside ``allowed`` and nowhere zero inside it."""
    assert (matrix[~allowed] == 0).all()
    assert (matrix[allowed] != 0).all()


def randomise(module: nn.Module, scale: float, seed: int = 0) -> nn.Module:
    """Weights far from the near-identity start, so that a map has something to show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return module.double()
