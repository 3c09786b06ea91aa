from __future__ import annotations

import math

import pytest
import torch
from bijections import check_bijection, of_transform
from torch import Tensor

from lnf_core.transforms import TRANSFORMS, Affine, NLSq


def normal(*shape: int, scale: float = 1.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_transform_is_a_bijection(name: str, scale: float) -> None:
    transform = TRANSFORMS[name]  # type: ignore[index]
    parameters = normal(12, transform.num_parameters, scale=scale, seed=1)
    # Slopes go down to 0.03 b: the float32 round trip loses up to that factor.
    check_bijection(of_transform(transform, parameters), normal(12, scale=2.0), single_precision=2e-5 * (1 + scale**2))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_keeps_leading_axes(name: str) -> None:
    transform = TRANSFORMS[name]  # type: ignore[index]
    value, parameters = normal(2, 3, 4), normal(2, 3, 4, transform.num_parameters)
    for direction in (transform.forward, transform.inverse):
        image, log_slope = direction(value, parameters)
        alone, alone_slope = direction(value[1, 2], parameters[1, 2])
        assert image.shape == log_slope.shape == value.shape
        # Vector and scalar code of a processor may differ in the last bit.
        torch.testing.assert_close((image[1, 2], log_slope[1, 2]), (alone, alone_slope), rtol=1e-14, atol=1e-14)


def test_affine_is_its_formula() -> None:
    image, log_slope = Affine().forward(torch.tensor([3.0]), torch.tensor([[-1.0, 2 * math.log(4.0)]]))
    assert image.item() == pytest.approx(-1 + 4 * 3) and log_slope.item() == pytest.approx(math.log(4.0))


def test_nlsq_is_its_formula() -> None:
    a, beta, gamma, delta, f, u = 0.3, -0.7, 2.0, 0.9, -1.1, 0.4
    b, d = math.exp(0.4 * beta), math.exp(0.4 * delta)
    c = math.tanh(0.3 * gamma) * (8 * math.sqrt(3) / 9 - 0.05) * b / d
    v = d * u + f
    image, log_slope = NLSq().forward(
        torch.tensor([u], dtype=torch.float64), torch.tensor([[a, beta, gamma, delta, f]], dtype=torch.float64)
    )
    assert image.item() == pytest.approx(a + b * u + c / (1 + v * v), rel=1e-13)
    assert log_slope.item() == pytest.approx(math.log(b - 2 * c * d * v / (1 + v * v) ** 2), rel=1e-13)


def test_nlsq_without_a_bump_is_affine() -> None:
    value = normal(50, scale=5.0)
    parameters = normal(50, 5, scale=4.0, seed=1)
    parameters[:, 2] = 0.0  # gamma
    affine = torch.stack([parameters[:, 0], 0.8 * parameters[:, 1]], -1)
    for nlsq, expected in ((NLSq().forward, Affine().forward), (NLSq().inverse, Affine().inverse)):
        torch.testing.assert_close(nlsq(value, parameters), expected(value, affine), atol=1e-12, rtol=1e-12)


def test_one_nlsq_makes_a_unimodal_base_bimodal() -> None:
    """The reason for the map (paper, section 4.2): the density of z has two modes, that of an affine one."""
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    parameters = torch.tensor([0.0, 1.0, -20.0, -0.5, 0.0], dtype=torch.float64)

    def modes(eps: Tensor, log_slope: Tensor) -> int:
        density = -0.5 * eps.square() + log_slope
        inner = density[1:-1]
        return int(((inner > density[:-2]) & (inner > density[2:])).sum())

    assert modes(*NLSq().forward(z, parameters.expand(4001, 5))) == 2
    assert modes(*Affine().forward(z, parameters[:2].expand(4001, 2))) == 1
