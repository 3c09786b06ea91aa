"""Runs that are killed, stopped and resumed repeat the losses of a run that never was, to the last bit."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from training_runs import Ended, events_of, music_data, run_processes, text_data, tiny_config, without_time

from lnf_core.errors import TrainingError
from lnf_core.storage.find import load
from lnf_core.training import Event, Trainer, ValidEvent
from lnf_core.training.events import MetricsWriter, StepEvent
from lnf_core.training.state import Counters, read_state, state_path

# Saved at steps 1, 2, ...: a kill always loses the step it strikes in.
EVERY_STEP = {"checkpoint_minutes": 0, "valid_every": 4, "stall_patience": 1, "patience": 50}


def progress_of(out: Path) -> Counters:
    saved = read_state(out)
    return Counters() if saved is None else saved.progress


def process(out: Path, variant: str, *options: str, **settings: object) -> Ended:
    (ended,) = run_processes(out / "said", [variant, str(out), "--settings", json.dumps(settings), *options])
    return ended


def uninterrupted(out: Path, variant: str, *, text: bool = False, **settings: object) -> list[dict]:
    data = text_data() if text else music_data()
    Trainer(tiny_config(variant, data, **settings), data, out, device="cpu").run()
    return without_time(events_of(out))


@pytest.mark.slow
def test_a_run_killed_twice_in_the_middle_of_an_epoch_repeats_the_same_losses(tmp_path: Path) -> None:
    settings = {**EVERY_STEP, "max_epochs": 8, "transpose_semitones": 5}
    expected = uninterrupted(tmp_path / "whole", "af-scf", **settings)
    out = tmp_path / "killed"
    # Three batches an epoch: steps 8 and 17 are in the middle of one; the KL ramp is from 5 to 15.
    assert process(out, "af-scf", "--kill-at", "8", **settings).returncode == -9
    assert progress_of(out).step == 7
    assert len(events_of(out)) == 8
    assert process(out, "af-scf", "--resume", "--kill-at", "17", **settings).returncode == -9
    done = process(out, "af-scf", "--resume", **settings)
    assert (done.returncode, done.stdout.strip()) == (0, "completed"), done.stderr
    assert without_time(events_of(out)) == expected
    whole, killed = (without_time(events_of(tmp_path / name, "valid")) for name in ("whole", "killed"))
    assert whole == killed
    weights = [(tmp_path / name / "best" / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


@pytest.mark.slow
@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_a_signal_saves_the_state_and_the_run_goes_on_from_there(tmp_path: Path, signal: str) -> None:
    settings = {"max_epochs": 2, "checkpoint_minutes": 60}
    out = tmp_path / "stopped"
    stopped = process(out, "lstm", "--text", "--kill-at", "5", "--how", signal, **settings)
    assert (stopped.returncode, stopped.stdout.strip()) == (0, "interrupted"), stopped.stderr
    assert progress_of(out).step == len(events_of(out)) == 6  # one step more
    data = text_data()
    Trainer(tiny_config("lstm", data, **settings), data, out, device="cpu", resume=True).run()
    assert without_time(events_of(out)) == uninterrupted(tmp_path / "whole", "lstm", text=True, **settings)
    assert [event["reason"] for event in events_of(out, "finished")] == ["completed"]


def test_resuming_where_nothing_was_saved_starts_at_the_beginning(tmp_path: Path) -> None:
    data = text_data()
    killed = [f'{{"event": "step", "step": {step}, "loss": 9}}\n' for step in (1, 7)]  # before a save
    for number, line in enumerate(killed, start=1):
        (tmp_path / "metrics.jsonl").write_text(line)
        if number == 1:  # the second was killed before its first validation
            (tmp_path / "best").mkdir()
            (tmp_path / "best" / "config.json").write_text("of the run that was killed")
        config = tiny_config("lstm", data, max_steps=2)
        Trainer(config, data, tmp_path, device="cpu", resume=number == 1).run()
        assert [event["step"] for event in events_of(tmp_path)] == [1, 2]
        shutil.rmtree(tmp_path / "state")
        shutil.rmtree(tmp_path / "best")
    assert [path.name for path in tmp_path.glob("best*")] == ["best-1"]
    assert (tmp_path / "best-1" / "config.json").read_text() == "of the run that was killed"
    assert [(tmp_path / f"metrics-{number}.jsonl").read_text() for number in (1, 2)] == killed


@pytest.mark.parametrize("resume", [False, True])
def test_the_events_of_a_run_whose_state_is_gone_are_not_overwritten(tmp_path: Path, resume: bool) -> None:
    uninterrupted(tmp_path, "lstm", max_steps=2)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "state" not in path.parts}
    shutil.rmtree(tmp_path / "state")
    data = music_data()
    again = Trainer(tiny_config("lstm", data, max_steps=2), data, tmp_path, device="cpu", resume=resume)
    with pytest.raises(TrainingError, match=r"state/state\.safetensors is gone; put that back"):
        again.run()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    writer = MetricsWriter(tmp_path / "metrics.jsonl")
    writer._file = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - the writer closes it
    with pytest.raises(TrainingError, match=r"cannot write .*metrics\.jsonl: No space left"):
        writer(StepEvent(1, 0, 1, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0))
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(TrainingError, match="cannot write"):
        MetricsWriter(blocked / "metrics.jsonl")


@pytest.mark.parametrize("resume", [False, True])
def test_two_runs_do_not_share_a_folder(tmp_path: Path, resume: bool) -> None:
    data = music_data()
    config = tiny_config("lstm", data, max_steps=4)

    def prepared() -> Trainer:
        return Trainer(config, data, tmp_path, device="cpu", resume=resume)

    first, late, refused = prepared(), prepared(), []

    def another_one_starts(event: Event) -> None:
        if isinstance(event, StepEvent) and event.step == 2:
            with pytest.raises(TrainingError, match="another run is at work in") as error:
                prepared().run()
            refused.append(error)

    first._callbacks.append(another_one_starts)
    first.run()
    assert refused
    assert [event["step"] for event in events_of(tmp_path)] == [1, 2, 3, 4]
    with pytest.raises(TrainingError, match=r"has saved its state in .* since this one was prepared"):
        late.run()
    assert len(events_of(tmp_path)) == 4


def test_minutes_of_a_resumed_run_are_those_of_all_its_parts(tmp_path: Path) -> None:
    data = text_data()
    config = tiny_config("lstm", data, max_steps=3)
    first = Trainer(config, data, tmp_path, device="cpu", callbacks=[lambda _: time.sleep(0.3)])
    first.stop.set()
    stopped, saved = first.run(), read_state(tmp_path)
    assert saved is not None and 0.3 / 60 <= saved.minutes <= stopped.minutes
    done = Trainer(config, data, tmp_path, device="cpu", resume=True).run()
    assert stopped.step == 1 and done.step == 3 and done.minutes > saved.minutes


def test_resuming_a_completed_run_adds_no_step(tmp_path: Path) -> None:
    before = uninterrupted(tmp_path, "lstm", max_steps=4)
    data = music_data()
    finished = Trainer(tiny_config("lstm", data, max_steps=4), data, tmp_path, device="cpu", resume=True).run()
    assert (finished.reason, finished.step) == ("completed", 4)
    assert without_time(events_of(tmp_path)) == before


def test_resuming_a_run_that_no_longer_improved_adds_no_step(tmp_path: Path) -> None:
    data = music_data()
    config = tiny_config("lstm", data, max_epochs=200, patience=1, learning_rate=0.2)
    first = Trainer(config, data, tmp_path, device="cpu").run()
    assert first.reason == "early_stop"
    best = (tmp_path / "best" / "model.safetensors").read_bytes()
    again = Trainer(config, data, tmp_path, device="cpu", resume=True).run()
    assert (again.reason, again.step, again.best_step) == ("early_stop", first.step, first.best_step)
    assert (tmp_path / "best" / "model.safetensors").read_bytes() == best


def test_a_run_out_of_time_goes_on_with_more(tmp_path: Path) -> None:
    data = music_data()
    config = tiny_config("lstm", data, max_epochs=200, max_minutes=0.002)
    first = Trainer(config, data, tmp_path, device="cpu").run()
    assert first.reason == "max_minutes"
    more = config.override([f"max_minutes={first.minutes + 0.002}"])
    second = Trainer(more, data, tmp_path, device="cpu", resume=True).run()
    assert second.step > first.step
    assert second.minutes > first.minutes


@pytest.mark.parametrize("ramp_steps", [0, 6], ids=["at full weight", "on the ramp"])
def test_turns_that_end_by_time_never_put_worse_weights_in_best(tmp_path: Path, ramp_steps: int) -> None:
    data = music_data()
    ramp = {"kl_ramp_steps": ramp_steps} if ramp_steps else {}
    config = tiny_config(
        "lstm", data, learning_rate=2.0, max_epochs=100, valid_every=1000, schedule="constant", ema_decay=0, **ramp
    )
    kept: ValidEvent | None = None
    for _ in range(12):  # turns of one step
        events: list[Event] = []
        turn = config.override([f"max_minutes={progress_of(tmp_path).seconds / 60 + 1e-9}"])
        finished = Trainer(turn, data, tmp_path, device="cpu", resume=True, callbacks=[events.append]).run()
        (now,) = (event for event in events if isinstance(event, ValidEvent))
        chosen = kept is not None and kept.kl_weight == 1.0
        assert now.best is (not chosen or (kept is not None and now.negative_elbo < kept.negative_elbo))
        kept = now if now.best else kept
        assert kept is not None
        training = load(tmp_path / "best").training
        assert (training["valid_negative_elbo"], training["steps"]) == (kept.negative_elbo, kept.step)
        assert (finished.best_negative_elbo, finished.best_step) == (kept.negative_elbo, kept.step)
    assert kept is not None and kept.step < finished.step  # there were worse ones


def test_a_stop_by_time_changes_no_patience(tmp_path: Path) -> None:
    data = music_data()
    config = tiny_config("lstm", data, max_steps=12, valid_every=4, stall_patience=1, learning_rate=0.3)
    Trainer(config, data, tmp_path / "whole", device="cpu").run()
    for _ in range(12):
        turn = config.override([f"max_minutes={progress_of(tmp_path / 'turns').seconds / 60 + 1e-9}"])
        Trainer(turn, data, tmp_path / "turns", device="cpu", resume=True).run()
    whole, turns = (progress_of(tmp_path / name) for name in ("whole", "turns"))
    assert whole.learning_rate_scale < 1.0
    for name in ("best_negative_elbo", "best_step", "since_best", "since_cut", "learning_rate_scale"):
        assert getattr(turns, name) == getattr(whole, name)


def test_another_preset_or_other_settings_or_data_are_refused(tmp_path: Path) -> None:
    uninterrupted(tmp_path, "lstm", max_steps=2)
    data = music_data()
    config = tiny_config("lstm", data, max_steps=2)

    def resume(*assignments: str, **fields: str) -> None:
        from dataclasses import replace

        Trainer(replace(config.override(assignments), **fields), data, tmp_path, device="cpu", resume=True)  # type: ignore[arg-type]

    with pytest.raises(TrainingError, match="a run of jsb/lstm, not of jsb/af-scf"):
        resume(preset="jsb/af-scf")
    with pytest.raises(TrainingError, match="batch_size was 8 and is now 4"):
        resume("batch_size=4")
    with pytest.raises(TrainingError, match=r"model\.hidden_size was 16 and is now 20"):
        resume("model.hidden_size=20")
    resume("checkpoint_minutes=1")
    data.sha256["tiny"] = "changed"
    with pytest.raises(TrainingError, match="other files of jsb"):
        resume()


@pytest.mark.parametrize("damage", ["cut", "foreign", "newer"])
def test_a_damaged_state_is_named(tmp_path: Path, damage: str) -> None:
    from safetensors.torch import load_file, save_file

    path = state_path(tmp_path)
    uninterrupted(tmp_path, "lstm", max_steps=1)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "foreign":
        save_file(load_file(path), path)
    else:
        save_file(load_file(path), path, {"lnf_core": json.dumps({"version": 99})})
    with pytest.raises(TrainingError, match="newer" if damage == "newer" else "cannot be|can be resumed"):
        read_state(tmp_path)


def test_the_log_loses_what_comes_after_the_saved_step_and_what_is_no_event(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [{"event": "step", "step": n} for n in (1, 2, 3)]
    lines += [{"event": "finished", "step": 2}]
    foreign = b'5\n\xff\xfe\n{"step": 1}\n{"event": "step"}\n{"event": "step", "step": "1"}\n{"event": "st'
    path.write_bytes("".join(json.dumps(line) + "\n" for line in lines).encode() + foreign)
    writer = MetricsWriter(path, resume_step=2)
    writer(StepEvent(3, 0, 9, 1.0, 1.0, 0.0, 1.0, 1e-3, 1.0, 1.0))
    writer.close()
    assert [event["step"] for event in events_of(tmp_path)] == [1, 2, 3]
    assert not events_of(tmp_path, "finished")
