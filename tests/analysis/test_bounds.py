"""The bound over the number of samples: what it must equal, that it rises, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tiny_models import SYMBOLS, tiny_model
from torch import Tensor

from lnf_core.analysis.bounds import bound_by_samples, pooled
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow

LENGTHS = torch.tensor([7, 4, 3])


def model_and_batch(variant: str = "af-scf", domain: str = "music") -> tuple[LatentFlow, Tensor]:
    model = tiny_model(variant, domain)
    assert isinstance(model, LatentFlow)
    generator = torch.Generator().manual_seed(1)
    if domain == "text":
        return model, torch.randint(len(SYMBOLS), (7, 3), generator=generator)
    return model, (torch.rand(7, 3, 88, generator=generator) < 0.05).float()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("domain", ["music", "text"])
@pytest.mark.parametrize("max_rows", [256, 12])
def test_all_draws_in_one_group_are_the_bound_of_the_model(domain: str, max_rows: int) -> None:
    model, x = model_and_batch("af-af", domain)
    curve = bound_by_samples(model, x, LENGTHS, 30, seeded(), max_rows=max_rows)
    bound = model.bound(x, LENGTHS, 30, seeded(), max_rows=256)
    steps = int(LENGTHS.sum()) + len(LENGTHS)
    assert curve.steps == steps
    assert curve.counts[-1] == 30
    assert curve.bounds[-1] == pytest.approx(float(bound.log_likelihood.sum()) / steps, rel=1e-6)


def test_one_sample_is_the_average_elbo() -> None:
    model, x = model_and_batch()
    curve = bound_by_samples(model, x, LENGTHS, 40, seeded())
    elbo = model.bound(x, LENGTHS, 40, seeded()).elbo
    assert curve.bounds[0] == pytest.approx(float(elbo.sum()) / curve.steps, rel=1e-6)
    assert curve.groups[0] == 40


def test_a_group_is_the_bound_of_its_own_draws() -> None:
    model, x = model_and_batch()
    curve = bound_by_samples(model, x, LENGTHS, 11, seeded(), counts=[5])  # two groups, the last draw is left over
    generator = seeded()
    groups = torch.stack([model.bound(x, LENGTHS, 5, generator).log_likelihood for _ in range(2)])
    assert curve.groups == (2,)
    assert curve.bounds[0] == pytest.approx(float(groups.mean(0).sum()) / curve.steps, rel=1e-6)
    error = float((groups[0] - groups[1]).square().sum().sqrt()) / 2.0 / curve.steps  # var of two / 2, summed
    assert curve.standard_errors[0] == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("variant", ["af-scf", "iaf-scf", "hidden-flow-only"])
def test_the_bound_rises_with_the_number_of_samples(variant: str) -> None:
    model, x = model_and_batch(variant)
    curve = bound_by_samples(model, x, LENGTHS, 4000, seeded(), counts=[1, 4, 20, 100])
    assert all(low < high for low, high in zip(curve.bounds, curve.bounds[1:], strict=False))
    assert all(error is not None and 0.0 < error < 0.05 for error in curve.standard_errors)


def test_standard_errors_are_the_spread_of_repeated_estimates() -> None:
    model, x = model_and_batch()
    curves = [bound_by_samples(model, x, LENGTHS, 60, seeded(seed), counts=[1, 6]) for seed in range(60)]
    for place in range(2):
        spread = torch.tensor([curve.bounds[place] for curve in curves]).std()
        said = sum(curve.standard_errors[place] or math.nan for curve in curves) / len(curves)
        assert 0.7 < said / float(spread) < 1.4


def test_default_counts_and_the_lone_group() -> None:
    model, x = model_and_batch()
    curve = bound_by_samples(model, x, LENGTHS, 30, seeded())
    assert curve.counts == (1, 2, 5, 10, 20, 30)
    assert curve.groups == (30, 15, 6, 3, 1, 1)
    assert [error is None for error in curve.standard_errors] == [False, False, False, False, True, True]
    assert bound_by_samples(model, x, LENGTHS, 1, seeded()).counts == (1,)
    assert bound_by_samples(model, x, LENGTHS, 30, seeded()) == curve


def test_without_the_length_the_steps_alone_are_scored() -> None:
    model, x = model_and_batch()
    curve = bound_by_samples(model, x, LENGTHS, 6, seeded(), with_length=False)
    nats = model.bound(x, LENGTHS, 6, seeded()).log_likelihood - model.length_prior.log_prob(LENGTHS)
    assert curve.steps == int(LENGTHS.sum())
    assert curve.bounds[-1] == pytest.approx(float(nats.sum()) / curve.steps, rel=1e-6)


def test_counts_may_be_numpys() -> None:
    model, x = model_and_batch()
    curves = [bound_by_samples(model, x, LENGTHS, 6, seeded(), counts=counts) for counts in (np.array([1, 6]), [1, 6])]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("counts", [[], [0, 1], [1, 31], [5, 2], [2, 2], [True], [1.0]])
def test_counts_that_cannot_be(counts: list[int]) -> None:
    model, x = model_and_batch()
    with pytest.raises(InvalidInputError, match="rise from at least 1 to at most samples, 30"):
        bound_by_samples(model, x, LENGTHS, 30, seeded(), counts=counts)


def test_a_model_that_gives_no_numbers_has_no_bound() -> None:
    model, x = model_and_batch()
    with torch.no_grad():
        model.emission.bias.fill_(math.nan)
    with pytest.raises(InvalidInputError, match="gives no numbers here"):
        bound_by_samples(model, x, LENGTHS, 2, seeded())


def test_what_does_not_fit_the_model() -> None:
    model, x = model_and_batch()
    with pytest.raises(InvalidInputError, match="samples is 0"):
        bound_by_samples(model, x, LENGTHS, 0)
    with pytest.raises(InvalidInputError, match="x has shape"):
        bound_by_samples(model, x[..., :80], LENGTHS)


def test_curves_of_batches_pool_to_that_of_all_their_sequences() -> None:
    model, x = model_and_batch()
    parts = [bound_by_samples(model, x[:, b : b + 1], LENGTHS[b : b + 1], 12, seeded(b), [1, 4, 12]) for b in range(3)]
    whole = pooled(parts)
    assert whole.steps == sum(part.steps for part in parts) == int(LENGTHS.sum()) + 3
    nats = [sum(part.bounds[at] * part.steps for part in parts) for at in range(3)]
    assert whole.bounds == pytest.approx([total / whole.steps for total in nats])
    spread = [sum((part.standard_errors[at] * part.steps) ** 2 for part in parts) for at in range(2)]  # type: ignore[operator]
    assert whole.standard_errors[:2] == pytest.approx([total**0.5 / whole.steps for total in spread])
    assert whole.standard_errors[2] is None
    for wrong in ([], [parts[0], bound_by_samples(model, x, LENGTHS, 12, seeded(), [1, 12])]):
        with pytest.raises(InvalidInputError, match="pooled"):
            pooled(wrong)
