"""The command line: figures of a checkpoint, measured by the protocol, kept, and repeatable."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import failed, run
from tiny_models import save_tiny

import lnf_core.evaluation
from lnf_core.config import BaselineConfig, LatentFlowConfig
from lnf_core.data import Vocabulary, load_dataset
from lnf_core.errors import CheckpointError
from lnf_core.evaluation import evaluate, protocol_samples, sequences_for
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.build import build_model
from lnf_core.music import Performance
from lnf_core.storage.bundle import save_checkpoint
from lnf_core.storage.find import load

KEYS = [
    "checkpoint",
    "dataset",
    "variant",
    "split",
    "sequences",
    "samples",
    "nll",
    "nll_per_step",
    "negative_elbo",
    "reconstruction",
    "kl",
    "bpc",
]


@pytest.fixture
def chorales(tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint that fits the JSB chorales; skipped without the data."""
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    data = load_dataset("jsb")
    sizes = {"vocab_size": 88, "likelihood": "bernoulli", "max_length": data.max_length}
    small = {"embedding_size": 4, "hidden_size": 4, "position_size": 2}
    config = LatentFlowConfig(**sizes, **small, latent_size=4, flow_layers=1, flow_hidden=4, prior_layers=1)
    model = build_model(config, data.length_counts)
    save_checkpoint(tmp_path / "c", model, dataset="jsb", vocabulary=None, training={})
    return tmp_path / "c"


def test_evaluate_prints_the_protocols_figures(chorales: Path) -> None:
    result = run("evaluate", chorales, "--split", "valid", "--samples", 2, "--seed", 4, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert list(said) == KEYS
    assert (said["dataset"], said["variant"], said["split"], said["bpc"]) == ("jsb", "af-af", "valid", None)
    generator = torch.Generator().manual_seed(4)
    expected = evaluate(load(chorales).model, load_dataset("jsb").valid, domain="music", samples=2, generator=generator)
    assert {key: said[key] for key in KEYS[4:]} == expected.to_dict()


def test_figures_say_what_they_are(chorales: Path) -> None:
    lines = dict(line.split(maxsplit=1) for line in run("evaluate", chorales, "--samples", 1).stdout.splitlines())
    said = json.loads(run("evaluate", chorales, "--samples", 1, "--json").stdout)
    for name, unit in {"nll": "nats / (T + 1)", "nll_per_step": "nats / T", "kl": "nats / (T + 1)"}.items():
        assert lines[name] == f"{said[name]:.4f} {unit}"
    assert lines["samples"] == "1" and "bpc" not in lines
    assert "Nats / (T + 1). ± is the standard error" in run("bounds", chorales, "--samples", 2).stdout


def test_figures_that_are_not_finite_are_null_and_not_kept(chorales: Path) -> None:
    model, data = load(chorales).model, load_dataset("jsb")
    counts = data.length_counts.clone()
    counts[len(data.valid[0])] = 0.0
    never = build_model(model.config, counts)
    save_checkpoint(chorales, never, dataset="jsb", vocabulary=None, training={})
    done = run("evaluate", chorales, "--samples", 1, "--write", "--json")
    assert done.exit_code == 1 and "JSON" in done.stderr and not (chorales / "metrics.json").exists()
    said = json.loads(done.stdout, parse_constant=pytest.fail)
    assert said["nll"] is None and said["kl"] is not None
    curve = json.loads(run("bounds", chorales, "--samples", 2, "--json").stdout, parse_constant=pytest.fail)
    assert curve[str(chorales)]["bounds"] == [None, None]


def test_the_bound_at_the_largest_k_is_what_evaluate_says(chorales: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- bounds -->\n<!-- /bounds -->\n")
    done = run("bounds", chorales, "--samples", 3, "--seed", 4, "--write", page, "--json")
    assert done.exit_code == 0, done.output
    curve = json.loads(done.stdout)[str(chorales)]
    said = json.loads(run("evaluate", chorales, "--samples", 3, "--seed", 4, "--json").stdout)
    assert curve["counts"] == [1, 2, 3] and -curve["bounds"][2] == pytest.approx(said["nll"], rel=1e-6)
    assert -curve["bounds"][0] == pytest.approx(said["negative_elbo"], rel=1e-6)
    assert f"| {said['nll']:.3f} |" in page.read_text() and "K = 3" in page.read_text()
    save_tiny(tmp_path / "lstm", "lstm")
    failed(run("bounds", tmp_path / "lstm"), "no latent space")


def test_figures_are_kept_and_test_is_measured_once(chorales: Path) -> None:
    for split in ("valid", "test"):
        assert run("evaluate", chorales, "--split", split, "--samples", 1, "--write").exit_code == 0
    kept = json.loads((chorales / "metrics.json").read_text())
    assert list(kept)[:2] == ["valid", "test"]
    assert kept["data_sha256"] == load_dataset("jsb").sha256
    assert kept["parameters"] == sum(p.numel() for p in load(chorales).model.parameters())
    assert kept["test"]["command"].startswith("python -m lnf_core")
    assert f"{kept['test']['nll']:.4g}" in (chorales / "README.md").read_text()
    failed(run("evaluate", chorales, "--split", "test", "--samples", 1, "--write"), "--force")
    assert json.loads((chorales / "metrics.json").read_text()) == kept
    assert (
        run("evaluate", chorales, "--split", "test", "--samples", 1, "--write", "--seed", 9, "--force").exit_code == 0
    )
    assert json.loads((chorales / "metrics.json").read_text())["test"]["seed"] == 9


def test_two_measurements_at_a_time_keep_both_figures(chorales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = lnf_core.evaluation.evaluate

    def meanwhile(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - what it is given
        monkeypatch.setattr(lnf_core.evaluation, "evaluate", measure)
        assert run("evaluate", chorales, "--split", "valid", "--samples", 1, "--write").exit_code == 0
        return measure(*arguments, **named)

    monkeypatch.setattr(lnf_core.evaluation, "evaluate", meanwhile)
    assert run("evaluate", chorales, "--split", "test", "--samples", 1, "--write").exit_code == 0
    assert {"valid", "test"} <= set(load(chorales).metrics)


def test_figures_of_weights_that_were_replaced_meanwhile_are_printed_and_not_kept(
    chorales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = lnf_core.evaluation.evaluate

    def meanwhile(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - what it is given
        (chorales / "copy").write_bytes((chorales / "model.safetensors").read_bytes())
        (chorales / "copy").replace(chorales / "model.safetensors")  # as a run that goes on does
        return measure(*arguments, **named)

    monkeypatch.setattr(lnf_core.evaluation, "evaluate", meanwhile)
    done = run("evaluate", chorales, "--samples", 1, "--write", "--json")
    assert done.exit_code == 1 and "were replaced while they were measured" in done.stderr
    assert json.loads(done.stdout)["nll"] > 0 and not (chorales / "metrics.json").exists()


def test_a_folder_that_cannot_be_written_costs_no_figures(chorales: Path) -> None:
    (chorales / "README.md").unlink()
    (chorales / "README.md" / "x").mkdir(parents=True)
    done = run("evaluate", chorales, "--samples", 1, "--write", "--json")
    assert done.exit_code == 1 and f"cannot write {chorales / 'README.md'}" in done.stderr
    assert json.loads(done.stdout)["nll"] > 0


def test_the_command_that_repeats_a_run_is_kept(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lnf_core.training import preset

    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    data = load_dataset("jsb")
    changes = ["batch_size=3", "schedule=constant", "model.hidden_size=5", "model.embedding_size=4", "betas=0.5,0.75"]
    config = preset("jsb/lstm", data).override(changes)
    model = build_model(config.model, data.length_counts)
    training = {"epochs": 2.0, "minutes": 0.5, "device": "cpu", "config": config.to_dict()}
    save_checkpoint(tmp_path / "c", model, dataset="jsb", vocabulary=None, training=training)
    assert run("evaluate", tmp_path / "c", "--write").exit_code == 0
    kept = json.loads((tmp_path / "c" / "metrics.json").read_text())
    assert (kept["epochs"], kept["minutes"], kept["device"]) == (2.0, 0.5, "cpu")
    words = shlex.split(kept["command"])
    assert words[:6] == ["python", "-m", "lnf_core", "train", "--preset", "jsb/lstm"]
    settings = [word.removeprefix("--set=") for word in words if word.startswith("--set=")]
    assert preset("jsb/lstm", data).override(settings) == config


def test_symbols_numbered_differently_score_the_same(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    data = load_dataset("ptb")
    assert data.vocabulary is not None
    backwards = Vocabulary.from_list(data.vocabulary.to_list()[::-1])
    model = LSTMBaseline(
        BaselineConfig(data.vocab_size, "categorical", data.max_length, embedding_size=2, hidden_size=2),
        data.length_counts,
    )
    save_checkpoint(tmp_path / "c", model, dataset="ptb", vocabulary=backwards, training={})
    sequences = sequences_for(load(tmp_path / "c"), data, "valid")
    for mine, theirs in zip(sequences[:50], data.valid[:50], strict=True):
        assert backwards.decode(mine) == data.vocabulary.decode(theirs)


def test_the_papers_roll_has_a_silent_output_first(tmp_path: Path, data_root: Path) -> None:
    data = load_dataset("jsb", data_root)
    model = LSTMBaseline(
        BaselineConfig(89, "bernoulli", data.max_length, embedding_size=2, hidden_size=2), data.length_counts
    )
    save_checkpoint(tmp_path / "c", model, dataset="jsb", vocabulary=None, training={})
    rolls = sequences_for(load(tmp_path / "c"), data, "valid")
    assert rolls[0].shape == (len(data.valid[0]), 89)
    assert torch.equal(rolls[0][:, 1:], data.valid[0])
    assert not rolls[0][:, 0].any()
    assert run("sample", tmp_path / "c", "--length", 4, "--out", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(("keys", "words"), [(40, "has 40 keys; .* has 88"), (90, "has 90 keys; .* has 88")])
def test_a_roll_of_other_keys_is_refused(tmp_path: Path, data_root: Path, keys: int, words: str) -> None:
    sizes = BaselineConfig(keys, "bernoulli", 8, embedding_size=2, hidden_size=2)
    save_checkpoint(tmp_path / "c", LSTMBaseline(sizes, torch.ones(9)), dataset="jsb", vocabulary=None, training={})
    with pytest.raises(CheckpointError, match=words):
        sequences_for(load(tmp_path / "c"), load_dataset("jsb", data_root), "valid")


def test_text_of_unknown_characters_is_refused(tmp_path: Path, data_root: Path) -> None:
    data = load_dataset("ptb", data_root)
    assert data.vocabulary is not None
    sizes = BaselineConfig(data.vocab_size, "categorical", 8, embedding_size=2, hidden_size=2)
    other = Vocabulary.from_list(["é" if symbol == "e" else symbol for symbol in data.vocabulary.to_list()])
    save_checkpoint(tmp_path / "c", LSTMBaseline(sizes, torch.ones(9)), dataset="ptb", vocabulary=other, training={})
    checkpoint = load(tmp_path / "c")
    with pytest.raises(CheckpointError, match=r"holds characters that .* does not know"):
        sequences_for(checkpoint, data, "valid")
    with pytest.raises(CheckpointError, match="has no vocabulary"):
        sequences_for(replace(checkpoint, vocabulary=None), data, "valid")


@pytest.mark.parametrize(
    ("dataset", "variant", "samples"),
    [
        ("ptb", "af-scf", 30),
        ("jsb", "af-scf-affine", 30),
        ("nottingham", "iaf-scf", 30),
        ("piano-midi", "af-af", 4),
        ("muse", "af-af", 4),
        ("muse", "lstm", 1),
        ("jsb", "lstm", 1),
    ],
)
def test_a_data_set_is_measured_with_as_many_samples_as_in_the_paper(
    tmp_path: Path, dataset: str, variant: str, samples: int
) -> None:
    save_tiny(tmp_path / "c", "af-scf", "music")
    assert protocol_samples(replace(load(tmp_path / "c"), dataset=dataset, variant=variant)) == samples


@pytest.mark.parametrize("transpose", [0, 5])
def test_a_paper_preset_trains_in_89_outputs_and_is_heard_in_88(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch, transpose: int
) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    small = ["embedding_size=4", "hidden_size=4", "latent_size=4", "flow_layers=1", "flow_hidden=4"]
    settings = [f"model.{size}" for size in small]
    settings += ["max_steps=1", "valid_batches=1", "precision=fp32", f"transpose_semitones={transpose}"]
    options = [option for setting in settings for option in ("--set", setting)]
    trained = run("train", "--preset", "paper/jsb/af-scf", "--out", tmp_path / "run", "--device", "cpu", *options)
    assert trained.exit_code == 0, trained.output
    best = tmp_path / "run" / "best"
    assert load(best).model.config.vocab_size == 89
    drawn = run("sample", best, "--length", 4, "--out", tmp_path / "out", "--json")
    assert drawn.exit_code == 0, drawn.output
    roll = load(best).model.sample(1, 4, generator=torch.Generator().manual_seed(0)).sequence(0)
    (midi,) = (Path(name) for name in json.loads(drawn.stdout)["files"] if name.endswith(".mid"))
    assert torch.equal(Performance("jsb").read(midi).roll, roll[:, 1:])
    assert run("evaluate", best, "--samples", 1).exit_code == 0


def test_a_recipe_of_a_paper_preset_has_89_outputs_too(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    recipe = tmp_path / "paper.toml"
    recipe.write_text(
        'preset = "paper/jsb/lstm"\n[[stage]]\nname = "only"\n[stage.settings]\n"model.embedding_size" = 4\n'
        '"model.hidden_size" = 4\nmax_steps = 1\nvalid_batches = 1\nprecision = "fp32"\n'
    )
    trained = run("train", "--recipe", recipe, "--out", tmp_path / "run", "--device", "cpu")
    assert trained.exit_code == 0, trained.output
    assert load(tmp_path / "run" / "1-only" / "best").model.config.vocab_size == 89
