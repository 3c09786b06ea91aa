"""How many modes the density behind a set of draws has: peaks of a nearest-neighbour density that outlast its noise.

The peaks are found and merged as in ToMATo (Chazal, Guibas, Oudot & Skraba 2013, "Persistence-based clustering in
Riemannian manifolds"); the few directions they are sought in are those where near draws lie closest against the whole
(Art, Gnanadesikan & Kettenring 1982, "Data-based metrics for cluster analysis").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lnf_core.checks import check_tensor
from lnf_core.errors import InvalidInputError

MIN_POINTS = 100
"""Fewest draws that say anything about modes."""

_NEIGHBOURS = 0.025  # of the draws: half of the smallest mode that has to be found
_FEWEST_NEIGHBOURS = 16
_SMALLEST_MODE = 0.02  # of the draws
_MOST_DIRECTIONS = 5  # nearest neighbours in more are all about equally far
_PAIRED = 1024  # draws that are paired with their nearest; the pairs need a distance matrix
_SHRINK = 0.1  # of the scatter within pairs towards that of all draws
_MARGIN = 1.1  # over the edge that chance reaches: a nearest pair is often counted from both of its ends
_ALL_DIRECTIONS = 3  # so few are all kept,
_FEWEST_DIRECTIONS = 2  # and of more at least these, for shapes that no scatter shows
_HALVES = 3  # random halves that are counted again,
_LARGEST_HALF = 1500  # of at most so many draws each: time grows with their square
# What chance gives a peak's prominence, in standard errors 1 / sqrt(k) of the log density. Measured on draws of one
# mode: in one direction 95 % of Gaussians need 4 to 4.5, uniform densities 5.5; in more directions less, but for a long
# cluster, which is noisy like a line.
_PROMINENCE = 5.5

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Modes:
    """The M modes of the density behind N draws, the largest first."""

    count: int
    """M, at least 1."""
    low: int
    """Fewest modes found in any of three random halves (of at most 1,500 draws), or in all of the draws."""
    high: int
    """Most modes found in any of them."""
    centres: Tensor
    """``[M, D]``: the mean of each mode's draws."""
    shares: Tensor
    """``[M]``: the share of the draws in each; they sum to 1."""
    labels: Tensor
    """``[N]`` int64: the mode whose slope a draw lies on."""
    method: str
    """How they were found, in one sentence."""


@torch.no_grad()
def count_modes(points: Tensor, *, generator: torch.Generator | None = None) -> Modes:
    """Count the modes of the density that ``points`` ``[N, D]`` were drawn from.

    In at most five directions, where the draws cluster most, the log density of every draw is ``-d log r_k`` for its
    distance ``r_k`` to the k-th nearest; each draw climbs to the highest of its neighbours, and a peak is kept where it
    stands further above its highest saddle, in nats, than the noise of that estimate carries one. What a mode needs to
    be seen: 2 % of the draws, and a valley of about half a nat at N = 4096, 1.1 nats at N = 1000. Turning, moving and
    scaling all of the draws changes nothing; scaling single axes may, where clusters are only just apart.

    Args:
        points: finite draws ``[N, D]``, N at least 100.
        generator: of the random halves behind ``low`` and ``high``, and of the pairs where N is above 1,024.

    Raises:
        InvalidInputError: another shape, fewer draws, or values that are not finite.
    """
    check_tensor("points", points)
    if points.dim() != 2 or points.shape[1] < 1:
        raise InvalidInputError(f"points have shape {tuple(points.shape)}; expected [N, D], a draw in each row.")
    if len(points) < MIN_POINTS:
        raise InvalidInputError(f"{len(points)} draws were given; at least {MIN_POINTS} are needed to count modes.")
    if not points.isfinite().all():
        raise InvalidInputError("points hold values that are not finite; leave those draws out.")
    device = points.device if generator is None else generator.device

    def some(count: int) -> Integers:
        chosen: Integers = torch.randperm(len(points), generator=generator, device=device)[:count].cpu().numpy()
        return chosen

    values = points.detach().double().cpu().numpy()
    # By a power of two, which rounds nothing: squares of very large draws overflow, those of very small ones vanish.
    values = np.ldexp(values, -np.frexp(np.abs(values).max())[1])
    seen = _clustering_directions(values, some(_PAIRED))  # [N, d]
    labels, count = _peaks(seen)
    halves = [_peaks(seen[some(min(len(values) // 2, _LARGEST_HALF))])[1] for _ in range(_HALVES)]
    members = torch.from_numpy(labels).to(points.device)
    sizes = torch.bincount(members, minlength=count)
    sums = points.new_zeros(count, points.shape[1], dtype=torch.float64).index_add_(0, members, points.double())
    return Modes(
        count=count,
        low=min(count, *halves),
        high=max(count, *halves),
        centres=(sums / sizes[:, None]).to(points.dtype),
        shares=sizes / len(points),
        labels=members,
        method=(
            f"Peaks of the {_neighbours(len(points))}-nearest-neighbour log density in the {seen.shape[1]} directions "
            f"where the draws cluster most, kept where they stand {_threshold(len(points)):.2f} nats above the highest "
            f"saddle; low and high from {_HALVES} random halves of at most {_LARGEST_HALF} draws."
        ),
    )


def _clustering_directions(values: Floats, paired: Integers) -> Floats:
    """The draws ``[N, D]`` in the few directions in which nearest pairs are closest against all draws: ``[N, d]``.

    Scaled so that the pairs are equally far apart in all of them. Where nothing clusters, the ratio of the scatters is
    one and its estimate stays inside the edges of Marchenko & Pastur (1967); directions beyond them are kept.
    """
    values = values - values.mean(axis=0)
    strengths, axes = np.linalg.eigh(values.T @ values / len(values))
    real = strengths > 1e-10 * strengths[-1]
    if not real.any() or strengths[-1] <= 0.0:
        return np.zeros((len(values), 1))
    size = int(real.sum())
    rotated = values @ axes[:, real]
    white: Floats = rotated / np.sqrt(strengths[real])
    if size == 1:
        return white
    some = rotated[paired] / np.sqrt(strengths[-1])
    squares = (some * some).sum(axis=1)
    distances = squares[:, None] + squares - 2.0 * (some @ some.T)  # [P, P]
    np.fill_diagonal(distances, np.inf)
    steps = white[paired] - white[paired[distances.argmin(axis=1)]]
    scatter = steps.T @ steps
    scatter = (1.0 - _SHRINK) * scatter * (size / max(np.trace(scatter), 1e-300)) + _SHRINK * np.eye(size)
    within, directions = np.linalg.eigh(scatter)  # smallest first: where the draws cluster most
    edge = (1.0 - _SHRINK) * (1.0 - min(1.0, np.sqrt(size / len(paired)))) ** 2 + _SHRINK
    fewest = size if size <= _ALL_DIRECTIONS else _FEWEST_DIRECTIONS
    kept = min(max(int((within < edge / _MARGIN).sum()), fewest), _MOST_DIRECTIONS)
    projected: Floats = white @ (directions[:, :kept] / np.sqrt(within[:kept]))
    return projected


def _neighbours(count: int) -> int:
    return max(_FEWEST_NEIGHBOURS, round(_NEIGHBOURS * count))


def _threshold(count: int) -> float:
    """Nats a peak has to stand out by, for ``count`` draws."""
    return float(_PROMINENCE / np.sqrt(_neighbours(count)))


def _peaks(seen: Floats) -> tuple[Integers, int]:
    """Label ``[N]`` of each of the draws ``[N, d]``, the largest mode's 0, and the number of modes."""
    from scipy.spatial import cKDTree  # slow to import, and needed only here

    count, size = seen.shape
    distances, found = cKDTree(seen).query(seen, _neighbours(count) + 1)
    near = found[:, 1:]  # [N, k]
    heights = -size * np.log(np.maximum(distances[:, -1], 1e-9))
    order = np.lexsort((np.arange(count), -heights))
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)  # 0 for the highest: no two are equal

    # Up the steepest way, to the top: every draw's peak.
    best = near[np.arange(count), place[near].argmin(axis=1)]
    above = np.where(place[best] < place, best, np.arange(count))
    while not np.array_equal(above, further := above[above]):
        above = further
    peaks = merge_peaks(heights, near, above, _threshold(count))

    tops, labels, sizes = np.unique(peaks, return_inverse=True, return_counts=True)
    large = sizes >= _SMALLEST_MODE * count
    if not large.any():
        large = sizes == sizes.max()
    inside = large[labels]
    if not inside.all():  # a few far draws: to the mode that is nearest
        nearest = cKDTree(seen[inside]).query(seen[~inside])[1]
        labels[~inside] = labels[inside][nearest]
    sizes = np.bincount(labels, minlength=len(tops))
    ranks = np.empty(len(tops), dtype=np.int64)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(len(tops))
    return ranks[labels], int(large.sum())


def merge_peaks(heights: Floats, near: Integers, peaks: Integers, threshold: float) -> Integers:
    """Merge every peak that stands less than ``threshold`` above its highest saddle into the higher one behind it.

    Args:
        heights: log density ``[N]``, in nats.
        near: neighbours ``[N, k]``.
        peaks: the draw that is the peak of each, ``[N]``.
        threshold: in nats.

    Returns:
        The peak of each draw once they are merged, ``[N]``.
    """
    tops, basin = np.unique(peaks, return_inverse=True)
    one, other = np.repeat(basin, near.shape[1]), basin[near].ravel()
    apart = one != other
    saddle = np.minimum(heights[:, None], heights[near]).ravel()[apart]
    pair = np.minimum(one, other)[apart] * len(tops) + np.maximum(one, other)[apart]
    highest = np.full(len(tops) ** 2, -np.inf)
    np.maximum.at(highest, pair, saddle)  # the highest saddle between each two basins
    pairs = np.flatnonzero(highest > -np.inf)
    saddles = highest[pairs]
    parent = np.arange(len(tops))
    height = heights[tops]
    for index in np.argsort(-saddles, kind="stable"):
        ends = []
        for end in divmod(int(pairs[index]), len(tops)):
            while parent[end] != end:
                end = int(parent[end])
            ends.append(end)
        low, high = sorted(ends, key=lambda end: height[end])
        if low != high and height[low] - saddles[index] < threshold:
            parent[low] = high
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    return tops[parent[basin]]
