"""Paths between two sequences: their ends, what lies between, their lengths, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_models import SYMBOLS, tiny_config, tiny_model
from torch import Tensor

from lnf_core.analysis.interpolation import interpolate
from lnf_core.config import VARIANTS, LatentFlowConfig
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow


def model_and_ends(variant: str, domain: str, lengths: tuple[int, int]) -> tuple[LatentFlow, Tensor, Tensor]:
    model = tiny_model(variant, domain)
    assert isinstance(model, LatentFlow)
    generator = torch.Generator().manual_seed(1)
    if domain == "text":
        first, second = (torch.randint(len(SYMBOLS), (steps,), generator=generator) for steps in lengths)
    else:
        first, second = ((torch.rand(steps, 88, generator=generator) < 0.2).float() for steps in lengths)
    return model.double(), first, second


@pytest.mark.parametrize("variant", [*VARIANTS, "af-scf-affine"])
@pytest.mark.parametrize("domain", ["music", "text"])
@pytest.mark.parametrize("space", ["eps", "z"])
@pytest.mark.parametrize("lengths", [(7, 7), (4, 11), (12, 3)])
def test_the_ends_are_the_reconstructions(variant: str, domain: str, space: str, lengths: tuple[int, int]) -> None:
    model, first, second = model_and_ends(variant, domain, lengths)
    path = interpolate(model, first, second, 5, space=space, engine="eager")
    for end, x in ((path[0], first), (path[-1], second)):
        expected = model.reconstruct(x[:, None], torch.tensor([len(x)]))
        assert torch.equal(end.x, expected.x)
        torch.testing.assert_close(end.z, expected.z)
        torch.testing.assert_close(end.probabilities, expected.probabilities)


def test_z_is_linear_and_the_longer_one_keeps_its_own_end() -> None:
    model, first, second = model_and_ends("af-scf", "music", (4, 10))
    path = interpolate(model, first, second, 4, space="z")
    assert [int(sample.lengths) for sample in path] == [len(sample.x) for sample in path] == [4, 6, 8, 10]
    a, b, third = path[0].z, path[3].z, path[1].z
    assert a is not None and b is not None and third is not None
    torch.testing.assert_close(third[:4], (2.0 * a + b[:4]) / 3.0)
    torch.testing.assert_close(third[4:], b[4:6])


def test_lengths_between_are_the_nearest_whole_ones() -> None:
    model, first, second = model_and_ends("af-scf", "text", (3, 4))
    assert [int(sample.lengths) for sample in interpolate(model, first, second, 6, space="z")] == [3, 3, 3, 4, 4, 4]


def test_lengths_are_whole_in_a_format_that_has_not_all_of_them(bfloat16: None) -> None:
    config = replace(tiny_config("af-scf", "text"), max_length=300)
    assert isinstance(config, LatentFlowConfig)
    model = LatentFlow(config, torch.ones(301)).eval().bfloat16()
    first, second = (torch.ones(steps, dtype=torch.int64) for steps in (257, 299))
    assert [int(sample.lengths) for sample in interpolate(model, first, second, 3, space="z")] == [257, 278, 299]


def test_noise_keeps_its_norm_and_turns_evenly() -> None:
    model, first, second = model_and_ends("af-scf", "music", (6, 6))
    noises = [sample.eps for sample in interpolate(model, first, second, 5, engine="eager")]
    assert all(eps is not None for eps in noises)
    eps = torch.cat([eps for eps in noises if eps is not None], 1)  # [T, 5, D]
    norms = eps.norm(dim=-1)
    weights = torch.linspace(0.0, 1.0, 5, dtype=torch.float64)
    torch.testing.assert_close(norms, norms[:, :1] + weights * (norms[:, -1:] - norms[:, :1]))
    turns = torch.cosine_similarity(eps[:, 1:], eps[:, :-1], dim=-1).arccos()
    torch.testing.assert_close(turns, turns[:, :1].expand(-1, 4), atol=1e-6, rtol=1e-6)


def test_from_a_sequence_to_itself_nothing_moves() -> None:
    model, first, _ = model_and_ends("iaf-scf", "text", (6, 6))
    path = interpolate(model, first, first, 3)
    assert path[0].eps is not None
    torch.testing.assert_close(path[1].eps, path[0].eps)


def test_what_is_refused() -> None:
    model, first, second = model_and_ends("af-scf", "music", (5, 6))
    with pytest.raises(InvalidInputError, match="space is 'x'; choose one of eps, z"):
        interpolate(model, first, second, space="x")
    with pytest.raises(InvalidInputError, match="at least 2"):
        interpolate(model, first, second, 1)
    with pytest.raises(InvalidInputError, match="give two of"):
        interpolate(model, first, second[:, 0])
    with pytest.raises(InvalidInputError, match="a length of 0 steps"):
        interpolate(model, first[:0], second)
