"""NLSq far beyond any trained parameters: beta, gamma, delta in [-60, 60], a and f in [-1e3, 1e3], values to 1e4.

Conditioning bounds the forward error there, so what is measured is the backward error ``|g(u) - x|``, in units
of the float32 spacing of the terms that ``g`` adds up.
"""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lnf_core.transforms import NLSq

EPSILON = torch.finfo(torch.float32).eps
BUMP = 8 * math.sqrt(3) / 9 - 0.05
LEAST_SLOPE, GREATEST_SLOPE = 1 - BUMP * 9 / (8 * math.sqrt(3)), 1 + BUMP * 9 / (8 * math.sqrt(3))  # times b

wide = st.floats(-60, 60, width=32)
shifts = st.floats(-1e3, 1e3, width=32)
values = st.floats(-1e4, 1e4, width=32)
rows = st.lists(st.tuples(values, shifts, wide, wide, wide, shifts), min_size=1, max_size=20)


def terms(u: Tensor, parameters: Tensor) -> Tensor:
    """``|a| + |b u| + |c|`` in float64: the size of what is added up."""
    a, beta, gamma, delta, _ = parameters.double().unbind(-1)
    c = torch.tanh(0.3 * gamma) * BUMP * torch.exp(0.4 * (beta - delta))
    return a.abs() + (torch.exp(0.4 * beta) * u.double()).abs() + c.abs()


def check_inverse(x: Tensor, parameters: Tensor) -> None:
    u, log_slope = NLSq().inverse(x, parameters)
    assert u.dtype == torch.float32
    assert torch.isfinite(u).all() and torch.isfinite(log_slope).all()
    back, _ = NLSq().forward(u.double(), parameters.double())
    # A few roundings; the last term is the smallest step a subnormal u can take.
    allowed = 2 * EPSILON * terms(u, parameters) + torch.exp(0.4 * parameters[..., 1].double()) * 2.0**-149
    assert ((back - x.double()).abs() <= allowed).all()
    check_log_slope(-log_slope, parameters)


def check_log_slope(log_slope: Tensor, parameters: Tensor) -> None:
    relative = log_slope.double() - 0.4 * parameters[..., 1].double()
    rounding = 4 * EPSILON * (1 + log_slope.abs())
    assert (relative >= math.log(LEAST_SLOPE) - 1e-4 - rounding).all()
    assert (relative <= math.log(GREATEST_SLOPE) + rounding).all()


def check_gradients_are_finite(x: Tensor, parameters: Tensor) -> None:
    for direction in (NLSq().forward, NLSq().inverse):
        inputs = x.clone().requires_grad_(), parameters.clone().requires_grad_()
        image, log_slope = direction(*inputs)
        for output in (image, log_slope):
            for gradient in torch.autograd.grad(output.sum(), inputs, retain_graph=True):
                assert torch.isfinite(gradient).all()


def check_forward(x: Tensor, parameters: Tensor) -> None:
    image, log_slope = NLSq().forward(x, parameters)
    exact, _ = NLSq().forward(x.double(), parameters.double())
    # exp(0.4 * 60) costs 24 roundings of its argument; the rest is room for a subnormal result or gamma.
    b_over_d = torch.exp(0.4 * (parameters[..., 1] - parameters[..., 3]).double())
    subnormal = 2.0**-125 + 2.0**-147 * b_over_d
    assert ((image - exact).abs() <= 40 * EPSILON * terms(x, parameters) + subnormal).all()
    check_log_slope(log_slope, parameters)


@settings(max_examples=300)
@given(rows)
def test_exact_and_finite_for_any_parameters(drawn: list[tuple[float, ...]]) -> None:
    table = torch.tensor(drawn, dtype=torch.float32)
    x, parameters = table[:, 0], table[:, 1:]
    check_inverse(x, parameters)
    check_forward(x, parameters)
    check_gradients_are_finite(x, parameters)


def test_exact_on_a_large_grid(device: torch.device) -> None:
    """A million draws, half of them aimed at the steep part of the bump, where ``d u + f`` is of order one."""
    generator = torch.Generator().manual_seed(0)
    count = 500_000

    def uniform(size: float) -> Tensor:
        return size * (2 * torch.rand(count, generator=generator) - 1)

    parameters = torch.stack([uniform(1e3), uniform(60), uniform(60), uniform(60), uniform(1e3)], -1)
    check_inverse(uniform(1e4).to(device), parameters.to(device))
    parameters[:, 4] = uniform(3) - torch.exp(0.4 * parameters[:, 3]) * uniform(5)
    parameters[:, 4].clamp_(-1e3, 1e3)
    u = (uniform(3) - parameters[:, 4]) * torch.exp(-0.4 * parameters[:, 3])
    x, _ = NLSq().forward(u.double(), parameters.double())
    kept = x.abs() < 1e4
    assert kept.sum() > count // 4
    check_inverse(x[kept].float().to(device), parameters[kept].to(device))
    check_gradients_are_finite(x[kept].float().to(device), parameters[kept].to(device))


@pytest.mark.parametrize("y", [math.sqrt(3), -math.sqrt(3), 0.0, 1e6, -1e6, 1e6 + 1, 1.0])
@pytest.mark.parametrize("gamma", [-60.0, -1.0, 0.0, 1e-6, 60.0])
def test_exact_at_the_joints_of_the_closed_form(y: float, gamma: float) -> None:
    """Where the cubic's branches meet, where a bump is all there is, and where it no longer counts."""
    steps = torch.tensor([0.0, 1e-16, -1e-16, 1e-12, -1e-12, 1e-8, -1e-8, 1e-4, -1e-4], dtype=torch.float64)
    x = y * (1 + steps) + steps
    parameters = torch.tensor([0.0, 0.0, gamma, 0.0, 0.0], dtype=torch.float64).expand(len(x), 5)
    u, _ = NLSq().inverse(x, parameters)
    back, _ = NLSq().forward(u, parameters)
    assert (back - x).abs().max() <= 4 * torch.finfo(torch.float64).eps * (abs(y) + 2)


def test_moderate_parameters_have_a_small_forward_error() -> None:
    generator = torch.Generator().manual_seed(1)
    parameters = 2 * torch.randn(100_000, 5, generator=generator)
    u = 3 * torch.randn(100_000, generator=generator)
    x, log_slope = NLSq().forward(u.double(), parameters.double())
    found, minus_log_slope = NLSq().inverse(x.float(), parameters)
    # x.float() is itself half a spacing off, which the slope carries over to u.
    allowed = 2 * EPSILON * (u.abs() + terms(u, parameters) * torch.exp(-log_slope))
    assert ((found - u).abs() <= allowed).all()
    # In float64 nothing is lost: the log-slopes of the two directions are one number.
    _, exact = NLSq().inverse(x, parameters.double())
    torch.testing.assert_close(exact, -log_slope, atol=1e-9, rtol=1e-9)
    assert (minus_log_slope + log_slope).abs().median() < 1e-6


@pytest.mark.parametrize("gamma", [-60.0, -2.0, 2.0, 60.0])
@pytest.mark.parametrize("delta", [-3.0, 0.0, 3.0])
def test_strictly_increasing(gamma: float, delta: float) -> None:
    u = torch.linspace(-40, 40, 200_001, dtype=torch.float64)
    parameters = torch.tensor([0.5, 1.0, gamma, delta, 0.7], dtype=torch.float64).expand(len(u), 5)
    image, log_slope = NLSq().forward(u, parameters)
    assert (image.diff() > 0).all()
    # The slope is the one of the values themselves.
    middle = 0.5 * (log_slope[1:] + log_slope[:-1])
    torch.testing.assert_close(torch.log(image.diff() / u.diff()), middle, atol=2e-4, rtol=0)
    back, _ = NLSq().inverse(image, parameters)
    assert (back.diff() > 0).all()


@pytest.mark.parametrize("seed", range(12))
def test_against_arbitrary_precision(seed: int) -> None:
    """Value, root and slope of the formula as the paper writes it, at 60 digits."""
    generator = torch.Generator().manual_seed(seed)
    size = 60.0 if seed % 2 else 3.0
    a, f = (0.5 * size * torch.randn(2, generator=generator, dtype=torch.float64)).tolist()
    beta, gamma, delta = (size * (2 * torch.rand(3, generator=generator, dtype=torch.float64) - 1)).tolist()
    x = float(100 * torch.randn(1, generator=generator, dtype=torch.float64))
    with mpmath.workdps(60):
        ten = mpmath.mpf(10)
        b, d = mpmath.exp(4 * mpmath.mpf(beta) / ten), mpmath.exp(4 * mpmath.mpf(delta) / ten)
        c = mpmath.tanh(3 * mpmath.mpf(gamma) / ten) * (8 * mpmath.sqrt(3) / 9 - mpmath.mpf(5) / 100) * b / d

        def g(u: mpmath.mpf) -> mpmath.mpf:
            return a + b * u + c / (1 + (d * u + f) ** 2)

        low, high = (x - a - abs(c)) / b, (x - a + abs(c)) / b
        for _ in range(400):
            middle = (low + high) / 2
            low, high = (middle, high) if g(middle) < x else (low, middle)
        v = d * low + f
        slope = b - 2 * c * d * v / (1 + v * v) ** 2
        size_of_terms = float(abs(a) + abs(b * low) + abs(c))
        root, log_slope = float(low), float(mpmath.log(slope))
        steepness = float(1 / slope)
    parameters = torch.tensor([[a, beta, gamma, delta, f]], dtype=torch.float64)
    found, minus_log_slope = NLSq().inverse(torch.tensor([x], dtype=torch.float64), parameters)
    assert found.item() == pytest.approx(root, rel=1e-12, abs=1e-14 * size_of_terms * steepness)
    assert minus_log_slope.item() == pytest.approx(-log_slope, rel=1e-9, abs=1e-9)
    value, forward_log_slope = NLSq().forward(found, parameters)
    assert value.item() == pytest.approx(x, abs=1e-13 * size_of_terms)
    assert forward_log_slope.item() == pytest.approx(log_slope, rel=1e-9, abs=1e-9)


def test_forward_survives_what_no_sample_reaches() -> None:
    """``v * v`` overflows float32 above 1.8e19; neither value nor gradient may turn into NaN."""
    x = torch.tensor([0.0, 1e25, -1e25, 1e19, 1e-30])
    parameters = torch.zeros(5, 5)
    parameters[:, 2] = 5.0
    check_gradients_are_finite(x, parameters)
    assert torch.equal(NLSq().forward(x, parameters)[0][1:4], x[1:4])
