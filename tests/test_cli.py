"""The command line: what it prints, what it writes, how it fails."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import SYMBOLS, save_tiny, tiny_model
from typer.testing import CliRunner, Result

import lnf_core.evaluation
from lnf_core.cli import app
from lnf_core.config import BaselineConfig, LatentFlowConfig
from lnf_core.data import load_dataset
from lnf_core.evaluation import evaluate
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.build import build_model
from lnf_core.music import Performance
from lnf_core.storage.bundle import save_checkpoint
from lnf_core.storage.files import read_metrics
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


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def failed(result: Result, words: str) -> None:
    """One sentence on stderr, status 1, nothing on stdout."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert words in result.stderr


@pytest.mark.parametrize("variant", ["af-af", "lstm"])
def test_music_is_written_as_midi_and_sound(tmp_path: Path, variant: str) -> None:
    save_tiny(tmp_path / "c", variant)
    result = run("sample", tmp_path / "c", "--count", 2, "--length", 6, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["lengths"] == [6, 6]
    assert said["synthesizer"] in ("fluidsynth", "sine")
    assert said["engine"] == "eager"
    assert said["dependent_steps"] == 6
    assert [Path(name).suffix for name in said["files"]] == [".mid", ".wav", ".mid", ".wav"]
    for name in said["files"]:
        if name.endswith(".mid"):
            assert pretty_midi.PrettyMIDI(name).get_end_time() <= 6 * 60 / 96 + 1e-6  # a step of the chorales is a beat
        else:
            with wave.open(name) as sound:
                assert (sound.getframerate(), sound.getsampwidth()) == (44100, 2)
                assert sound.getnframes() > 0


def test_tempo_instrument_and_the_data_sets_pitch_reach_the_file(tmp_path: Path) -> None:
    heard = {}
    for dataset in ("jsb", "nottingham"):  # a step is a beat and an octave lower, or half a beat as it stands
        save_tiny(tmp_path / dataset, "af-scf", dataset=dataset)
        options = ["--length", 6, "--tempo", 120, "--program", 19, "--out", tmp_path / "out", "--json"]
        said = json.loads(run("sample", tmp_path / dataset, *options).stdout)
        midi = pretty_midi.PrettyMIDI(next(name for name in said["files"] if name.endswith(".mid")))
        assert midi.get_tempo_changes()[1] == pytest.approx([120.0], rel=1e-4)
        (instrument,) = midi.instruments
        assert instrument.program == 19
        heard[dataset] = sorted((note.pitch, note.start, note.end) for note in instrument.notes)
    assert len(heard["jsb"]) > 10
    expected = [(pitch - 12, 2 * start, 2 * end) for pitch, start, end in heard["nottingham"]]
    assert np.array(heard["jsb"]) == pytest.approx(np.array(expected), abs=1e-3)


def test_text_is_written_as_text(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c", domain="text")
    result = run("sample", tmp_path / "c", "--count", 3, "--out", tmp_path / "out", "--json")
    said = json.loads(result.stdout)
    assert said["synthesizer"] is None
    assert len(said["files"]) == len(said["lengths"]) == 3
    expected = load(tmp_path / "c").model.sample(3, generator=torch.Generator().manual_seed(0))
    for index, name in enumerate(said["files"]):
        assert Path(name).read_text() == SYMBOLS.decode(expected.sequence(index)) + "\n"


def test_equal_seeds_give_equal_files_and_others_differ(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c", domain="text")
    texts = []
    for folder, seed in (("a", 5), ("b", 5), ("d", 6)):
        result = run("sample", tmp_path / "c", "--length", 12, "--seed", seed, "--out", tmp_path / folder, "--json")
        texts.append(Path(json.loads(result.stdout)["files"][0]).read_text())
    assert texts[0] == texts[1] != texts[2]


def test_two_checkpoints_of_one_variant_write_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("models/ptb/lstm", "models/ptb/lstm-beta", "runs/a/1-first/best", "runs/b/1-first/best"):
        save_tiny(tmp_path / folder, "lstm", domain="text", dataset="ptb")
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path / "runs")
    names = {
        "ptb/lstm": "ptb-lstm",
        "ptb/lstm-beta": "ptb-lstm-beta",
        "a/1-first/best": "a-1-first-best",
        "./b/1-first/best/": "b-1-first-best",
        "../models/ptb/lstm": "models-ptb-lstm",
    }
    for given in names:
        assert run("sample", given, "--length", 3, "--seed", 4, "--out", tmp_path / "out").exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}-seed4-1.txt" for name in names.values()}


def test_a_checkpoint_without_a_name_is_called_after_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny(tmp_path / "c", domain="text")
    monkeypatch.chdir(tmp_path / "c")
    said = json.loads(run("sample", ".", "--length", 3, "--out", tmp_path / "out", "--json").stdout)
    (file,) = map(Path, said["files"])
    assert file.name.endswith(f"{tmp_path.name}-c-seed0-1.txt") and not file.name.startswith(("-", "."))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--temperature", "nan", "temperature is nan"),
        ("--temperature", "-1", "temperature is -1"),
        ("--temperature", "0", "temperature is 0"),
        ("--length", "0", "length of 0"),
        ("--length", "1000000", "length of 1000000"),
        ("--count", "0", "count is 0"),
        ("--count", "1000000000", "count is 1000000000"),
        ("--tempo", "0", "empo"),
        ("--program", "128", "128"),
        ("--device", "abacus", "abacus"),
    ],
)
def test_arguments_out_of_range_are_one_sentence(tmp_path: Path, option: str, value: str, words: str) -> None:
    save_tiny(tmp_path / "c")
    failed(run("sample", tmp_path / "c", "--out", tmp_path / "out", option, value), words)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    save_tiny(tmp_path / "c")
    (tmp_path / "file").write_text("in the way")
    failed(run("sample", tmp_path / "c", "--length", 3, "--out", tmp_path / "file"), "name another folder")


def test_a_missing_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    failed(run("evaluate", tmp_path / "none", "--json"), "there is no checkpoint")
    failed(run("sample", "jsb/no-such", "--out", tmp_path), "there is no checkpoint jsb/no-such")


def test_wrong_usage_is_status_2(tmp_path: Path) -> None:
    assert run("sample", tmp_path).exit_code == 2
    assert run("evaluate", tmp_path, "--split", "train").exit_code == 2
    assert run("sample", tmp_path, "--out", tmp_path, "--seed", 2**63).exit_code == 2
    assert run("no-such-command").exit_code == 2


def test_the_module_runs_and_shows_no_traceback() -> None:
    command = [sys.executable, "-m", "lnf_core", "evaluate", "jsb/no-such"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "there is no checkpoint jsb/no-such" in done.stderr
    assert "Traceback" not in done.stderr


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
    from lnf_core.data import Vocabulary
    from lnf_core.evaluation import sequences_for

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
    from lnf_core.evaluation import sequences_for

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


def test_release_copies_figures_unless_the_weights_are_rounded(tmp_path: Path) -> None:
    modes = {"mean": 2.0, "standard_error": 0.1, "multimodal": 0.5, "command": "python -m lnf_core modes"}
    facts = {"epochs": 3, "parameters": 9, "command": "python -m lnf_core train"}
    metrics = {"valid": {"nll": 7.0}, "modes": modes, "probe": 1.5, "measured_one_day": 2.0, **facts}
    save_tiny(tmp_path / "run" / "best", metrics=metrics)
    assert run("release", tmp_path / "run" / "best", tmp_path / "whole").exit_code == 0
    assert load(tmp_path / "whole").metrics == metrics
    assert run("release", tmp_path / "run" / "best", tmp_path / "half", "--dtype", "float16").exit_code == 0
    half = load(tmp_path / "half")
    assert half.metrics == facts
    assert half.training == {"preset": "tiny/af-scf"}
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < sizes[0]


def test_a_released_checkpoint_is_not_replaced_by_accident(tmp_path: Path) -> None:
    save_tiny(tmp_path / "new", "af-af")
    save_tiny(tmp_path / "old", "lstm", metrics={"test": {"nll": 7.0}})
    failed(run("release", tmp_path / "new", tmp_path / "old"), "--force")
    assert load(tmp_path / "old").variant == "lstm"
    failed(run("release", tmp_path / "new", tmp_path / "new"), "itself")
    assert run("release", tmp_path / "new", tmp_path / "old", "--force").exit_code == 0
    assert load(tmp_path / "old").variant == "af-af"


def test_what_the_readme_trains_it_can_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[1]
    lines = [shlex.split(line, comments=True) for line in (root / "README.md").read_text().splitlines() if "#" in line]
    (release,) = [words for words in lines if words[:4] == ["python", "-m", "lnf_core", "release"]]
    (out,) = [words[-1] for words in lines if words[3:5] == ["train", "--preset"]]
    assert "test" not in read_metrics(root / release[-1])  # else it would be refused
    monkeypatch.chdir(tmp_path)
    save_tiny(tmp_path / out / "best")
    assert run(*release[3:]).exit_code == 0


def test_import_textflow_refuses_what_is_no_reference_model(tmp_path: Path) -> None:
    failed(run("import-textflow", tmp_path / "none.pt", "--out", tmp_path / "o", "--dataset", "jsb"), "no file")
    torch.save(tiny_model().state_dict(), tmp_path / "ours.pt")
    failed(run("import-textflow", tmp_path / "ours.pt", "--out", tmp_path / "o", "--dataset", "jsb"), "no latent flow")
    failed(run("import-textflow", tmp_path / "ours.pt", "--out", tmp_path / "o", "--dataset", "bach"), "bach")
    assert not (tmp_path / "o").exists()


def test_a_reference_model_becomes_a_checkpoint(tmp_path: Path) -> None:
    state = _reference_weights()
    torch.save(state, tmp_path / "model.pt")
    out = tmp_path / "imported"
    failed(run("import-textflow", tmp_path / "model.pt", "--out", out), "--variant")
    (tmp_path / "symbols.json").write_text(json.dumps(["<unk>", "<pad>", *"abcde"]))
    options = ["--variant", "af-scf", "--vocabulary", tmp_path / "symbols.json", "--out", out]
    assert run("import-textflow", tmp_path / "model.pt", *options).exit_code == 0
    imported = load(out)
    assert imported.variant == "af-scf"
    assert torch.equal(imported.model.emission.embedding.weight, state["input_embedding.weight"])
    drawn = run("sample", out, "--length", 5, "--out", tmp_path, "--json")
    assert drawn.exit_code == 0, drawn.output
    assert run("import-textflow", tmp_path / "model.pt", *options[:2], "--out", out).exit_code == 0
    failed(run("sample", out, "--length", 5, "--out", tmp_path), "no vocabulary")


def _reference_weights() -> dict[str, torch.Tensor]:
    """The weights of a parity case: a small model under the reference implementation's names."""
    case = next(Path(__file__).parent.glob("fixtures/**/af-scf_categorical.safetensors"))
    return {
        name.removeprefix("weight."): value for name, value in load_file(case).items() if name.startswith("weight.")
    }
