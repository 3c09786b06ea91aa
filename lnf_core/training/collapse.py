"""Posterior collapse, small enough to watch: tiny models of a known source, trained with and without KL annealing.

Trained at full KL weight from the first step, a latent model can find it cheapest to say nothing through ``z``
(Bowman et al. 2016, "Generating Sentences from a Continuous Space", section 3.1). This decoder sees no symbol but
through ``z``, so then it knows no more than how often each symbol occurs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam

from lnf_core.config import LatentFlowConfig
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.training.runtime import private_global_generator
from lnf_core.training.schedule import kl_weight

STEPS = 240


@dataclass(frozen=True)
class Walk:
    """A source that walks round an alphabet: the next symbol follows the last one, or now and then any does."""

    symbols: int = 8
    length: int = 12
    """Every sequence has this many steps."""
    follows: float = 0.85
    """Chance that a step follows the last; otherwise it is any symbol, each as likely."""

    @property
    def entropy(self) -> float:
        """The least nats a step that any model can reach."""
        other = (1.0 - self.follows) / self.symbols
        following = self.follows + other
        step = -following * math.log(following)
        if other > 0.0:  # 0 log 0 is 0
            step -= (self.symbols - 1) * other * math.log(other)
        return (math.log(self.symbols) + (self.length - 1) * step) / self.length

    @property
    def unconditional(self) -> float:
        """Nats a step of a model that only knows how often each symbol occurs."""
        return math.log(self.symbols)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """``count`` sequences, int64 ``[T, B]``."""
        fresh = torch.randint(self.symbols, (self.length, count), generator=generator)
        jumps = torch.rand(self.length, count, generator=generator) >= self.follows
        x = fresh.clone()
        for step in range(1, self.length):
            x[step] = torch.where(jumps[step], fresh[step], (x[step - 1] + 1) % self.symbols)
        return x


@dataclass(frozen=True)
class Moment:
    """Where a run stands, on the batch of that step, in nats a step."""

    step: int
    kl_weight: float
    reconstruction: float
    """``-log p(x | z)``."""
    kl: float
    """An estimate from one draw of z."""


class Watched:
    """One run of a tiny AF/SCF model on the CPU.

    Args:
        annealed: raise the KL weight from nearly 0 to 1, or have it at 1 from the start.
        seed: of the weights, the data and the noise.
        steps: of the optimiser.
        source: what is learnt.
    """

    def __init__(self, annealed: bool, seed: int = 1, steps: int = STEPS, source: Walk | None = None) -> None:
        self.annealed, self.steps, self.source = annealed, steps, source or Walk()
        with private_global_generator(torch.device("cpu")):
            torch.manual_seed(seed)
            self.model = LatentFlow(_config(self.source), torch.ones(self.source.length + 1))
        self._generator = torch.Generator().manual_seed(seed)
        self._parameters = list(self.model.parameters())  # to look for them takes a twentieth of a step
        self._adam = _Adam(self._parameters, rate=1e-2)

    def run(self, batch_size: int = 32) -> Iterator[Moment]:
        """Train; one moment after every step."""
        lengths = torch.full((batch_size,), self.source.length)
        quiet, ramp = self.steps // 6, 5 * self.steps // 12
        for step in range(self.steps):
            weight = kl_weight(step, quiet, ramp_steps=ramp, floor=0.003) if self.annealed else 1.0
            terms = self.model(self.source.sample(batch_size, self._generator), lengths, 1, self._generator)
            reconstruction, kl = -terms.log_px.mean(), terms.kl.mean()
            for parameter in self._parameters:
                parameter.grad = None
            (reconstruction + weight * kl).backward()
            torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
            self._adam.step()
            yield Moment(step + 1, weight, reconstruction.item(), kl.item())

    def write(self, count: int, seed: int = 0) -> Tensor:
        """Sequences drawn from the model as it is now, int64 ``[T, count]``."""
        generator = torch.Generator().manual_seed(seed)
        return self.model.sample(count, self.source.length, generator=generator, engine="eager").x


class _Adam:
    """``torch.optim.Adam`` without its class, which imports PyTorch's compiler: some 70 MB, and a second or two.

    Here somebody watches, in a process that serves others.
    """

    def __init__(self, parameters: Sequence[Tensor], rate: float) -> None:
        self._parameters, self._rate = parameters, rate
        self._means, self._squares = ([torch.zeros_like(one) for one in parameters] for _ in range(2))
        self._steps = [torch.zeros(()) for _ in parameters]

    def step(self) -> None:
        """Change the parameters along their gradients, which all of them must have."""
        with torch.no_grad():
            adam(
                list(self._parameters),
                [one.grad for one in self._parameters if one.grad is not None],
                self._means,
                self._squares,
                [],
                self._steps,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self._rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )


def _config(source: Walk) -> LatentFlowConfig:
    return LatentFlowConfig(
        vocab_size=source.symbols,
        likelihood="categorical",
        max_length=source.length,
        embedding_size=12,
        hidden_size=16,
        position_size=2,
        dropout=0.0,
        latent_size=2,
        time_flow="af",
        dimension_flow="scf",
        flow_layers=3,
        flow_hidden=16,
        prior_hidden=24,
        encoder_layers=1,  # learns as much as with two, a third sooner
        decoder_layers=1,
    )
