"""``modes``: what is counted, kept and put into the tables."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import torch
from command_line import run
from tiny_models import save_tiny

from lnf_core.analysis.latents import draw_step, read_past
from lnf_core.analysis.modes import count_modes
from lnf_core.cli.tables import multimodality
from lnf_core.comparison import compare
from lnf_core.data import Vocabulary, load_dataset
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.storage.bundle import save_checkpoint
from lnf_core.storage.find import load

FEW = ("--sequences", 3, "--steps", 2, "--draws", 300, "--seed", 5, "--json")


@pytest.fixture(autouse=True)
def real_data(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))


@pytest.fixture(scope="module")
def released(data_root: Path) -> dict[str, Any]:
    """Of a released model: priors whose counts differ from step to step are not made of random weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LNF_DATA_DIR", str(data_root))
        done = run("modes", "ptb/af-scf", *FEW)
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_the_averages_are_those_of_the_steps(released: dict[str, Any]) -> None:
    said, model = released, load("ptb/af-scf").model
    assert isinstance(model, LatentFlow)
    counts: list[list[int]] = []
    for at, x in enumerate(load_dataset("ptb").valid[:3]):
        shown = model.reconstruct(x[:, None], torch.tensor([len(x)]))
        assert shown.z is not None
        past = read_past(model, shown.z[:, 0])
        counts.append([])
        for place in (len(x) // 4, 3 * len(x) // 4):  # the middles of two halves
            generator = torch.Generator().manual_seed(5 + 1000 * at + place)
            cloud = draw_step(model, past, place, 300, generator=generator)
            counts[-1].append(count_modes(cloud.layers[-1], generator=generator).count)
    means = [mean(each) for each in counts]
    assert len({*means}) > 1  # else the error is zero, however it is computed
    assert said["mean"] == pytest.approx(mean(means)) and said["steps"] == 6 and said["sequences"] == 3
    assert said["standard_error"] == pytest.approx(stdev(means) / 3**0.5)
    assert said["multimodal"] == pytest.approx(sum(count > 1 for each in counts for count in each) / 6)


def test_what_is_counted_is_kept_and_put_into_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "jsb" / "af-scf"
    save_tiny(folder, "af-scf", metrics={"valid": {"nll": 7.0}})
    done = run("modes", folder, "--sequences", 2, "--steps", 3, "--draws", 300, "--json", "--write")
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    kept = load(folder).metrics
    assert kept["valid"] == {"nll": 7.0} and kept["modes"]["mean"] == said["mean"] >= 1.0
    told = {**kept, "modes": {**kept["modes"], "mean": 1.25, "standard_error": 0.125, "multimodal": 0.5}}
    both = {"jsb/af-scf": {"variant": "af-scf", **told}, "jsb/lstm": {"variant": "lstm"}}
    table = multimodality(compare({name: {"dataset": "jsb", **facts} for name, facts in both.items()}))
    assert "| JSB Chorales | AF/SCF | 1.25 ± 0.12 | 50% | 7.000 |" in table and "LSTM" not in table


def test_symbols_numbered_differently_have_the_same_modes(tmp_path: Path, released: dict[str, Any]) -> None:
    """As a model of the reference has, imported with its own order of symbols."""
    loaded = load("ptb/af-scf")
    assert loaded.vocabulary is not None
    symbols = loaded.vocabulary.to_list()
    order = torch.randperm(len(symbols), generator=torch.Generator().manual_seed(1))
    before = loaded.model.state_dict()
    loaded.model.load_state_dict(
        {name: value[order] if value.dim() and len(value) == len(symbols) else value for name, value in before.items()}
    )
    vocabulary = Vocabulary.from_list([symbols[at] for at in order])
    save_checkpoint(tmp_path, loaded.model, dataset="ptb", vocabulary=vocabulary, training={})
    renumbered = json.loads(run("modes", tmp_path, *FEW).stdout)
    assert {**renumbered, "checkpoint": "ptb/af-scf"} == released


def test_of_one_sequence_nobody_can_tell_the_error(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    told = run("modes", tmp_path, "--sequences", 1, "--draws", 100, "--json")
    assert json.loads(told.stdout)["standard_error"] is None


def test_a_model_without_latents_is_refused(tmp_path: Path) -> None:
    save_tiny(tmp_path, "lstm")
    done = run("modes", tmp_path)
    assert done.exit_code == 1 and "no latent space" in done.output
