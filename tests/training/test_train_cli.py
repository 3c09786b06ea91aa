"""The commands: a short real run, its curves, and one sentence for what cannot be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command_line import run
from training_runs import events_of, music_data, tiny_config

from lnf_core.storage.find import load
from lnf_core.training import Trainer

SMALL = ("model.hidden_size=8", "model.embedding_size=8", "precision=fp32", "batch_size=40")


def set_all(*assignments: str) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


@pytest.fixture
def real_data(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))


@pytest.mark.usefixtures("real_data")
def test_train_resume_and_curves_on_chorales(tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = run("train", "--preset", "jsb/lstm", "--out", out, "--device", "cpu", "--max-minutes", 1e-7,
                *set_all(*SMALL, "max_steps=4"))  # fmt: skip
    assert first.exit_code == 0, first.output
    assert re.search(r"Out of time after [1-3] steps? and", first.output)  # how many fit in is the machine's affair
    again = run("train", "--preset", "jsb/lstm", "--out", out, "--device", "cpu", "--resume")  # that time is over
    assert again.exit_code == 0, again.output
    assert re.search(r"Done after 4 steps .* best valid negative ELBO \d+\.\d+ nats", again.output)
    assert [event["step"] for event in events_of(out)] == [1, 2, 3, 4]
    assert load(out / "best").training["config"]["model"]["hidden_size"] == 8

    other = run("train", "--preset", "jsb/af-scf", "--out", out, "--resume")
    assert (other.exit_code, "holds a run of jsb/lstm, not of jsb/af-scf" in other.output) == (1, True)
    twice = run("train", "--preset", "jsb/lstm", "--out", out)
    assert (twice.exit_code, "already holds a run" in twice.output) == (1, True)


@pytest.mark.usefixtures("real_data")
def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    result = run("train", "--preset", "jsb/lstm", "--out", tmp_path, *set_all("batch_size=lots"))
    assert result.exit_code == 1
    assert result.output.strip() == "batch_size is 'lots'; it must be of type int, like " + result.output.split()[-1]
    assert not list(tmp_path.iterdir())


def test_a_limit_of_time_is_given_once(tmp_path: Path) -> None:
    out, twice = tmp_path / "run", set_all("max_minutes=1")
    result = run("train", "--preset", "jsb/lstm", "--out", out, "--max-minutes", 5, *twice)
    assert result.exit_code == 1 and "not both" in result.output and not out.exists()


def test_an_unknown_preset_is_one_sentence(tmp_path: Path) -> None:
    result = run("train", "--preset", "jsb/gru", "--out", tmp_path)
    assert result.exit_code == 1
    assert "there is no preset 'jsb/gru'" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_curves_draws_several_runs(tmp_path: Path) -> None:
    data = music_data()
    for variant in ("lstm", "af-scf"):
        Trainer(tiny_config(variant, data), data, tmp_path / variant, device="cpu").run()
    picture = tmp_path / "pictures" / "curves.png"
    result = run("curves", tmp_path / "lstm", tmp_path / "af-scf" / "metrics.jsonl", "--out", picture)
    assert result.exit_code == 0, result.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000


def test_a_run_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    data = music_data()
    finished = Trainer(tiny_config("lstm", data, max_epochs=1), data, Path("~/run"), device="cpu").run()
    assert finished.best_path == tmp_path / "run" / "best" and load("~/run/best").dataset == "jsb"
    assert run("curves", "~/run", "--out=~/curves.png").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "run"]


def test_every_run_has_a_curve_of_its_own(tmp_path: Path) -> None:
    line = '{"event": "valid", "step": 1, "negative_elbo": 7.0, "kl": 1.0}\n'
    runs = ["jsb/af-scf/1-first", "jsb/af-af/1-first", "ptb/lstm"]
    for each in runs:
        (tmp_path / each).mkdir(parents=True)
        (tmp_path / each / "metrics.jsonl").write_text(line)
    (tmp_path / "ptb/lstm/before.jsonl").write_text(line)
    given = [tmp_path / each for each in [*runs, "ptb/lstm/metrics.jsonl", "ptb/lstm/before.jsonl"]]
    picture = tmp_path / "curves.svg"
    result = run("curves", *given, "--out", picture)
    assert result.exit_code == 0, result.output
    legend = re.findall(r"<!-- (.*) -->", picture.read_text().partition('id="legend_1"')[2].partition("axes_2")[0])
    assert legend == ["af-scf/1-first", "af-af/1-first", "lstm", "before.jsonl"]


FOREIGN = b'5\n\xff\xfe\n{"event": "valid", "step": 1}\n{"step": 2}\n{"event": ["valid"], "step": null}\n[[1\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "has no metrics.jsonl"), (b"not ours\n", "no training events"), (FOREIGN, "no training events")],
)
def test_curves_of_nothing_is_one_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "metrics.jsonl").write_bytes(content)
    result = run("curves", tmp_path, "--out", tmp_path / "a.png")
    assert (result.exit_code, said in result.output) == (1, True)
    assert not (tmp_path / "a.png").exists()
    nameless = run("curves", tmp_path / ("n" * 300), "--out", tmp_path / "a.png")
    assert (nameless.exit_code, "cannot be used: File name too long" in nameless.output) == (1, True)


def test_foreign_lines_among_the_events_are_passed_over(tmp_path: Path) -> None:
    ours = [b'{"event": "valid", "step": %d, "negative_elbo": 7.0, "kl": 1.0}\n' % step for step in (1, 2)]
    (tmp_path / "metrics.jsonl").write_bytes(ours[0] + FOREIGN + ours[1])
    result = run("curves", tmp_path, "--out", tmp_path / "a.svg")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.svg").exists()


def test_the_folder_of_a_recipe_names_its_stages(tmp_path: Path) -> None:
    for stage in ("2-one-key", "1-transposed"):
        (tmp_path / "run" / stage).mkdir(parents=True)
        (tmp_path / "run" / stage / "metrics.jsonl").write_text("")
    result = run("curves", tmp_path / "run", "--out", tmp_path / "a.png")
    stages = f"{tmp_path}/run/1-transposed {tmp_path}/run/2-one-key"
    assert (result.exit_code, f"give the stages of its recipe: {stages}." in result.output) == (1, True)


def test_a_file_in_the_way_of_a_picture_is_named_without_the_systems_words(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"event": "valid", "step": 1, "negative_elbo": 7.0, "kl": 1.0}\n')
    result = run("curves", tmp_path, "--out", tmp_path / "metrics.jsonl" / "a.png")
    assert (result.exit_code, "a.png: a file is in the way; name another" in result.output) == (1, True)


@pytest.mark.parametrize("name", ["curves", "curves.txt"])
def test_a_picture_is_named_as_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"event": "valid", "step": 1, "negative_elbo": 7.0, "kl": 1.0}\n')
    result = run("curves", tmp_path, "--out", tmp_path / name)
    assert (result.exit_code, "let it end in .png, .svg, .pdf" in result.output) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
