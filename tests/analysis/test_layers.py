"""A sequence taken apart adds up to the model's own figures."""

from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_model

from lnf_core.analysis.latents import read_past
from lnf_core.analysis.layers import decode_layers, step_terms
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("variant", ["af-af", "af-scf", "iaf-scf", "hidden-flow-only"])
@pytest.mark.parametrize("domain", ["music", "text"])
def test_the_steps_add_up_to_the_bound_and_the_last_layer_is_the_sequence(variant: str, domain: str) -> None:
    model = tiny_model(variant, domain)
    assert isinstance(model, LatentFlow)
    sample = model.sample(1, 7, argmax=True, generator=seeded(0))
    assert sample.z is not None and sample.eps is not None
    x = sample.x[:, 0]
    terms = step_terms(model, x, 8, seeded(1))
    elbo = model.elbo(x[:, None], torch.tensor([7]), 8, seeded(1))
    torch.testing.assert_close(-(terms.reconstruction + terms.kl).sum() + elbo.log_p_length[0], elbo.value[0])
    assert terms.reconstruction.shape == terms.kl.shape == (7,) and (terms.reconstruction >= 0).all()
    layers = decode_layers(model, read_past(model, sample.z[:, 0], sample.eps[:, 0]))
    assert torch.equal(layers[-1], x)
    assert len(layers) == model.config.flow_layers + 1
    noise = model.decode(sample.eps, torch.tensor([7]))
    assert torch.equal(layers[0], model.emission.pick(noise, None)[:, 0])


def test_no_samples_are_refused() -> None:
    model = tiny_model("af-scf", "text")
    assert isinstance(model, LatentFlow)
    with pytest.raises(InvalidInputError):
        step_terms(model, torch.zeros(3, dtype=torch.int64), 0)
