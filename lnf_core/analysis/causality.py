"""What one step's base noise reaches: in z through the prior, and in x through the decoder.

What the prior cannot change is read off its flow over time (see :mod:`lnf_core.flows.time`), for the noise of step s:

- AF, ``z_t = f^-1(eps_t; h(z_<t))``: z of steps before s stands still; later steps hear of it through z.
- IAF, ``z_t = f^-1(eps_t; h(eps_<t))``: likewise, but later steps hear of the noise itself.
- without time context, ``z_t = f^-1(eps_t)``: only z of step s changes.

The decoder is bidirectional, so the probabilities of x may change at every step in all three.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lnf_core.checks import check_flow, check_latents, is_real, is_whole
from lnf_core.engines import FlowSampler, prepare
from lnf_core.errors import InvalidInputError
from lnf_core.models.draws import standard_normal
from lnf_core.models.latent_flow import LatentFlow

MAX_DIRECTIONS = 1024
"""Most directions one call averages over: each is a sequence more to push."""


@dataclass(frozen=True)
class Influence:
    """What a change of one step's base noise changes, averaged over its directions; zero on padding."""

    step: int
    """The step whose noise was changed."""
    size: float
    """Norm of the change; the noise itself has a norm of about ``sqrt(D)``."""
    z: Tensor
    """``[T, B]``: mean absolute change of z_t over D."""
    probabilities: Tensor
    """``[T, B]``: mean absolute change over V of what x_t is drawn from."""


def influence(
    model: LatentFlow,
    eps: Tensor,
    lengths: Tensor,
    step: int,
    *,
    size: float = 1.0,
    directions: int = 4,
    generator: torch.Generator | None = None,
    engine: str | FlowSampler = "auto",
) -> Influence:
    """Change the base noise of one step and see which steps of z and x move.

    Args:
        model: the latent flow, in evaluation mode.
        eps: base noise ``[T, B, D]``.
        lengths: ``[B]``.
        step: within every sequence, counted from 0.
        size: norm of the random direction that is added to ``eps[step]``.
        directions: how many are averaged, each drawn uniformly on the sphere for each sequence.
        generator: all the randomness.
        engine: a name (see :mod:`lnf_core.engines`), or a sampler that was prepared from this model.

    Raises:
        InvalidInputError: noise or lengths that do not fit the model, a step outside the shortest sequence, or a size
            or number of directions out of range.
        EngineError: the engine asked for by name cannot run here.
    """
    check_flow(model.config)
    if not (is_whole(directions) and 1 <= directions <= MAX_DIRECTIONS):
        raise InvalidInputError(f"directions is {directions}; give a whole number from 1 to {MAX_DIRECTIONS}.")
    lengths = check_latents(eps, lengths, model.config, model.emission.bias.dtype)
    shortest = int(lengths.min())
    if not is_whole(step) or not 0 <= step < shortest:
        raise InvalidInputError(
            f"step is {step}; give a whole number from 0 to {shortest - 1}, a step of the shortest sequence."
        )
    if not (is_real(size) and size > 0.0):
        raise InvalidInputError(f"size is {size}; give a finite number above 0.")
    sampler = prepare(model, engine)
    plain, many = eps.repeat_interleave(directions, dim=1), lengths.repeat_interleave(directions)  # [T, B * R, D]
    there = plain[step]
    drawn = standard_normal(there.shape, there, generator)
    changed = plain.clone()
    changed[step] += size * functional.normalize(drawn, dim=-1)
    # The unchanged noise runs in a batch of the same shape, so that what does not depend on the change comes out bit
    # for bit the same and its influence is exactly zero.
    before, after = (model.from_noise(noise, many, argmax=True, engine=sampler) for noise in (plain, changed))
    assert after.z is not None and before.z is not None  # a latent flow always says its z

    def averaged(change: Tensor) -> Tensor:
        """Over the last axis and the directions: ``[T, B * R, ...] -> [T, B]``."""
        return change.abs().mean(-1).reshape(len(change), -1, directions).mean(-1)

    moved, told = averaged(after.z - before.z), averaged(after.probabilities - before.probabilities)
    return Influence(step, float(size), moved, told)
