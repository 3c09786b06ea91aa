"""The GPU plan: parcels come back whole or are refused by name; steps measure once, train on, and make their page."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import measure
from benchmarks.gpu import train as gpu_train
from benchmarks.gpu.parcels import PART_BYTES, ROOT, ParcelError, join, pack, split
from benchmarks.gpu.plan import Run, read_plan, starting_from, write_recipe
from benchmarks.gpu.record import Call, Clock, PlanError, Record
from benchmarks.gpu.rehearsal import went_on
from benchmarks.gpu.service import share_card
from benchmarks.gpu.steps import outcome
from benchmarks.gpu.tables import tables
from benchmarks.gpu.train import from_sent_weights, progress, put_back, send, train
from lnf_core.data import load_dataset
from lnf_core.storage.bundle import read_checkpoint
from lnf_core.storage.find import load
from lnf_core.training.presets import preset
from lnf_core.training.recipe import Recipe, Stage, read_recipe, run_recipe, stage_config, stage_folder
from lnf_core.version import code_version


def call_in(folder: Path, **settings: object) -> Call:
    call = Call(folder / "out", folder / "out", folder / "work", "cpu", True, Clock(5))
    return replace(call, **settings)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------- parcels


@pytest.fixture
def parcel(tmp_path: Path) -> Path:
    """``out`` with a parcel of three parts, made of ``tree``."""
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    noise = torch.randint(256, (25_000,), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    (tree / "a" / "b" / "weights").write_bytes(bytes(noise.tolist()))
    (tree / "empty").touch()
    assert len(split(tree, "runs", tmp_path / "out", part_bytes=10_000)) == 3
    return tmp_path / "out"


def test_a_parcel_comes_back_whole_and_a_smaller_one_leaves_no_old_part(parcel: Path, tmp_path: Path) -> None:
    assert join(parcel, "runs", tmp_path / "again")
    for name in ("a/b/weights", "empty"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "tree" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["a", "empty"]
    split(tmp_path / "tree", "runs", parcel)
    assert sorted(path.name for path in parcel.iterdir()) == ["runs.parts.json", "runs.tar.gz.00"]
    assert not join(parcel, "others", tmp_path / "none")
    assert PART_BYTES < 16 * 2**20


@pytest.mark.parametrize("how", ["flipped", "short", "missing"])
def test_a_damaged_part_is_named_and_nothing_is_unpacked(parcel: Path, tmp_path: Path, how: str) -> None:
    part = parcel / "runs.tar.gz.01"
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    if how == "missing":
        part.unlink()
    else:
        part.write_bytes(content if how == "flipped" else content[:-1])
    with pytest.raises(ParcelError, match=r"runs\.tar\.gz\.01.*copy it again"):
        join(parcel, "runs", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_list_of_parts_that_is_none_is_refused(parcel: Path, tmp_path: Path) -> None:
    (parcel / "runs.parts.json").write_text('{"parts": [{"file": "x"}]}')
    with pytest.raises(ParcelError, match=r"runs\.parts\.json is no list"):
        join(parcel, "runs", tmp_path / "again")


def test_the_trip_holds_what_the_steps_need_and_no_checkpoints(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    trip = tmp_path / "trip"
    assert pack(trip) < 20 * 2**20
    for name in ("lnf_core/version.py", "recipes/ptb/lstm.toml", "benchmarks/parity.py", "data/ptb/train.txt"):
        assert (trip / name).is_file()
    assert not (trip / "checkpoints").exists()
    # What is trained there knows which code trained it, though no repository travels.
    asked = [sys.executable, "-c", "import lnf_core.version as v; print(v.__file__, v.code_version())"]
    said = subprocess.run(asked, cwd=trip, env={"PYTHONPATH": str(trip)}, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(trip / "lnf_core" / "version.py"), code_version()]
    with pytest.raises(ParcelError, match="not empty"):
        pack(trip)
    with pytest.raises(ParcelError, match="may hold"):
        pack(tmp_path / "full", limit=2**20)


# ---------------------------------------------------------------------------------------------------- figures and pages


def test_a_figure_is_measured_once_and_waits_where_time_is_short(tmp_path: Path) -> None:
    call = call_in(tmp_path)
    record = Record("1-check", call)
    assert record.once("a", lambda: 1, call.clock)
    assert not record.once("b", lambda: 2, Clock(0.1))
    later = Record("1-check", call_in(tmp_path, out=tmp_path / "fresh", back=tmp_path / "out"))
    assert later.once("a", lambda: 3, call.clock)
    assert later.once("b", lambda: 4, call.clock)
    assert later.items == {"a": 1, "b": 4}
    assert json.loads((tmp_path / "fresh" / "1-check.json").read_text())["items"] == later.items


def test_figures_of_another_machine_are_not_mixed_in(tmp_path: Path) -> None:
    Record("1-check", call_in(tmp_path))
    with pytest.raises(PlanError, match="small"):
        Record("1-check", call_in(tmp_path, small=False))
    (tmp_path / "out" / "1-check.json").write_text("[]")
    with pytest.raises(PlanError, match=r"1-check\.json is no record"):
        Record("1-check", call_in(tmp_path))


@pytest.mark.parametrize("variant", ["af-af", "lstm"])
def test_the_page_is_made_of_real_small_figures(variant: str, tmp_path: Path) -> None:
    record = Record("1-check", call_in(tmp_path))
    at = measure.limits("cpu", small=True)
    found = measure.agreement(variant, "text", "cpu", length=4, batch=2, small=True)
    assert found["agrees"]
    assert 0 < max(found["rounding"].values()) < 1e-4  # float32 is not float64, and not far from it
    step = measure.training_step(variant, "text", "cpu", "fp32", length=4, batch=2, small=True)
    assert step["ms_per_step"] > step["floor_ms"] > 0
    record.items |= {f"agreement/text/{variant}": found, f"training/{variant}/fp32": step}
    for engine in ("eager", "jacobi"):
        row = measure.sampling(variant, "text", engine, "cpu", at, length=4, batch=2, small=True)
        record.items[f"sampling/text/4/2/{variant}/{engine}"] = row
    record.save()
    with pytest.raises(PlanError, match="rehearsal"):
        tables(tmp_path / "out")
    page = tables(tmp_path / "out", allow_small=True)
    assert f"| {variant} | fp32 | 2 x 4 | {step['ms_per_step']:.1f} |" in page
    assert f"| {variant} | text | 4 | 2 | eager |" in page
    assert ("Not run: " in page) is (variant == "lstm")  # jacobi has no baseline, and says so
    assert torch.__version__ in page
    with pytest.raises(PlanError, match="holds none"):
        tables(tmp_path)


def test_a_difference_that_is_too_large_or_not_a_number_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    true_model = measure.sized_model
    for wrong in (1e-2, math.nan):
        built = []

        def model(*arguments: str, wrong: float = wrong, built: list = built, small: bool) -> torch.nn.Module:
            made = true_model(*arguments, small=small)
            built.append(made)
            if len(built) == 3:  # the CPU's float32 and float64 come first, then the device
                with torch.no_grad():
                    made.emission.bias[0] += wrong
            return made

        monkeypatch.setattr(measure, "sized_model", model)
        assert not measure.agreement("af-scf", "text", "cpu", length=4, batch=2, small=True)["agrees"]


# --------------------------------------------------------------------------------------------------- plan and training


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
                config = stage_config(written, dataset, tmp_path / "none", number)
                assert config.preset == run.name
                assert config == stage_config(run.recipe, dataset, tmp_path / "none", number)
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
    assert load(str(second / "best")).training["started_from"]["checkpoint"].endswith("jsb/af-scf/start")
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
    assert stage_config(released.recipe, load_dataset("jsb", data_root), folder, 1).start_from == "jsb/af-scf"
    written = tmp_path / "recipe.toml"
    write_recipe(starting_from(released.recipe, 1, sent), written)
    assert stage_config(read_recipe(written), load_dataset("jsb", data_root), folder, 1).start_from == str(sent)


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


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service by the control program's name, which writes down what it is asked; there is no card behind it."""
    asked, running = tmp_path / "asked", tmp_path / "running"
    control = tmp_path / "bin" / "nvidia-cuda-mps-control"
    control.parent.mkdir()
    control.write_text(
        f"""#!/bin/sh
if [ "$1" = -d ]; then echo start >> {asked}; touch {running}; exit; fi
read line; echo $line >> {asked}
[ -e {running} ] || exit 1
[ "$line" != quit ] || rm {running}
"""
    )
    control.chmod(0o755)
    monkeypatch.setenv("PATH", f"{control.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    return asked


@pytest.mark.skipif(os.name == "nt", reason="no such service on Windows")
def test_a_service_that_does_not_serve_is_ended_and_not_taken_for_one_that_does(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.gpu.service._PROBE", "raise SystemExit(1)")
    for _ in range(2):
        assert not share_card("cuda")
        assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert service.read_text().split() == ["get_server_list", "start", "quit"] * 2
    assert not share_card("cpu")


@pytest.mark.skipif(os.name == "nt", reason="no such service on Windows")
def test_of_two_steps_fired_together_one_starts_the_service_and_the_other_waits_for_it(
    service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = tmp_path / "tried"
    monkeypatch.setattr(
        "benchmarks.gpu.service._PROBE", f"import time; time.sleep(0.3); open({str(tried)!r}, 'w').close()"
    )
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "")  # put back afterwards
    monkeypatch.setenv("CUDA_MPS_LOG_DIRECTORY", "")
    found: list[tuple[bool, bool]] = []
    steps = [threading.Thread(target=lambda: found.append((share_card("cuda"), tried.exists()))) for _ in range(2)]
    for step in steps:
        step.start()
        time.sleep(0.1)
    for step in steps:
        step.join()
    assert found == [(True, True)] * 2
    assert service.read_text().split().count("start") == 1
    assert os.environ["CUDA_MPS_PIPE_DIRECTORY"] == str(tmp_path / "lnf-mps" / "pipe")


def test_a_run_that_goes_on_from_released_weights_is_at_their_stage(run: Run, tmp_path: Path) -> None:
    released = replace(run, recipe=replace(run.recipe, released="jsb/af-scf", released_stage=2))
    assert progress(released, tmp_path / "none") == {
        "stage": 2,
        "step": 0,
        "best_negative_elbo": None,
        "done": False,
    }
    assert progress(run, tmp_path / "none")["stage"] == 1


def test_how_the_tests_ended_is_found_among_warnings() -> None:
    assert outcome(["x", "== 2 failed, 3 passed in 1.0s ==", "  warner(Warning)"]) == "== 2 failed, 3 passed in 1.0s =="
    assert outcome(["no tests ran"]) == "no tests ran"
    assert outcome([]) == ""


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


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "tables", "--out", str(tmp_path / "page.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "run a step first" in done.stderr and len(done.stderr.splitlines()) == 1
