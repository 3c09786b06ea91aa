"""Measurements that wait for the device: limits, a training step beside its products, sampling, agreement with the CPU.

All products of float32 numbers run in float32: TensorFloat-32, which cuDNN's LSTMs would take by themselves, is off
(:func:`exact_products`). Rows marked bf16 run under autocast, as training does.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lnf_core import engines
from lnf_core.benchmark import DOMAINS, Limits, SamplingTime, as_row, paper_config
from lnf_core.config import LatentFlowConfig, ModelConfig
from lnf_core.models.build import SequenceModel, build_model

VARIANTS = ("af-af", "af-scf", "iaf-scf", "lstm")
_SLOW = 2.0  # seconds: a call that takes longer is not repeated
_AUTOCAST = {"fp32": torch.float32, "bf16": torch.bfloat16}


@contextmanager
def exact_products() -> Iterator[None]:
    """Within the block float32 means float32: no TensorFloat-32 in matrix products or in cuDNN."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def wait(device: str) -> None:
    """Until the device has done all it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(call: Callable[[], object], device: str, *, repeats: int, best: bool = False) -> float:
    """The median (or the shortest) duration of ``call`` on the device, after one that is not counted.

    A call of more than two seconds is timed once more and no oftener.
    """

    def timed() -> float:
        wait(device)
        started = time.perf_counter()
        call()
        wait(device)
        return time.perf_counter() - started

    first = timed()  # kernels are loaded and chosen in it
    found = [timed() for _ in range(1 if first > _SLOW else repeats)]
    return min(found) if best else statistics.median(found)


def limits(device: str, *, small: bool) -> Limits:
    """What the device reaches on float32 products and on copies, one launch each: see :class:`Limits`."""
    size = 512 if small else 4096
    a, b = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    product = seconds_of(lambda: torch.mm(a, b), device, repeats=10, best=True)
    copies = {}
    for power in range(16, 20 if small else 28):
        source = torch.zeros(2**power // 8, device=device)  # four bytes an element, read and written
        target = torch.empty_like(source)
        many = 20

        def copy(source: Tensor = source, target: Tensor = target, many: int = many) -> None:
            for _ in range(many):
                target.copy_(source)

        copies[2**power] = many * 2**power / seconds_of(copy, device, repeats=10, best=True) / 1e9
    return Limits(2 * size**3 / product / 1e9, copies)


def sized_model(variant: str, domain: str, device: str, *, small: bool) -> SequenceModel:
    """The paper's sizes with the weights training would start from; a rehearsal takes small ones."""
    config: ModelConfig = paper_config(variant, domain)
    if small:
        config = replace(config, embedding_size=8, hidden_size=8, positions="learned")
        if isinstance(config, LatentFlowConfig):
            config = replace(config, latent_size=4, flow_layers=2, flow_hidden=8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(config, torch.ones(config.max_length + 1)).to(device).eval()


def made_up(domain: str, length: int, batch: int) -> Tensor:
    """Symbols ``[T, B]`` or keys ``[T, B, V]`` of nothing in particular, the same each time."""
    generator = torch.Generator().manual_seed(0)
    _, symbols, _ = DOMAINS[domain]
    if domain == "text":
        return torch.randint(symbols, (length, batch), generator=generator)
    return (torch.rand(length, batch, symbols, generator=generator) < 0.04).float()


# ------------------------------------------------------------------------------------------------------- training step


def training_step(
    variant: str, domain: str, device: str, precision: str, *, length: int, batch: int, small: bool
) -> dict[str, Any]:
    """One optimiser step, forward, backward and fused AdamW, beside its matrix products by themselves.

    The floor is the time of the step's matrix products alone, forward and both of backward, in the same number format,
    each of them at once over all steps and sequences, as though no step waited for another.
    """
    model = sized_model(variant, domain, device, small=small).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    x = made_up(domain, length, batch).to(device)
    lengths = torch.full((batch,), length, device=device)
    generator = torch.Generator(device).manual_seed(0)
    dtype = _AUTOCAST[precision]

    def step() -> None:
        with torch.autocast(device, dtype, enabled=precision != "fp32"):
            elbo = model(x, lengths, 1, generator)
            loss = -elbo.value.sum() / (length * batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = seconds_of(step, device, repeats=1 if small else 10)
    products = _products(model, length * batch)
    floor = seconds_of(_multiply(products, dtype, device), device, repeats=3 if small else 10)
    return {
        "variant": variant,
        "domain": domain,
        "precision": precision,
        "batch": batch,
        "length": length,
        "ms_per_step": 1e3 * seconds,
        "sequences_per_second": batch / seconds,
        "floor_ms": 1e3 * floor,
        "gigaflop": 6e-9 * sum(count * rows * o * i for (rows, o, i), count in products.items()),
    }


def _products(model: SequenceModel, rows: int) -> Counter[tuple[int, int, int]]:
    """How often weights of each shape are multiplied: ``(rows, outputs, inputs)``, one posterior sample."""
    found: Counter[tuple[int, int, int]] = Counter()
    for part in model.modules():
        if isinstance(part, nn.LSTM):
            weights = [w for name, w in part.named_parameters() if name.startswith("weight")]
        elif isinstance(part, nn.Linear):
            weights = [part.weight]
        else:
            continue
        found.update((rows, w.shape[0], w.shape[1]) for w in weights)
    table = model.emission.embedding.weight  # the last linear layer of the output, too
    found[rows, table.shape[0], table.shape[1]] += 1
    return found


def _multiply(products: Counter[tuple[int, int, int]], dtype: torch.dtype, device: str) -> Callable[[], None]:
    operands = [
        (
            count,
            torch.randn(rows, inputs, device=device, dtype=dtype),
            torch.randn(outputs, inputs, device=device, dtype=dtype),
            torch.randn(rows, outputs, device=device, dtype=dtype),
        )
        for (rows, outputs, inputs), count in products.items()
    ]

    def run() -> None:
        for count, x, weight, gradient in operands:
            for _ in range(count):
                torch.mm(x, weight.T)
                torch.mm(gradient, weight)
                torch.mm(gradient.T, x)

    return run


# ------------------------------------------------------------------------------------------------------------ sampling


def sampling(
    variant: str, domain: str, engine: str, device: str, at: Limits, *, length: int, batch: int, small: bool
) -> dict[str, Any]:
    """Seeds in, symbols out on the device; a row of :class:`SamplingTime`, or why the engine cannot run here."""
    model = sized_model(variant, domain, device, small=small)
    if (reason := engines.why_not(engine, model)) is not None:
        return {"variant": variant, "domain": domain, "engine": engine, "why_not": reason}
    sampler: Any = engines.prepare(model, engine)
    steps = 0

    def draw() -> None:
        nonlocal steps
        generator = torch.Generator(device).manual_seed(length)
        steps = model.sample(batch, length, generator=generator, engine=sampler).dependent_steps

    seconds = seconds_of(draw, device, repeats=1 if small else 5)
    row = SamplingTime.of(
        model,
        seconds,
        at,
        name="rehearsal" if small else "paper",
        variant=variant,
        engine=engine,
        domain=domain,
        length=length,
        batch=batch,
        sequential_steps=steps,
    )
    return as_row(row)


# ----------------------------------------------------------------------------------------------------------- agreement


@torch.no_grad()
def agreement(variant: str, domain: str, device: str, *, length: int, batch: int, small: bool) -> dict[str, Any]:
    """The largest difference between the device and the CPU in float32, relative to ``1 + |value|``.

    The same weights, data and noise on both: the terms of the bound at every step, and for a flow the latents that the
    plain engine makes of the noise. ``rounding`` is how far the CPU's float32 is from its own float64: where that is
    large, too, the model amplifies rounding, and the device is not to blame.
    """
    x, lengths = made_up(domain, length, batch), torch.full((batch,), length)
    noise = torch.randn(2, 1, length, batch, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def numbers(where: str, dtype: torch.dtype) -> dict[str, Tensor]:
        model = sized_model(variant, domain, "cpu", small=small).to(where, dtype)
        here, steps = x.to(where), lengths.to(where)
        if variant == "lstm":
            found = {"likelihood": model(here, steps).log_px}
        else:
            size = model.config.latent_size
            eps, prior = noise[..., :size].to(where, dtype)
            elbo = model.elbo_at(here, steps, model.encode(here, steps), eps)
            found = {
                "reconstruction": elbo.log_px,
                "KL": elbo.kl,
                # Of the engine itself: a sample with NaN would be refused, and here it is a difference.
                "z": engines.prepare(model, "eager").push(prior[0], steps, model.positions(steps, length)).z,
            }
        return {name: value.double().cpu() for name, value in found.items()}

    reference, exact = numbers("cpu", torch.float32), numbers("cpu", torch.float64)
    found = numbers(device, torch.float32)

    def furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, float]:
        return {name: float(((one[name] - other[name]) / (1 + other[name].abs())).abs().max()) for name in one}

    differences, rounding = furthest(found, reference), furthest(reference, exact)
    return {
        "variant": variant,
        "domain": domain,
        "differences": differences,
        "rounding": rounding,
        "agrees": all(math.isfinite(value) and value <= 1e-4 for value in differences.values()),
    }
