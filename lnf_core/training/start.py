"""Before the first step: does the run fit its data and its folder, and which weights does it begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lnf_core.data import Dataset
from lnf_core.errors import TrainingError
from lnf_core.model import SequenceModel
from lnf_core.training.config import TrainConfig
from lnf_core.training.state import SavedState, load_state, state_path


def check_fit(config: TrainConfig, dataset: Dataset) -> None:
    """Refuse data the configuration was not made for.

    Raises:
        TrainingError: another data set, other sizes, or an empty split.
    """
    if config.dataset != dataset.name:
        raise TrainingError(f"the configuration is for {config.dataset!r}, the data given is {dataset.name!r}.")
    for name in ("vocab_size", "max_length", "likelihood"):
        given, wanted = getattr(config.model, name), getattr(dataset, name)
        if given != wanted:
            raise TrainingError(f"the model does not fit {dataset.name}: {name} is {given} and should be {wanted}.")
    if not dataset.train or not dataset.valid:
        raise TrainingError(f"{dataset.name} needs at least one sequence to train on and one to validate on.")


def find_saved(out: Path, config: TrainConfig, dataset: Dataset, *, resume: bool) -> SavedState | None:
    """The state to go on from; None for a run that starts at the beginning.

    Raises:
        TrainingError: ``out`` holds a run and ``resume`` was not asked for, or it is not the same run.
    """
    path = state_path(out)
    if not path.exists():
        return None
    if not resume:
        raise TrainingError(f"{out} already holds a run; go on with it (--resume) or choose another folder.")
    saved = load_state(path)
    if saved.config.preset != config.preset:
        raise TrainingError(
            f"{out} holds a run of {saved.config.preset}, not of {config.preset}; resume that one or choose another "
            "folder."
        )
    changed = saved.config.differences(config)
    if changed:
        said = ", ".join(f"{name} was {before} and is now {now}" for name, (before, now) in changed.items())
        raise TrainingError(f"the run in {out} cannot go on with other settings: {said}.")
    if saved.data_sums != dataset.sha256:
        raise TrainingError(f"the run in {out} was trained on other files of {dataset.name}; start anew.")
    return saved


def take_up(model: SequenceModel, name: str) -> dict[str, Any]:
    """Give ``model`` the weights of the checkpoint ``name``; returns how those were trained.

    Raises:
        CheckpointError: it cannot be loaded.
        TrainingError: it is of another network.
    """
    from lnf_core.checkpoint import load

    start = load(name)
    if start.model.config != model.config:
        raise TrainingError(
            f"{name} has other sizes than this run's network; start from a checkpoint of the same preset, "
            "or give its sizes with --set model.<field>=..."
        )
    model.load_state_dict(start.model.state_dict())
    earlier = {key: value for key, value in start.training.items() if key not in ("config", "data_sums")}
    return {"checkpoint": name, **earlier}
