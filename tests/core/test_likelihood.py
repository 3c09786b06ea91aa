"""The estimators against brute force on models small enough to integrate, and the evaluation's bookkeeping."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from small import LIKELIHOODS, random_x, small_flow, small_model
from torch import Tensor

from lnf_core.config import Likelihood
from lnf_core.data import Domain
from lnf_core.errors import InvalidInputError
from lnf_core.evaluation import Evaluation, evaluate
from lnf_core.models.build import build_model
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.models.results import Bound, Elbo

GRID = torch.linspace(-25.0, 25.0, 1201)


def every_x(likelihood: Likelihood, steps: int, vocab: int) -> list[Tensor]:
    """All sequences of ``steps`` steps, each ``[T, 1]`` or ``[T, 1, V]``."""
    if likelihood == "categorical":
        return [torch.tensor(ids)[:, None] for ids in itertools.product(range(vocab), repeat=steps)]
    keys = list(itertools.product((0.0, 1.0), repeat=vocab))
    return [torch.tensor(rows)[:, None] for rows in itertools.product(keys, repeat=steps)]


def integrated(model: LatentFlow, every: list[Tensor]) -> Tensor:
    """``log p(x, T)`` of each x, float64, by the trapezoid rule over every latent of a model with D = 1."""
    steps = len(every[0])
    axis = GRID if steps == 1 else GRID[::6]
    z = torch.cartesian_prod(*[axis] * steps).reshape(-1, steps).T[..., None]  # [T, points, 1]
    return summed(model, every, z, steps * math.log(float(axis[1] - axis[0])))


@torch.no_grad()
def summed(model: LatentFlow, every: list[Tensor], z: Tensor, log_volume: float) -> Tensor:
    """``log p(x, T)`` of each x from a grid of latents ``[T, points, D]`` whose cells have this volume."""
    steps, points, _ = z.shape
    lengths = torch.full((points,), steps)
    log_prior = model.log_prior(z, lengths)
    log_length = float(model.length_prior.log_prob(torch.tensor(steps)))
    found = []
    for x in every:
        log_joint = log_prior + model.log_emission(x.expand(steps, points, *x.shape[2:]), z, lengths)
        found.append(torch.logsumexp(log_joint.sum(0).double(), 0) + log_volume + log_length)
    return torch.stack(found)


def one_dimensional(variant: str, likelihood: Likelihood) -> LatentFlow:
    vocab = 3 if likelihood == "categorical" else 2
    sizes = {"latent_size": 1, "flow_hidden": 4, "vocab_size": vocab, "max_length": 3, "hidden_size": 4}
    return small_flow(variant, likelihood, **sizes)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ["af-af", "hidden-flow-only", "af-only"])
@pytest.mark.parametrize("steps", [1, 2])
def test_importance_sampling_agrees_with_integration(variant: str, likelihood: Likelihood, steps: int) -> None:
    model = one_dimensional(variant, likelihood)
    x = every_x(likelihood, steps, model.config.vocab_size)[3 % (2 + steps)]
    lengths = torch.tensor([steps])
    exact = float(integrated(model, [x]))
    generator = torch.Generator().manual_seed(0)
    weights = (
        torch.cat([model.elbo(x, lengths, 2000, generator).log_weights for _ in range(5)], -1)[0].detach().double()
    )
    estimate = float(weights.logsumexp(0)) - math.log(len(weights))
    relative = (weights - estimate).exp()
    error = float(relative.std() / math.sqrt(len(weights)))
    assert error < 0.05
    assert abs(estimate - exact) < 5 * error + 1e-3
    assert float(weights.mean()) < exact  # the ELBO is a lower bound
    assert float(model.log_likelihood(x, lengths, 4000, generator)) == pytest.approx(exact, abs=0.1)


@torch.no_grad()
def assert_estimates(model: LatentFlow, x: Tensor, lengths: Tensor, exact: Tensor) -> None:
    """Importance sampling meets ``exact`` ``[B]`` within five of its standard errors."""
    samples = 10_000
    weights = model.elbo(x, lengths, samples, torch.Generator().manual_seed(2)).log_weights.double()
    estimate = weights.logsumexp(-1) - math.log(samples)
    error = (weights - estimate[:, None]).exp().std(-1) / math.sqrt(samples)
    assert error.max() < 0.1
    assert ((estimate - exact).abs() < 5 * error + 1e-3).all()


def integrated_step(model: LatentFlow, every: list[Tensor]) -> Tensor:
    """``log p(x, T = 1)`` of each x, of a model with D = 2, which coupling needs, on a plane of latents."""
    line = GRID[::3]
    return summed(model, every, torch.cartesian_prod(line, line)[None], 2 * math.log(float(line[1] - line[0])))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ["af-scf", "iaf-scf", "af-scf-affine"])
def test_coupling_agrees_with_integration(variant: str, likelihood: Likelihood) -> None:
    sizes = {"latent_size": 2, "flow_hidden": 4, "vocab_size": 2, "max_length": 3, "hidden_size": 4}
    model = small_flow(variant, likelihood, **sizes)
    every = every_x(likelihood, 1, 2)
    exact = integrated_step(model, every)
    total = exact.exp().sum()
    assert float(total) == pytest.approx(math.exp(model.length_prior.log_prob(torch.tensor(1))), rel=2e-3)
    x = torch.cat(every, 1)
    lengths = torch.ones(len(every), dtype=torch.int64)
    assert_estimates(model, x, lengths, exact)
    bound = model.elbo(x, lengths, 2000, torch.Generator().manual_seed(3)).value
    assert (bound.double() < exact).all()


def test_an_inverse_autoregressive_prior_agrees_with_integration() -> None:
    """Two steps with the context read from eps: the density runs step by step."""
    config = replace(one_dimensional("af-af", "categorical").config, time_flow="iaf", flow_layers=1)
    model = build_model(config, torch.ones(4)).eval()
    assert isinstance(model, LatentFlow)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    every = every_x("categorical", 2, 3)
    exact = integrated(model, every)
    total = float(exact.exp().sum())
    assert total == pytest.approx(math.exp(model.length_prior.log_prob(torch.tensor(2))), rel=2e-3)
    lengths = torch.full((len(every),), 2)
    assert_estimates(model, torch.cat(every, 1), lengths, exact)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_joint_sums_to_p_of_t(likelihood: Likelihood) -> None:
    model = one_dimensional("af-af", likelihood)
    total = integrated(model, every_x(likelihood, 2, model.config.vocab_size)).exp().sum()
    assert float(total) == pytest.approx(math.exp(model.length_prior.log_prob(torch.tensor(2))), rel=2e-3)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_baseline_sums_to_p_of_t(likelihood: Likelihood) -> None:
    model = small_model("lstm", likelihood, vocab_size=3)
    every = torch.cat(every_x(likelihood, 3, 3), 1)
    lengths = torch.full((every.shape[1],), 3)
    total = model.log_likelihood(every, lengths).double().exp().sum()
    assert float(total) == pytest.approx(math.exp(model.length_prior.log_prob(torch.tensor(3))), rel=1e-4)


def test_draws_follow_the_integrated_probabilities() -> None:
    model = one_dimensional("af-af", "categorical")
    exact = (integrated(model, every_x("categorical", 1, 3)) - model.length_prior.log_prob(torch.tensor(1))).exp()
    sample = model.sample(4000, 1, generator=torch.Generator().manual_seed(1))
    counts = torch.bincount(sample.x[0], minlength=3).double()
    expected = 4000 * exact
    assert float(((counts - expected) ** 2 / expected).sum()) < 13.8  # chi-square, 2 degrees of freedom: p = 0.001


LENGTHS = (4, 2, 7, 1, 5)


def sequences(model: object, likelihood: Likelihood) -> list[Tensor]:
    lengths = torch.tensor(LENGTHS)
    x = random_x(model, lengths)  # type: ignore[arg-type]
    return [x[:length, b] for b, length in enumerate(LENGTHS)]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_evaluation_of_an_exact_model_divides_as_the_protocol_says(likelihood: Likelihood) -> None:
    model = small_model("lstm", likelihood)
    data = sequences(model, likelihood)
    total = -sum(float(model.log_likelihood(x[:, None], torch.tensor([len(x)]))) for x in data)
    domain: Domain = "text" if likelihood == "categorical" else "music"
    found = evaluate(model, data, domain=domain, samples=1, batch_size=2)
    assert found.nll == pytest.approx(total / (sum(LENGTHS) + len(LENGTHS)), rel=1e-5)
    assert found.nll_per_step == pytest.approx(total / sum(LENGTHS), rel=1e-5)
    assert found.bpc == (pytest.approx(found.nll / math.log(2.0)) if domain == "text" else None)
    assert (found.kl, found.sequences) == (0.0, len(LENGTHS))
    assert found.negative_elbo == pytest.approx(found.nll, rel=1e-6)


def test_an_evaluation_that_cannot_be_is_refused_in_words() -> None:
    model = small_model("af-scf", "categorical")
    data = sequences(model, "categorical")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"domain": "music"}, "this model's is text"),
        ({"samples": "a"}, "samples is a; give a whole number"),
        ({"batch_size": 1.5}, "batch_size is 1.5; give a whole number"),
        ({"max_rows": 0}, "max_rows is 0; give a whole number"),
        ({"sequences": []}, "a list of one tensor or more"),
        ({"sequences": data[0][:, None]}, "a list of one tensor or more"),
        ({"sequences": [data[0].numpy()]}, r"a sequence is of type ndarray; give a torch\.Tensor"),
    ]
    for given, said in wrong:
        with pytest.raises(InvalidInputError, match=said):
            evaluate(model, **{"sequences": data, "domain": "text", "samples": 1, **given})
    with torch.no_grad():
        model.emission.bias.fill_(math.nan)
    with pytest.raises(InvalidInputError, match="gives no numbers here"):
        evaluate(model, data, domain="text", samples=1)


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_a_model_that_gives_no_numbers_draws_nothing(variant: str) -> None:
    model = small_model(variant, "bernoulli")
    with torch.no_grad():
        model.emission.bias.fill_(math.nan)
    with pytest.raises(InvalidInputError, match="gives no numbers here"):
        model.sample(1, 4, generator=torch.Generator().manual_seed(0), engine="eager")


@pytest.mark.parametrize("variant", ["af-scf", "iaf-scf"])
def test_evaluation_does_not_depend_on_how_much_memory_it_may_use(variant: str) -> None:
    model = small_model(variant, "bernoulli")
    data = sequences(model, "bernoulli")

    def run(max_rows: int) -> dict[str, float]:
        generator = torch.Generator().manual_seed(3)
        found = evaluate(model, data, domain="music", samples=6, max_rows=max_rows, generator=generator).to_dict()
        assert found.pop("bpc") is None
        return found

    assert run(5) == pytest.approx(run(10_000), rel=1e-5)


def test_the_parts_of_an_evaluation_add_up_and_more_samples_tighten_it() -> None:
    model = small_model("af-scf", "categorical")
    data = sequences(model, "categorical")

    def run(samples: int) -> Evaluation:
        return evaluate(model, data, domain="text", samples=samples, generator=torch.Generator().manual_seed(5))

    few, many = run(1), run(400)
    log_p_length = sum(float(model.length_prior.log_prob(torch.tensor(length))) for length in LENGTHS)
    symbols = sum(LENGTHS) + len(LENGTHS)
    assert many.reconstruction + many.kl - log_p_length / symbols == pytest.approx(many.negative_elbo, rel=1e-5)
    assert few.nll == pytest.approx(few.negative_elbo, rel=1e-6)  # with one sample the two are the same
    assert many.nll < many.negative_elbo


def test_evaluation_does_not_depend_on_who_shares_a_batch() -> None:
    exact = small_model("lstm", "categorical")
    data = sequences(exact, "categorical")
    found = [evaluate(exact, data, domain="text", samples=1, batch_size=size).nll for size in (1, 2, 5)]
    assert found == pytest.approx([found[0]] * 3, rel=1e-6)
    model = small_model("af-scf", "categorical", spread=0.05)  # near the identity, where few samples are enough
    estimates = [
        evaluate(model, order, domain="text", samples=500, batch_size=size, generator=torch.Generator().manual_seed(1))
        for order, size in ((data, 1), (data[::-1], 5))
    ]
    assert estimates[0].nll == pytest.approx(estimates[1].nll, rel=0.01)


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_log_likelihood_does_not_depend_on_how_many_rows_are_in_flight(variant: str) -> None:
    model = small_model(variant, "categorical")
    lengths = torch.tensor(LENGTHS)
    x = random_x(model, lengths)
    found = [model.log_likelihood(x, lengths, 7, torch.Generator().manual_seed(2), max_rows=n) for n in (0, 11, 999)]
    torch.testing.assert_close(found[0], found[2], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[1], found[2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_more_samples_are_averaged_as_the_protocol_says(samples: int) -> None:
    """The headline number by brute force, in Python's own arithmetic, for K above 1 too."""
    model = small_flow("af-scf", "categorical")
    lengths = torch.tensor([6])
    x = random_x(model, lengths)
    posterior = model.encode(x, lengths)
    noise = posterior.noise(samples, torch.Generator().manual_seed(3))
    weights = []
    for k in range(samples):
        z = posterior.mean + posterior.std * noise[k]
        log_joint = (model.log_prior(z, lengths).sum() + model.log_emission(x, z, lengths).sum()).item()
        weights.append(log_joint + float(model.length_prior.log_prob(lengths)) - posterior.log_prob(z).sum().item())
    log_mean = math.log(sum(math.exp(weight) for weight in weights) / samples)
    found = evaluate(
        model, [x[:, 0]], domain="text", samples=samples, max_rows=3, generator=torch.Generator().manual_seed(3)
    )
    assert found.nll == pytest.approx(-log_mean / 7, rel=1e-5)
    assert found.nll_per_step == pytest.approx(-log_mean / 6, rel=1e-5)
    assert found.negative_elbo == pytest.approx(-sum(weights) / samples / 7, rel=1e-5)
    again = model.log_likelihood(x, lengths, samples, torch.Generator().manual_seed(3), max_rows=3)
    assert float(again) == pytest.approx(log_mean, rel=1e-5)


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_evaluation_draws_no_dropout(variant: str) -> None:
    model = small_model(variant, "categorical", dropout=0.5)
    data = sequences(model, "categorical")

    def run() -> Evaluation:
        return evaluate(model, data, domain="text", samples=2, generator=torch.Generator().manual_seed(0))

    resting = run()
    model.train()
    assert run() == resting


def test_thousands_of_steps_are_summed_in_float64() -> None:
    generator = torch.Generator().manual_seed(0)
    log_px, kl = (scale * torch.rand(4653, 2, 3, generator=generator) for scale in (-9.0, 5.0))
    length = torch.tensor([-6.5, -7.25])
    bound = Bound.of([Elbo(log_px, kl, length, torch.ones(4653, 2, dtype=torch.bool))])
    weights = (log_px.double() - kl.double()).sum(0) + length.double()[:, None]
    exact = weights.logsumexp(-1) - math.log(3)
    torch.testing.assert_close(bound.log_likelihood, exact, rtol=0, atol=1e-7)
    torch.testing.assert_close(bound.elbo, bound.log_px - bound.kl + length, rtol=0, atol=1e-7)
