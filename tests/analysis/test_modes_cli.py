"""``modes``: what is counted, kept and put into the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import MAX_LENGTH, save_tiny
from typer.testing import CliRunner, Result

from lnf_core.analysis.latents import draw_step, read_past
from lnf_core.analysis.modes import count_modes
from lnf_core.cli import app
from lnf_core.cli.tables import multimodality
from lnf_core.comparison import compare
from lnf_core.data import Vocabulary, load_dataset
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.storage.bundle import save_checkpoint
from lnf_core.storage.find import load


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["modes", *(str(argument) for argument in arguments)])


@pytest.fixture(autouse=True)
def real_data(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))


def test_the_average_is_that_of_the_steps(tmp_path: Path) -> None:
    save_tiny(tmp_path / "jsb" / "af-scf", "af-scf", metrics={"valid": {"nll": 7.0}})
    folder = tmp_path / "jsb" / "af-scf"
    done = run(folder, "--sequences", 2, "--steps", 3, "--draws", 300, "--seed", 5, "--json", "--write")
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    model = load(folder).model
    assert isinstance(model, LatentFlow)
    counts = []
    for at, piece in enumerate(load_dataset("jsb").valid[:2]):
        x = piece[:MAX_LENGTH]
        shown = model.reconstruct(x[:, None], torch.tensor([len(x)]))
        assert shown.z is not None
        past = read_past(model, shown.z[:, 0])
        for place in (2, 6, 10):
            generator = torch.Generator().manual_seed(5 + 1000 * at + place)
            cloud = draw_step(model, past, place, 300, generator=generator)
            counts.append(count_modes(cloud.layers[-1], generator=generator).count)
    assert said["mean"] == pytest.approx(sum(counts) / 6) and said["steps"] == 6 and said["sequences"] == 2
    assert said["multimodal"] == pytest.approx(sum(count > 1 for count in counts) / 6)
    kept = load(folder).metrics
    assert kept["valid"] == {"nll": 7.0} and kept["modes"]["mean"] == said["mean"]
    table = multimodality(compare({"jsb/af-scf": {"variant": "af-scf", **kept}, "jsb/lstm": {"variant": "lstm"}}))
    assert f"| JSB Chorales | AF/SCF | {said['mean']:.2f} ± {said['standard_error']:.2f} |" in table
    assert "7.000" in table and "LSTM" not in table


def test_symbols_numbered_differently_have_the_same_modes(tmp_path: Path) -> None:
    """As a model of the reference has, imported with its own order of symbols."""
    released = load("ptb/af-scf")
    assert released.vocabulary is not None
    symbols = released.vocabulary.to_list()
    order = torch.randperm(len(symbols), generator=torch.Generator().manual_seed(1))
    before = released.model.state_dict()
    released.model.load_state_dict(
        {name: value[order] if value.dim() and len(value) == len(symbols) else value for name, value in before.items()}
    )
    vocabulary = Vocabulary.from_list([symbols[at] for at in order])
    save_checkpoint(tmp_path, released.model, dataset="ptb", vocabulary=vocabulary, training={})
    one, two = (
        json.loads(run(which, "--sequences", 1, "--steps", 6, "--draws", 500, "--json").stdout)
        for which in ("ptb/af-scf", tmp_path)
    )
    assert {**one, "checkpoint": ""} == {**two, "checkpoint": ""}
    assert one["standard_error"] is None  # of one sequence nobody can tell


def test_a_model_without_latents_is_refused(tmp_path: Path) -> None:
    save_tiny(tmp_path, "lstm")
    done = run(tmp_path)
    assert done.exit_code == 1 and "no latent space" in done.output
