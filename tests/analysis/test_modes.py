"""Modes counted from draws: mixtures whose number is known, densities of one mode, and the flow's own base noise."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_models import tiny_model
from torch import Tensor

from lnf_core.analysis.latents import draw_step, read_past
from lnf_core.analysis.modes import count_modes, merge_peaks
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixture(modes: int, size: int, count: int, seed: int, smallest: float = 0.05) -> tuple[Tensor, Tensor]:
    """Gaussians of widths 0.6 to 1, no two centres within 10 of each other; the last holds the share ``smallest``."""
    generator = seeded(seed)
    if size == 1:
        centres = 10.0 * torch.arange(modes, dtype=torch.float32)[:, None]
    else:
        while True:
            centres = 12.0 * torch.randn(modes, size, generator=generator) / math.sqrt(min(size, 16) / 2)
            if modes == 1 or torch.pdist(centres).min() > 10:
                break
    shares = torch.full((modes,), (1 - smallest) / max(modes - 1, 1))
    if modes > 1:
        shares[-1] = smallest
    labels = torch.multinomial(shares, count, replacement=True, generator=generator)
    widths = torch.linspace(0.6, 1.0, modes)
    return centres[labels] + widths[labels, None] * torch.randn(count, size, generator=generator), labels


@pytest.mark.parametrize("count", [1000, 4096])
@pytest.mark.parametrize("size", [1, 2, 16, 40])
@pytest.mark.parametrize("modes", [1, 2, 3, 5, 8])
def test_every_gaussian_of_a_mixture_is_a_mode(modes: int, size: int, count: int) -> None:
    points, labels = mixture(modes, size, count, seed=modes)
    found = count_modes(points, generator=seeded(0))
    assert found.count == modes and found.low <= modes <= found.high
    assert found.centres.shape == (modes, size) and found.labels.shape == (count,)
    torch.testing.assert_close(found.shares, torch.bincount(found.labels) / count)
    assert found.shares.tolist() == sorted(found.shares.tolist(), reverse=True)
    for mode in range(modes):  # each mode is one Gaussian, but for a few draws far from all centres
        inside = labels[found.labels == mode]
        assert (inside == inside.mode().values).float().mean() > 0.98
        torch.testing.assert_close(found.centres[mode], points[found.labels == mode].mean(0), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [2, 16, 40])
def test_long_clusters_side_by_side_are_told_apart(size: int) -> None:
    generator = seeded(size)
    points = torch.randn(2000, size, generator=generator)
    points[:, -1] *= 10.0
    points[:, 0] += 9.0 * torch.randint(3, (2000,), generator=generator)
    turn = torch.linalg.qr(torch.randn(size, size, generator=generator)).Q
    assert count_modes(points @ turn, generator=seeded(0)).count == 3


def test_a_valley_in_three_directions_is_as_deep_as_its_density_says() -> None:
    """Its log density is the number of directions times that of a distance: here half a nat, were it not multiplied."""
    points = torch.randn(2000, 3, generator=seeded(0))
    points[:1000, 0] += 4.4
    assert count_modes(points, generator=seeded(0)).count == 2


# Of 4,096 draws only some are paired, and halves are cut: in 2 and 16 dimensions as in 40.
@pytest.mark.parametrize(
    ("size", "count"), [*((size, 1000) for size in (1, 2, 16, 40)), *((size, 4096) for size in (1, 40))]
)
@pytest.mark.parametrize("density", ["gaussian", "uniform", "exponential", "student"])
def test_a_density_of_one_mode_counts_one(density: str, size: int, count: int) -> None:
    found = []
    for seed in range(5 if count < 4096 else 3):
        generator = seeded(seed)
        points = torch.randn(count, size, generator=generator)
        if density == "uniform":
            points = torch.rand(count, size, generator=generator)
        elif density == "exponential":
            points = -(1 - torch.rand(count, size, generator=generator)).log()
        elif density == "student":
            points /= (torch.randn(3, count, size, generator=generator).square().mean(0)).sqrt()
        found.append(count_modes(points, generator=generator).count)
    assert sum(one != 1 for one in found) <= (count < 4096), found  # one in twenty may be wrong


@pytest.mark.parametrize("size", [2, 16])
def test_turning_moving_and_scaling_leave_the_modes(size: int) -> None:
    points, _ = mixture(4, size, 1500, seed=3, smallest=0.1)
    points = points.double()
    first = count_modes(points, generator=seeded(1))
    turn = torch.linalg.qr(torch.randn(size, size, generator=seeded(5), dtype=torch.float64)).Q
    for scale in (1e-6, 1e6):
        again = count_modes(scale * (points @ turn + 3.0), generator=seeded(1))
        assert (again.count, again.low, again.high) == (first.count, first.low, first.high)
        assert torch.equal(again.labels, first.labels)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 2.0**-20, 1e200, 1e300])
def test_draws_of_any_size_are_counted(scale: float) -> None:
    points, _ = mixture(4, 3, 600, seed=3, smallest=0.1)
    first = count_modes(points.double(), generator=seeded(1))
    again = count_modes(scale * points.double(), generator=seeded(1))
    assert (again.count, again.low, again.high) == (first.count, first.low, first.high)


def test_the_same_seed_gives_the_same_modes_and_the_draws_stay() -> None:
    points, _ = mixture(5, 40, 3000, seed=2)
    before = points.clone()
    one, other = (count_modes(points, generator=seeded(4)) for _ in range(2))
    assert torch.equal(points, before)
    assert torch.equal(one.labels, other.labels) and torch.equal(one.centres, other.centres)
    assert (one.count, one.low, one.high, one.method) == (other.count, other.low, other.high, other.method)


def test_modes_that_nearly_touch_are_uncertain_and_those_far_apart_are_not() -> None:
    far, near = [], []
    for seed in range(6):
        points = torch.randn(1500, 1, generator=seeded(seed))
        points[::2] += 3.6
        found = count_modes(points, generator=seeded(seed))
        near.append(found.high - found.low)
        points[::2] += 6.0
        found = count_modes(points, generator=seeded(seed))
        far.append(found.high - found.low)
    assert not any(far) and any(near)


def test_a_peak_is_merged_by_its_height_above_the_saddle() -> None:
    # On a line: peaks of 3, 2 and 1 with saddles of 1.2 and 0.7 between them.
    heights = torch.tensor([0.0, 3.0, 1.2, 2.0, 0.7, 1.0, 0.0], dtype=torch.float64).numpy()
    near = torch.tensor([[1, 1], [0, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 5]]).numpy()
    peaks = torch.tensor([1, 1, 1, 3, 3, 5, 5]).numpy()
    assert merge_peaks(heights, near, peaks, 0.2).tolist() == [1, 1, 1, 3, 3, 5, 5]
    assert merge_peaks(heights, near, peaks, 0.5).tolist() == [1, 1, 1, 3, 3, 3, 3]
    assert merge_peaks(heights, near, peaks, 0.9).tolist() == [1] * 7


def test_a_peak_is_held_to_its_own_highest_saddle() -> None:
    # 5 stands 2.5 above the way to 10; 4 belongs to 5, which it nearly touches, although it is as far from 10.
    heights = torch.tensor([10.0, 2.5, 4.0, 3.5, 5.0], dtype=torch.float64).numpy()
    near = torch.tensor([[1, 1], [0, 2], [1, 3], [2, 4], [3, 3]]).numpy()
    assert merge_peaks(heights, near, torch.tensor([0, 0, 2, 4, 4]).numpy(), 2.0).tolist() == [0, 0, 4, 4, 4]


@pytest.mark.parametrize("domain", ["music", "text"])
def test_the_base_noise_of_a_flow_has_one_mode(domain: str) -> None:
    model = tiny_model("af-scf", domain)
    assert isinstance(model, LatentFlow)
    past = read_past(model, torch.zeros(4, model.config.latent_size))
    cloud = draw_step(model, past, 2, 2000, generator=seeded(1))
    assert count_modes(cloud.layers[0], generator=seeded(0)).count == 1


def test_draws_that_fill_few_directions_or_none_are_counted() -> None:
    points, _ = mixture(3, 1, 1000, seed=0, smallest=0.2)
    assert count_modes(points.expand(-1, 6).contiguous(), generator=seeded(0)).count == 3
    same = count_modes(torch.full((200, 3), 7.0), generator=seeded(0))
    assert same.count == 1 and torch.equal(same.centres, torch.full((1, 3), 7.0))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (torch.zeros(99, 2), "at least 100"),
        (torch.zeros(500), r"expected \[N, D\]"),
        (torch.zeros(500, 0), r"expected \[N, D\]"),
        (torch.zeros(500, 2, 1), r"expected \[N, D\]"),
        (torch.full((500, 2), torch.nan), "not finite"),
        (torch.full((500, 2), torch.inf), "not finite"),
    ],
)
def test_what_cannot_be_counted_is_named(points: Tensor, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        count_modes(points)
