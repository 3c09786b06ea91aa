"""The four steps. Each knows when to stop, keeps its state in one folder and leaves small results in another."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.gpu.parts import split
from benchmarks.parity import CASES, differences
from lnf_core import engines
from lnf_core.benchmark import PAPER_VARIANTS, machine, median_seconds, paper_config
from lnf_core.config import VARIANTS, LatentFlowConfig
from lnf_core.models.build import build_model
from lnf_core.models.latent_flow import LatentFlow

ROOT = Path(__file__).resolve().parents[2]
_SMALL = ("model.hidden_size=8", "model.embedding_size=8", "model.flow_hidden=8", "model.latent_size=4")
"""Sizes of a rehearsal, as ``train --set`` takes them."""


@dataclass(frozen=True)
class Call:
    """One call of one step."""

    out: Path
    """What comes back: JSON and pieces of weights."""
    work: Path
    """What stays on the machine between calls: states of training."""
    device: str
    seconds: float
    """What the step may take, by its own clock."""
    small: bool
    """A rehearsal: every part, at sizes a processor does in seconds."""

    def write(self, name: str, values: dict[str, Any]) -> None:
        """Keep a result as ``<name>.json``, with what it was measured on."""
        self.out.mkdir(parents=True, exist_ok=True)
        whole = {"measured_on": where(self.device), "small": self.small, **values}
        (self.out / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def where(device: str) -> dict[str, Any]:
    """The machine, and its GPU where the device is one."""
    found: dict[str, Any] = {"device": device, **machine()}
    if device == "cuda":
        driver = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
        )
        found |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "driver": driver.stdout.strip()}
    return found


def wait_for(device: str) -> None:
    """Until the device has done all it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


# 1. Is it right there ------------------------------------------------------------------------------------------------


def check(call: Call) -> None:
    """The CUDA tests, parity with the reference, and the same numbers as on the CPU."""
    call.write("check", {"tests": _tests(call), "parity": _parity(call.device), "agreement": agreement(call.device)})


def _tests(call: Call) -> str:
    if importlib.util.find_spec("pytest") is None:
        return "pytest is not installed here"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", "tests/core"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=call.seconds)
    lines = done.stdout.strip().splitlines()
    return lines[-1] if lines else f"nothing was run (exit status {done.returncode})"


def _parity(device: str) -> dict[str, float]:
    return {path.stem: max(differences(path, device)[0].values()) for path in sorted(CASES.glob("*.safetensors"))}


def agreement(device: str) -> dict[str, float]:
    """Largest absolute difference between the CPU and ``device``, float32 without TF32, for each variant.

    Over posterior means, ``log p(z)``, ``log p(x | z)`` in nats a step, and z sampled from the same noise.
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    found = {}
    for name, (time_flow, dimension_flow) in VARIANTS.items():
        layers = 1 if dimension_flow == "diagonal" else 3
        sizes = {"embedding_size": 24, "hidden_size": 32, "latent_size": 8, "flow_hidden": 24, "flow_layers": layers}
        config = LatentFlowConfig(
            vocab_size=12, likelihood="categorical", max_length=24, time_flow=time_flow, dimension_flow=dimension_flow,
            dropout=0.0, **sizes,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build_model(config, torch.ones(25)).eval()
        assert isinstance(model, LatentFlow)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(1)
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
            x, noise = torch.randint(12, (24, 4)), torch.randn(24, 4, 8)
        lengths = torch.tensor([24, 17, 9, 24])
        there = build_model(config, torch.ones(25)).to(device).eval()
        there.load_state_dict(model.state_dict())
        assert isinstance(there, LatentFlow)
        pairs = zip(_numbers(model, x, noise, lengths), _numbers(there, x, noise, lengths), strict=True)
        found[name] = max(float((here - away.cpu()).abs().max()) for here, away in pairs)
    return found


@torch.no_grad()
def _numbers(model: LatentFlow, x: torch.Tensor, noise: torch.Tensor, lengths: torch.Tensor) -> list[torch.Tensor]:
    x, noise, lengths = (value.to(model.device) for value in (x, noise, lengths))
    z = model.encode(x, lengths).mean
    sampled = model.from_noise(noise, lengths, argmax=True, engine="eager").z
    assert sampled is not None
    return [z, model.log_prior(z, lengths), model.log_emission(x, z, lengths), sampled]


# 2 and 3. Training ---------------------------------------------------------------------------------------------------

TEXT = ("paper/ptb/af-scf", "paper/ptb/af-af", "paper/ptb/lstm")
MUSIC = ("paper/jsb/af-scf", "paper/nottingham/af-scf", "paper/nottingham/af-af", "paper/piano-midi/af-scf")


def text(call: Call) -> None:
    """Penn Treebank, several models side by side on one card."""
    train(call, "text", TEXT)


def music(call: Call) -> None:
    """The music sets likewise."""
    train(call, "music", MUSIC)


def train(call: Call, name: str, presets: tuple[str, ...]) -> None:
    """Train ``presets`` side by side until the time is up, going on from their states; then pack their best weights.

    Weights come back in float16, in pieces, and with them what was validated; the states stay in ``work``.
    """
    began = time.monotonic()
    running = {preset: _start(call, preset) for preset in presets}
    while time.monotonic() - began < call.seconds and any(run.poll() is None for run in running.values()):
        time.sleep(0.2)
    for run in running.values():
        if run.poll() is None:
            run.send_signal(signal.SIGINT)  # the state is saved within the next step
    results = {}
    for preset, run in running.items():
        said, _ = run.communicate(timeout=120)
        lines = said.strip().splitlines()
        best = _folder(call, preset) / "best"
        results[preset] = {"last": lines[-1] if lines else "", "status": run.returncode, "packed": best.is_dir()}
        if best.is_dir():
            made = call.work / "packed" / preset.replace("/", "-")
            command = [
                sys.executable,
                "-m",
                "lnf_core",
                "release",
                str(best),
                str(made),
                "--dtype",
                "float16",
                "--force",
            ]
            subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
            for file in (made / "model.safetensors", made / "config.json"):
                renamed = file.rename(file.with_name(f"{made.name}.{file.name}"))
                split(renamed, call.out)
                renamed.unlink()
    call.write(name, {"runs": results, "rates": [*rates(call)] if name == "text" else []})


def _folder(call: Call, preset: str) -> Path:
    return call.work / preset.replace("/", "-")


def _start(call: Call, preset: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lnf_core", "train", "--preset", preset, "--out", str(_folder(call, preset))]
    command += ["--device", call.device, "--resume"]
    settings = ["checkpoint_minutes=2"]
    if call.small:
        settings += ["max_steps=3", "valid_every=2", "valid_batches=1", "batch_size=2", "precision=fp32"]
        settings += ["kl_floor=1.0", "kl_ramp_epochs=0", "kl_zero_epochs=0"]
        settings += [one for one in _SMALL if "lstm" not in preset or ("flow" not in one and "latent" not in one)]
    else:
        settings.append("precision=bf16")
    command += [part for setting in settings for part in ("--set", setting)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def rates(call: Call) -> Iterator[dict[str, Any]]:
    """Training steps of the paper's sizes on text, beside the floor: the step's LSTMs alone, forward and backward."""
    length, batch, repeats = (6, 2, 1) if call.small else (128, 32, 20)
    for variant in PAPER_VARIANTS:
        if variant == "lstm":
            continue
        model = build_model(paper_config(variant, "text"), torch.ones(289)).to(call.device).train()
        assert isinstance(model, LatentFlow)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        x = torch.randint(model.config.vocab_size, (length, batch), device=call.device)
        lengths = torch.full((batch,), length, device=call.device)
        precision = torch.float32 if call.device == "cpu" else torch.bfloat16

        def step(
            model: LatentFlow = model, optimizer: torch.optim.Optimizer = optimizer, x: torch.Tensor = x,
            lengths: torch.Tensor = lengths, precision: torch.dtype = precision,
        ) -> None:  # fmt: skip
            with torch.autocast(call.device, dtype=precision, enabled=precision != torch.float32):
                terms = model(x, lengths)
                loss = (terms.kl - terms.log_px).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            wait_for(call.device)

        seconds = median_seconds(step, repeats)
        floor = median_seconds(_lstms(model, length, batch, call.device, precision), repeats)
        yield {
            "variant": variant,
            "length": length,
            "batch": batch,
            "precision": str(precision).removeprefix("torch."),
            "sequences_a_second": round(batch / seconds, 2),
            "times_the_floor": round(seconds / floor, 2),
        }


def _lstms(model: nn.Module, length: int, batch: int, device: str, precision: torch.dtype) -> Callable[[], None]:
    """Every LSTM of a model once, on noise, forward and backward."""
    found = [part for part in model.modules() if isinstance(part, nn.LSTM)]
    inputs = [torch.randn(length, batch, lstm.input_size, device=device, requires_grad=True) for lstm in found]

    def call() -> None:
        with torch.autocast(device, dtype=precision, enabled=precision != torch.float32):
            total = sum(lstm(value)[0].float().sum() for lstm, value in zip(found, inputs, strict=True))
        assert isinstance(total, torch.Tensor)
        total.backward()
        wait_for(device)

    return call


# 4. Sampling ---------------------------------------------------------------------------------------------------------


def sampling(call: Call, variants: tuple[str, ...] = PAPER_VARIANTS) -> None:
    """Every engine that can run there at the paper's sizes: milliseconds for a batch, and dependent steps."""
    length, batches, repeats = (6, (1, 2), 1) if call.small else (288, (1, 32, 512), 3)
    began, rows = time.monotonic(), []
    for variant in variants:
        model = build_model(paper_config(variant, "text"), torch.ones(289)).to(call.device).eval()
        for engine in engines.ENGINES[1:]:
            if (reason := engines.why_not(engine, model)) is not None:
                rows.append({"variant": variant, "engine": engine, "why_not": reason})
                continue
            sampler: Any = engines.prepare(model, engine)
            for batch in batches:
                if time.monotonic() - began > call.seconds:
                    rows.append({"variant": variant, "engine": engine, "batch": batch, "why_not": "the time was up"})
                    continue
                steps = 0

                def draw(model: Any = model, sampler: Any = sampler, batch: int = batch) -> None:  # noqa: ANN401
                    nonlocal steps
                    generator = torch.Generator(call.device).manual_seed(1)
                    steps = model.sample(batch, length, generator=generator, engine=sampler).dependent_steps
                    wait_for(call.device)

                seconds = median_seconds(draw, repeats)
                row = {"variant": variant, "engine": engine, "batch": batch, "ms": round(1e3 * seconds, 2)}
                rows.append(row | {"dependent_steps": steps})
    call.write("sampling", {"length": length, "rows": rows})


STEPS: dict[str, Callable[[Call], None]] = {"check": check, "text": text, "music": music, "sampling": sampling}
"""In the order they are fired."""
