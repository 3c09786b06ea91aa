"""Every run of the plan fits its data, and goes on where it stood from what came back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from calls import call_in

from benchmarks.gpu import train as gpu_train
from benchmarks.gpu.parcels import ROOT, join
from benchmarks.gpu.plan import Run, read_plan, starting_from, write_recipe
from benchmarks.gpu.record import Call, PlanError, Record
from benchmarks.gpu.rehearsal import went_on
from benchmarks.gpu.train import from_sent_weights, progress, put_back, send, train
from lnf_core.data import load_dataset
from lnf_core.storage.bundle import read_checkpoint
from lnf_core.storage.find import load
from lnf_core.training.presets import preset
from lnf_core.training.recipe import Recipe, Stage, read_recipe
from lnf_core.training.stages import plan_stage, run_recipe, stage_folder


def test_every_run_of_the_plan_fits_its_data(data_root: Path, tmp_path: Path) -> None:
    plans = {small: read_plan(small=small) for small in (False, True)}
    data = {name: load_dataset(name, data_root) for name in {run.name.split("/")[0] for run in plans[True]}}
    for small, runs in plans.items():
        for run in runs:
            path = tmp_path / f"{run.name}.toml"
            write_recipe(run.recipe, path)
            written = read_recipe(path)
            dataset = data[run.name.split("/")[0]]
            for number in range(len(written.stages)):
                config = plan_stage(written, dataset, tmp_path / "none", number).config
                assert config.preset == run.name
                assert config == plan_stage(run.recipe, dataset, tmp_path / "none", number).config
                if small:
                    assert config.model.hidden_size == 8
                elif run.recipe.released:  # it goes on from weights of the recipe's own sizes
                    assert config.model.hidden_size == preset(config.preset, dataset).model.hidden_size
                else:
                    assert config.model != preset(config.preset, dataset).model


def test_a_plan_that_names_a_stage_its_recipe_has_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        '[sizes.a]\n[[run]]\nstep = "2-ptb"\nrecipe = "ptb/lstm.toml"\nsizes = "a"\nepochs = { ramp = 1 }\n'
    )
    with pytest.raises(PlanError, match="epochs to ramp"):
        read_plan(path)
    path.write_text("[[run]]\n")
    with pytest.raises(PlanError, match="is no plan"):
        read_plan(path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A small JSB flow of two stages."""
    small = next(run for run in read_plan(small=True) if run.name == "jsb/af-scf").recipe.stages[0].assignments
    stages = [Stage(name, (*small, "max_steps=4", "valid_every=2")) for name in ("one", "two")]
    return Run("3-music", "jsb/af-scf", Recipe("jsb/af-scf", tuple(stages)))


def test_a_run_that_came_back_whole_goes_on_where_it_was_cut_off(run: Run, tmp_path: Path, data_root: Path) -> None:
    call, data = call_in(tmp_path), load_dataset("jsb", data_root)
    folders = {run.name: call.work / run.name}
    run_recipe(run.recipe, data, folders[run.name], device="cpu", minutes=1e-7)
    cut = progress(run, folders[run.name])
    assert (cut["stage"], cut["step"], cut["done"]) == (1, 1, False)
    assert send(run.step, call, [run], folders) == {run.name: "whole"}
    folders[run.name].rename(tmp_path / "gone")
    assert put_back(run.step, call, folders) == [run.name]
    assert put_back(run.step, call, folders) == []  # what is there is newer
    run_recipe(run.recipe, data, folders[run.name], device="cpu")
    then = progress(run, folders[run.name])
    assert then["done"]
    lines = (stage_folder(run.recipe, folders[run.name], 0) / "metrics.jsonl").read_text().splitlines()
    assert [event["step"] for event in map(json.loads, lines) if event["event"] == "step"] == [1, 2, 3, 4]
    went_on(run.name, cut, {**then, "from": cut["step"]})
    with pytest.raises(PlanError, match="went on from 0"):
        went_on(run.name, cut, {**then, "from": 0})


def test_weights_alone_begin_their_stage_again_or_the_next_one(run: Run, tmp_path: Path, data_root: Path) -> None:
    call, data = call_in(tmp_path), load_dataset("jsb", data_root)
    folders = {run.name: call.work / run.name}
    first, second = (stage_folder(run.recipe, folders[run.name], number) for number in (0, 1))
    run_recipe(run.recipe, data, folders[run.name], device="cpu")
    best = load(str(second / "best")).model.state_dict()
    whole = sum(path.stat().st_size for path in folders[run.name].rglob("*") if path.is_file())
    (second / "done").unlink()  # as when it was cut off after a validation
    assert send(run.step, call, [run], folders, limit=whole - 1) == {run.name: "weights"}
    folders[run.name].rename(tmp_path / "gone")
    put_back(run.step, call, folders)
    sent = folders[run.name] / "start"
    for name, value in read_checkpoint(sent).model.state_dict().items():
        torch.testing.assert_close(value, best[name], rtol=1e-3, atol=1e-4)  # float16
    assert progress(run, folders[run.name])["stage"] == 2
    recipe = from_sent_weights(run, folders[run.name])
    assert recipe == starting_from(run.recipe, 1, sent)
    finished = run_recipe(recipe, data, folders[run.name], device="cpu")
    assert finished is not None and finished.reason == "completed"
    assert not (first / "state").exists()
    assert load(str(second / "best")).training["started_from"]["checkpoint"] == "runs/start"
    assert send(run.step, call, [run], folders, limit=1) == {run.name: "figures"}


def test_of_weights_that_may_not_be_passed_on_only_figures_come_back(run: Run, tmp_path: Path, data_root: Path) -> None:
    call, data, here = call_in(tmp_path), load_dataset("jsb", data_root), replace(run, figures_only=True)
    folder = call.work / run.name
    run_recipe(here.recipe, data, folder, device="cpu")
    (stage_folder(here.recipe, folder, 1) / "best" / "metrics.json").write_text("{}")
    assert send(here.step, call, [here], {here.name: folder}) == {here.name: "figures"}
    (listed,) = call.out.glob("*.parts.json")
    assert join(call.out, listed.name.removesuffix(".parts.json"), tmp_path / "back")
    sent = sorted(path.name for path in (tmp_path / "back").rglob("*") if path.is_file())
    assert sent == ["config.json", "metrics.json"]


def test_sent_weights_come_before_the_released_ones(run: Run, tmp_path: Path, data_root: Path) -> None:
    released = replace(run, recipe=replace(run.recipe, released="jsb/af-scf", released_stage=2))
    folder, sent = tmp_path / run.name, tmp_path / run.name / "start"
    data = load_dataset("jsb", data_root)
    assert plan_stage(released.recipe, data, folder, 1).config.start_from == "jsb/af-scf"
    written = tmp_path / "recipe.toml"
    write_recipe(starting_from(released.recipe, 1, sent), written)
    assert plan_stage(read_recipe(written), data, folder, 1).config.start_from == str(sent)


@pytest.fixture
def figures_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The one run of a plan, whose weights stay on the machine; it counts as done, and nothing trains."""
    here = replace(run, figures_only=True)
    monkeypatch.setattr(gpu_train, "read_plan", lambda *, small: [here])
    monkeypatch.setattr(gpu_train, "progress", lambda _run, _folder: {"step": 4, "stage": 2, "done": True})
    monkeypatch.setattr(gpu_train.Queue, "run", lambda _queue: None)
    return here


def test_test_figures_for_which_there_was_no_time_are_made_by_the_next_call(
    figures_only: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits: list[str] = []

    def one_split(run: Run, folder: Path, item: dict, call: Call) -> None:
        splits.append(next(split for split in ("valid", "test") if split not in item))
        item[splits[-1]] = {"nll": 1.0}

    monkeypatch.setattr(gpu_train, "_evaluate", one_split)
    assert not train(figures_only.step, call_in(tmp_path))
    assert train(figures_only.step, call_in(tmp_path))
    assert splits == ["valid", "test"]


def test_a_run_whose_figures_came_back_is_not_trained_again(
    figures_only: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = call_in(tmp_path)
    best = stage_folder(figures_only.recipe, call.work / figures_only.name, 1) / "best"
    best.mkdir(parents=True)
    (best / "metrics.json").write_text("{}")
    send(figures_only.step, call, [figures_only], {figures_only.name: call.work / figures_only.name})
    record = Record(figures_only.step, call)
    record.items[figures_only.name] = {"calls": [{"done": True}], "valid": {"nll": 1.0}, "test": {"nll": 2.0}}
    record.save()
    queued: list[object] = []
    monkeypatch.setattr(gpu_train, "write_recipe", lambda recipe, _path: queued.append(recipe))
    elsewhere = call_in(tmp_path, work=tmp_path / "other")
    assert train(figures_only.step, elsewhere)
    assert queued == []
    assert not (elsewhere.work / figures_only.name).exists()  # figures are no run to go on with
    assert json.loads((call.out / f"{figures_only.step}.json").read_text())["items"] == record.items
    # One that was cut off before its figures were made begins anew: its weights stayed where they were.
    del record.items[figures_only.name]["test"]
    record.save()
    monkeypatch.setattr(gpu_train, "_evaluate", lambda *_arguments: None)
    train(figures_only.step, elsewhere)
    assert len(queued) == 1
    assert not (elsewhere.work / figures_only.name).exists()


def test_a_run_that_goes_on_from_released_weights_is_at_their_stage(run: Run, tmp_path: Path) -> None:
    released = replace(run, recipe=replace(run.recipe, released="jsb/af-scf", released_stage=2))
    assert progress(released, tmp_path / "none") == {
        "stage": 2,
        "step": 0,
        "best_negative_elbo": None,
        "done": False,
    }
    assert progress(run, tmp_path / "none")["stage"] == 1


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc to find children in")
def test_a_run_that_does_not_end_when_asked_is_ended() -> None:
    # In a process of its own: it ends all children, and those of this one include the servers of other tests.
    stubborn = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    )
    code = f"""
import subprocess, sys
from benchmarks.gpu.train import end_children
child = subprocess.Popen([sys.executable, "-c", {stubborn!r}], stdout=subprocess.PIPE, start_new_session=True)
assert child.stdout.readline() == b"ready\\n"
child.terminate()
end_children()
print(child.wait(10))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str(-signal.SIGKILL), done.stderr
