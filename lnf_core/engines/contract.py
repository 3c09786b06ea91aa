"""What an engine does: it prepares a sampler from a model, and the sampler runs the expensive halves of sampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from lnf_core.progress import Progress

if TYPE_CHECKING:
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.build import SequenceModel
    from lnf_core.models.latent_flow import LatentFlow


@dataclass(frozen=True)
class Pushed:
    """Base noise pushed through the prior."""

    z: Tensor
    """``[T, B, D]``, zero on padding."""
    dependent_steps: int
    """How many passes had to wait for the one before: T for a loop over time, 1 for one pass, sweeps for Jacobi."""


class FlowSampler(Protocol):
    """A latent flow, made ready to sample from."""

    @property
    def model(self) -> LatentFlow:
        """The model it was made from."""
        ...

    @property
    def engine(self) -> str:
        """The name of the engine it came from."""
        ...

    def push(
        self,
        eps: Tensor,
        lengths: Tensor,
        positions: Tensor,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """Base noise ``[T, B, D]`` through the prior.

        ``positions`` are the position features ``[T, B, F]``. With ``known`` ``[T0, B, D]`` the first T0 steps of z
        are given and only the rest is solved for; every sequence is longer than T0.
        """
        ...

    def trace(self, eps: Tensor, context: Tensor) -> Tensor:
        """Draws ``eps`` ``[N, D]`` of one step that share a context ``[H]``, and after every flow: ``[L + 1, N, D]``.

        The last is z. H is the size of a context of the prior; see :meth:`FlowStack.trace`.
        """
        ...

    def logits(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """``z`` ``[T, B, D]`` to the logits of x, ``[T, B, V]``; padding holds whatever it holds."""
        ...


class BaselineSampler(Protocol):
    """The LSTM baseline, made ready to sample from."""

    @property
    def model(self) -> LSTMBaseline:
        """The model it was made from."""
        ...

    @property
    def engine(self) -> str:
        """The name of the engine it came from."""
        ...

    def roll_out(
        self,
        prefix: Tensor | None,
        lengths: Tensor,
        positions: Tensor,
        temperature: float,
        uniforms: Tensor | None,
        progress: Progress | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The symbols one after the other, and the probabilities they were drawn from, ``[T, B, V]``.

        ``prefix`` ``[T0, B]`` or ``[T0, B, V]`` is kept; without ``uniforms`` (see
        :meth:`~lnf_core.models.emission.Emission.pick`) the most likely symbol is taken.
        """
        ...


class Engine(Protocol):
    """Makes samplers. A sampler belongs to the weights it was made from: prepare again when they change."""

    @property
    def name(self) -> str:
        """As ``engine=`` takes it."""
        ...

    def why_not(self, model: SequenceModel) -> str | None:
        """What keeps this engine from running ``model`` here, in one sentence; None when nothing does."""
        ...

    def flow(self, model: LatentFlow) -> FlowSampler:
        """A sampler for a latent flow."""
        ...

    def baseline(self, model: LSTMBaseline) -> BaselineSampler:
        """A sampler for the baseline."""
        ...
