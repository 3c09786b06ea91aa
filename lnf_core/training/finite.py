"""A run that has left the finite numbers: what it says, and what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn

from lnf_core.errors import TrainingError

ADVICE = (
    "A run keeps its settings: start another one in another folder, from this one's best/ where it has one "
    "(--set start_from=OUT/best), with a lower learning_rate or grad_clip, or with precision=fp32."
)


def require_finite(terms: Mapping[str, float], step: int, model: nn.Module) -> None:
    """Check the loss terms, and the gradient norm once it is known, of a step counted from 0.

    A run that has left the finite numbers ends at once: a skipped step would only hide why.

    Raises:
        TrainingError: one of them is NaN or infinite; it names the step, all terms and the gradients at fault.
    """
    if all(math.isfinite(value) for value in terms.values()):
        return
    said = ", ".join(f"{name} {value:g}" for name, value in terms.items())
    broken = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
    where = f" The gradients of {', '.join(broken[:5])} are not finite." if broken else ""
    raise TrainingError(f"step {step + 1} is not finite: {said}.{where} {ADVICE}")
