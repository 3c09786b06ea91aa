"""Recipes: several stages of training as one run. This is their file; ``stages.py`` runs them.

A recipe is a TOML file::

    preset = "jsb/af-scf"          # sizes and settings of every stage
    released = "jsb/af-scf"        # a checkpoint that later stages may begin with, where a run's own is gone
    released_stage = 2             # the first stage that goes on from it
    settings = { max_epochs = 60 } # of every stage, where there are any

    [[stage]]
    name = "transposed"

    [[stage]]                      # begins with the best weights of the stage before
    name = "one-key"
    settings = { transpose_semitones = 0, max_epochs = 26 }

    [[stage]]                      # as an earlier one, but for what it says itself
    name = "one-key-longer"
    like = "one-key"
    settings = { max_epochs = 50 }
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path

from lnf_core.errors import ConfigError

_KEYS = {"preset", "released", "released_stage", "settings", "stage"}


@dataclass(frozen=True)
class Stage:
    """One stage: what it changes of the preset."""

    name: str
    assignments: tuple[str, ...]
    """``key=value``, as ``--set`` takes them."""


@dataclass(frozen=True)
class Recipe:
    """The stages of one run."""

    preset: str
    stages: tuple[Stage, ...]
    released: str = ""
    released_stage: int = 1

    def seeded(self, seed: int) -> Recipe:
        """The same stages from the first one on with another seed, whatever was released: to measure the spread."""
        stages = tuple(replace(stage, assignments=(*stage.assignments, f"seed={seed}")) for stage in self.stages)
        return replace(self, stages=stages, released="")


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file.

    Raises:
        ConfigError: missing, not TOML, or not a recipe; says what is wrong with it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no recipe {path}; those of the repository are in recipes/.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a recipe: {error}.") from error
    if unknown := sorted(set(values) - _KEYS):
        raise ConfigError(f"{path} holds {', '.join(unknown)}; a recipe knows {', '.join(sorted(_KEYS))}.")
    given = values.get("stage", [])
    if not isinstance(values.get("preset"), str) or not isinstance(given, list) or not given:
        raise ConfigError(f"{path} needs a preset and at least one [[stage]].")
    released, goes_on = values.get("released", ""), values.get("released_stage", 1)
    if not isinstance(released, str):
        raise ConfigError(f"released in {path} is {released!r}; it must be the name of a checkpoint.")
    if not isinstance(goes_on, int) or not 1 <= goes_on <= len(given):
        raise ConfigError(f"released_stage in {path} is {goes_on!r}; it must be one of its {len(given)} stages.")
    if bool(released) is (goes_on == 1):
        raise ConfigError(
            f"released in {path} is {released!r} and released_stage {goes_on}; give both, the stage from 2 on, or "
            "neither (the first stage begins with another checkpoint by its setting start_from)."
        )
    shared = _assignments(values.get("settings", {}), "of every stage", path)
    if "start_from" in shared:
        raise ConfigError(f"the settings of every stage in {path} have start_from; give it to the stage it is for.")
    stages: dict[str, dict[str, str]] = {}
    for stage in given:
        name, settings = _stage(stage, shared, stages, path)
        stages[name] = settings
    return Recipe(
        values["preset"],
        tuple(Stage(name, tuple(f"{key}={value}" for key, value in stage.items())) for name, stage in stages.items()),
        released,
        goes_on,
    )


def _stage(
    values: object, shared: dict[str, str], earlier: dict[str, dict[str, str]], path: Path
) -> tuple[str, dict[str, str]]:
    """The name of one stage and all its settings: its own over those of the stage it is like, or of every stage."""
    values = values if isinstance(values, dict) else {}
    name = values.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9-]+", name) or set(values) - {"name", "like", "settings"}:
        raise ConfigError(
            f"a stage in {path} needs a name of small letters, and may have settings and an earlier stage that it is "
            "like, and nothing else."
        )
    if name in earlier:
        raise ConfigError(f"two stages in {path} are called {name}; each needs a name of its own.")
    like = values.get("like")
    if like is not None and (not isinstance(like, str) or like not in earlier):
        raise ConfigError(f"stage {name} in {path} is like {like!r}; before it stand: {', '.join(earlier) or 'none'}.")
    settings = _assignments(values.get("settings", {}), f"of stage {name}", path)
    inherited = shared if like is None else earlier[like]
    return name, {key: value for key, value in inherited.items() if key != "start_from"} | settings


def _assignments(settings: object, whose: str, path: Path) -> dict[str, str]:
    if not isinstance(settings, dict):
        raise ConfigError(f"the settings {whose} in {path} must be a table of names and values.")
    try:
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    except TypeError as error:
        raise ConfigError(f"the settings {whose} in {path} must be numbers and words: {error}.") from error
