"""One step of the prior looked at closely: thousands of draws of ``z_t`` given the same past, and what each decodes to.

The prior of a latent flow has to put the choice between symbols into ``p(z_t | z_<t)``, since nothing after it can
(Ziegler & Rush 2019, section 6): the draws fall into clusters, one or more for each symbol that may come next.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lnf_core.checks import check_flow, check_latents, check_temperature, check_tensor, is_whole
from lnf_core.engines import FlowSampler, prepare
from lnf_core.errors import InvalidInputError
from lnf_core.models.draws import standard_normal
from lnf_core.models.latent_flow import LatentFlow

MOST_DRAWS = 100_000
"""Most draws of one step: a bound on memory, far above any use."""
_SHRINK = 0.05  # of the within-class covariance towards a multiple of the identity: rare classes span too little
_SMALLEST_CLASS = 5  # draws; a class seen less often says nothing about where it lies


@dataclass(frozen=True)
class Past:
    """One latent sequence, and what the prior and the decoder know at each of its steps."""

    z: Tensor
    """``[T, D]``."""
    eps: Tensor
    """``[T, D]``, the base noise behind ``z``."""
    prior_context: Tensor
    """``[T, H]``: all that ``p(z_t | ...)`` depends on."""
    decoder_context: Tensor
    """``[T, C]``: all that ``p(x_t | z)`` depends on but ``z_t``; from the sequence itself, held fixed."""


@dataclass(frozen=True)
class StepCloud:
    """N draws of ``z_t`` given one past."""

    layers: Tensor
    """``[L + 1, N, D]``: the base noise first, then the draws after every layer of the flow, ``z_t`` last."""
    symbols: Tensor
    """The M most frequent of what the draws decode to, most frequent first: ``[M]`` or 0/1 ``[M, V]``."""
    labels: Tensor
    """``[N]`` int64: which of ``symbols`` a draw decodes to; M for any other."""
    shares: Tensor
    """``[M]``: the share of the draws that decode to each."""
    directions: Tensor
    """``[2, D]``, orthonormal: the plane in which the classes of ``z_t`` lie furthest apart."""
    actual: Tensor
    """``[D]``: the ``z_t`` the sequence has."""
    reading: Tensor
    """What ``actual`` decodes to, as ``symbols`` are read: ``[]`` or 0/1 ``[V]``."""

    @property
    def plane(self) -> Tensor:
        """``[L + 1, N, 2]``: every layer seen in the plane of ``directions``."""
        return self.layers @ self.directions.T


@torch.no_grad()
def read_past(model: LatentFlow, z: Tensor, eps: Tensor | None = None) -> Past:
    """What is known at each step of one latent sequence ``z`` ``[T, D]``; ``eps`` is found where it is not given.

    Raises:
        InvalidInputError: a sequence that does not fit the model.
    """
    check_flow(model.config)
    check_tensor("z", z)
    if z.dim() != 2 or z.shape[1] != model.config.latent_size or not 0 < len(z) <= model.config.max_length:
        raise InvalidInputError(
            f"z has shape {tuple(z.shape)}; expected [T, {model.config.latent_size}] with T from 1 to "
            f"{model.config.max_length}."
        )
    if eps is not None and eps.shape != z.shape:
        raise InvalidInputError(f"eps has shape {tuple(eps.shape)}; give the noise behind z, {tuple(z.shape)}.")
    lengths = torch.tensor([len(z)], device=z.device)
    for given in (z, eps):
        if given is not None:
            check_latents(given[:, None], lengths, model.config, model.emission.bias.dtype)
    positions = model.positions(lengths, len(z))
    sequence = z[:, None]
    noise = model.prior(sequence, lengths, positions)[0] if eps is None else eps[:, None]
    return Past(
        z=z,
        eps=noise[:, 0],
        prior_context=model.prior.contexts(sequence, noise, positions)[:, 0],
        decoder_context=model.decoder.context(sequence, lengths, positions)[:, 0],
    )


@torch.no_grad()
def draw_step(
    model: LatentFlow,
    past: Past,
    step: int,
    count: int = 4096,
    *,
    generator: torch.Generator | None = None,
    temperature: float = 1.0,
    symbols: int = 8,
    engine: str | FlowSampler = "eager",
) -> StepCloud:
    """Draw ``z_t`` for ``step`` ``count`` times and decode each draw to its likeliest symbol, or its likeliest keys.

    ``engine`` is as :meth:`LatentFlow.sample` takes it.

    Raises:
        InvalidInputError: a past read by a model of other sizes, a step the sequence does not have, draws that are not
            2 to 100,000, or a bad temperature.
        EngineError: the engine asked for by name cannot run here.
    """
    check_flow(model.config)
    _check_past(model, past)
    temperature = check_temperature(temperature)
    if not is_whole(step) or not 0 <= step < len(past.z):
        raise InvalidInputError(f"step is {step}; the sequence has steps 0 to {len(past.z) - 1}.")
    if not (is_whole(count) and is_whole(symbols)) or not 2 <= count <= MOST_DRAWS or symbols < 1:
        raise InvalidInputError(
            f"{count} draws and {symbols} symbols were asked for; 2 to {MOST_DRAWS} and at least 1 are needed."
        )
    noise = standard_normal((count, past.z.shape[1]), past.z, generator)  # [N, D]
    sampler = prepare(model, engine)
    layers = sampler.trace(temperature * noise, past.prior_context[step])
    z = layers[-1]
    points = torch.cat([z, past.z[step].to(z.dtype)[None]])  # the sequence's own last
    features = torch.cat([points, past.decoder_context[step].to(z.dtype).expand(count + 1, -1)], -1)
    decoded = model.emission.pick(model.emission.probabilities(model.emission.logits(features)), None)
    found, labels, counts = _by_frequency(decoded[:-1])
    shown = min(symbols, len(found))
    labels = labels.clamp_max(shown)
    return StepCloud(
        layers=layers,
        symbols=found[:shown],
        labels=labels,
        shares=counts[:shown] / count,
        directions=separating_directions(z, labels),
        actual=past.z[step],
        reading=decoded[-1],
    )


def _check_past(model: LatentFlow, past: Past) -> None:
    found = tuple(part.shape[-1] for part in (past.z, past.prior_context, past.decoder_context))
    sizes = (model.config.latent_size, model.prior.context_size, model.decoder.size - model.config.latent_size)
    if found != sizes:
        raise InvalidInputError(f"the past has sizes {found}, the model {sizes}; let the model that draws read it.")


def _by_frequency(decoded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distinct symbols, most frequent first; which of them each draw is; how often each comes."""
    found, labels, counts = decoded.unique(dim=0, return_inverse=True, return_counts=True)
    order = counts.argsort(descending=True, stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    return found[order], place[labels], counts[order]


def separating_directions(points: Tensor, labels: Tensor) -> Tensor:
    """Two orthonormal directions in which the labelled classes of ``points`` ``[N, D]`` lie furthest apart, ``[2, D]``.

    Fisher's discriminants, of a within-class covariance that is shrunk a little; where the classes span fewer than two
    directions, the rest are those of largest variance at right angles to them. Each points to where its largest
    component is positive. Of one dimension there is but one direction, twice.
    """
    values = points.double()
    values = values - values.mean(0)
    size = values.shape[1]
    counts = torch.bincount(labels, minlength=int(labels.max()) + 1)
    means = torch.zeros(len(counts), size, dtype=values.dtype, device=values.device).index_add_(0, labels, values)
    means = means / counts[:, None].clamp_min(1)
    inside = values - means[labels]
    within = inside.T @ inside / len(values)
    within = (1 - _SHRINK) * within + torch.eye(size, dtype=within.dtype, device=within.device) * (
        _SHRINK * within.diagonal().mean() + 1e-9
    )
    known = counts >= _SMALLEST_CLASS
    weighted = means[known] * (counts[known, None] / len(values)).sqrt()
    between = weighted.T @ weighted
    factor = torch.linalg.cholesky(within)
    half = torch.linalg.solve_triangular(factor, between, upper=False)
    whitened = torch.linalg.solve_triangular(factor, half.T, upper=False)
    strengths, vectors = torch.linalg.eigh(0.5 * (whitened + whitened.T))
    apart = torch.linalg.solve_triangular(factor.T, vectors.flip(-1), upper=True)[:, :2]  # [D, 2]
    apart = apart[:, strengths.flip(-1)[:2] > 1e-6]  # [D, 0 to 2]
    # What varies most is often what parts the classes: the rest is looked for beside that.
    basis = torch.linalg.qr(apart).Q
    rest = values - values @ basis @ basis.T
    wide = torch.linalg.eigh(rest.T @ rest).eigenvectors.flip(-1)[:, : 2 - apart.shape[1]]
    chosen = torch.cat([apart, wide], 1)
    directions = torch.linalg.qr(chosen).Q[:, :2].T if size > 1 else chosen.new_ones(2, 1)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return (directions * largest.sign()).to(points.dtype)
