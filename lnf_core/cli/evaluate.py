"""``evaluate``: the figures of a checkpoint on a split, by the evaluation protocol."""

from __future__ import annotations

import json
import shlex
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import (
    MAX_SEED,
    CheckpointName,
    Device,
    Json,
    Revision,
    Threads,
    print_json,
    provenance,
    resolve_device,
)
from lnf_core.errors import CheckpointError, LNFError
from lnf_core.storage.metrics import TRAINING_FACTS

if TYPE_CHECKING:
    from lnf_core.data import Dataset
    from lnf_core.storage.bundle import Checkpoint


class Split(StrEnum):
    """The splits a figure may be reported on."""

    valid = "valid"
    test = "test"


class Precision(StrEnum):
    """What the matrix products of an evaluation run in; everything else is float32 or better."""

    fp32 = "fp32"
    bf16 = "bf16"


def evaluate(
    checkpoint: CheckpointName,
    split: Annotated[Split, typer.Option(help="Select on valid; test is for released models, once.")] = Split.valid,
    samples: Annotated[
        int | None, typer.Option(help="Importance samples K; by default the paper's (30, or 4 for long pieces).")
    ] = None,
    as_json: Json = False,
    write: Annotated[bool, typer.Option("--write", help="Keep the figures in the checkpoint's metrics.json.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace test figures that are already there.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the posterior draws.")] = 0,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences encoded together.")] = 16,
    precision: Annotated[
        Precision, typer.Option(help="bf16 halves the time of a long evaluation; metrics.json says which was used.")
    ] = Precision.fp32,
    device: Device = "auto",
    threads: Threads = 0,
    revision: Revision = None,
) -> None:
    """Measure a checkpoint on the valid or test split: NLL, ELBO and its parts, in nats (and bits for text)."""
    import torch

    from lnf_core.data import load_dataset
    from lnf_core.evaluation import evaluate as measure
    from lnf_core.evaluation import probe, protocol_samples, sequences_for
    from lnf_core.storage.bundle import check_keeps_figures, keep_figures
    from lnf_core.storage.find import load
    from lnf_core.training.runtime import check_bfloat16

    loaded = load(checkpoint, revision=revision, device=resolve_device(device, threads))
    if write:
        check_keeps_figures(loaded)
    if write and split is Split.test and "test" in loaded.metrics and not force:
        raise CheckpointError(
            f"{checkpoint} already has test figures; test is evaluated once for a released checkpoint "
            "(--force replaces them)."
        )
    dataset = load_dataset(loaded.dataset)
    where = loaded.model.device
    if precision is Precision.bf16:
        check_bfloat16(where.type)
    started = time.perf_counter()
    with torch.autocast(where.type, torch.bfloat16, enabled=precision is Precision.bf16):
        evaluation = measure(
            loaded.model,
            sequences_for(loaded, dataset, split.value),
            domain=loaded.domain,
            samples=protocol_samples(loaded) if samples is None else samples,
            batch_size=batch_size,
            generator=torch.Generator(where).manual_seed(seed),
            progress=_progress(),
        )
    seconds = time.perf_counter() - started
    figures = evaluation.to_dict()
    result = {
        "checkpoint": checkpoint,
        "dataset": loaded.dataset,
        "variant": loaded.variant,
        "split": split.value,
        **figures,
    }
    if as_json:
        print_json(result)
    else:
        lines = (f"{key:>15}  {_said(key, value)}" for key, value in result.items() if value is not None)
        typer.echo("\n".join(lines))
    if write:  # after they are printed: a folder that cannot be written costs no figures
        circumstances = {
            "seed": seed,
            "batch_size": batch_size,
            "precision": precision.value,
            "device": str(where),
            "seconds": round(seconds, 1),
        }
        measured = {split.value: {**figures, **circumstances, **provenance()}, "probe": probe(loaded.model.cpu())}
        keep_figures(loaded, {**measured, **_about(loaded, dataset)})


def _progress() -> Any:  # noqa: ANN401 - a callback around an untyped progress bar
    from tqdm import tqdm

    bar = tqdm(unit="sequence", leave=False, disable=None)  # None: only where a person is watching

    def advance(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return advance


def _about(checkpoint: Checkpoint, dataset: Dataset) -> dict[str, Any]:
    """Where model and data come from."""
    training = checkpoint.training
    about: dict[str, Any] = {
        "parameters": sum(parameter.numel() for parameter in checkpoint.model.parameters()),
        "data_sha256": dataset.sha256,
        **{key: training[key] for key in TRAINING_FACTS if key in training},
    }
    if "command" not in about and (command := _training_command(training, dataset)):
        about["command"] = command
    return about


def _training_command(training: dict[str, Any], dataset: Dataset) -> str | None:
    """The command that repeats the run: its preset, with every setting that differs from it."""
    from lnf_core.training import TrainConfig, preset

    try:
        used = TrainConfig.from_dict(training["config"])
        changed = used.differences(preset(used.preset, dataset))
    except (KeyError, LNFError):
        return None  # imported, or trained by something else
    settings = [
        f"--set={key}={value if isinstance(value, str) else json.dumps(value)}" for key, (value, _) in changed.items()
    ]
    out = f"runs/{used.preset.replace('/', '-')}"
    return shlex.join(["python", "-m", "lnf_core", "train", "--preset", used.preset, "--out", out, *settings])


def _said(key: str, value: object) -> str:
    unit = {"nll_per_step": "nats / T", "bpc": "bits / (T + 1)"}.get(key, "nats / (T + 1)")
    return f"{value:.4f} {unit}" if isinstance(value, float) else str(value)
