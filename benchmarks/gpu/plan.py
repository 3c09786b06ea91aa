"""What steps 2 and 3 train: recipes at other sizes, written out as recipes of their own."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.gpu.parcels import ROOT
from benchmarks.gpu.record import PlanError
from lnf_core.training.recipe import Recipe, Stage, read_recipe

PLAN = Path(__file__).with_name("plan.toml")


@dataclass(frozen=True)
class Run:
    """One model of the plan."""

    step: str
    """``2-ptb`` or ``3-music``."""
    name: str
    """``ptb/af-scf``: the folder of its run."""
    recipe: Recipe
    figures_only: bool = False
    """Its weights stay on the machine: the data restricts redistribution."""


def read_plan(path: Path = PLAN, *, small: bool = False) -> list[Run]:
    """The runs of a plan file, their recipes with the plan's settings added to every stage.

    Raises:
        PlanError: the file is no plan.
        ConfigError: it names a recipe that cannot be read.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return [_run(run, values, small) for run in values["run"]]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise PlanError(f"{path} is no plan of [[run]] entries with step, recipe and sizes ({error!r}).") from error


def _run(values: dict[str, Any], plan: dict[str, Any], small: bool) -> Run:
    source = ROOT / "recipes" / values["recipe"]
    recipe = read_recipe(source)
    sizes = values.get("sizes")
    shared = (plan["sizes"][sizes] if sizes else {}) | values.get("settings", {})
    epochs: dict[str, int] = values.get("epochs", {})
    stages = {stage.name for stage in recipe.stages}
    if unknown := sorted(set(epochs) - stages):
        raise PlanError(f"the plan gives epochs to {', '.join(unknown)}, but {source} has {', '.join(sorted(stages))}.")
    if small:
        shared |= plan["rehearsal"]["sizes"] | plan["rehearsal"]["all"]

    def changed(stage: Stage) -> Stage:
        longer = {"max_epochs": epochs[stage.name]} if stage.name in epochs else {}
        return replace(stage, assignments=(*stage.assignments, *_assignments(shared | longer)))

    planned = replace(recipe, stages=tuple(changed(stage) for stage in recipe.stages))
    if sizes or small:  # the released weights are of other sizes: such a run begins at its first stage
        planned = Recipe(planned.preset, planned.stages)
    return Run(values["step"], f"{source.parent.name}/{source.stem}", planned, values.get("figures_only", False))


def _assignments(settings: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in settings.items())


def starting_from(recipe: Recipe, stage: int, weights: Path) -> Recipe:
    """The recipe with its stage ``stage``, counted from 0, beginning with the checkpoint ``weights``.

    And with nothing that was released, which would come before it where that is the stage to go on from.
    """
    stages = list(recipe.stages)
    stages[stage] = replace(stages[stage], assignments=(*stages[stage].assignments, f"start_from={weights}"))
    return Recipe(recipe.preset, tuple(stages))


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write ``recipe`` as the TOML file that ``train --recipe`` reads."""
    lines = [f"preset = {json.dumps(recipe.preset)}"]
    if recipe.released:
        lines += [f"released = {json.dumps(recipe.released)}", f"released_stage = {recipe.released_stage}"]
    for stage in recipe.stages:
        pairs = dict(assignment.split("=", 1) for assignment in stage.assignments)  # a later one wins
        settings = ", ".join(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in pairs.items())
        lines += ["", "[[stage]]", f"name = {json.dumps(stage.name)}", f"settings = {{ {settings} }}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
