"""What one step's base noise reaches: in z through the prior, and in x through the decoder.

What the prior cannot change is read off its flow over time (see :mod:`lnf_core.flows.time`), for the noise of step s:

- AF, ``z_t = f^-1(eps_t; h(z_<t))``: z of steps before s stands still; later steps hear of it through z.
- IAF, ``z_t = f^-1(eps_t; h(eps_<t))``: likewise, but later steps hear of the noise itself.
- without time context, ``z_t = f^-1(eps_t)``: only z of step s changes.

The decoder is bidirectional, so the probabilities of x may change at every step in all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from lnf_core.checks import check_latents, is_real, is_whole
from lnf_core.engines import FlowSampler, prepare
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.models.results import Sample
from lnf_core.nets.positions import step_mask

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
    return _Push(model, eps, lengths, directions, engine).change(step, size, generator)


def influence_map(
    model: LatentFlow,
    eps: Tensor,
    lengths: Tensor,
    steps: Sequence[int],
    *,
    size: float = 1.0,
    directions: int = 4,
    generator: torch.Generator | None = None,
    engine: str | FlowSampler = "auto",
) -> Tensor:
    """How far the noise of each of ``steps`` moves z of every step: ``[S, T]``.

    Row s is the mean absolute change of z_t over D, the directions and the sequences that have a step t, as in
    :func:`influence`, whose arguments and errors these are.

    Raises:
        InvalidInputError: see :func:`influence`; or no steps.
        EngineError: the engine asked for by name cannot run here.
    """
    if not len(steps):
        raise InvalidInputError("there are no steps to change; give at least one.")
    push = _Push(model, eps, lengths, directions, engine)
    changes = torch.stack([push.change(step, size, generator).z for step in steps])  # [S, T, B]
    return changes.sum(-1) / step_mask(lengths, len(eps)).sum(-1).clamp_min(1)


class _Push:
    """Noise that was pushed once, ready to be pushed again with one step changed.

    The unchanged noise runs in a batch of the same shape as the changed one, so that what does not depend on the
    change comes out bit for bit the same and its influence is exactly zero.
    """

    def __init__(
        self, model: LatentFlow, eps: Tensor, lengths: Tensor, directions: int, engine: str | FlowSampler
    ) -> None:
        if not (is_whole(directions) and 1 <= directions <= MAX_DIRECTIONS):
            raise InvalidInputError(f"directions is {directions}; give a whole number from 1 to {MAX_DIRECTIONS}.")
        lengths = check_latents(eps, lengths, model.config, model.emission.bias.dtype)
        self._model, self._directions = model, directions
        self._sampler = prepare(model, engine)
        self._shortest = int(lengths.min())
        self._eps = eps.repeat_interleave(directions, dim=1)  # [T, B * R, D]
        self._lengths = lengths.repeat_interleave(directions)
        self._before = self._push(self._eps)

    def _push(self, eps: Tensor) -> Sample:
        return self._model.from_noise(eps, self._lengths, argmax=True, engine=self._sampler)

    def change(self, step: int, size: float, generator: torch.Generator | None) -> Influence:
        """Add a direction of norm ``size`` to the noise of ``step``."""
        if not is_whole(step) or not 0 <= step < self._shortest:
            raise InvalidInputError(
                f"step is {step}; give a whole number from 0 to {self._shortest - 1}, a step of the shortest sequence."
            )
        if not (is_real(size) and size > 0.0):
            raise InvalidInputError(f"size is {size}; give a finite number above 0.")
        there = self._eps[step]  # [B * R, D]
        drawn = torch.randn(there.shape, generator=generator, device=there.device, dtype=there.dtype)
        changed = self._eps.clone()
        changed[step] += size * functional.normalize(drawn, dim=-1)
        after = self._push(changed)
        assert after.z is not None and self._before.z is not None  # a latent flow always says its z
        return Influence(
            step,
            float(size),
            self._averaged(after.z - self._before.z),
            self._averaged(after.probabilities - self._before.probabilities),
        )

    def _averaged(self, change: Tensor) -> Tensor:
        """Mean absolute change over the last axis and the directions: ``[T, B * R, ...] -> [T, B]``."""
        return change.abs().mean(-1).reshape(len(change), -1, self._directions).mean(-1)
