"""A path between two sequences, through the base noise or straight through the latents.

Sequences of different length are joined from their beginnings: the length goes linearly from one to the other, steps
both have are interpolated, and a step only the longer one has is the longer one's own. So both ends are whole, which
cutting to the shorter would lose, and no step is repeated or dropped, which would change the rhythm.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lnf_core.checks import check_count, check_flow, check_tensor
from lnf_core.engines import FlowSampler
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.models.results import Sample
from lnf_core.nets.positions import step_mask

SPACES = ("eps", "z")


@torch.no_grad()
def interpolate(
    model: LatentFlow,
    first: Tensor,
    second: Tensor,
    count: int = 9,
    *,
    space: str = "eps",
    engine: str | FlowSampler = "auto",
) -> tuple[Sample, ...]:
    """``count`` sequences from ``first`` to ``second``, each decoded to its likeliest symbols.

    Both are encoded to their posterior means. In ``eps`` the noise behind the means is interpolated on the sphere,
    step by step (Shoemake, SIGGRAPH 1985), the norm linearly: a straight line would pass where a Gaussian hardly ever
    is. Then it goes through the prior's inverse. In ``z`` the means are interpolated linearly and decoded; ``eps`` of
    those samples is None. The ends are :meth:`~lnf_core.models.latent_flow.LatentFlow.reconstruct` of the two, up to
    round-off.

    Args:
        model: the latent flow, in evaluation mode.
        first: one sequence without padding, ``[T]`` int64 or ``[T, V]`` 0/1.
        second: another, of any length.
        count: how many, both ends included.
        space: ``eps`` or ``z``.
        engine: for ``eps``, as in :meth:`~lnf_core.models.latent_flow.LatentFlow.sample`.

    Returns:
        Samples of one sequence each, ``[T_i, 1, ...]``.

    Raises:
        InvalidInputError: sequences that do not fit the model, fewer than two steps of the path, or another space.
        EngineError: the engine asked for by name cannot run here.
    """
    check_flow(model.config)
    for given in (first, second):
        check_tensor("a sequence", given)
    if space not in SPACES:
        raise InvalidInputError(f"space is {space!r}; choose one of {', '.join(SPACES)}.")
    if check_count(count) < 2:
        raise InvalidInputError(f"count is {count}; give at least 2, the two ends.")
    if not first.ndim or first.ndim != second.ndim or first.shape[1:] != second.shape[1:]:
        raise InvalidInputError(
            f"the sequences have shapes {list(first.shape)} and {list(second.shape)}; give two of [T] or two of [T, V]."
        )
    ends = torch.tensor([len(first), len(second)], device=first.device)
    z = model.encode(pad_sequence([first, second]), ends).mean  # [T, 2, D]
    source = z if space == "z" else model.to_noise(z, ends)
    exact = torch.promote_types(z.dtype, torch.float32)  # bfloat16 has no whole number between 256 and 258
    weights = torch.linspace(0.0, 1.0, count, device=z.device, dtype=exact)
    lengths = torch.lerp(ends[0].to(exact), ends[1].to(exact), weights).round().long()  # [count]
    weights = weights.to(z.dtype)
    a, b = source[:, :1], source[:, 1:]
    between = torch.lerp(a, b, weights[:, None]) if space == "z" else _spherical(a, b, weights[:, None])
    both = step_mask(ends.min()[None], len(source))[..., None]  # [T, 1, 1]
    path = torch.where(both, between, a if len(first) > len(second) else b)  # [T, count, D]
    path = path * step_mask(lengths, len(path))[..., None]
    if space == "eps":
        return _apart(model.from_noise(path, lengths, argmax=True, engine=engine))
    probabilities = model.decode(path, lengths)
    return _apart(Sample(model.emission.pick(probabilities, None), lengths, probabilities, path))


def _spherical(a: Tensor, b: Tensor, weights: Tensor) -> Tensor:
    """The great circle from ``a`` to ``b`` ``[T, 1, D]``, norms linear, at weights ``[count, 1]``: ``[T, count, D]``.

    Where the angle is 0, or 180 degrees and no circle is the shortest, along the straight line.
    """
    norms = [end.norm(dim=-1, keepdim=True) for end in (a, b)]
    units = [end / norm.clamp_min(1e-12) for end, norm in zip((a, b), norms, strict=True)]
    angle = (units[0] * units[1]).sum(-1, keepdim=True).clamp(-1.0, 1.0).arccos()  # [T, 1, 1]
    sine = angle.sin()
    round_ = (((1.0 - weights) * angle).sin() * units[0] + (weights * angle).sin() * units[1]) / sine.clamp_min(1e-12)
    curved = torch.lerp(norms[0], norms[1], weights) * round_
    return torch.where(sine > 1e-3, curved, torch.lerp(a, b, weights))


def _apart(path: Sample) -> tuple[Sample, ...]:
    """Each sequence of a batch as a sample of its own, without padding."""

    def cut(values: Tensor | None, index: int) -> Tensor | None:
        return None if values is None else values[: int(path.lengths[index]), index : index + 1]

    return tuple(
        Sample(
            path.sequence(index)[:, None],
            path.lengths[index : index + 1],
            path.probabilities[: int(path.lengths[index]), index : index + 1],
            cut(path.z, index),
            cut(path.eps, index),
            path.engine,
            path.dependent_steps,
        )
        for index in range(len(path))
    )
