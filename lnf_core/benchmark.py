"""How fast the models sample and train on this machine, and how fast it would let them.

All figures of one run belong together: what counts is their ratios. Times are medians of repeated calls after a
warm-up, seeds in, symbols out, in milliseconds for each sequence. The floor is what the same work would cost if every
step that waits for another did nothing but read its weights, at the rate of a copy that touches as many bytes, or its
multiplications, at the rate of a matrix product: both measured in the same run. Weights that fit into a cache are read
at the rate of that cache, since the copy is.
"""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lnf_core import engines
from lnf_core.config import VARIANTS, BaselineConfig, LatentFlowConfig, ModelConfig
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.build import SequenceModel, build_model
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.nets.lstm import BidirectionalLSTM
from lnf_core.nets.made import MaskedLinear
from lnf_core.progress import Progress
from lnf_core.training.runtime import has_bfloat16

DOMAINS = {"text": ("categorical", 51, 288), "music": ("bernoulli", 89, 256)}
"""Likelihood, symbols or keys, and longest sequence of the paper-sized models."""
PAPER_VARIANTS = ("af-af", "af-scf", "iaf-scf", "lstm")
_SLOW = 2.0  # seconds: a call that takes longer is not repeated


_COPIES = tuple(2**power for power in range(16, 28))  # 64 KiB to 128 MiB


@dataclass(frozen=True)
class Limits:
    """What this machine reaches on plain work, on as many threads as torch uses."""

    multiply_gflops: float
    """Float32 operations a second in a square matrix product, in 10^9."""
    copy_gigabytes: dict[int, float]
    """Bytes read and written a second by a copy, in 10^9, by how many bytes it reads and writes in all."""
    multiply_gflops_bf16: float | None = None
    """The same in bfloat16; None on a processor that does not multiply it itself."""

    def copy_seconds(self, touched: int) -> float:
        """How long a copy takes that reads and writes ``touched`` bytes in all, from the next larger one measured."""
        size = next((size for size in self.copy_gigabytes if size >= touched), max(self.copy_gigabytes))
        return touched / (self.copy_gigabytes[size] * 1e9)


@dataclass(frozen=True)
class Phase:
    """Steps that wait for one another, each with the same weights."""

    steps: int
    weights: int
    """How many weights a step multiplies with, each once for every row of a batch that the step works on."""
    rows: int = 1
    """Rows of one sequence a step works on: 1 in a loop over time, T where all steps are done at once."""

    def floor_seconds(self, batch: int, limits: Limits) -> float:
        """For a whole batch, weights read once for all of it."""
        multiplying = 2 * self.weights * self.rows * batch / (limits.multiply_gflops * 1e9)
        return self.steps * max(limits.copy_seconds(4 * self.weights), multiplying)


@dataclass(frozen=True)
class SamplingTime:
    """One row of the benchmark."""

    variant: str
    engine: str
    domain: str
    length: int
    batch: int
    ms_per_sequence: float
    sequential_steps: int
    """Passes of the prior that waited for the one before."""
    operations: int
    """Multiplications and additions for one sequence, prior and decoder."""
    weight_bytes: int
    """Bytes of weights read for one sequence, step after step."""
    floor_ms: float
    """Milliseconds a sequence; see the head of this module."""
    model: str
    """``paper``: the published sizes with random weights; else the name of a checkpoint."""

    @classmethod
    def of(
        cls,
        model: SequenceModel,
        seconds: float,
        limits: Limits,
        *,
        name: str,
        variant: str,
        engine: str,
        domain: str,
        length: int,
        batch: int,
        sequential_steps: int,
    ) -> SamplingTime:
        """A draw of ``batch`` sequences from ``model`` that took ``seconds`` where ``limits`` were measured."""
        phases = phases_of(model, length)
        return cls(
            variant=variant,
            engine=engine,
            domain=domain,
            length=length,
            batch=batch,
            ms_per_sequence=1e3 * seconds / batch,
            sequential_steps=sequential_steps,
            operations=sum(2 * phase.steps * phase.weights * phase.rows for phase in phases),
            weight_bytes=sum(4 * phase.steps * phase.weights for phase in phases),
            floor_ms=1e3 * sum(phase.floor_seconds(batch, limits) for phase in phases) / batch,
            model=name,
        )


@dataclass(frozen=True)
class TrainingTime:
    """One optimiser step on music, forward, backward and AdamW."""

    variant: str
    precision: str
    """``fp32``, or ``bf16`` under autocast."""
    length: int
    batch: int
    ms_per_step: float
    floor_ms: float
    """Milliseconds of its matrix products alone, forward and backward, at the rate of a large one."""
    steps_of_sequence_per_second: float
    """Time steps of all sequences, a second."""
    model: str = "paper"


def machine() -> dict[str, Any]:
    """What was measured on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": metadata.version("numba") if engines.ready("numba_cpu") else None,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        named = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if named:
            return named[0].split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def measure_limits() -> Limits:
    """Measure :class:`Limits`; takes about two seconds."""
    half = _product_gflops(torch.bfloat16) if has_bfloat16("cpu") else None
    copies = {}
    for touched in _COPIES:
        source = torch.zeros(touched // 8)  # four bytes an element, read and written
        target = torch.empty_like(source)
        many = max(1, 2**22 // touched)  # a call is a microsecond by itself

        def copy(source: torch.Tensor = source, target: torch.Tensor = target, many: int = many) -> None:
            for _ in range(many):
                target.copy_(source)

        copies[touched] = many * touched / _best_seconds(copy, repeats=25) / 1e9
    return Limits(_product_gflops(torch.float32), copies, half)


def _product_gflops(dtype: torch.dtype, size: int = 1024) -> float:
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    return 2 * size**3 / _best_seconds(lambda: torch.mm(a, b), repeats=15) / 1e9


def _best_seconds(call: Callable[[], object], repeats: int) -> float:
    """The shortest duration of ``call``: a limit is what a machine reaches when nothing comes in between."""
    shortest = math.inf
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        shortest = min(shortest, time.perf_counter() - started)
    return shortest


def median_seconds(call: Callable[[], object], repeats: int) -> float:
    """The median duration of ``call`` after one call that is not counted; once is enough for a slow one."""
    started = time.perf_counter()
    call()
    first = time.perf_counter() - started
    if first > _SLOW:
        return first
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def paper_config(variant: str, domain: str) -> ModelConfig:
    """The published sizes (Ziegler & Rush 2019, section 5): about 29 million parameters with one-hot positions."""
    likelihood, symbols, longest = DOMAINS[domain]
    shared: dict[str, Any] = {
        "vocab_size": symbols,
        "likelihood": likelihood,
        "max_length": longest,
        "positions": "onehot",
    }
    if variant == "lstm":
        return BaselineConfig(**shared)
    time_flow, dimension_flow = VARIANTS[variant]
    layers = 3 if domain == "text" and time_flow == "iaf" else 5
    return LatentFlowConfig(**shared, time_flow=time_flow, dimension_flow=dimension_flow, flow_layers=layers)


def paper_model(variant: str, domain: str) -> SequenceModel:
    """A model of the published sizes with the weights it starts training with, the same in every run."""
    config = paper_config(variant, domain)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(config, torch.ones(config.max_length + 1)).eval()


def phases_of(model: SequenceModel, length: int) -> list[Phase]:
    """What sampling one sequence of ``length`` steps takes; position features are table look-ups."""
    emission = _linear_weights(model.emission)
    if isinstance(model, LSTMBaseline):
        return [Phase(length, _lstm_weights(model.lstm, model.positions.size) + emission)]
    stack, context = _linear_weights(model.prior.stack), model.prior.context
    if context is None:
        phases = [Phase(1, stack, length)]
    elif model.prior.reads == "z":
        phases = [Phase(length, stack + _lstm_weights(context.lstm, model.positions.size))]
    else:
        phases = [*_lstm_phases([context.lstm], model.positions.size, length), Phase(1, stack, length)]
    phases += _bidirectional_phases(model.decoder.lstm, model.positions.size, length)
    return [*phases, Phase(1, emission, length)]


def _bidirectional_phases(lstm: BidirectionalLSTM, positions: int, length: int) -> list[Phase]:
    phases: list[Phase] = []
    for number, pair in enumerate(zip(lstm.forward_layers, lstm.backward_layers, strict=True)):
        phases += _lstm_phases(list(pair), 0 if number else positions, length)
    return phases


def _lstm_phases(together: list[Any], positions: int, length: int) -> list[Phase]:
    """LSTMs of known inputs that run side by side: products of all inputs at once, then a loop over the recurrence."""
    recurrent = sum(
        weight.numel() for lstm in together for name, weight in lstm.named_parameters() if name.startswith("weight_hh")
    )
    everything = sum(_lstm_weights(lstm, positions) for lstm in together)
    layers = max(lstm.num_layers for lstm in together)
    return [Phase(1, everything - recurrent, length), Phase(length * layers, recurrent // layers)]


def _lstm_weights(lstm: nn.LSTM, positions: int) -> int:
    matrices = sum(weight.numel() for name, weight in lstm.named_parameters() if name.startswith("weight"))
    return matrices - 4 * lstm.hidden_size * positions


def _linear_weights(module: nn.Module) -> int:
    total = 0
    for part in module.modules():
        if isinstance(part, MaskedLinear):
            total += int(part.mask.sum())
        elif isinstance(part, nn.Linear | nn.Embedding):  # the emission's embedding is its last linear layer
            total += part.weight.numel()
    return total


def sampling_times(
    model: SequenceModel,
    *,
    name: str,
    variant: str,
    domain: str,
    chosen: tuple[str, ...],
    lengths: tuple[int, ...],
    batches: tuple[int, ...],
    limits: Limits,
    repeats: int,
) -> Iterator[SamplingTime]:
    """Time every engine of ``chosen`` that can run ``model``, sampler prepared beforehand."""
    for engine in chosen:
        if engines.why_not(engine, model) is not None:
            continue
        sampler: Any = engines.prepare(model, engine)
        for length in lengths:
            for batch in batches:
                seconds, steps = timed_draw(model, sampler, batch, length, repeats)
                yield SamplingTime.of(
                    model,
                    seconds,
                    limits,
                    name=name,
                    variant=variant,
                    engine=engine,
                    domain=domain,
                    length=length,
                    batch=batch,
                    sequential_steps=steps,
                )


def timed_draw(
    model: SequenceModel,
    sampler: Any,  # noqa: ANN401 - of any engine
    batch: int,
    length: int,
    repeats: int,
    progress: Progress | None = None,
) -> tuple[float, int]:
    """The median seconds of drawing a batch, and how many passes had to wait for the one before."""
    steps = 0

    def draw() -> None:
        nonlocal steps
        generator = torch.Generator().manual_seed(length)
        drawn = model.sample(batch, length, generator=generator, engine=sampler, progress=progress)
        drawn.x.cpu()  # a GPU is still at work when the call returns
        steps = drawn.dependent_steps

    return median_seconds(draw, repeats), steps


def training_operations(model: SequenceModel, length: int) -> int:
    """Multiplications and additions of one training step on one sequence, forward and backward.

    Every product of the forward pass has two in the backward pass: for the gradient of its input and of its weights.
    """
    phases = phases_of(model, length)
    if isinstance(model, LatentFlow):
        phases += _bidirectional_phases(model.encoder.lstm, model.positions.size, length)
        phases.append(Phase(1, _linear_weights(model.encoder), length))
    return 3 * sum(2 * phase.weights * phase.rows * phase.steps for phase in phases)


def training_time(
    variant: str, *, length: int, batch: int, repeats: int, limits: Limits, precision: str = "fp32"
) -> TrainingTime:
    """Time an optimiser step of the published sizes on made-up rolls."""
    model = paper_model(variant, "music").train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(length, batch, model.config.vocab_size, generator=generator) < 0.04).float()
    lengths = torch.full((batch,), length)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            elbo = model(x, lengths, 1, generator)
        (-elbo.value.sum() / (length * batch)).backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = median_seconds(step, repeats)
    rate = limits.multiply_gflops if precision == "fp32" else limits.multiply_gflops_bf16 or math.nan
    floor = batch * training_operations(model, length) / (rate * 1e9)
    return TrainingTime(variant, precision, length, batch, 1e3 * seconds, 1e3 * floor, length * batch / seconds)


def as_row(measured: SamplingTime | TrainingTime) -> dict[str, Any]:
    """Plain values, rounded to what the clock can tell."""
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(measured).items()}
