"""What the models compute on a GPU is what they compute on the processor."""

from __future__ import annotations

import copy

import pytest
import torch
from small import ALL, LIKELIHOODS, random_x, small_model

from lnf_core.config import Likelihood
from lnf_core.models.build import SequenceModel
from lnf_core.models.draws import Draws
from lnf_core.models.latent_flow import LatentFlow

pytestmark = pytest.mark.cuda
LENGTHS = torch.tensor([9, 4, 1, 7])


@pytest.fixture(autouse=True)
def _needs_a_card() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def test_noise_is_drawn_where_the_generator_is() -> None:
    draws = [
        Draws(3, torch.Generator().manual_seed(2), torch.device(device)).normal(
            torch.tensor([3, 1, 2]), 4, torch.float32
        )
        for device in ("cpu", "cuda")
    ]
    assert draws[1].is_cuda
    assert torch.equal(draws[0], draws[1].cpu())
    model = small_model("af-scf", "categorical").to("cuda")
    own = [model.sample(5, generator=torch.Generator("cuda").manual_seed(1)).x for _ in range(2)]
    assert torch.equal(*own)
    lengths = [
        small_model("lstm", "categorical").to(d).sample(6, generator=torch.Generator().manual_seed(4)).lengths.cpu()
        for d in ("cpu", "cuda")
    ]
    assert torch.equal(*lengths)


def both(variant: str, likelihood: Likelihood, dtype: torch.dtype) -> tuple[SequenceModel, SequenceModel]:
    model = small_model(variant, likelihood).to(dtype)
    return model, copy.deepcopy(model).to("cuda")


def terms(model: SequenceModel, x: torch.Tensor, lengths: torch.Tensor, noise: torch.Tensor) -> dict[str, torch.Tensor]:
    """The bound and its gradients, for given noise."""
    model.zero_grad()
    if isinstance(model, LatentFlow):
        elbo = model.elbo_at(x, lengths, model.encode(x, lengths), noise.to(x.device))
    else:
        elbo = model(x, lengths)
    elbo.value.sum().backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"log_px": elbo.log_px.detach(), "kl": elbo.kl.detach(), **found}


@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
def test_the_bound_and_its_gradients(variant: str, likelihood: Likelihood, dtype: torch.dtype, near: float) -> None:
    here, there = both(variant, likelihood, dtype)
    x = random_x(here, LENGTHS).to(dtype if likelihood == "bernoulli" else torch.int64)
    noise = torch.randn(2, 9, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    expected = terms(here, x, LENGTHS, noise)
    # cuDNN has a backward pass for LSTMs in training mode alone.
    for part in there.modules():
        if isinstance(part, torch.nn.LSTM):
            part.dropout = 0.0
            part.train()
    found = terms(there, x.cuda(), LENGTHS.cuda(), noise)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = 1.0 + float(value.abs().max())
        assert float((found[name].cpu() - value).abs().max()) <= near * scale, name


@pytest.mark.parametrize("engine", ["eager", "jacobi", "cuda_graph"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
def test_the_same_seed_draws_the_same_on_either(variant: str, likelihood: Likelihood, engine: str) -> None:
    if engine == "jacobi" and variant == "lstm":
        pytest.skip("jacobi needs latents")
    here, there = both(variant, likelihood, torch.float32)
    plain = here.sample(4, LENGTHS, generator=torch.Generator().manual_seed(3), engine="eager")
    found = there.sample(4, LENGTHS, generator=torch.Generator().manual_seed(3), engine=engine)
    assert found.x.device.type == "cuda"
    assert torch.equal(found.x.cpu(), plain.x)
    torch.testing.assert_close(found.probabilities.cpu(), plain.probabilities, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("variant", ["af-af", "af-scf", "iaf-scf", "hidden-flow-only"])
def test_all_that_is_done_with_latents(variant: str) -> None:
    here, there = both(variant, "bernoulli", torch.float64)
    assert isinstance(here, LatentFlow)
    assert isinstance(there, LatentFlow)
    x = random_x(here, LENGTHS).double()
    expected, found = here.reconstruct(x, LENGTHS), there.reconstruct(x.cuda(), LENGTHS.cuda())
    assert torch.equal(found.x.cpu(), expected.x)
    assert expected.z is not None
    assert expected.eps is not None
    assert found.eps is not None
    torch.testing.assert_close(found.eps.cpu(), expected.eps, atol=1e-8, rtol=1e-8)
    back = there.invert(expected.z.cuda(), LENGTHS.cuda())
    assert back.error < 1e-6
    prefix = x[:3, 0]
    one = here.continue_from(prefix, 7, 2, generator=torch.Generator().manual_seed(1), engine="eager")
    two = there.continue_from(prefix.cuda(), 7, 2, generator=torch.Generator().manual_seed(1), engine="eager")
    assert torch.equal(two.x.cpu(), one.x)
