"""Learning rate and KL weight as pure functions of the step, so that a resumed run repeats them exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lnf_core.training.config import Ramp, Schedule, TrainConfig


def learning_rate(step: int, total_steps: int, *, peak: float, warmup: int, schedule: Schedule, floor: float) -> float:
    """Learning rate of optimiser step ``step`` (counted from 0) out of ``total_steps``.

    Linear from ``peak / warmup`` to ``peak``, then constant, or half a cosine down to ``floor * peak``.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    if schedule == "constant":
        return peak
    progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
    return peak * (floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress)))


def kl_weight(
    step: int, ramp_start: int | None, *, ramp_steps: int, floor: float, ceiling: float = 1.0, ramp: Ramp = "linear"
) -> float:
    """KL weight of step ``step``: ``floor`` before the ramp, up to ``ceiling`` over ``ramp_steps``, then that.

    A geometric ramp spends as long between 0.01 and 0.1 as between 0.1 and 1. There the posterior widens step by step
    to what reconstruction can bear, and the prior has time to find its modes; a linear ramp jumps over all that.
    ``ramp_start`` is the first step of the ramp, None while it has not begun.
    """
    if ramp_start is None or step < ramp_start:
        return floor
    if step >= ramp_start + ramp_steps:
        return ceiling  # exactly, whatever the rounding: selection of the best weights asks for it
    progress = (step - ramp_start) / ramp_steps
    if ramp == "geometric":
        return float(floor ** (1.0 - progress) * ceiling**progress)
    return floor + (ceiling - floor) * progress


@dataclass(frozen=True)
class KLPlan:
    """The KL schedule of one run in steps."""

    zero_steps: int
    """The ramp may not start before this step."""
    ramp_steps: int
    floor: float
    ceiling: float
    ramp: Ramp
    wait_below: float
    """... nor before the running reconstruction is below this (nats a step); 0: no such condition."""

    @classmethod
    def of(cls, config: TrainConfig, steps_per_epoch: int) -> KLPlan:
        """Epochs turned into steps."""
        return cls(
            zero_steps=config.kl_zero_steps or round(config.kl_zero_epochs * steps_per_epoch),
            ramp_steps=config.kl_ramp_steps or round(config.kl_ramp_epochs * steps_per_epoch),
            floor=config.kl_floor,
            ceiling=config.kl_ceiling,
            ramp=config.kl_ramp,
            wait_below=config.kl_wait_reconstruction,
        )

    def may_start(self, step: int, running_reconstruction: float | None) -> bool:
        """Whether the ramp may start at ``step``.

        While the weight is near zero the posterior learns to say what x is. Ramping before it can teaches the decoder
        to guess x from its context instead, and the prior is left with nothing to model.
        """
        if step < self.zero_steps:
            return False
        if self.wait_below == 0:
            return True
        return running_reconstruction is not None and running_reconstruction < self.wait_below

    def weight(self, step: int, ramp_start: int | None) -> float:
        """KL weight of ``step``."""
        return kl_weight(
            step, ramp_start, ramp_steps=self.ramp_steps, floor=self.floor, ceiling=self.ceiling, ramp=self.ramp
        )


def running_average(previous: float | None, value: float, decay: float = 0.95) -> float:
    """Exponential average; the first value starts it."""
    return value if previous is None else decay * previous + (1.0 - decay) * value
