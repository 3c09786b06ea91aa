"""Which models the page offers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import save_tiny

from app import catalogue


def test_the_page_opens_with_a_model_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path))
    assert catalogue.first() == catalogue.find("jsb/af-scf")
    (tmp_path / "jsb" / "af-scf").mkdir(parents=True)
    (tmp_path / "jsb" / "af-scf" / "config.json").write_text("{}")  # this one hides the bundled one of its name
    assert catalogue.first() == catalogue.find("nottingham/af-scf")
    assert catalogue.first("text") == catalogue.find("ptb/af-scf")


def test_the_catalogue_lists_what_cannot_be_used_with_its_reason(here: Path, checkpoints: Path) -> None:
    entries = {entry.name: entry for entry in catalogue.catalogue()}
    for name in ("jsb/lstm", "ptb/iaf-scf"):
        problem = entries[name].problem
        assert problem and str(checkpoints) not in problem
    assert entries["jsb/af-scf"].problem is None
    assert catalogue.describe("jsb/af-scf-affine").title == "AF/SCF, affine · JSB Chorales"
    units = {name: catalogue.describe(f"{name}/af-scf").unit for name in ("jsb", "piano-midi", "ptb")}
    assert units == {"jsb": "beats", "piano-midi": "half beats", "ptb": "characters"}
    assert {option["variant"] for option in catalogue.options() if option["preferred"]} == {"af-scf"}
    assert catalogue.first() == entries["jsb/af-scf"] and catalogue.first("text") == entries["ptb/af-scf"]
    assert [entry.domain for entry in entries.values()] == sorted((e.domain for e in entries.values()), key="mt".find)


def test_data_of_ones_own_stands_after_the_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path))
    save_tiny(tmp_path / "rhymes" / "af-scf", "af-scf", "text")
    save_tiny(tmp_path / "a-tunes" / "lstm", "lstm")
    (tmp_path / "a-tunes" / "af-af").mkdir()
    (tmp_path / "a-tunes" / "af-af" / "config.json").write_text("{}")
    (tmp_path / "runs" / "of-nothing").mkdir(parents=True)
    entries = catalogue.catalogue()
    sets = list(dict.fromkeys(entry.dataset for entry in entries))
    assert sets == ["jsb", "nottingham", "piano-midi", "a-tunes", "ptb", "rhymes"]
    own = {entry.name: entry for entry in entries if entry.dataset in ("a-tunes", "rhymes")}
    assert {name for name, entry in own.items() if entry.problem is None} == {"a-tunes/lstm", "rhymes/af-scf"}
    assert {entry.unit for entry in own.values()} == {"half beats", "characters"}
    assert own["rhymes/af-scf"].title == "AF/SCF · rhymes"
    assert str(tmp_path) not in (own["a-tunes/af-af"].problem or "")
