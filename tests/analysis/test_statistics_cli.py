"""``statistics``: samples beside data, printed, kept and put on the card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import run
from tiny_models import MAX_LENGTH, SYMBOLS, save_tiny

from lnf_core.analysis import copies, music_statistics, text_statistics, words_of
from lnf_core.data import load_dataset
from lnf_core.storage.find import load


def measured(*arguments: object) -> dict[str, Any]:
    result = run("statistics", *arguments, "--json")
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


@pytest.fixture(autouse=True)
def real_data(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))


@pytest.mark.parametrize("argmax", [False, True])
def test_samples_are_measured_beside_the_training_split(tmp_path: Path, argmax: bool) -> None:
    save_tiny(tmp_path, "af-scf", metrics={"valid": {"nll": 7.0}})
    options = ["--count", 3, "--length", 8, "--seed", 5, "--temperature", 0.5, *(["--argmax"] if argmax else [])]
    said = measured(tmp_path, *options)
    drawn = load(tmp_path).model.sample(
        3, 8, temperature=0.5, argmax=argmax, generator=torch.Generator().manual_seed(5)
    )
    assert said["samples"] == music_statistics(drawn).to_dict()
    assert said["data"] == music_statistics(load_dataset("jsb").train).to_dict()
    circumstances = {key: said[key] for key in ("count", "length", "seed", "temperature", "argmax")}
    assert circumstances == {"count": 3, "length": 8, "seed": 5, "temperature": 0.5, "argmax": argmax}
    assert load(tmp_path).metrics == {"valid": {"nll": 7.0}}  # nothing is kept without --write


def test_text_is_measured_by_the_words_of_the_training_split(tmp_path: Path, data_root: Path) -> None:
    save_tiny(tmp_path, "lstm", domain="text")
    said = measured(tmp_path, "--count", 9, "--length", MAX_LENGTH)  # each is looked for in five million characters
    drawn = load(tmp_path).model.sample(9, MAX_LENGTH, generator=torch.Generator().manual_seed(0))
    known = words_of((data_root / "ptb" / "train.txt").read_text().splitlines())
    assert said["samples"] == text_statistics([SYMBOLS.decode(ids) for ids in drawn], known).to_dict()
    assert said["data"]["known_words"] == 1.0
    assert said["samples"]["known_words"] < 1.0
    assert said["data"]["word_length"] == pytest.approx(4.649, abs=1e-3)


def test_they_are_kept_beside_the_figures_and_shown_on_the_card(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c", metrics={"valid": {"nll": 6.789}, "epochs": 3})
    assert "What its samples are like" not in (tmp_path / "c" / "README.md").read_text()
    said = measured(tmp_path / "c", "--count", 2, "--length", 6, "--write")
    kept = load(tmp_path / "c").metrics
    assert (kept["valid"], kept["epochs"]) == ({"nll": 6.789}, 3)
    assert (kept["statistics"]["samples"], kept["statistics"]["data"]) == (said["samples"], said["data"])
    assert kept["statistics"]["command"].startswith("python -m lnf_core")
    card = (tmp_path / "c" / "README.md").read_text()
    assert "## What its samples are like" in card
    assert f"| notes a step | {said['samples']['notes']:.3f} | 3.898 |" in card
    assert "2 samples of 6 steps, drawn at temperature 1, seed 0." in card
    assert "6.789" in card
    # Rounded weights make other samples.
    assert run("release", tmp_path / "c", tmp_path / "half", "--dtype", "float16").exit_code == 0
    assert load(tmp_path / "half").metrics == {"epochs": 3}


def test_copies_are_counted_beside_as_many_held_out_passages(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    data = load_dataset("jsb")
    assert len(data.valid) == 76 and min(map(len, data.valid)) > 20
    beginnings, after = ([piece[start : start + 10] for piece in data.valid] for start in (0, 10))
    train, some, more = (
        [[bytes(step.byte().tolist()) for step in piece] for piece in pieces]
        for pieces in (data.train, beginnings[::3][:20], [*beginnings, *after[:24]])
    )
    for count, held in ((20, some), (100, more)):
        said = measured(tmp_path, "--count", count, "--length", 10)["copies"]["held_out"]
        assert said == copies(held, train, 8).to_dict()
        assert said["share"] > 0.0


def test_a_person_is_shown_the_table(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    shown = run("statistics", tmp_path, "--count", 1, "--length", 4)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("| | samples | training data |\n|---|---:|---:|\n| notes a step | ")
    assert "| steps measured | 4 | 13807 |" in shown.stdout


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--count", 0, "count is 0"),
        ("--length", 1000, "1000"),
        ("--temperature", "nan", "temperature is nan"),
        ("--engine", "abacus", "abacus"),
    ],
)
def test_arguments_out_of_range_are_one_sentence(tmp_path: Path, option: str, value: object, words: str) -> None:
    save_tiny(tmp_path)
    refused = run("statistics", tmp_path, option, value, "--write")
    assert (refused.exit_code, len(refused.stderr.strip().splitlines())) == (1, 1)
    assert words in refused.stderr
    assert not (tmp_path / "metrics.json").exists()


def test_a_text_model_without_symbols_is_refused(tmp_path: Path) -> None:
    save_tiny(tmp_path, domain="text", vocabulary=None)
    refused = run("statistics", tmp_path)
    assert refused.exit_code == 1
    assert "no vocabulary" in refused.stderr
