"""The evaluation protocol: the one way every reported number is computed.

``NLL = -[log mean_k exp(log p(x, z_k | T) - log q(z_k | x)) + log p(T)]``, summed over a split and
divided by ``sum(T + 1)``: a sequence of T symbols carries T + 1 choices, the last being where to stop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from lnf_core.data import batch_indices, collate
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import SequenceModel


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one split. All are negative log-likelihoods or bounds on them: lower is better."""

    sequences: int
    samples: int
    """K, the importance samples behind ``nll`` (an exact model does not need them)."""
    nll: float
    """Importance-sampled negative log-likelihood in nats, divided by ``sum(T + 1)``."""
    nll_per_step: float
    """The same, divided by ``sum(T)``."""
    elbo: float
    """The negative ELBO (K = 1, averaged over the K draws) in nats, divided by ``sum(T + 1)``."""
    reconstruction: float
    """Its part ``-E_q log p(x | z)``, in nats, divided by ``sum(T + 1)``."""
    kl: float
    """Its part ``KL(q(z | x) || p(z | T))``, in nats, divided by ``sum(T + 1)``."""
    bpc: float | None
    """``nll / ln 2`` for text, in bits per character; ``None`` for music."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@torch.no_grad()
def evaluate(
    model: SequenceModel,
    sequences: Sequence[Tensor],
    *,
    domain: Literal["text", "music"],
    samples: int,
    batch_size: int = 16,
    max_rows: int = 256,
    generator: torch.Generator | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluate a model on a split.

    Args:
        model: any of the package's models; put into evaluation mode and left there.
        sequences: int64 ``[T]`` or 0/1 ``[T, V]`` tensors.
        domain: text is also reported in bits per character.
        samples: K.
        batch_size: sequences encoded together.
        max_rows: most sequences times samples in flight at once.
        generator: randomness of the posterior draws.
        progress: called with ``(sequences done, sequences)``.

    Raises:
        InvalidInputError: no sequences, or fewer than one sample.
    """
    if not sequences or samples < 1:
        raise InvalidInputError(
            f"{len(sequences)} sequences and {samples} samples were given; both must be at least 1."
        )
    model.eval()
    device = model.length_prior.log_probs.device
    lengths = [len(sequence) for sequence in sequences]
    total = torch.zeros(4, dtype=torch.float64)  # nll, elbo, reconstruction, kl
    done = 0
    for batch in batch_indices(lengths, batch_size):
        data = collate([sequences[index] for index in batch]).to(device)
        total += _terms(model, data.x, data.lengths, samples, max_rows, generator)
        done += len(batch)
        if progress:
            progress(done, len(sequences))
    nll, elbo, reconstruction, kl = (total / (sum(lengths) + len(lengths))).tolist()
    return Evaluation(
        sequences=len(sequences),
        samples=samples,
        nll=nll,
        nll_per_step=float(total[0]) / sum(lengths),
        elbo=elbo,
        reconstruction=reconstruction,
        kl=kl,
        bpc=nll / math.log(2.0) if domain == "text" else None,
    )


def _terms(
    model: SequenceModel, x: Tensor, lengths: Tensor, samples: int, max_rows: int, generator: torch.Generator | None
) -> Tensor:
    """Sums over a batch in nats, float64 ``[4]``: nll, negative elbo, reconstruction, kl."""
    weights: list[Tensor] = []
    parts = torch.zeros(2, dtype=torch.float64)
    at_once = max(1, max_rows // len(lengths))
    for start in range(0, samples, at_once):
        count = min(at_once, samples - start)
        elbo = model.elbo(x, lengths, count, generator)
        weights.append(elbo.log_weights.double())
        parts += torch.stack([-elbo.reconstruction.double().sum(), elbo.kl.double().sum()]).cpu() / samples
    log_weights = torch.cat(weights, -1)  # [B, K]
    nll = -(log_weights.logsumexp(-1) - math.log(samples)).sum()
    return torch.stack([nll.cpu(), -log_weights.mean(-1).sum().cpu(), parts[0], parts[1]])
