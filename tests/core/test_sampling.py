"""Sampling, inverting, continuing and reconstructing."""

from __future__ import annotations

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from small import ALL, FLOWS, LIKELIHOODS, random_x, small_flow, small_model

from lnf_core.config import LatentFlowConfig, Likelihood
from lnf_core.errors import InvalidInputError
from lnf_core.models.build import build_model
from lnf_core.models.draws import Draws
from lnf_core.models.length_prior import LengthPrior


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
def test_equal_seeds_give_equal_samples_and_other_seeds_others(variant: str, likelihood: Likelihood) -> None:
    model = small_model(variant, likelihood)
    before = torch.random.get_rng_state()
    one, same, other = (model.sample(3, [5, 2, 9], generator=generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)  # no global generator was touched
    assert torch.equal(one.x, same.x)
    assert torch.equal(one.probabilities, same.probabilities)
    assert not torch.equal(one.probabilities, other.probabilities)
    assert [len(x) for x in one] == [5, 2, 9] == one.lengths.tolist()
    if likelihood == "categorical":
        assert one.x.dtype == torch.int64
        torch.testing.assert_close(one.probabilities[:2].sum(-1), torch.ones(2, 3))
    else:
        assert set(one.x.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
@pytest.mark.parametrize("length", [6, None])
def test_a_sequence_does_not_depend_on_those_drawn_with_it(
    variant: str, likelihood: Likelihood, length: int | None
) -> None:
    model = small_model(variant, likelihood)
    alone = model.sample(1, length, generator=generator())
    steps = int(alone.lengths)
    many = model.sample(3, length, generator=generator())
    ragged = model.sample(3, [steps, 9, 2], generator=generator())
    assert many.lengths[0] == steps
    if length is None:
        ragged = many  # lengths that are drawn and lengths that are given read different numbers
    for other in (many, ragged):
        assert torch.equal(other.x[:steps, 0], alone.x[:, 0])
        if alone.eps is not None:
            assert other.eps is not None
            assert torch.equal(other.eps[:steps, 0], alone.eps[:, 0])
            assert not torch.equal(other.eps[:1, 1], other.eps[:1, 0])


def test_continuations_of_one_seed_begin_with_the_same_one() -> None:
    model = small_flow("af-scf", "categorical")
    prefix = random_x(model, torch.tensor([3]))[:, 0]
    one, three = (model.continue_from(prefix, 8, count, generator=generator()) for count in (1, 3))
    assert torch.equal(one.x[:, 0], three.x[:, 0])
    torch.testing.assert_close(one.z[:, 0], three.z[:, 0])  # type: ignore[index]


def test_the_temperature_of_a_continuation_is_that_of_its_fresh_noise() -> None:
    model = small_flow("af-scf", "categorical")
    prefix = random_x(model, torch.tensor([3]))[:, 0]
    plain, cold = (model.continue_from(prefix, 8, temperature=t, generator=generator()).eps for t in (1.0, 0.5))
    assert plain is not None and cold is not None
    torch.testing.assert_close(cold[:3], plain[:3])
    torch.testing.assert_close(cold[3:], 0.5 * plain[3:])


def test_a_beginning_is_encoded_with_its_end_in_sight() -> None:
    model = small_flow("af-scf", "categorical", spread=0.8)
    prefix = random_x(model, torch.tensor([3]))[:, 0]
    x, beginning, total = prefix[:, None], torch.tensor([3]), torch.tensor([8])
    right, wrong = model.encode(x, beginning, total), model.encode(x, beginning)
    assert (right.mean - wrong.mean).abs().max() > 0.05
    noise = Draws(1, generator(), torch.device("cpu")).normal(beginning, model.config.latent_size, torch.float32)
    drawn = model.continue_from(prefix, 8, generator=generator())
    assert drawn.z is not None
    torch.testing.assert_close(drawn.z[:3], right.mean + right.std * noise)


@pytest.mark.parametrize(("variant", "waited"), [("af-scf", 5), ("iaf-scf", 1), ("hidden-flow-only", 1), ("lstm", 8)])
def test_steps_that_waited_are_counted(variant: str, waited: int) -> None:
    """A flow's prior goes on from the state after a beginning of three steps; the baseline reads it step by step."""
    model = small_model(variant, "categorical")
    prefix = random_x(model, torch.tensor([3]))[:, 0]
    assert model.continue_from(prefix, 8, engine="eager", generator=generator()).dependent_steps == waited
    assert model.sample(1, 8, engine="eager", generator=generator()).dependent_steps == (8 if waited > 1 else 1)


def test_lengths_never_trained_on_are_warned_of() -> None:
    counts = torch.ones(10)
    counts[5], counts[7] = 2.0, 3.0  # as music's: one in every bin, and what occurred, once or twice, on top
    config = small_model("af-scf", "bernoulli").config
    music = build_model(config, counts).eval()
    text = build_model(config, torch.tensor([0, 0, 0, 2, 0, 1, 4, 0, 0, 1.0])).eval()
    assert music.length_prior.shortest_trained == 5
    assert text.length_prior.shortest_trained == 3
    assert build_model(config, torch.ones(10)).length_prior.shortest_trained == 1
    with pytest.warns(UserWarning, match=r"length of 4 .* shortest .* is 5") as said:
        music.sample(2, [6, 4], generator=generator())
    assert said[0].filename == __file__  # where it was asked for, not some line of ours or of torch
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        music.sample(2, [6, 5], generator=generator())
        music.sample(40, generator=generator())  # p(T) draws short ones, and nobody asked for them
    assert int(music.length_prior.sample(200, generator()).min()) < 5
    assert int(music.length_prior.sample(200, generator(), shortest=5).min()) == 5
    between = music.length_prior.sample(200, generator(), shortest=5, longest=7)
    assert (int(between.min()), int(between.max())) == (5, 7)
    assert music.length_prior.sample(2, generator(), shortest=7, longest=6).tolist() == [7, 7]


@pytest.mark.parametrize("positions", ["learned", "onehot"])
@pytest.mark.parametrize("variant", ALL)
def test_a_model_in_double_precision_stays_in_it(variant: str, positions: str) -> None:
    single = small_model(variant, "categorical", positions=positions)  # type: ignore[arg-type]
    double = copy.deepcopy(single).double()
    lengths = torch.tensor([5, 3])
    x = random_x(single, lengths)
    found = double.elbo(x, lengths, 1, generator()).log_px
    assert found.dtype == double.sample(1, 5, generator=generator()).probabilities.dtype
    if variant == "lstm":
        torch.testing.assert_close(found.float(), single.elbo(x, lengths).log_px, atol=1e-4, rtol=1e-4)
    else:
        assert double.sample(1, 5, generator=generator()).z.dtype == torch.float64  # type: ignore[union-attr]


@pytest.mark.parametrize("variant", FLOWS)
def test_latents_go_to_the_noise_and_back(variant: str) -> None:
    model = small_flow(variant, "categorical")
    sample = model.sample(3, [9, 4, 1], generator=generator(3))
    assert sample.z is not None
    assert sample.eps is not None
    inversion = model.invert(sample.z, sample.lengths)
    torch.testing.assert_close(inversion.eps, sample.eps, atol=2e-4, rtol=2e-4)
    assert inversion.error < 1e-3
    assert 0 < model.step_error(sample.z, sample.lengths) < 1e-3
    scaled = model.sample(3, [9, 4, 1], temperature=np.float32(0.5), generator=generator(3))
    torch.testing.assert_close(scaled.eps, 0.5 * sample.eps)


def test_what_noise_holds_after_the_end_of_a_sequence_changes_nothing() -> None:
    model, lengths = small_flow("iaf-scf", "categorical"), torch.tensor([6, 3])
    eps = torch.randn(6, 2, 3, generator=generator())
    eps[3:, 1] = 0.0
    other = eps.clone()
    other[3:, 1] = 50.0
    clean, given = (model.from_noise(noise, lengths, generator=generator()) for noise in (eps, other))
    assert torch.equal(given.x, clean.x) and torch.equal(given.probabilities, clean.probabilities)
    torch.testing.assert_close((given.z, given.eps), (clean.z, clean.eps))


def test_the_error_of_a_step_is_the_largest_of_all_latents() -> None:
    """Sequences of one step have no steps before it: nothing but the way to the noise and back."""
    model, lengths = small_flow("af-af", "categorical", spread=0.8), torch.ones(5, dtype=torch.int64)
    z = 3.0 * torch.randn(1, 5, 3, generator=generator())
    found, back = model.step_error(z, lengths), model.invert(z, lengths)
    assert found == pytest.approx(back.error, rel=0.5) and back.error == float((back.z - z).abs().max())


def test_lengths_follow_the_histogram() -> None:
    counts = torch.tensor([5.0, 1.0, 0.0, 3.0, 4.0])
    config = LatentFlowConfig(2, "categorical", 4, embedding_size=2, hidden_size=2, latent_size=2, flow_hidden=2)
    model = build_model(config, counts).eval()
    drawn = torch.bincount(model.length_prior.sample(8000, generator()), minlength=5).double()
    assert drawn[0] == drawn[2] == 0  # length 0 is never drawn, and length 2 has no mass
    expected = 8000 * torch.tensor([1.0, 3.0, 4.0], dtype=torch.float64) / 8
    assert float(((drawn[[1, 3, 4]] - expected) ** 2 / expected).sum()) < 13.8
    assert float(model.length_prior.log_prob(torch.tensor(3))) == pytest.approx(math.log(3 / 13))
    assert model.length_prior.log_prob(torch.tensor([2, 5, -1])).tolist() == [-math.inf] * 3


@pytest.mark.parametrize("variant", ALL)
def test_argmax_takes_the_most_likely_symbol(variant: str) -> None:
    model = small_model(variant, "categorical")
    sample = model.sample(2, 5, argmax=True, generator=generator())
    assert torch.equal(sample.x, sample.probabilities.argmax(-1))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("temperature", [1e-42, 1e-300])
def test_the_baseline_at_its_coldest_takes_the_most_likely_symbol(likelihood: Likelihood, temperature: float) -> None:
    model = small_model("lstm", likelihood)
    cold = model.sample(2, 5, temperature=temperature, generator=generator())
    assert cold.probabilities.isfinite().all()
    assert torch.equal(cold.x, model.sample(2, 5, argmax=True).x)


@pytest.mark.parametrize("variant", ALL)
def test_progress_ends_at_the_last_step(variant: str) -> None:
    calls: list[tuple[int, int]] = []
    small_model(variant, "categorical").sample(2, 6, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (6, 6)
    assert calls == sorted(calls)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
def test_a_continuation_keeps_its_beginning(variant: str, likelihood: Likelihood) -> None:
    model = small_model(variant, likelihood)
    prefix = random_x(model, torch.tensor([3]))[:, 0]
    sample = model.continue_from(prefix, 8, count=2, generator=generator(1))
    assert sample.lengths.tolist() == [8, 8]
    for x in sample:
        assert torch.equal(x[:3].to(prefix.dtype), prefix)
    if variant in FLOWS:
        flow = small_flow(variant, likelihood)
        assert sample.z is not None
        assert sample.eps is not None
        inverted = flow.invert(sample.z, sample.lengths)
        torch.testing.assert_close(inverted.eps, sample.eps, atol=1e-3, rtol=1e-3)
    with pytest.raises(InvalidInputError, match="prefix"):
        model.continue_from(prefix, 3)
    with pytest.raises(InvalidInputError, match="prefix"):
        model.continue_from(prefix[:0], 3)
    with pytest.raises(InvalidInputError):
        model.continue_from(prefix + 7, 8)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_reconstruction_is_what_the_posterior_mean_decodes_to(likelihood: Likelihood) -> None:
    model = small_flow("af-scf", likelihood)
    lengths = torch.tensor([4, 6])
    x = random_x(model, lengths)
    found = model.reconstruct(x, lengths)
    mean = model.encode(x, lengths).mean
    assert found.z is not None
    torch.testing.assert_close(found.z[:4], mean[:4])
    assert found.x.shape == x.shape
    torch.testing.assert_close(found.probabilities[:4], model.decode(found.z, lengths)[:4])


def test_uniform_numbers_are_float64() -> None:
    drawn = Draws(2, generator(), torch.device("cpu")).uniform(torch.tensor([50, 50]))
    assert drawn.dtype == torch.float64 and (drawn.float().double() != drawn).any()  # not float32 made longer


def test_what_a_uniform_number_picks() -> None:
    """Symbol v has the numbers from the sum of those before it, included, to its own, left out: none where p is 0."""
    emission = small_model("lstm", "categorical").emission
    uniforms = torch.tensor([0.0, 0.24, 0.25, 0.99, 1.0 - 2.0**-53], dtype=torch.float64)
    assert emission.pick(torch.tensor([[0.0, 0.25, 0.0, 0.75]]), uniforms).tolist() == [1, 1, 3, 3, 3]
    assert emission.pick(torch.tensor([[0.25, 0.75 - 2.0**-24]]), uniforms).tolist() == [0, 0, 1, 1, 1]
    keys = small_model("lstm", "bernoulli").emission
    assert keys.pick(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.0, 0.5, uniforms[-1]])).tolist() == [0, 0, 1]
    assert keys.pick(torch.tensor([0.49, 0.5, 0.51]), None).tolist() == [0, 0, 1]


def test_lengths_are_drawn_from_an_interval() -> None:
    prior = LengthPrior(torch.tensor([0.0, 0, 5, 0, 0, 1]), 5)
    assert set(prior.sample(50, generator()).tolist()) <= {2, 5}
    assert prior.sample(3, generator(), 3, 4).tolist() == [3, 3, 3]  # neither ever occurred
    assert prior.sample(2, generator(), 5).tolist() == [5, 5]
    for shortest, longest in ((6, None), (99, 120)):
        with pytest.raises(InvalidInputError, match="the longest is 5"):
            prior.sample(2, generator(), shortest, longest)
