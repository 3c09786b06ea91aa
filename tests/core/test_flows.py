"""Flows over the dimensions of one step."""

from __future__ import annotations

import pytest
import torch
from bijections import (
    assert_depends_exactly,
    check_bijection,
    check_log_determinants,
    check_round_trip,
    jacobian_of,
    of_flow,
    randomise,
)

from lnf_core.config import LatentFlowConfig
from lnf_core.flows.autoregressive import AutoregressiveFlow
from lnf_core.flows.base import ConditionalFlow
from lnf_core.flows.coupling import CouplingFlow
from lnf_core.flows.diagonal import DiagonalFlow
from lnf_core.flows.stack import FlowStack, build_stack
from lnf_core.transforms import TRANSFORMS

CONTEXT, HIDDEN = 2, 12
LAYERS = {"af": AutoregressiveFlow, "scf": CouplingFlow}
transforms = pytest.mark.parametrize("transform", TRANSFORMS)
reverses = pytest.mark.parametrize("reverse", [False, True], ids=["natural", "reversed"])


def layer(kind: str, size: int, transform: str, *, reverse: bool = False, seed: int = 0) -> ConditionalFlow:
    flow: ConditionalFlow
    if kind == "diagonal":
        flow = DiagonalFlow(size, CONTEXT, TRANSFORMS[transform])  # type: ignore[index]
    else:
        flow = LAYERS[kind](size, CONTEXT, HIDDEN, TRANSFORMS[transform], reverse=reverse)  # type: ignore[index]
    randomise(flow, 0.4, seed)
    return flow


def check_flow(flow: ConditionalFlow, size: int) -> None:
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        value = 1.5 * torch.randn(size, generator=generator, dtype=torch.float64)
        context = torch.randn(CONTEXT, generator=generator, dtype=torch.float64)
        check_bijection(of_flow(flow, context), value, single_precision=2e-4)


@transforms
@reverses
@pytest.mark.parametrize(("kind", "size"), [("af", 1), ("af", 4), ("scf", 2), ("scf", 5), ("diagonal", 3)])
def test_single_flow_is_a_bijection(kind: str, size: int, transform: str, reverse: bool) -> None:
    check_flow(layer(kind, size, transform, reverse=reverse), size)


@transforms
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_stack_is_a_bijection(kind: str, transform: str, count: int) -> None:
    layers = [layer(kind, 4, transform, reverse=index % 2 == 1, seed=index) for index in range(count)]
    check_flow(FlowStack(layers), 4)


@transforms
def test_stack_is_the_composition_in_order(transform: str) -> None:
    first, second = layer("af", 3, transform, seed=1), layer("scf", 3, transform, seed=2)
    z, context = torch.randn(4, 3).double(), torch.randn(4, CONTEXT).double()
    middle, change = first(z, context)
    eps, second_change = second(middle, context)
    found, log_det = FlowStack([first, second])(z, context)
    assert torch.equal(found, eps)
    assert torch.equal(log_det, change + second_change)


@pytest.mark.parametrize(("time_flow", "expected"), [("af", [False, True, False, True]), ("iaf", [True, False] * 2)])
def test_order_of_dimensions_alternates(time_flow: str, expected: list[bool]) -> None:
    sizes = {"vocab_size": 2, "likelihood": "bernoulli", "max_length": 4, "latent_size": 4}
    config = LatentFlowConfig(**sizes, time_flow=time_flow, dimension_flow="scf", flow_layers=4)  # type: ignore[arg-type]
    stack = build_stack(config, 3)
    assert [flow.reverse for flow in stack.layers] == expected


@transforms
@reverses
@pytest.mark.parametrize("size", [4, 5])
def test_coupling_passes_half_through_and_changes_the_rest(transform: str, reverse: bool, size: int) -> None:
    bijection = of_flow(layer("scf", size, transform, reverse=reverse), torch.randn(CONTEXT).double())
    kept = torch.arange(size) < size // 2
    if reverse:
        kept = kept.flip(0)
    # A kept dimension is itself; a changed one depends on itself and on all kept ones.
    allowed = torch.eye(size, dtype=torch.bool) | (~kept[:, None] & kept[None, :])
    for direction in (bijection.forward, bijection.inverse):
        value = torch.randn(size).double()
        assert torch.equal(direction(value, *bijection.inputs)[0][kept], value[kept])
        assert_depends_exactly(jacobian_of(direction, value, *bijection.inputs), allowed)


@transforms
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_gradient_of_the_half_that_passes_through_is_whole(transform: str, way: str) -> None:
    """Both uses of that half count: itself in the image, and the parameters it emits (the reference cuts them)."""
    size, step = 4, 1e-6
    flow = layer("scf", size, transform)
    context, start = torch.randn(CONTEXT).double(), torch.randn(size).double()
    weights = torch.randn(size).double()

    def objective(value: torch.Tensor) -> torch.Tensor:
        image, log_det = getattr(flow, way)(value, context)
        return (weights * image).sum() + log_det  # type: ignore[no-any-return]

    value = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(value), value)
    for dimension in range(size):
        nudge = step * torch.eye(size).double()[dimension]
        slope = (objective(start + nudge) - objective(start - nudge)) / (2 * step)
        assert gradient[dimension].item() == pytest.approx(slope.item(), rel=1e-6, abs=1e-7)
    (of_log_det,) = torch.autograd.grad(getattr(flow, way)(value, context)[1], value)
    assert (of_log_det[: size // 2] != 0).all()


def test_diagonal_flow_is_diagonal() -> None:
    bijection = of_flow(layer("diagonal", 4, "nlsq"), torch.randn(CONTEXT).double())
    assert_depends_exactly(
        jacobian_of(bijection.forward, torch.randn(4).double(), *bijection.inputs), torch.eye(4, dtype=torch.bool)
    )


@pytest.mark.parametrize("kind", ["af", "scf"])
def test_deep_flow_of_paper_size_survives_single_precision(kind: str, device: torch.device) -> None:
    """D = 50 and five layers, started as training starts and then shaken."""
    generator = torch.Generator().manual_seed(3)
    layers = [LAYERS[kind](50, 20, 100, TRANSFORMS["nlsq"], reverse=index % 2 == 1) for index in range(5)]
    flow = FlowStack(layers).to(device)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape, generator=generator).to(device))
    z = torch.randn(32, 50, generator=generator).to(device)
    context = torch.randn(32, 20, generator=generator).to(device)
    with torch.no_grad():
        eps, log_det = flow(z, context)
        back, inverse_log_det = flow.inverse(eps, context)
    assert (back - z).abs().max() < 5e-4
    torch.testing.assert_close(inverse_log_det, -log_det, atol=5e-3, rtol=1e-4)


@transforms
@pytest.mark.parametrize("kind", [*LAYERS, "diagonal"])
def test_flow_keeps_leading_axes(kind: str, transform: str) -> None:
    flow = layer(kind, 4, transform)
    value, context = torch.randn(2, 3, 4).double(), torch.randn(2, 3, CONTEXT).double()
    for direction in (flow.forward, flow.inverse):
        image, log_det = direction(value, context)
        assert image.shape == (2, 3, 4) and log_det.shape == (2, 3)
        alone, alone_log_det = direction(value[1, 2], context[1, 2])
        torch.testing.assert_close(image[1, 2], alone, atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(log_det[1, 2], alone_log_det, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("kind", [*LAYERS, "diagonal"])
def test_wild_weights_never_make_nan(kind: str) -> None:
    """Log-slopes in the tens: values get huge, but every number and every gradient is one."""
    flow = layer(kind, 4, "nlsq").float()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_({"af": 1.5, "scf": 2.5, "diagonal": 10.0}[kind])
    for direction in (flow.forward, flow.inverse):
        value, context = (3 * torch.randn(64, 4)).requires_grad_(), torch.randn(64, CONTEXT)
        image, log_det = direction(value, context)
        (1e-6 * image.sum() + log_det.sum()).backward()
        assert log_det.abs().max() > 5
        gradients = [value.grad, *(parameter.grad for parameter in flow.parameters())]
        for tensor in (image, log_det, *gradients):
            assert tensor is not None and torch.isfinite(tensor).all()


def test_checks_catch_a_wrong_sign() -> None:
    """The helper itself: both of the reference's slips are seen."""

    class SameSign(DiagonalFlow):
        def inverse(self, value: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            image, log_det = super().inverse(value, context)
            return image, -log_det

    flow = SameSign(3, CONTEXT, TRANSFORMS["nlsq"])
    randomise(flow, 0.4)
    bijection = of_flow(flow, torch.randn(CONTEXT).double())
    with pytest.raises(AssertionError):
        check_round_trip(bijection, torch.randn(3).double(), 1e-9)
    with pytest.raises(AssertionError):
        check_log_determinants(bijection, torch.randn(3).double())


@pytest.mark.parametrize("dimensions", ["af", "scf"])
def test_a_trace_shows_every_layer_in_the_order_it_is_applied(dimensions: str) -> None:
    config = LatentFlowConfig(
        2,
        "categorical",
        9,
        latent_size=4,
        time_flow="af",
        dimension_flow=dimensions,
        flow_layers=3,
        flow_hidden=6,  # type: ignore[arg-type]
    )
    stack = build_stack(config, 5).double()
    generator = torch.Generator().manual_seed(0)
    value = torch.randn(2, 3, 4, dtype=torch.float64, generator=generator)
    context = torch.randn(2, 3, 5, dtype=torch.float64, generator=generator)
    for inverse, direction in ((False, stack.forward), (True, stack.inverse)):
        trace = stack.trace(value, context, inverse=inverse)
        assert len(trace) == 4
        assert torch.equal(trace[0], value)
        assert torch.equal(trace[-1], direction(value, context)[0])
        layers = list(stack.layers)[::-1] if inverse else list(stack.layers)
        for before, after, layer in zip(trace, trace[1:], layers, strict=False):
            step = layer.inverse(before, context) if inverse else layer(before, context)
            assert torch.equal(after, step[0])
