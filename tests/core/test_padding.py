"""Padding reaches no number, for every variant and both likelihoods."""

from __future__ import annotations

import pytest
import torch
from small import ALL, FLOWS, LIKELIHOODS, random_x, small_flow, small_model
from torch import Tensor

from lnf_core.config import Likelihood
from lnf_core.models.latent_flow import LatentFlow

LENGTHS = torch.tensor([3, 7, 1, 5])


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
def test_a_sequence_scores_the_same_alone_and_beside_longer_ones(variant: str, likelihood: Likelihood) -> None:
    model = small_model(variant, likelihood)
    x = random_x(model, LENGTHS)
    noise = torch.randn(2, len(x), len(LENGTHS), 3, generator=torch.Generator().manual_seed(4))
    together = _weights(model, x, LENGTHS, noise)
    for b, length in enumerate(LENGTHS.tolist()):
        alone = _weights(model, x[:length, b : b + 1], LENGTHS[b : b + 1], noise[:, :length, b : b + 1])
        torch.testing.assert_close(alone[0], together[b], atol=1e-5, rtol=1e-5)


def _weights(model: torch.nn.Module, x: Tensor, lengths: Tensor, noise: Tensor) -> Tensor:
    with torch.no_grad():
        if isinstance(model, LatentFlow):
            elbo = model.elbo_at(x, lengths, model.encode(x, lengths), noise)
            assert (elbo.kl[~elbo.mask] == 0).all()
        else:
            elbo = model(x, lengths)
        assert (elbo.log_px[~elbo.mask] == 0).all()
        return elbo.log_weights


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
def test_what_lies_in_the_padding_does_not_matter(variant: str, likelihood: Likelihood) -> None:
    model = small_model(variant, likelihood)
    x = random_x(model, LENGTHS)
    padding = torch.arange(len(x))[:, None] >= LENGTHS
    other = torch.where(padding if x.ndim == 2 else padding[..., None], torch.ones_like(x), x)
    assert not torch.equal(x, other)
    for score in (lambda x: model.elbo(x, LENGTHS, 2, _generator()).log_weights, lambda x: _likelihood(model, x)):
        assert torch.equal(score(x), score(other))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(9)


def _likelihood(model: torch.nn.Module, x: Tensor) -> Tensor:
    result: Tensor = model.log_likelihood(x, LENGTHS, 3, _generator())  # type: ignore[operator]
    return result


@pytest.mark.parametrize("variant", FLOWS)
def test_a_sample_is_the_same_alone_and_beside_longer_ones(variant: str) -> None:
    model = small_flow(variant, "bernoulli")
    eps = torch.randn(7, 4, 3, generator=torch.Generator().manual_seed(2))
    together = model.from_noise(eps, LENGTHS, argmax=True)
    assert together.z is not None
    for b, length in enumerate(LENGTHS.tolist()):
        alone = model.from_noise(eps[:length, b : b + 1], LENGTHS[b : b + 1], argmax=True)
        assert alone.z is not None
        torch.testing.assert_close(alone.z[:, 0], together.z[:length, b], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.probabilities[:, 0], together.probabilities[:length, b], atol=1e-5, rtol=1e-4)
        assert (together.z[length:, b] == 0).all()
        assert (together.x[length:, b] == 0).all()
        assert (together.probabilities[length:, b] == 0).all()


@pytest.mark.parametrize("rubbish", [1e6, float("nan")])
@pytest.mark.parametrize("variant", FLOWS)
def test_latents_in_the_padding_do_not_matter(variant: str, rubbish: float) -> None:
    model = small_flow(variant, "categorical")
    z = torch.randn(7, 4, 3, generator=torch.Generator().manual_seed(6))
    real = torch.arange(7)[:, None] < LENGTHS
    dirty = z.masked_fill(~real[..., None], rubbish)
    x = random_x(model, LENGTHS)
    with torch.no_grad():
        for score in (model.log_prior, lambda z, lengths: model.log_emission(x, z, lengths)):
            clean = score(z, LENGTHS)
            assert (clean[~real] == 0).all()
            assert torch.equal(clean, score(dirty, LENGTHS))
    assert torch.equal(model.decode(z, LENGTHS), model.decode(dirty, LENGTHS))
    first, second = model.invert(z, LENGTHS), model.invert(dirty, LENGTHS)
    assert torch.equal(first.eps, second.eps) and torch.equal(first.z, second.z)
    assert (first.eps[~real] == 0).all() and first.error == second.error
    drawn = [model.from_noise(noise, LENGTHS, argmax=True) for noise in (z, dirty)]
    assert torch.equal(drawn[0].x, drawn[1].x) and torch.equal(drawn[0].probabilities, drawn[1].probabilities)


@pytest.mark.parametrize("variant", ALL)
def test_padding_sends_no_gradient_to_a_weight(variant: str) -> None:
    """The gradient of a batch is the sum of the gradients of its sequences, each alone."""
    model = small_model(variant, "bernoulli")
    x = random_x(model, LENGTHS)
    noise = torch.randn(1, len(x), len(LENGTHS), 3, generator=torch.Generator().manual_seed(4))

    def gradients(x: Tensor, lengths: Tensor, noise: Tensor) -> list[Tensor]:
        if isinstance(model, LatentFlow):
            weights = model.elbo_at(x, lengths, model.encode(x, lengths), noise).log_weights
        else:
            weights = model(x, lengths).log_weights
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        found = torch.autograd.grad(weights.sum(), parameters, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]

    together = gradients(x, LENGTHS, noise)
    alone = [
        gradients(x[:length, b : b + 1], LENGTHS[b : b + 1], noise[:, :length, b : b + 1])
        for b, length in enumerate(LENGTHS.tolist())
    ]
    for whole, *parts in zip(together, *alone, strict=True):
        torch.testing.assert_close(sum(parts), whole, atol=2e-4, rtol=2e-4)
