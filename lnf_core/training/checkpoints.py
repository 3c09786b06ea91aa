"""A run's checkpoints: the one it starts from, and the one it leaves behind with its best averaged weights."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lnf_core.data import Dataset
from lnf_core.errors import TrainingError
from lnf_core.storage.bundle import save_checkpoint
from lnf_core.storage.find import load
from lnf_core.training.config import TrainConfig
from lnf_core.training.state import Counters

if TYPE_CHECKING:
    from accelerate import Accelerator

    from lnf_core.models.build import SequenceModel

BEST_FOLDER = "best"
_STAGE = re.compile(r"\d+-[a-z0-9-]+")


def describe(
    config: TrainConfig,
    dataset: Dataset,
    progress: Counters,
    accelerator: Accelerator,
    *,
    steps_per_epoch: int,
    minutes: float,
    code_version: str,
) -> dict[str, Any]:
    """How the weights of this moment were trained, as plain values for ``config.json``."""
    description = {
        "preset": config.preset,
        "epochs": round(progress.step / steps_per_epoch, 2),
        "steps": progress.step,
        "minutes": round(minutes, 2),
        "valid_negative_elbo": progress.kept_negative_elbo,
        "device": accelerator.device.type,
        "precision": "bf16" if accelerator.mixed_precision == "bf16" else "fp32",
        "processes": accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "code_version": code_version,
        "data_sums": dict(dataset.sha256),
        "config": config.to_dict() | {"start_from": published(config.start_from)},
    }
    return description | ({"started_from": progress.started_from} if progress.started_from else {})


def published(name: str) -> str:
    """The name of a checkpoint without the folders of this machine, which are nobody's business.

    What lies below a folder ``runs`` stays; elsewhere only the folder itself does, and that of its stage.
    """
    path = Path(name)
    if not path.is_absolute():
        return name
    below = path.parts[len(path.parts) - path.parts[::-1].index("runs") :] if "runs" in path.parts else ()
    if not below:
        below = path.parts[-2:] if _STAGE.fullmatch(path.parent.name) else (path.name,)
    return Path("runs", *below).as_posix()


def save_best(out: Path, model: SequenceModel, dataset: Dataset, description: dict[str, Any]) -> None:
    """Write the checkpoint ``out/best`` with the weights ``model`` holds now.

    Raises:
        CheckpointError: weights that are not finite, or a folder that cannot be written.
    """
    save_checkpoint(out / BEST_FOLDER, model, dataset=dataset.name, vocabulary=dataset.vocabulary, training=description)


def take_up(model: SequenceModel, name: str, dataset: Dataset) -> dict[str, Any]:
    """Give ``model`` the weights of the checkpoint ``name``; returns how those were trained.

    p(T) stays that of ``dataset``: it is counted, not trained.

    Raises:
        CheckpointError: it cannot be loaded.
        TrainingError: it is of another network, or of a text model with other symbols.
    """
    start = load(name)
    # Dropout is no size: a later stage may well want more of it.
    if replace(start.model.config, dropout=model.config.dropout) != model.config:
        raise TrainingError(
            f"{name} has other sizes than this run's network; start from a checkpoint of the same preset, "
            "or give its sizes with --set model.<field>=..."
        )
    if start.vocabulary != dataset.vocabulary:
        raise TrainingError(
            f"{name} was trained on other symbols than those of {dataset.name}, or on the same in another order; "
            "start from a checkpoint of this data set."
        )
    counted = {f"length_prior.{key}": value for key, value in model.length_prior.state_dict().items()}
    model.load_state_dict(start.model.state_dict() | counted)
    earlier = {key: value for key, value in start.training.items() if key not in ("config", "data_sums")}
    return {"checkpoint": published(name), **earlier}
