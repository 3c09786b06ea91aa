"""Paths on the command line: every one that a command takes may begin with the home folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer.main

from lnf_core.cli import app


def all_commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer's own class
    for name, command in group.commands.items():
        inside = hasattr(command, "commands")
        yield from all_commands(command, f"{name} ") if inside else [(before + name, command)]


def paths_of(command: Any) -> list[Any]:  # noqa: ANN401
    """The parameters that are a path, or none, or several."""
    hints = {name: (hint, *get_args(hint)) for name, hint in get_type_hints(command.callback).items()}
    return [each for each in command.params if {Path, list[Path]} & set(hints.get(each.name, ()))]


COMMANDS = {name: command for name, command in all_commands(typer.main.get_command(app)) if paths_of(command)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_path_may_begin_with_the_home_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = paths_of(COMMANDS[name])
    options = [f"{each.opts[0]}=~/given" for each in paths if each.param_type_name == "option"]
    arguments = ["~/given" for each in COMMANDS[name].params if each.param_type_name == "argument"]
    found = COMMANDS[name].make_context(name, [*options, *arguments]).params
    for each in paths:
        assert found[each.name] in (tmp_path / "given", [tmp_path / "given"]), each.name
