"""The queue of recipes: what it runs, in which folders, and how it stops."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from recipe_files import SMALL, recipe_file

from lnf_core.errors import ConfigError, TrainingError
from lnf_core.training.queue import Entry, Queue, read_queue
from lnf_core.training.recipe import read_recipe

ROOT = Path(__file__).parents[2]


def test_every_recipe_of_the_repository_can_be_read() -> None:
    entries = read_queue(ROOT / "recipes" / "queue.toml")
    assert {entry.name for entry in entries} >= {"jsb/af-scf", "jsb/af-af", "jsb/iaf-scf", "ptb/af-scf"}
    assert {entry.recipe.resolve() for entry in entries} == {
        path for path in (ROOT / "recipes").glob("*/*.toml")
    }  # none is forgotten
    for entry in entries:
        assert read_recipe(entry.recipe).preset == entry.name.removesuffix("-beta")  # another price, the same sizes


def test_two_recipes_do_not_share_the_folder_of_a_run(tmp_path: Path) -> None:
    lines = []
    for place in ("here", "there"):
        (tmp_path / place / "jsb").mkdir(parents=True)
        recipe_file(tmp_path / place / "jsb", "max_steps = 1").rename(tmp_path / place / "jsb" / "mine.toml")
        lines.append(f'[[run]]\nrecipe = "{place}/jsb/mine.toml"\nminutes = 1\n')
    path = tmp_path / "queue.toml"
    path.write_text("".join(lines))
    with pytest.raises(ConfigError, match="both run as jsb/mine; rename one"):
        read_queue(path)
    path.write_text(lines[0] * 2)  # two turns of one run
    assert len(read_queue(path)) == 2


def test_a_recipe_beside_its_queue_runs_in_the_folder_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "deeper").mkdir(parents=True)
    recipe_file(tmp_path / "mine", "max_steps = 1")
    for place, recipe in (("mine", "small.toml"), ("mine/deeper", "../small.toml")):
        monkeypatch.chdir(tmp_path / place)
        Path("queue.toml").write_text(f'[[run]]\nrecipe = "{recipe}"\nminutes = 1\n')
        assert [entry.name for entry in read_queue(Path("queue.toml"))] == ["mine/small"]
    assert Entry(Path("/small.toml"), 1.0).name == "small"


@pytest.mark.parametrize("minutes", ["-1", "nan", "inf", '"long"'])
def test_a_turn_of_no_length_is_refused_before_anything_runs(tmp_path: Path, minutes: str) -> None:
    recipe_file(tmp_path, "max_steps = 1")
    path = tmp_path / "queue.toml"
    path.write_text(f'[[run]]\nrecipe = "small.toml"\nminutes = {minutes}\n')
    with pytest.raises(ConfigError, match="minutes"):
        read_queue(path)


def test_a_file_that_is_no_queue_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "queue.toml"
    with pytest.raises(ConfigError, match=r"there is no queue .*queue\.toml; that of the repository is"):
        read_queue(path)
    for text, said in (
        ("[[run]", "cannot be read as a queue: "),
        ('preset = "jsb/af-scf"', r"is no queue of \[\[run\]\]"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=said) as caught:
            read_queue(path)
        assert "Error" not in str(caught.value)


@pytest.fixture
def queue_file(tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    small = SMALL.replace('"model.prior_hidden" = 8, ', "").replace("batch_size = 8", "batch_size = 40")
    endless = f"{small}, max_steps = 100_000, checkpoint_minutes = 3.0"
    for name, settings in (("wrong", "colour = 3"), ("endless", endless)):
        path = tmp_path / "jsb" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'preset = "jsb/af-scf"\n[[stage]]\nname = "a"\nsettings = {{ {settings} }}')
    queue = tmp_path / "queue.toml"
    queue.write_text("".join(f'[[run]]\nrecipe = "jsb/{n}.toml"\nminutes = 9\n' for n in ("wrong", "endless")))
    return queue


def queue_of(code: str, monkeypatch: pytest.MonkeyPatch, started: Callable[[], None] = lambda: None) -> Queue:
    """A queue of one run that is the Python ``code``; ``started`` is called when its process is there."""
    real = subprocess.Popen

    def start(_command: list[str], **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401
        process = real([sys.executable, "-c", code], **options)
        started()
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    return Queue([Entry(Path("jsb/one.toml"), 1.0)], Path("runs"), say=lambda _line: None)


def test_a_run_that_the_queue_starts_as_it_is_stopped_is_asked_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = queue_of("import time; time.sleep(20)", monkeypatch, lambda: queue.stop())
    began = time.monotonic()
    queue.run()  # nothing failed: it was asked before it had begun
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("code", "ended"), [("raise SystemExit(3)", "status 3"), ("import os; os.kill(os.getpid(), 9)", "signal 9")]
)
def test_a_run_of_the_queue_that_fails_without_a_word_has_a_line(
    code: str, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, said = queue_of(code, monkeypatch), []
    queue._say = said.append
    with pytest.raises(TrainingError, match="jsb/one; their lines say why"):
        queue.run()
    assert said == [f"jsb/one: ended with {ended}"]


def test_runs_of_the_queue_that_end_well_are_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, said = queue_of("print('Finished.')", monkeypatch), []
    queue._say = said.append
    queue._waiting *= 2
    queue.run()
    assert said == ["jsb/one: Finished."] * 2


def test_a_queue_that_nobody_hears_any_more_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, said = queue_of("print('a'); print('b')", monkeypatch), []

    def say(line: str) -> None:
        said.append(line)
        raise BrokenPipeError

    queue._say, queue._waiting = say, queue._waiting * 2
    with pytest.raises(BrokenPipeError):
        queue.run()
    assert said == ["jsb/one: a"] and len(queue._waiting) == 1


def test_what_the_queue_starts_ends_with_the_run_done(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def start(command: list[str], **_options: object) -> None:
        commands.append(command)
        raise InterruptedError

    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    monkeypatch.setattr(subprocess, "Popen", start)
    small = SMALL.replace('"model.prior_hidden" = 8, ', "").replace("batch_size = 8", "batch_size = 40")
    path = tmp_path / "jsb" / "short.toml"
    path.parent.mkdir()
    path.write_text(f'preset = "jsb/af-scf"\n[[stage]]\nname = "a"\nsettings = {{ {small}, max_steps = 3 }}')
    with pytest.raises(InterruptedError):
        Queue([Entry(path, 9.0)] * 2, tmp_path / "runs", say=lambda _line: None).run()
    (command,) = commands
    at = command.index("lnf_core")
    assert command[at - 1] == "-m"
    done = run(*command[at + 1 :])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "runs" / "jsb" / "short" / "1-a" / "done").exists()


@pytest.mark.slow
def test_the_queue_goes_on_after_a_failure_and_stops_with_its_state_saved(queue_file: Path, tmp_path: Path) -> None:
    said: list[str] = []
    queue = Queue(read_queue(queue_file), tmp_path / "runs", say=said.append)
    last = tmp_path / "runs" / "jsb" / "endless" / "1-a"
    told = last / "metrics.jsonl"

    def stop_when_it_runs() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (told.exists() and told.stat().st_size):  # a step is done
            time.sleep(0.05)
        queue.stop()

    stopper = threading.Thread(target=stop_when_it_runs)
    stopper.start()
    with pytest.raises(TrainingError, match=r"failed: jsb/wrong;"):
        queue.run()
    stopper.join()
    assert any("jsb/wrong: stage a: 'colour' cannot be set" in line for line in said)
    assert (last / "state" / "state.safetensors").exists()
    assert not (last / "done").exists()
    assert any("Interrupted" in line for line in said)
