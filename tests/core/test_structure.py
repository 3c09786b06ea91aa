"""Who reads what in each part of the models, and that samplers draw from what scorers score."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from small import FLOWS, LIKELIHOODS, random_x, small_flow, small_model
from torch import Tensor

from lnf_core.config import Likelihood
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.nets.lstm import reverse_within_lengths
from lnf_core.nets.positions import PositionFeatures

STEPS = 5
LENGTHS = torch.tensor([STEPS])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_decoder_s_context_is_taken_one_step_away() -> None:
    """One layer: the context hears every step but its own. Two: its own too, at second hand, as in the reference."""
    heard = []
    for layers in (1, 2):
        model = small_flow("af-scf", "categorical", decoder_layers=layers)
        positions = model.positions(LENGTHS, STEPS)
        z = torch.randn(STEPS, 1, 3, generator=generator())
        context = partial(model.decoder.context, lengths=LENGTHS, positions=positions)
        heard.append(torch.autograd.functional.jacobian(context, z).abs().sum((1, 2, 4, 5)) > 0)  # [T, T]
    assert torch.equal(heard[0], ~torch.eye(STEPS, dtype=torch.bool))
    assert heard[1].all()


def test_logits_are_linear_in_their_own_latent_under_one_context() -> None:
    """So that many candidate z_t under one context cost one product: the multimodality view relies on it."""
    model = small_flow("af-scf", "categorical", decoder_layers=1)
    z = torch.randn(STEPS, 1, 3, generator=generator())
    moved = [z.clone() for _ in range(3)]
    for scale, candidate in enumerate(moved):
        candidate[2, 0] += scale * torch.tensor([1.0, -2.0, 0.5])
    logits = [model.decode(candidate, LENGTHS)[2, 0].log() for candidate in moved]
    centred = [row - row.mean() for row in logits]
    torch.testing.assert_close(centred[2] - centred[1], centred[1] - centred[0], atol=1e-5, rtol=1e-4)
    context = model.decoder.context(z, LENGTHS, model.positions(LENGTHS, STEPS))[2, 0]
    direct = model.emission.logits(torch.cat([moved[2][2, 0], context])).log_softmax(-1)
    torch.testing.assert_close(direct, logits[2], atol=1e-5, rtol=1e-5)


def test_the_posterior_reads_the_whole_sequence() -> None:
    model = small_flow("af-scf", "bernoulli")
    x = random_x(model, LENGTHS).requires_grad_()
    positions = model.positions(LENGTHS, STEPS)
    mean = model.encoder(model.emission.embed(x), LENGTHS, positions).mean
    for t in range(STEPS):
        (gradient,) = torch.autograd.grad(mean[t].sum(), x, retain_graph=True)
        assert (gradient.abs().sum((1, 2)) > 0).all()


def test_position_features_count_from_both_ends() -> None:
    lengths = torch.tensor([2, 4])
    onehot = PositionFeatures("onehot", 4, 3)(lengths, 4)
    assert onehot.shape == (4, 2, 8)
    assert onehot[:, 1, :4].argmax(-1).tolist() == [0, 1, 2, 3]
    assert onehot[:, 1, 4:].argmax(-1).tolist() == [3, 2, 1, 0]
    assert onehot[:2, 0, 4:].argmax(-1).tolist() == [1, 0]
    learned = PositionFeatures("learned", 4, 3)
    features = learned(lengths, 4)
    assert features.shape == (4, 2, 6)
    assert torch.equal(features[1, 0], torch.cat([learned.from_start.weight[1], learned.from_end.weight[0]]))


def test_reversal_inside_lengths_is_its_own_inverse() -> None:
    x = torch.arange(8.0).view(4, 2, 1)
    turned = reverse_within_lengths(x, torch.tensor([3, 4]))
    assert turned[:, 0, 0].tolist() == [4, 2, 0, 6] and turned[:, 1, 0].tolist() == [7, 5, 3, 1]
    assert torch.equal(reverse_within_lengths(turned, torch.tensor([3, 4])), x)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_baseline_is_causal_and_draws_what_it_scores(likelihood: Likelihood) -> None:
    model = small_model("lstm", likelihood, spread=0.6)
    assert isinstance(model, LSTMBaseline)
    lengths = torch.tensor([5, 3])
    sample = model.sample(2, lengths, generator=generator())
    scored = model.log_prob(sample.x, lengths)
    p = sample.probabilities
    if likelihood == "categorical":
        drawn = p.gather(-1, sample.x[..., None]).squeeze(-1).log()
    else:
        drawn = torch.where(sample.x == 1, p, 1 - p).log().sum(-1)
    for b, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(drawn[:length, b], scored[:length, b], atol=1e-5, rtol=1e-5)
    other = sample.x.clone()
    other[3, 0] = (other[3, 0] + 1) % 2
    change = model.log_prob(other, lengths) - scored
    assert (change[:3, 0] == 0).all() and (change[3:, 0] != 0).all() and (change[:, 1] == 0).all()


@pytest.mark.parametrize("variant", FLOWS)
def test_the_density_of_a_draw_is_that_of_its_noise(variant: str) -> None:
    """``log p(z) = log N(eps) - log|d z / d eps|`` with the sampling direction's own log-determinant."""
    model = small_flow(variant, "categorical")
    lengths = torch.tensor([5, 2])
    sample = model.sample(2, lengths, generator=generator(1))
    assert sample.z is not None and sample.eps is not None
    with torch.no_grad():
        _, log_det = model.prior.inverse(sample.eps, lengths, model.positions(lengths, 5))
        real = torch.arange(5)[:, None] < lengths
        base = -0.5 * (sample.eps.square() + math.log(2 * math.pi)).sum(-1) * real
        torch.testing.assert_close(model.log_prior(sample.z, lengths), base - log_det, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("variant", ["af-af", "af-scf", "iaf-scf"])
def test_a_continuation_keeps_its_beginning_s_latents(variant: str) -> None:
    """The beginning's z are draws of its own posterior, the rest follows from fresh noise at the temperature."""
    model = small_flow(variant, "categorical")
    prefix = torch.tensor([1, 4, 2])
    cold, warm = (model.continue_from(prefix, 7, 400, temperature=t, generator=generator(5)) for t in (0.5, 1.0))
    # It is encoded as the first 3 of 7 steps: the position features count down to the end of the whole.
    positions = model.positions(torch.tensor([7]), 3)
    posterior = model.encoder(model.emission.embed(prefix[:, None]), torch.tensor([3]), positions)
    assert not torch.allclose(posterior.mean, model.encode(prefix[:, None], torch.tensor([3])).mean, atol=1e-3)
    as_beginning = model.encode(prefix[:, None], torch.tensor([3]), torch.tensor([7]))
    torch.testing.assert_close(as_beginning.mean, posterior.mean)
    for sample in (cold, warm):
        assert sample.z is not None
        standard = (sample.z[:3] - posterior.mean) / posterior.std
        assert standard.mean().abs() < 0.1 and standard.std().item() == pytest.approx(1.0, abs=0.1)
    assert cold.eps is not None and warm.eps is not None
    torch.testing.assert_close(cold.eps[3:], 0.5 * warm.eps[3:])
    assert warm.eps[3:].std().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.usefixtures("bfloat16")
def test_autocast_keeps_the_bound_in_single_precision() -> None:
    for variant in ("af-af", "af-scf", "iaf-scf"):
        model = small_flow(variant, "bernoulli")
        x, lengths = random_x(model, torch.tensor([5, 3])), torch.tensor([5, 3])
        exact = model.elbo(x, lengths, 2, generator())
        with torch.autocast("cpu", torch.bfloat16):
            rough = model.elbo(x, lengths, 2, generator())
        for name in ("log_px", "kl"):
            found: Tensor = getattr(rough, name)
            assert found.dtype == torch.float32
            print(variant, name, (found - getattr(exact, name)).abs().max(), getattr(exact, name).abs().max())


def test_every_weight_of_every_variant_learns() -> None:
    """No part of a model is cut off from the bound, the half that coupling passes through included."""
    for variant in FLOWS:
        model = small_flow(variant, "categorical")
        x = random_x(model, torch.tensor([5, 3]))
        (-model.elbo(x, torch.tensor([5, 3]), 2, generator()).value.sum()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, (variant, name)
            assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().sum() > 0, (variant, name)


def test_the_baseline_drops_what_it_reads_and_what_it_says() -> None:
    """With a rate of 1 nothing is left of either, whatever x is."""
    model = small_model("lstm", "categorical")
    assert isinstance(model, LSTMBaseline)
    model.dropout.p = 1.0
    read: list[Tensor] = []
    model.lstm.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    x = random_x(model, LENGTHS)
    found = model.train().log_prob(x, LENGTHS)
    assert not read[0][..., : model.config.embedding_size].any()
    silent = model.emission.logits(torch.zeros(model.config.hidden_size))
    torch.testing.assert_close(found, model.emission.log_prob(silent.expand(STEPS, 1, -1), x))
