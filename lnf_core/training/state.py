"""The state of a run on disk: one file, replaced in one step, that a killed run resumes from.

Weights, averaged weights and the optimiser's moments are safetensors; counters and configuration are JSON in the
file's header. No generator is saved: every random number follows from (seed, step).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from lnf_core.atomic import replace
from lnf_core.data import Dataset
from lnf_core.errors import ConfigError, TrainingError, reason_of
from lnf_core.training.config import TrainConfig
from lnf_core.training.ema import WeightAverage

STATE_VERSION = 2


def no_folder(out: Path, error: OSError) -> TrainingError:
    """What to raise where ``out`` cannot be the folder of a run."""
    return TrainingError(f"{out} cannot be the folder of a run: {reason_of(error)}; choose another.")


def state_path(out: Path) -> Path:
    """Where a run in ``out`` keeps its state."""
    return out / "state" / "state.safetensors"


def state_stamp(out: Path) -> tuple[int, int] | None:
    """What changes whenever a state is saved in ``out``; None while there is none.

    Raises:
        TrainingError: ``out`` may not be looked into.
    """
    try:
        stat = state_path(out).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise no_folder(out, error) from error
    return stat.st_mtime_ns, stat.st_size


@dataclass
class Counters:
    """How far a run is: all that changes besides tensors."""

    step: int = 0
    """Optimiser steps done."""
    seconds: float = 0.0
    """Training time, earlier parts of a resumed run included."""
    ramp_start: int | None = None
    """Step at which the KL ramp began."""
    running_reconstruction: float | None = None
    """Running average of the training reconstruction, nats a step."""
    learning_rate_scale: float = 1.0
    """Quartered at each stall."""
    best_negative_elbo: float | None = None
    """Of the validations that count: those of a run that is never out of time."""
    best_step: int | None = None
    kept_negative_elbo: float | None = None
    """Of the weights in ``best/``, which may also be those of a moment when time was up: it counts for nothing else."""
    kept_step: int | None = None
    since_best: int = 0
    """Validations since the best one."""
    since_cut: int = 0
    """Validations since the best one or since the learning rate was last cut."""
    started_from: dict[str, Any] | None = None
    """The checkpoint whose weights the run began with and how it was trained; None for fresh weights."""

    def __post_init__(self) -> None:
        if self.kept_step is None:  # a state from before the two were told apart
            self.kept_negative_elbo, self.kept_step = self.best_negative_elbo, self.best_step

    def count_validation(self, negative_elbo: float, stall_patience: int) -> None:
        """Take note of a validation that may be selected.

        After ``stall_patience`` validations in a row that are not the best so far (0: never), the learning rate is
        quartered.
        """
        if self.best_negative_elbo is None or negative_elbo < self.best_negative_elbo:
            self.best_negative_elbo, self.best_step = negative_elbo, self.step
            self.since_best = self.since_cut = 0
            return
        self.since_best += 1
        self.since_cut += 1
        if 0 < stall_patience <= self.since_cut:
            self.learning_rate_scale /= 4.0
            self.since_cut = 0


@dataclass(frozen=True)
class SavedState:
    """What a state file says of its run; the tensors beside it are read by :func:`restore` alone."""

    config: TrainConfig
    progress: Counters
    ema_updates: int
    data_sums: dict[str, str]

    @property
    def minutes(self) -> float:
        """Training time so far."""
        return self.progress.seconds / 60

    def check_goes_on(self, out: Path, config: TrainConfig, dataset: Dataset) -> None:
        """Refuse to go on with the run in ``out``, whose state this is, as another one.

        Raises:
            TrainingError: it is of another preset, has other settings or was trained on other data.
        """
        if self.config.preset != config.preset:
            raise TrainingError(
                f"{out} holds a run of {self.config.preset}, not of {config.preset}; resume that one or choose another "
                "folder."
            )
        changed = self.config.differences(config)
        if changed:
            said = ", ".join(f"{name} was {before} and is now {now}" for name, (before, now) in changed.items())
            raise TrainingError(f"the run in {out} cannot go on with other settings: {said}.")
        if self.data_sums != dataset.sha256:
            raise TrainingError(f"the run in {out} was trained on other files of {dataset.name}; start anew.")


def save_state(
    out: Path,
    *,
    config: TrainConfig,
    progress: Counters,
    data_sums: Mapping[str, str],
    model: nn.Module,
    average: WeightAverage,
    optimizer: Optimizer,
) -> None:
    """Write the state of the run in ``out``, replacing an older one in one step.

    Raises:
        TrainingError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        tensors[f"model/{name}"] = parameter
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer/{name}/{key}"] = value
    tensors |= {f"average/{name}": value for name, value in average.values.items()}
    header = {
        "version": STATE_VERSION,
        "config": config.to_dict(),
        "progress": asdict(progress),
        "ema_updates": average.updates,
        "data_sums": dict(data_sums),
    }
    # Copies: on CUDA the weights of one LSTM share memory, which safetensors refuses.
    content = save(
        {name: value.detach().cpu().clone() for name, value in tensors.items()}, {"lnf_core": json.dumps(header)}
    )
    path = state_path(out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
    except OSError as error:
        raise TrainingError(f"cannot write the training state {path}: {reason_of(error)}.") from error


def read_state(out: Path) -> SavedState | None:
    """What the state in ``out`` says, read without its tensors; None where there is none.

    Raises:
        TrainingError: damaged, foreign, of another format, or ``out`` may not be looked into.
    """
    if state_stamp(out) is None:
        return None
    path = state_path(out)
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {})["lnf_core"])
        if header["version"] != STATE_VERSION:
            age = "a newer" if header["version"] > STATE_VERSION else "an older"
            raise TrainingError(f"{path} was written by {age} lnf_core; resume with that one, or start anew.")
        return SavedState(
            config=TrainConfig.from_dict(header["config"]),
            progress=Counters(**header["progress"]),
            ema_updates=header["ema_updates"],
            data_sums=header["data_sums"],
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, ConfigError) as error:
        raise _not_resumable(path, error) from error


def _not_resumable(path: Path, error: Exception) -> TrainingError:
    return TrainingError(f"{path} is no training state that can be resumed ({error}); start anew.")


def restore(out: Path, saved: SavedState, *, model: nn.Module, average: WeightAverage, optimizer: Optimizer) -> None:
    """Put the tensors of the state in ``out`` into a fresh model, average and optimiser.

    Raises:
        TrainingError: they cannot be read, or are those of another model.
    """
    path = state_path(out)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _not_resumable(path, error) from error
    optimizer.zero_grad()
    try:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[f"model/{name}"])
                prefix = f"optimizer/{name}/"
                optimizer.state[parameter] = {
                    key.removeprefix(prefix): value.to(parameter.device)
                    for key, value in tensors.items()
                    if key.startswith(prefix)
                }
        average.load({key.removeprefix("average/"): value for key, value in tensors.items()}, saved.ema_updates)
    except (KeyError, RuntimeError) as error:
        raise TrainingError(f"the saved state does not fit the model ({error}); start anew.") from error
