"""How the bound on ``log p(x, T)`` tightens with the number of posterior samples.

Importance sampling with K draws gives ``E[L_K] = E[log mean_k w_k]``, which rises from the ELBO (K = 1) towards
``log p(x, T)`` (Burda, Grosse & Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, theorem 1). Where the
curve is still rising, the reported likelihood is still a property of K as much as of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lnf_core.checks import check_flow, check_numbers, check_positive, is_whole
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.models.results import Bound, Elbo


@dataclass(frozen=True)
class BoundCurve:
    """The bound of one batch at several numbers of samples, one entry a number of samples in every tuple."""

    counts: tuple[int, ...]
    """K, rising."""
    bounds: tuple[float, ...]
    """The estimate of ``E[L_K]`` in nats a step, summed over the batch and divided by ``steps``; minus it is the NLL
    of the evaluation protocol with K samples."""
    standard_errors: tuple[float | None, ...]
    """Of ``bounds``, from the spread over groups; over the draws of z, not over the choice of sequences. None where
    there is only one group, which has no spread."""
    groups: tuple[int, ...]
    """Disjoint groups of K draws that were averaged."""
    steps: int
    """``sum(T + 1)`` over the batch; ``sum(T)`` without p(T)."""


@torch.no_grad()
def bound_by_samples(
    model: LatentFlow,
    x: Tensor,
    lengths: Tensor,
    samples: int = 100,
    generator: torch.Generator | None = None,
    counts: Sequence[int] | None = None,
    *,
    max_rows: int = 256,
    with_length: bool = True,
) -> BoundCurve:
    """The importance-sampled bound for each K in ``counts``, all from one set of draws.

    For K below ``samples`` the draws are cut into ``samples // K`` disjoint groups whose bounds are averaged: each is
    an unbiased estimate of ``E[L_K]``, so their mean is one of lower variance. With all draws in one group it is
    :meth:`~lnf_core.models.latent_flow.LatentFlow.bound` with the same generator.

    Args:
        model: the latent flow, in evaluation mode.
        x: ``[T, B]`` int64 or ``[T, B, V]`` 0/1, padded.
        lengths: ``[B]``.
        samples: posterior samples of each sequence.
        generator: all the randomness.
        counts: numbers of samples K; by default 1, 2, 5, 10, 20, 50, ... below ``samples``, then ``samples``.
        max_rows: so many sequences (B times samples), or B if that is more, are in flight at once; the result does not
            depend on it.
        with_length: ``log p(T)`` counts too. Without it a length that no training sequence has is as good as any.

    Raises:
        InvalidInputError: a batch that does not fit the model, no samples, or counts that do not rise from at least 1
            to at most ``samples``; or a model that gives no numbers.
    """
    check_flow(model.config)
    samples = check_positive("samples", samples)
    counts = _default_counts(samples) if counts is None else _check_counts(counts, samples)
    posterior = model.encode(x, lengths)
    lengths = lengths.long()
    at_once = max(1, max_rows // len(lengths))
    elbo = _joined(
        [
            model.elbo_at(x, lengths, posterior, posterior.noise(min(at_once, samples - start), generator))
            for start in range(0, samples, at_once)
        ]
    )
    if not with_length:
        elbo = replace(elbo, log_p_length=torch.zeros_like(elbo.log_p_length))
    steps = int((lengths + int(with_length)).sum())
    estimates = [_grouped(elbo, count) for count in counts]  # [B, G] each, in nats
    for estimate in estimates:
        check_numbers(estimate)
    return BoundCurve(
        counts=counts,
        bounds=tuple(float(estimate.mean(1).sum()) / steps for estimate in estimates),
        standard_errors=tuple(_standard_error(estimate, steps) for estimate in estimates),
        groups=tuple(estimate.shape[1] for estimate in estimates),
        steps=steps,
    )


def pooled(curves: Sequence[BoundCurve]) -> BoundCurve:
    """The curve of all sequences of several batches together.

    Raises:
        InvalidInputError: no curves, or curves over other numbers of samples.
    """
    if not curves or len({(curve.counts, curve.groups) for curve in curves}) > 1:
        raise InvalidInputError("curves can be pooled only if there are some and all have the same numbers of samples.")
    steps = sum(curve.steps for curve in curves)
    errors = list(zip(*(curve.standard_errors for curve in curves), strict=True))
    return BoundCurve(
        counts=curves[0].counts,
        bounds=tuple(
            sum(bound * curve.steps for bound, curve in zip(bounds, curves, strict=True)) / steps
            for bounds in zip(*(curve.bounds for curve in curves), strict=True)
        ),
        standard_errors=tuple(
            None
            if None in own
            else sum((error * curve.steps) ** 2 for error, curve in zip(own, curves, strict=True)) ** 0.5 / steps
            for own in errors
        ),
        groups=curves[0].groups,
        steps=steps,
    )


def _joined(parts: list[Elbo]) -> Elbo:
    """Draws that were made in several parts, as one."""
    return Elbo(
        torch.cat([part.log_px for part in parts], -1),
        torch.cat([part.kl for part in parts], -1),
        parts[0].log_p_length,
        parts[0].mask,
    )


def _grouped(elbo: Elbo, count: int) -> Tensor:
    """The bound of each sequence from each disjoint group of ``count`` draws, float64 ``[B, G]``."""
    batch, samples = elbo.log_px.shape[1:]
    groups = samples // count

    def apart(values: Tensor) -> Tensor:
        """The groups become G more sequences: ``[T, B, samples] -> [T, B * G, count]``."""
        together = values[..., : groups * count].reshape(len(values), batch, groups, count)
        return together.flatten(1, 2)

    bound = Bound.of(
        [
            Elbo(
                apart(elbo.log_px),
                apart(elbo.kl),
                elbo.log_p_length.repeat_interleave(groups),
                elbo.mask.repeat_interleave(groups, dim=1),
            )
        ]
    )
    return bound.log_likelihood.reshape(batch, groups)


def _standard_error(estimates: Tensor, steps: int) -> float | None:
    """Of the batch's mean bound a step, from ``[B, G]``; the draws of different sequences are independent."""
    groups = estimates.shape[1]
    return None if groups < 2 else float((estimates.var(1) / groups).sum().sqrt()) / steps


def _default_counts(samples: int) -> tuple[int, ...]:
    below = (lead * 10**power for power in range(len(str(samples))) for lead in (1, 2, 5))
    return (*(count for count in below if count < samples), samples)


def _check_counts(counts: Sequence[int], samples: int) -> tuple[int, ...]:
    whole = all(is_whole(count) for count in counts)
    if not (whole and len(counts) and counts[0] >= 1 and counts[-1] <= samples and sorted(set(counts)) == list(counts)):
        raise InvalidInputError(
            f"counts are {list(counts)}; give whole numbers that rise from at least 1 to at most samples, {samples}."
        )
    return tuple(int(count) for count in counts)
