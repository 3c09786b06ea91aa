"""Small models of every variant with random weights, for tests of what all of them must do."""

from __future__ import annotations

import torch
from torch import Tensor

from lnf_core.config import VARIANTS, BaselineConfig, LatentFlowConfig, Likelihood
from lnf_core.models.build import SequenceModel, build_model
from lnf_core.models.latent_flow import LatentFlow

FLOWS = (*VARIANTS, *(f"{name}-affine" for name in VARIANTS))
ALL = (*FLOWS, "lstm")
LIKELIHOODS: tuple[Likelihood, ...] = ("categorical", "bernoulli")


def small_model(
    variant: str, likelihood: Likelihood, *, seed: int = 0, spread: float = 0.3, **sizes: int | str
) -> SequenceModel:
    """An evaluation-mode model; ``spread`` is the scale of its weights (fresh ones are too near the identity)."""
    data = {"vocab_size": 5, "max_length": 9, "embedding_size": 4, "hidden_size": 6, "position_size": 2} | sizes
    if variant == "lstm":
        model = build_model(BaselineConfig(likelihood=likelihood, **data), torch.ones(data["max_length"] + 1))
    else:
        time_flow, dimension_flow = VARIANTS[variant.removesuffix("-affine")]
        config = LatentFlowConfig(
            likelihood=likelihood,
            time_flow=time_flow,
            dimension_flow=dimension_flow,
            transform="affine" if variant.endswith("-affine") else "nlsq",
            **({"latent_size": 3, "flow_layers": 1 if dimension_flow == "diagonal" else 2, "flow_hidden": 8} | data),
        )
        model = build_model(config, torch.ones(config.max_length + 1))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, spread, generator=generator)
    return model.eval()


def small_flow(variant: str, likelihood: Likelihood, **sizes: int | str) -> LatentFlow:
    """The same, for a variant that is a latent flow."""
    model = small_model(variant, likelihood, **sizes)
    assert isinstance(model, LatentFlow)
    return model


def random_x(model: SequenceModel, lengths: Tensor, seed: int = 1) -> Tensor:
    """A batch of random symbols or rolls, zero on padding."""
    generator = torch.Generator().manual_seed(seed)
    config, steps = model.config, int(lengths.max())
    mask = torch.arange(steps)[:, None] < lengths
    if config.likelihood == "categorical":
        return torch.randint(config.vocab_size, (steps, len(lengths)), generator=generator) * mask
    roll = torch.rand(steps, len(lengths), config.vocab_size, generator=generator) < 0.4
    return (roll & mask[..., None]).float()
