"""Where a checkpoint is looked for: bundled names, folders, the Hub, and what is said where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import save_tiny

import lnf_core
from lnf_core.errors import CheckpointError
from lnf_core.storage import find
from lnf_core.storage.bundled import list_checkpoints
from lnf_core.storage.find import load


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "bundled"
    monkeypatch.setenv("LNF_CHECKPOINTS", str(root))
    return root


def _cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])


def _of_version(folder: Path, version: int) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": version}))


def test_bundled_names_are_found(bundled: Path) -> None:
    save_tiny(bundled / "muse" / "af-scf")
    assert lnf_core.load("muse/af-scf").path == bundled / "muse" / "af-scf"
    with pytest.raises(CheckpointError, match="leave it out"):
        load("muse/af-scf", revision="main")


@pytest.mark.parametrize(
    "name",
    ["muse/af-only", "nowhere", "./a/b", "/nowhere/at/all", "a/b/c", "", "jsb/../jsb", "n" * 300, "~no-such-user/a"],
)
def test_what_is_not_there_says_what_is(bundled: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(bundled / "muse" / "af-scf")
    monkeypatch.chdir(bundled)
    with pytest.raises(CheckpointError, match="muse/af-scf" if name else "complete checkpoint"):
        load(name)


def test_broken_checkpoints_are_listed_with_their_problem(bundled: Path) -> None:
    save_tiny(bundled / "muse" / "af-af", "af-af")
    save_tiny(bundled / "muse" / "lstm", "lstm")
    _cut(bundled / "muse" / "lstm")
    save_tiny(bundled / "muse" / "iaf-scf", "iaf-scf")
    _of_version(bundled / "muse" / "iaf-scf", 99)
    (bundled / "muse" / "empty").mkdir()
    problems = {entry.name: entry.problem for entry in list_checkpoints() if entry.path.is_relative_to(bundled)}
    assert problems["muse/af-af"] is None
    assert "truncated" in (problems["muse/lstm"] or "")
    assert "upgrade" in (problems["muse/iaf-scf"] or "")
    assert "config.json" in (problems["muse/empty"] or "")
    assert list(problems) == sorted(problems)


def test_a_folder_without_a_checkpoint_hides_no_released_one(bundled: Path) -> None:
    run = bundled / "jsb" / "af-scf"
    (run / "1-transposed").mkdir(parents=True)
    listed = {entry.name: entry for entry in list_checkpoints()}["jsb/af-scf"]
    assert listed.problem is None and load("jsb/af-scf").path == listed.path != run
    save_tiny(run)
    _cut(run)
    listed = {entry.name: entry for entry in list_checkpoints()}["jsb/af-scf"]
    assert listed.path == run and listed.problem is not None


def test_the_folder_of_a_run_says_where_its_checkpoints_are(tmp_path: Path) -> None:
    save_tiny(tmp_path / "run" / "best")
    save_tiny(tmp_path / "staged" / "1-ramp" / "best")
    for run, inside in (("run", "best"), ("staged", r"\*/best")):
        with pytest.raises(CheckpointError, match=f"checkpoints of this run are in .*{run}/{inside}"):
            load(tmp_path / run)


def test_a_file_in_place_of_its_folder_is_named(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c")
    with pytest.raises(CheckpointError, match=rf"model.safetensors is a file; .*: give {tmp_path}/c"):
        load(tmp_path / "c" / "model.safetensors")
    (tmp_path / "notes.md").write_text("")
    with pytest.raises(CheckpointError, match=r"notes.md is a file; a checkpoint is a folder with config.json"):
        load(tmp_path / "notes.md")


def test_a_slip_in_the_name_of_a_data_set_is_guessed(bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(bundled / "muse" / "af-scf")
    asked = []

    def nothing(name: str, **_: object) -> Path:
        asked.append(name)
        raise CheckpointError("the Hub has nothing of that name.")

    monkeypatch.setattr(find, "download", nothing)  # the network's part
    with pytest.raises(
        CheckpointError, match=r"no folder muze/af-scf here \(did you mean muse/af-scf\?\), and as a Hub"
    ):
        load("muze/af-scf")
    with pytest.raises(CheckpointError, match="no folder someone/else here, and as a Hub id"):
        load("someone/else")
    assert asked == ["muze/af-scf", "someone/else"]
