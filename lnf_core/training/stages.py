"""The run of a recipe, which can be stopped and gone on with at any time.

Each stage is a run of its own in ``OUT/<number>-<name>``, with its own schedule; a file ``done`` there says that it
needs no more training.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lnf_core.data import Dataset
from lnf_core.errors import ConfigError, TrainingError
from lnf_core.storage.bundled import bundled
from lnf_core.storage.files import from_home
from lnf_core.training.checkpoints import BEST_FOLDER
from lnf_core.training.config import TrainConfig
from lnf_core.training.events import Callback, FinishedEvent
from lnf_core.training.presets import preset
from lnf_core.training.recipe import Recipe
from lnf_core.training.state import SavedState, read_state
from lnf_core.training.trainer import Trainer

DONE = "done"


@dataclass(frozen=True)
class StagePlan:
    """What is to be done for one stage, as the folder of the run stands."""

    folder: Path
    config: TrainConfig
    """Its settings, with the weights it begins with, or began with, as ``start_from``."""
    saved: SavedState | None
    """How far it is; None where it begins."""
    done: bool
    """It needs no more training."""


def run_recipe(
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    *,
    device: str = "auto",
    minutes: float = 0.0,
    callbacks: Iterable[Callback] = (),
) -> FinishedEvent | None:
    """Run the stages that are not done yet, for at most ``minutes`` of training from now on (0: no limit).

    Returns the end of the last stage that ran; None when all were done before. Who asks to stop while a stage ends by
    itself is heard as well: the reason is ``interrupted``, and the next call goes on with the stage after it.

    Raises:
        ConfigError: a setting that does not exist, or a value out of range.
        TrainingError: a stage cannot start or go on, or was done with other settings, or the run began with a released
            checkpoint and this recipe begins with none.
    """
    # A mistake in a later stage is told before hours of the earlier ones.
    settings = [_settings(recipe, dataset, number) for number in range(len(recipe.stages))]
    finished: FinishedEvent | None = None
    left, out = minutes, from_home(out)
    first, last = first_stage(recipe, out), len(recipe.stages) - 1
    for number in range(first, last + 1):
        stage = plan_stage(recipe, dataset, out, number)
        if number == first:
            _check_beginning(recipe, stage, first, settings[first].start_from)
        if stage.done:
            if stage.saved is not None:
                stage.saved.check_goes_on(stage.folder, stage.config, dataset)
            continue
        if number and not stage.config.start_from:
            gone = stage_folder(recipe, out, number - 1) / BEST_FOLDER
            raise TrainingError(
                f"{stage.folder} goes on from {gone}, which is gone; give another folder to start anew."
            )
        spent = stage.saved.minutes if stage.saved is not None else 0.0
        config = stage.config.override([f"max_minutes={spent + left if minutes else 0}"])
        trainer = Trainer(config, dataset, stage.folder, device=device, resume=True, callbacks=callbacks)
        finished = trainer.run()
        if finished.reason not in ("completed", "early_stop"):
            return finished
        (stage.folder / DONE).touch()
        if trainer.asked_to_stop() and number < last:
            return replace(finished, reason="interrupted")
        left -= finished.minutes - spent
        if minutes and left <= 0:
            return finished
    return finished


def _check_beginning(recipe: Recipe, stage: StagePlan, first: int, start_from: str) -> None:
    """A recipe that trains every stage cannot go on with a run that left some out: their figures are the release's."""
    began = stage.saved.config.start_from if stage.saved is not None else ""
    if first and not recipe.released and not start_from and not Path(began).is_absolute():
        raise TrainingError(
            f"the run in {stage.folder.parent} began with stage {first + 1}, from {began or 'a released checkpoint'}; "
            "choose another folder to train every stage."
        )


def first_stage(recipe: Recipe, out: Path) -> int:
    """The stage, counted from 0, that a run in ``out`` begins or began with."""
    return recipe.released_stage - 1 if begins_released(recipe, out) else next(iter(_begun(recipe, out)), 0)


def begins_released(recipe: Recipe, out: Path) -> bool:
    """Whether a run in ``out`` is new and goes on from the released checkpoint."""
    return bool(recipe.released) and not _begun(recipe, out) and bundled(recipe.released) is not None


def _begun(recipe: Recipe, out: Path) -> list[int]:
    """The stages that have a folder: not the first ones where the run began with what was released then."""
    return [number for number in range(len(recipe.stages)) if stage_folder(recipe, out, number).exists()]


def plan_stage(recipe: Recipe, dataset: Dataset, out: Path, number: int) -> StagePlan:
    """The plan of stage ``number``, counted from 0; those before it have been run.

    Raises:
        ConfigError: a setting that does not exist, or a value out of range.
        TrainingError: the stage has a state that cannot be read.
    """
    folder = stage_folder(recipe, out, number)
    config = _settings(recipe, dataset, number)
    saved = read_state(folder)
    earlier = (stage_folder(recipe, out, number - 1) / BEST_FOLDER).resolve() if number else None
    start_from = config.start_from
    if saved is not None:  # the run may have been moved since, or the stage before be gone
        start_from = saved.config.start_from
    elif not start_from and earlier is not None and earlier.is_dir():
        start_from = str(earlier)
    elif not start_from and recipe.released and number == recipe.released_stage - 1:
        start_from = recipe.released
    return StagePlan(folder, replace(config, start_from=start_from), saved, done=(folder / DONE).exists())


def _settings(recipe: Recipe, dataset: Dataset, number: int) -> TrainConfig:
    stage = recipe.stages[number]
    try:
        return preset(recipe.preset, dataset).override(stage.assignments)
    except ConfigError as error:
        raise ConfigError(f"stage {stage.name}: {error}") from error


def stage_folder(recipe: Recipe, out: Path, number: int) -> Path:
    """Where stage ``number``, counted from 0, runs."""
    return out / f"{number + 1}-{recipe.stages[number].name}"
