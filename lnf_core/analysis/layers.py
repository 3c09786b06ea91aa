"""One sequence taken apart: what each step costs, and what it would read as after each layer of the flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lnf_core.analysis.latents import Past
from lnf_core.checks import check_positive
from lnf_core.models.latent_flow import LatentFlow


@dataclass(frozen=True)
class StepTerms:
    """The two parts of the negative ELBO at each step, in nats, averaged over draws from the posterior."""

    reconstruction: Tensor
    """``-log p(x_t | z)``, ``[T]``: what the decoder still had to guess."""
    kl: Tensor
    """``log q(z_t | x) - log p(z_t | ..)``, ``[T]``: what the posterior knew beyond the prior; an estimate."""


@torch.no_grad()
def step_terms(model: LatentFlow, x: Tensor, samples: int = 16, generator: torch.Generator | None = None) -> StepTerms:
    """The terms of one sequence ``x``, ``[T]`` or ``[T, V]``.

    Raises:
        InvalidInputError: a sequence that does not fit the model, or no samples.
    """
    check_positive("samples", samples)
    elbo = model.elbo(x[:, None], torch.tensor([len(x)], device=x.device), samples, generator)
    return StepTerms(-elbo.log_px[:, 0].mean(-1), elbo.kl[:, 0].mean(-1))


@torch.no_grad()
def decode_layers(model: LatentFlow, past: Past) -> Tensor:
    """What the decoder reads in the values after each layer, as if they were ``z``: 0/1 or symbols of each.

    The base noise first, ``z`` itself last: ``[L + 1, T]`` int64 or ``[L + 1, T, V]``. Every step keeps the context
    the prior has in the finished sequence.
    """
    values = torch.stack(model.prior.stack.trace(past.eps, past.prior_context, inverse=True), 1)
    lengths = torch.full((values.shape[1],), len(past.z), device=past.z.device)  # [T, L + 1, D]
    probabilities = model.decode(values, lengths)
    return model.emission.pick(probabilities, None).transpose(0, 1)
