"""Recipes of several stages: they go on where they stood, and refuse in one sentence."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from command_line import run
from recipe_files import SMALL, recipe_file
from training_runs import events_of, text_data, tiny_config

from lnf_core.errors import ConfigError, TrainingError
from lnf_core.storage.files import CHECKPOINTS_VARIABLE
from lnf_core.storage.find import load
from lnf_core.training import Event, FinishedEvent, TrainConfig, ValidEvent, stages, state
from lnf_core.training.recipe import read_recipe
from lnf_core.training.stages import first_stage, run_recipe
from lnf_core.training.state import Counters, SavedState, read_state

ROOT = Path(__file__).parents[2]
HEAD_WITH_SETTINGS = 'preset = "ptb/af-scf"\nsettings = { seed = 2, warmup_steps = 7 }'


def test_a_mistake_in_a_later_stage_is_told_before_the_first_is_trained(tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file(tmp_path, "max_steps = 1", "max_steps = 1, foo = 1"))
    with pytest.raises(ConfigError, match="stage b: 'foo' cannot be set"):
        run_recipe(recipe, text_data(), tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_recipe_may_run_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = recipe_file(tmp_path, "max_steps = 2", "max_steps = 1")
    for again in (False, True):
        finished = run_recipe(read_recipe(path), text_data(), Path("~/run"), device="cpu")
        assert (finished is None) is again
    assert (tmp_path / "home" / "run" / "2-b" / "best").is_dir()


def test_each_stage_goes_on_from_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recipe_file(tmp_path, "max_steps = 8", "max_steps = 4, learning_rate = 1e-6")
    out = tmp_path / "run"
    finished = run_recipe(read_recipe(path), text_data(), out, device="cpu")
    assert finished is not None and finished.reason == "completed"
    first, second = out / "1-a", out / "2-b"
    assert [len(events_of(folder)) for folder in (first, second)] == [8, 4]
    assert load(second / "best").training["started_from"]["checkpoint"] == "runs/1-a/best"
    gap = events_of(second, "valid")[0]["negative_elbo"] - events_of(first, "finished")[0]["best_negative_elbo"]
    assert abs(gap) < 0.05  # nothing was forgotten on the way
    monkeypatch.setattr(state, "load_file", lambda _path: pytest.fail("no tensor is needed to see what is done"))
    assert run_recipe(read_recipe(path), text_data(), out, device="cpu") is None  # all done: nothing runs again
    with pytest.raises(TrainingError, match="seed was 0 and is now 1"):  # another run: not this one that is done
        run_recipe(read_recipe(path).seeded(1), text_data(), out, device="cpu")
    shutil.rmtree(second)
    shutil.rmtree(first / "best")
    with pytest.raises(TrainingError, match="1-a/best, which is gone"):
        run_recipe(read_recipe(path), text_data(), out, device="cpu")


def test_who_asks_to_stop_while_a_stage_ends_by_itself_is_heard(tmp_path: Path) -> None:
    recipe, out = read_recipe(recipe_file(tmp_path, "max_steps = 4", "max_steps = 2")), tmp_path / "run"

    def ask(event: Event) -> None:
        if isinstance(event, ValidEvent):  # that of the last step: nothing looks at the request any more
            os.kill(os.getpid(), signal.SIGTERM)

    finished = run_recipe(recipe, text_data(), out, device="cpu", callbacks=[ask])
    assert finished is not None and (finished.reason, finished.step) == ("interrupted", 4)
    assert (out / "1-a" / "done").exists() and not (out / "2-b").exists()
    finished = run_recipe(recipe, text_data(), out, device="cpu", callbacks=[ask])
    assert finished is not None and finished.reason == "completed"  # nothing was left to go on with
    assert run_recipe(recipe, text_data(), out, device="cpu") is None


def test_a_stage_may_begin_with_another_checkpoint_than_the_stage_before(tmp_path: Path) -> None:
    run_recipe(read_recipe(recipe_file(tmp_path, "max_steps = 1")), text_data(), tmp_path / "runs" / "other")
    begin = f'max_steps = 1, start_from = "{tmp_path / "runs" / "other" / "1-a" / "best"}"'
    path = recipe_file(tmp_path, "max_steps = 1", begin)
    path.write_text(path.read_text() + f'\n[[stage]]\nname = "c"\nlike = "b"\nsettings = {{ {SMALL} }}')
    run_recipe(read_recipe(path), text_data(), tmp_path / "runs" / "run", device="cpu")
    found = [load(tmp_path / "runs" / "run" / name / "best").training["started_from"] for name in ("2-b", "3-c")]
    assert [facts["checkpoint"] for facts in found] == ["runs/other/1-a/best", "runs/run/2-b/best"]


def test_a_run_goes_on_after_its_folder_was_moved(tmp_path: Path) -> None:
    recipe = read_recipe(recipe_file(tmp_path, "max_steps = 2", "max_steps = 4"))
    old, new = tmp_path / "old" / "run", tmp_path / "new" / "elsewhere"
    run_recipe(recipe, text_data(), old, device="cpu")
    (old / "2-b" / "done").unlink()  # as when it was stopped before it was marked
    new.parent.mkdir()
    old.rename(new)
    finished = run_recipe(recipe, text_data(), new, device="cpu")
    assert finished is not None and (finished.reason, finished.step) == ("completed", 4)
    shutil.rmtree(new / "1-a" / "best")  # what the second stage began with is in its state
    (new / "2-b" / "done").unlink()
    assert run_recipe(recipe, text_data(), new, device="cpu") is not None
    assert run_recipe(recipe, text_data(), new, device="cpu") is None


def test_time_that_is_up_is_given_anew_to_the_next_turn(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "max_steps = 6", "max_steps = 2")
    out = tmp_path / "run"
    finished = run_recipe(read_recipe(path), text_data(), out, device="cpu", minutes=1e-7)
    assert finished is not None and finished.reason == "max_minutes"
    assert not (out / "2-b").exists()
    finished = run_recipe(read_recipe(path), text_data(), out, device="cpu", minutes=60)
    assert finished is not None and finished.reason == "completed"
    assert [event["step"] for event in events_of(out / "1-a")] == [1, 2, 3, 4, 5, 6]
    assert len(events_of(out / "2-b")) == 2


def test_a_stage_that_ends_early_is_followed_by_the_next(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "max_steps = 400, learning_rate = 1e-12, patience = 1", "max_steps = 2")
    finished = run_recipe(read_recipe(path), text_data(), tmp_path / "run", device="cpu")
    assert finished is not None and (finished.reason, finished.step) == ("completed", 2)
    assert [event["reason"] for event in events_of(tmp_path / "run" / "1-a", "finished")] == ["early_stop"]
    assert run_recipe(read_recipe(path), text_data(), tmp_path / "run", device="cpu") is None


def test_the_time_of_a_turn_is_shared_by_its_stages(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "max_steps = 1", "max_steps = 2")
    finished = run_recipe(read_recipe(path), text_data(), tmp_path / "run", device="cpu", minutes=1e-9)
    assert finished is not None and finished.reason == "completed"  # its one step was begun in time
    assert not (tmp_path / "run" / "2-b").exists()


def test_time_of_earlier_turns_is_not_taken_from_the_stages_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    class Timed:
        """A run that takes two minutes."""

        def __init__(self, config: TrainConfig, _dataset: object, out: Path, **_: object) -> None:
            limits.append(config.max_minutes)
            (out / "best").mkdir(parents=True)
            self.out = out

        def run(self) -> FinishedEvent:
            spent = 0.0 if (saved := states.get(self.out.name)) is None else saved.minutes
            return FinishedEvent(1, 1, "completed", 1.0, 1, self.out / "best", minutes=spent + 2.0)

        def asked_to_stop(self) -> bool:
            return False

    states = {"1-a": SavedState(tiny_config("af-scf", text_data()), Counters(seconds=60 * 50.0), 0, {})}
    monkeypatch.setattr(stages, "Trainer", Timed)
    monkeypatch.setattr(stages, "read_state", lambda folder: states.get(folder.name))
    path = recipe_file(tmp_path, "max_steps = 1", "max_steps = 2")
    run_recipe(read_recipe(path), text_data(), tmp_path / "run", device="cpu", minutes=10)
    assert limits == [60.0, 8.0]


def test_where_a_runs_own_weights_are_gone_it_goes_on_from_the_released_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("max_steps = 4", "max_steps = 2")
    head = 'preset = "ptb/af-scf"\nreleased = "ptb/small"\nreleased_stage = 2'
    path = recipe_file(tmp_path, *given, head=head)
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path / "released"))
    run_recipe(read_recipe(path), text_data(), tmp_path / "whole", device="cpu")
    assert (tmp_path / "whole" / "1-a").exists()  # nothing is released yet: from the start
    (tmp_path / "released" / "ptb").mkdir(parents=True)
    (tmp_path / "whole" / "2-b" / "best").rename(tmp_path / "released" / "ptb" / "small")
    assert first_stage(read_recipe(path), tmp_path / "short") == 1
    run_recipe(read_recipe(path), text_data(), tmp_path / "short", device="cpu")
    assert not (tmp_path / "short" / "1-a").exists()
    assert load(tmp_path / "short" / "2-b" / "best").training["started_from"]["checkpoint"] == "ptb/small"
    # The recipe grows and what it made is released: the run that began with its second stage goes on with the third.
    head = head.replace("released_stage = 2", "released_stage = 3")
    run_recipe(read_recipe(recipe_file(tmp_path, *given, "max_steps = 3", head=head)), text_data(), tmp_path / "short")
    assert sorted(folder.name for folder in (tmp_path / "short").iterdir()) == ["2-b", "3-c"]
    assert load(tmp_path / "short" / "3-c" / "best").training["started_from"]["checkpoint"] == "runs/2-b/best"
    path = recipe_file(tmp_path, *given, head=head.replace("released_stage = 3", "released_stage = 2"))
    for folder, began in (("short", "ptb/small"), ("of-state-gone", "a released checkpoint")):
        (tmp_path / "of-state-gone" / "2-b").mkdir(parents=True, exist_ok=True)
        with pytest.raises(TrainingError, match=f"began with stage 2, from {began}; choose another folder"):
            run_recipe(read_recipe(path).seeded(0), text_data(), tmp_path / folder, device="cpu")
    run_recipe(read_recipe(path).seeded(1), text_data(), tmp_path / "other", device="cpu")
    assert (tmp_path / "other" / "1-a").exists()  # another seed owes nothing to what was released
    saved = read_state(tmp_path / "other" / "2-b")
    assert saved is not None and saved.config.seed == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("preset =", "cannot be read"),
        ('preset = "ptb/lstm"', "at least one"),
        ('preset = "ptb/lstm"\ncolour = 3\n[[stage]]\nname = "a"', "colour"),
        ('preset = "ptb/lstm"\n[[stage]]\nname = "../a"', "small letters"),
        ('preset = "ptb/lstm"\nreleased_stage = 2\n[[stage]]\nname = "a"', "one of its 1 stages"),
        ('preset = "ptb/lstm"\nreleased_stage = "two"\n[[stage]]\nname = "a"', "released_stage in .* is 'two'"),
        ('preset = "ptb/lstm"\nreleased = "ptb/lstm"\n[[stage]]\nname = "a"', "released_stage 1; give both"),
        (
            'preset = "ptb/lstm"\nreleased_stage = 2\n[[stage]]\nname = "a"\n[[stage]]\nname = "b"',
            "released in .* is '' and released_stage 2",
        ),
        ('preset = "ptb/lstm"\nreleased = 2\n[[stage]]\nname = "a"', "name of a checkpoint"),
        ('preset = "ptb/lstm"\nstage = ["a"]', "small letters"),
        (
            'preset = "ptb/lstm"\nsettings = { start_from = "ptb/lstm" }\n[[stage]]\nname = "a"',
            "of every stage .* have start_from",
        ),
        ('preset = "ptb/lstm"\nsettings = 3\n[[stage]]\nname = "a"', "settings of every stage .* a table"),
        ('preset = "ptb/lstm"\n[[stage]]\nname = "a"\nsettings = { seed = 2026-01-01 }', "numbers and words"),
        ('preset = "ptb/lstm"\n[[stage]]\nname = "a"\n[[stage]]\nname = "a"', "two stages .* called a"),
        ('preset = "ptb/lstm"\n[[stage]]\nname = "a"\nlike = "a"', "is like 'a'; before it stand: none"),
        ('preset = "ptb/lstm"\n[[stage]]\nname = "a"\n[[stage]]\nname = "b"\nlike = ["a"]', "before it stand: a"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_recipe(path)
    found = run("train", "--recipe", path, "--out", tmp_path / "run")
    assert found.exit_code == 1


def test_what_stands_once_is_of_every_stage_that_says_nothing_else(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, "max_steps = 1", "max_steps = 1, seed = 3", head=HEAD_WITH_SETTINGS)
    first, second = read_recipe(path).stages
    assert "seed=2" in first.assignments and "warmup_steps=7" in first.assignments
    assert "seed=3" in second.assignments and "warmup_steps=7" in second.assignments
    assert len(set(second.assignments)) == len({part.partition("=")[0] for part in second.assignments})


def test_a_stage_is_like_an_earlier_one_but_for_what_it_says_itself(tmp_path: Path) -> None:
    path = tmp_path / "like.toml"
    first = 'name = "a"\nsettings = { max_steps = 3, learning_rate = 0.5 }'
    second = 'name = "b"\nlike = "a"\nsettings = { max_steps = 4 }'
    third = 'name = "c"\nlike = "b"\nsettings = { seed = 6 }'
    written = "".join(f"[[stage]]\n{stage}\n" for stage in (first, second, third))
    path.write_text(f'preset = "ptb/lstm"\nsettings = {{ seed = 5 }}\n{written}')
    assert [sorted(stage.assignments) for stage in read_recipe(path).stages] == [
        ["learning_rate=0.5", "max_steps=3", "seed=5"],
        ["learning_rate=0.5", "max_steps=4", "seed=5"],
        ["learning_rate=0.5", "max_steps=4", "seed=6"],
    ]


def test_a_recipe_there_is_not_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^there is no recipe .*none\.toml; those of the repository are in recipes/"):
        read_recipe(tmp_path / "none.toml")


def test_preset_and_recipe_exclude_each_other(tmp_path: Path) -> None:
    for arguments in ([], ["--preset", "jsb/lstm", "--recipe", "x.toml"], ["--recipe", "x.toml", "--set", "seed=1"]):
        found = run("train", "--out", tmp_path, *arguments)
        assert (found.exit_code, "--preset" in found.output) == (1, True)
    seeded = run("train", "--out", tmp_path, "--preset", "jsb/lstm", "--seed", 1)
    assert (seeded.exit_code, "--set seed=1" in seeded.output) == (1, True)
