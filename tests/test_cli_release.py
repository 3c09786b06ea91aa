"""The command line: checkpoints made out of a run's best weights, or of the reference's."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch
from command_line import failed, run
from safetensors.torch import load_file
from tiny_models import save_tiny, tiny_model

from lnf_core.storage.files import read_metrics
from lnf_core.storage.find import load


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
    (tmp_path / "notes.pt").write_text("no tensors at all")
    failed(run("import-textflow", tmp_path / "notes.pt", "--out", tmp_path / "o"), "no file of tensors alone")
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
