"""Draws of one latent given its past: what the prior itself would give, in the plane that separates their classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import linalg
from tiny_models import tiny_model

from lnf_core.analysis.bounds import bound_by_samples
from lnf_core.analysis.causality import influence
from lnf_core.analysis.interpolation import interpolate
from lnf_core.analysis.latents import draw_step, read_past, separating_directions
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow

FLOWS = ("af-af", "af-scf", "iaf-scf", "hidden-flow-only")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("variant", FLOWS)
@pytest.mark.parametrize("domain", ["music", "text"])
def test_a_draw_is_what_the_prior_makes_of_that_noise(variant: str, domain: str) -> None:
    model = tiny_model(variant, domain)
    assert isinstance(model, LatentFlow)
    model = model.double()
    sample = model.sample(1, 6, generator=seeded(0))
    assert sample.z is not None and sample.eps is not None
    past = read_past(model, sample.z[:, 0], sample.eps[:, 0])
    found = read_past(model, sample.z[:, 0])  # the noise behind it found again
    torch.testing.assert_close(found.eps, past.eps)
    torch.testing.assert_close(found.prior_context, past.prior_context)
    for step in (0, 3, 5):
        cloud = draw_step(model, past, step, 40, generator=seeded(step))
        eps = sample.eps.repeat(1, 40, 1)
        eps[step] = cloud.layers[0]
        lengths = torch.full((40,), 6)
        z, _ = model.prior.inverse(eps, lengths, model.positions(lengths, 6))
        torch.testing.assert_close(cloud.layers[-1], z[step])
        # Decoded in the sequence's own surroundings: the sequence's z_t gives the sequence's symbol.
        own = model.emission.probabilities(
            model.emission.logits(torch.cat([past.z[step], past.decoder_context[step]])[None])
        )
        torch.testing.assert_close(own[0], sample.probabilities[step, 0])


@pytest.mark.parametrize("domain", ["music", "text"])
def test_a_draw_is_decoded_where_it_stands(domain: str) -> None:
    model = tiny_model("af-scf", domain)
    assert isinstance(model, LatentFlow)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(6.0)  # what surrounds a step has a say in its symbol
    sample = model.sample(1, 6, generator=seeded(0))
    assert sample.z is not None
    past = read_past(model, sample.z[:, 0])
    for step in (0, 3):
        cloud = draw_step(model, past, step, 200, generator=seeded(step), symbols=200)
        features = torch.cat([cloud.layers[-1], past.decoder_context[step].expand(200, -1)], -1)
        likeliest = model.emission.pick(model.emission.probabilities(model.emission.logits(features)), None)
        assert torch.equal(cloud.symbols[cloud.labels], likeliest)


def test_classes_are_counted_from_the_most_frequent_on() -> None:
    model = tiny_model("af-scf", "text")
    assert isinstance(model, LatentFlow)
    sample = model.sample(1, 5, generator=seeded(1))
    assert sample.z is not None
    past = read_past(model, sample.z[:, 0])
    cloud = draw_step(model, past, 2, 500, generator=seeded(2), symbols=3)
    counts = torch.bincount(cloud.labels, minlength=len(cloud.symbols) + 1)
    torch.testing.assert_close(cloud.shares, counts[: len(cloud.symbols)] / 500)
    assert len(cloud.symbols) <= 3 and cloud.shares.tolist() == sorted(cloud.shares.tolist(), reverse=True)
    again = draw_step(model, past, 2, 500, generator=seeded(2), symbols=3)
    assert torch.equal(cloud.layers, again.layers) and torch.equal(cloud.plane, again.plane)
    cold = draw_step(model, past, 2, 500, generator=seeded(2), temperature=0.5)
    torch.testing.assert_close(cold.layers[0], 0.5 * cloud.layers[0])


def test_the_plane_separates_classes_and_not_what_varies_most() -> None:
    generator = seeded(0)
    labels = torch.randint(3, (3000,), generator=generator)
    points = torch.randn(3000, 6, generator=generator)
    points[:, 4] *= 30  # varies most, tells nothing
    points[:, 1] += 6.0 * (labels == 1)
    points[:, 2] += 6.0 * (labels == 2)
    directions = separating_directions(points, labels)
    torch.testing.assert_close(directions @ directions.T, torch.eye(2), atol=1e-5, rtol=0)
    assert directions[:, [0, 3, 4, 5]].abs().max() < 0.1


@pytest.mark.parametrize(("count", "far"), [(30, 12.0), (4, 200.0)])  # one draw in a hundred; too few to count at all
def test_a_rare_class_far_away_does_not_decide_the_plane(count: int, far: float) -> None:
    generator = seeded(0)
    labels = torch.randint(3, (3000,), generator=generator)
    labels[:count] = 3
    points = torch.randn(3000, 4, generator=generator)
    for label, distance in ((1, 6.0), (2, 6.0), (3, far)):
        points[:, label] += distance * (labels == label)
    assert separating_directions(points, labels)[:, [0, 3]].abs().max() < 0.2


def test_the_plane_has_most_of_the_variance_between_classes_against_that_within() -> None:
    generator = seeded(0)
    labels = torch.multinomial(torch.tensor([0.5, 0.3, 0.15, 0.05]), 4000, replacement=True, generator=generator)
    points = torch.randn(4000, 5, generator=generator, dtype=torch.float64)
    for label, distance in ((1, 4.0), (2, 6.0), (3, 11.0)):
        points[:, label] += distance * (labels == label)
    means = torch.stack([points[labels == label].mean(0) for label in range(4)])
    within, between = (torch.cov(values.T) for values in (points - means[labels], means[labels]))
    _, axes = linalg.eigh(between.numpy(), within.numpy())  # of all directions, those of the largest ratio last
    best = torch.linalg.qr(torch.from_numpy(axes[:, -2:])).Q
    plane = separating_directions(points, labels)
    torch.testing.assert_close(plane.T @ plane, best @ best.T, atol=0.02, rtol=0)


@pytest.mark.parametrize("classes", [1, 2])
def test_the_rest_of_the_plane_is_what_varies_most_beside_the_classes(classes: int) -> None:
    generator = seeded(0)
    labels = torch.arange(3000) % classes
    points = torch.randn(3000, 6, generator=generator)
    points[:, 2] *= 3.0
    points[:, 4] += 12.0 * labels if classes == 2 else 3.0 * points[:, 4]  # most of the variance, too
    directions = separating_directions(points, labels)
    assert directions[0].argmax() == 4 and directions[1].argmax() == 2
    assert directions[:, [0, 1, 3, 5]].abs().max() < 0.1


@pytest.mark.parametrize("size", [1, 2, 5])
def test_one_class_and_few_dimensions_still_have_a_plane(size: int) -> None:
    points = torch.randn(50, size, generator=seeded(3))
    assert separating_directions(points[:, :1], torch.zeros(50, dtype=torch.int64)).tolist() == [[1.0], [1.0]]
    directions = separating_directions(points, torch.zeros(50, dtype=torch.int64))
    assert directions.shape == (2, size) and directions.isfinite().all()
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(2))


def test_the_baseline_has_no_latent_space_to_look_into() -> None:
    model: Any = tiny_model("lstm")
    x, z, lengths = torch.zeros(4, 1, 88), torch.zeros(4, 1, 4), torch.tensor([4])
    calls: list[Callable[[], object]] = [
        lambda: read_past(model, z[:, 0]),
        lambda: influence(model, z, lengths, 0),
        lambda: interpolate(model, x[:, 0], x[:, 0], 2),
        lambda: bound_by_samples(model, x, lengths, 2),
    ]
    for call in calls:
        with pytest.raises(InvalidInputError, match="no latent space; give a latent flow"):
            call()


def test_what_cannot_be_is_named() -> None:
    model = tiny_model("af-scf")
    assert isinstance(model, LatentFlow)
    past = read_past(model, torch.zeros(4, model.config.latent_size))
    with pytest.raises(InvalidInputError, match="steps 0 to 3"):
        draw_step(model, past, 4)
    for count in (1, 100_001):
        with pytest.raises(InvalidInputError, match=f"{count} draws and 8 symbols were asked for; 2 to 100000"):
            draw_step(model, past, 0, count)
    with pytest.raises(InvalidInputError, match=r"z is of type ndarray; give a torch\.Tensor"):
        read_past(model, past.z.numpy())  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="expected"):
        read_past(model, torch.zeros(4, model.config.latent_size + 1))
    with pytest.raises(InvalidInputError, match="float64"):
        read_past(model, past.z.double())
    with pytest.raises(InvalidInputError, match="NaN"):
        read_past(model, past.z, past.eps * torch.nan)
    with pytest.raises(InvalidInputError, match=r"eps has shape \(5, 4\)"):
        read_past(model, past.z, torch.zeros(5, 4))
    with pytest.raises(InvalidInputError, match=r"2\.5 draws"):
        draw_step(model, past, 0, 2.5)  # type: ignore[arg-type]
    without_time = tiny_model("hidden-flow-only")
    assert isinstance(without_time, LatentFlow)
    with pytest.raises(InvalidInputError, match="let the model that draws read it"):
        draw_step(without_time, past, 0)
