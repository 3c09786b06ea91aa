"""Whole runs on tiny data: they learn, they stop, they refuse, they tell."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_runs import (
    events_of,
    music_data,
    run,
    steps,
    text_data,
    tiny_config,
    valids,
    without_time,
)

from lnf_core.data import Vocabulary
from lnf_core.errors import TrainingError
from lnf_core.storage.bundle import save_checkpoint
from lnf_core.storage.find import load
from lnf_core.training import CheckpointEvent, FinishedEvent, StepEvent, Trainer, ValidEvent
from lnf_core.training.checkpoints import published
from lnf_core.training.runtime import has_bfloat16, make_accelerator, pays_bfloat16
from lnf_core.training.validation import Validator


def test_the_baseline_learns_what_can_be_predicted(tmp_path: Path) -> None:
    events = run(tmp_path, "lstm", max_epochs=16)
    losses = [event.loss for event in steps(events)]
    assert losses[0] > 1.6
    # Only the first of about nine symbols is left to guess: log 6 / 9 = 0.2 nats.
    assert sum(losses[-8:]) / 8 < 0.45
    assert 0.15 < valids(events)[-1].reconstruction < 0.35


@pytest.mark.parametrize(("variant", "text"), [("af-af", True), ("iaf-scf", True), ("af-scf", False)])
def test_flows_learn(tmp_path: Path, variant: str, text: bool) -> None:
    events = run(tmp_path, variant, text=text, max_epochs=10 if text else 20, kl_zero_steps=40)
    rows = steps(events)
    unweighted = [event for event in rows if event.kl_weight < 0.01]
    assert unweighted[-1].reconstruction < 0.3 * unweighted[0].reconstruction
    bounds = {
        full: [event.negative_elbo for event in valids(events) if (event.kl_weight == 1.0) is full]
        for full in (False, True)
    }
    assert min(bounds[True]) < 0.5 * max(bounds[False])


def test_events_tell_the_run_in_order(tmp_path: Path) -> None:
    events = run(tmp_path, max_epochs=3, valid_every=5)
    rows = steps(events)
    assert [event.step for event in rows] == list(range(1, 25))
    assert [event.epoch for event in rows] == [0] * 8 + [1] * 8 + [2] * 8
    assert [event.step for event in valids(events)] == [5, 10, 15, 20, 24]
    assert [event.kl_weight for event in rows[:6]] == [1e-5] * 6
    assert [event.kl_weight for event in rows[15:]] == [1.0] * 9
    assert [event.kl_weight for event in valids(events)] == [rows[event.step - 1].kl_weight for event in valids(events)]
    assert rows[0].learning_rate == pytest.approx(2e-2 / 3)
    for event in rows:
        assert event.loss == pytest.approx(event.reconstruction + event.kl_weight * event.kl, rel=1e-6)
        assert event.grad_norm > 0
        assert event.tokens_per_second > 0
    assert [type(event) for event in events[-3:]] == [ValidEvent, CheckpointEvent, FinishedEvent]
    finished = events[-1]
    assert isinstance(finished, FinishedEvent)
    assert (finished.reason, finished.step) == ("completed", 24)
    assert len(events_of(tmp_path)) == 24
    assert events_of(tmp_path, "finished")[0]["best_negative_elbo"] == finished.best_negative_elbo


def test_only_full_kl_weight_is_selected_and_the_best_is_released(tmp_path: Path) -> None:
    events = run(tmp_path, max_epochs=5, valid_every=4)
    chosen = [event for event in valids(events) if event.best]
    assert chosen
    assert all(event.kl_weight == 1.0 for event in chosen)
    finished = events[-1]
    assert isinstance(finished, FinishedEvent)
    best = min(event.negative_elbo for event in valids(events) if event.kl_weight == 1.0)
    assert finished.best_negative_elbo == best == chosen[-1].negative_elbo
    checkpoint = load(tmp_path / "best")
    assert checkpoint.training["valid_negative_elbo"] == best
    assert checkpoint.training["preset"] == "ptb/af-scf"
    from accelerate import Accelerator

    # The released weights are the averaged ones that were validated.
    again = Validator(text_data().valid, 8, batches=0, seed=0)(checkpoint.model, Accelerator(cpu=True))
    assert again.negative_elbo == pytest.approx(best, rel=1e-6)


def test_a_run_that_never_reaches_full_weight_still_releases_its_end(tmp_path: Path) -> None:
    events = run(tmp_path, max_epochs=1, kl_ramp_steps=1000)
    finished = events[-1]
    assert isinstance(finished, FinishedEvent)
    assert finished.best_step == 8
    assert load(tmp_path / "best").dataset == "ptb"


def test_the_ramp_waits_for_reconstruction(tmp_path: Path) -> None:
    assert all(event.kl_weight == 1e-5 for event in steps(run(tmp_path / "never", kl_wait_reconstruction=1e-6)))
    at_once = steps(run(tmp_path / "at once", kl_wait_reconstruction=1e6))
    assert at_once[5].kl_weight == 1e-5 < at_once[6].kl_weight


def test_the_ramp_begins_when_the_running_reconstruction_is_low_enough(tmp_path: Path) -> None:
    rows = steps(run(tmp_path, max_epochs=6, kl_zero_steps=2, kl_wait_reconstruction=1.6))
    average, begun = None, len(rows)
    for number, row in enumerate(rows):
        if number >= 2 and average is not None and average < 1.6:
            begun = number
            break
        average = row.reconstruction if average is None else 0.95 * average + 0.05 * row.reconstruction
    assert 5 < begun < len(rows) - 5  # it had to wait
    assert [row.kl_weight > 1e-5 for row in rows] == [number > begun for number in range(len(rows))]


def test_early_stop_counts_only_from_full_weight_on(tmp_path: Path) -> None:
    # A vanishing learning rate: after the first selectable validation nothing gets better by any margin that lasts.
    events = run(tmp_path, max_epochs=50, learning_rate=1e-12, patience=2, valid_every=4)
    finished = events[-1]
    assert isinstance(finished, FinishedEvent)
    assert finished.reason == "early_stop"
    selectable = [event for event in valids(events) if event.kl_weight == 1.0]
    assert [event.best for event in selectable[-3:]] == [True, False, False]


def test_pieces_are_transposed_and_cut_where_it_is_asked_for_and_text_never_transposed(tmp_path: Path) -> None:
    def rows(name: str, *, text: bool = False, **settings: int) -> list[StepEvent]:
        return steps(run(tmp_path / name, "lstm", text=text, max_epochs=1, **settings))

    plain, moved, cut = rows("plain"), rows("moved", transpose_semitones=5), rows("cut", crop_steps=4)
    assert plain[0].loss != moved[0].loss and len(plain) == len(moved) == 3 < len(cut)
    text, asked = rows("text", text=True), rows("asked", text=True, transpose_semitones=5)
    assert [row.loss for row in text] == [row.loss for row in asked]


def test_the_state_is_saved_as_often_as_asked(tmp_path: Path) -> None:
    events = run(tmp_path, "lstm", max_epochs=1, checkpoint_minutes=1e-5)  # a step takes longer
    assert [event.step for event in events if isinstance(event, CheckpointEvent)] == list(range(1, 9))


def test_a_stall_quarters_the_learning_rate(tmp_path: Path) -> None:
    rows = steps(run(tmp_path, max_epochs=8, learning_rate=1e-12, stall_patience=1, valid_every=4, schedule="constant"))
    rates = sorted({event.learning_rate for event in rows if event.step > 3}, reverse=True)
    assert len(rates) >= 2
    assert rates[1] == pytest.approx(rates[0] / 4)


def test_time_limit_ends_the_run_and_releases_what_there_is(tmp_path: Path) -> None:
    events = run(tmp_path, max_epochs=1000, max_minutes=0.005)
    finished = events[-1]
    assert isinstance(finished, FinishedEvent)
    assert finished.reason == "max_minutes"
    assert finished.minutes < 0.5
    assert (tmp_path / "best" / "model.safetensors").exists()


@pytest.mark.parametrize("variant", ["lstm", "af-scf"])
def test_equal_seeds_give_equal_runs_and_others_do_not(tmp_path: Path, variant: str) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, variant, seed=seed, text=False, transpose_semitones=4, max_epochs=2)
    first, second, other = (without_time(events_of(tmp_path / name)) for name in "abc")
    assert first == second
    assert first[0]["loss"] != other[0]["loss"]


def test_the_callers_random_numbers_are_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    run(tmp_path, "lstm", max_epochs=1)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("/home/alice/best", "runs/best"),
        ("/best", "runs/best"),
        ("/home/alice/secret-merger/run/best", "runs/best"),
        ("/home/alice/tunes/1-one-key/best", "runs/1-one-key/best"),
        ("/home/alice/runs/jsb/af-scf/1-one-key/best", "runs/jsb/af-scf/1-one-key/best"),
        ("/mnt/runs/alice/runs/jsb/best", "runs/jsb/best"),
        ("/mnt/runs", "runs/runs"),
        ("jsb/af-scf", "jsb/af-scf"),
    ],
)
def test_what_is_published_names_no_folder_of_this_machine(name: str, public: str) -> None:
    assert published(name) == public


def test_a_run_can_start_from_a_checkpoint_and_says_so(tmp_path: Path) -> None:
    run(tmp_path / "first", "lstm", max_epochs=8)
    first = tmp_path / "first" / "best"
    rows = steps(run(tmp_path / "second", "lstm", max_steps=4, start_from=str(first), learning_rate=1e-6))
    assert rows[0].loss < 0.8  # fresh weights: 1.7
    training = load(tmp_path / "second" / "best").training
    # What is published names no folder of this machine.
    named = (training["started_from"]["checkpoint"], training["config"]["start_from"])
    assert named == ("runs/best", "runs/best")
    assert training["started_from"]["steps"] == load(first).training["steps"]
    data = text_data()
    Trainer(
        tiny_config("lstm", data, max_steps=4, start_from=str(first), learning_rate=1e-6),
        data,
        tmp_path / "second",
        device="cpu",
        resume=True,
    ).run()  # the checkpoint is not taken up a second time
    assert len(events_of(tmp_path / "second")) == 4
    with pytest.raises(TrainingError, match="other sizes"):
        run(tmp_path / "third", "af-scf", start_from=str(first))


def test_lengths_are_counted_in_the_data_not_taken_from_the_checkpoint_a_run_starts_from(tmp_path: Path) -> None:
    run(tmp_path / "first", "lstm", max_steps=2)
    start = load(tmp_path / "first" / "best")
    own = start.model.length_prior.log_probs.clone()
    start.model.length_prior.log_probs.fill_(-math.log(len(own)))
    save_checkpoint(tmp_path / "flat", start.model, dataset="ptb", vocabulary=start.vocabulary, training={})
    run(tmp_path / "second", "lstm", max_steps=2, start_from=str(tmp_path / "flat"))
    assert torch.equal(load(tmp_path / "second" / "best").model.length_prior.log_probs, own)


def test_a_run_does_not_start_from_a_checkpoint_of_other_symbols(tmp_path: Path) -> None:
    run(tmp_path / "first", "lstm", max_steps=2)
    start = load(tmp_path / "first" / "best")
    assert start.vocabulary is not None
    turned = Vocabulary.from_list(start.vocabulary.to_list()[::-1])
    save_checkpoint(tmp_path / "turned", start.model, dataset="ptb", vocabulary=turned, training={})
    with pytest.raises(TrainingError, match="other symbols"):
        run(tmp_path / "second", "lstm", start_from=str(tmp_path / "turned"))


def test_a_file_is_no_folder_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run", tmp_path / ("n" * 300)):
        with pytest.raises(TrainingError, match=r"cannot be the folder of a run: .*choose another") as error:
            run(out, "lstm")
        assert "exists" not in str(error.value)  # what the system says of a file in the way


def test_another_seed_begins_with_other_weights(tmp_path: Path) -> None:
    data = text_data()
    one, same, other = (
        Trainer(tiny_config("lstm", data, seed=seed), data, tmp_path / name, device="cpu").model.emission.hidden.weight
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_a_weight_held_below_one_keeps_the_last_weights(tmp_path: Path) -> None:
    """The ELBO of a beta-VAE can be best before training has done what the weight is for."""
    run(tmp_path, "af-scf", kl_ceiling=0.05, kl_floor=0.05, kl_ramp_steps=0)
    validations = events_of(tmp_path, "valid")
    assert [row["kl_weight"] for row in validations] == [0.05] * 3
    assert [row["best"] for row in validations] == [False, False, True]


def test_bfloat16_that_cannot_run_is_refused_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_primitive(*_: object) -> None:
        raise RuntimeError("could not create a primitive descriptor for the LSTM forward propagation primitive")

    monkeypatch.setattr(torch.nn.LSTM, "forward", no_primitive)  # what oneDNN says where it has no such LSTM
    with pytest.raises(TrainingError, match="use fp32"):
        make_accelerator("cpu", "bf16", 16)


@pytest.mark.parametrize("names", [["avx512_bf16"], ["amx_bf16"], ["sve_bf16"], ["avx2", "avx512_f"], []])
def test_bfloat16_is_used_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(names, True))
    able = any("bf16" in name for name in names)
    assert has_bfloat16("cpu") is able
    assert [pays_bfloat16("cpu", rows) for rows in (5, 16)] == [False, able]


def test_a_set_stop_ends_the_run_with_its_state_saved(tmp_path: Path) -> None:
    data = text_data()
    trainer = Trainer(tiny_config("lstm", data), data, tmp_path, device="cpu")
    trainer.stop.set()
    finished = trainer.run()
    assert (finished.reason, finished.step) == ("interrupted", 1)
    assert (tmp_path / "state" / "state.safetensors").exists()


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    run(tmp_path, "lstm", max_steps=2)
    with pytest.raises(TrainingError, match="already holds a run"):
        run(tmp_path, "lstm", max_steps=2)


def test_what_memory_does_not_hold_is_said(tmp_path: Path) -> None:
    data = text_data()
    config = tiny_config("af-scf", data, max_steps=2)
    with pytest.raises(TrainingError, match="the model needs more memory than there is: give it smaller sizes"):
        Trainer(config.override(["model.hidden_size=3000000"]), data, tmp_path / "large", device="cpu")
    trainer = Trainer(config, data, tmp_path / "run", device="cpu", callbacks=[lambda _: torch.empty(10**15)])
    with pytest.raises(TrainingError, match="a step needs more memory than there is: give a smaller batch_size"):
        trainer.run()
    wrong = Trainer(config, data, tmp_path / "wrong", device="cpu", callbacks=[lambda _: torch.ones(2) @ torch.ones(3)])
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):  # no matter of memory
        wrong.run()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    data = text_data()
    config = tiny_config("lstm", data)
    with pytest.raises(TrainingError, match="for 'ptb', the data given is 'jsb'"):
        Trainer(config, music_data(), tmp_path)
    with pytest.raises(TrainingError, match="max_length is 12 and should be 13"):
        Trainer(config, replace(data, max_length=13), tmp_path)
    with pytest.raises(TrainingError, match="at least one sequence"):
        Trainer(config, replace(data, valid=()), tmp_path)
    with pytest.raises(TrainingError, match="choose one of auto, cpu, cuda"):
        Trainer(config, data, tmp_path, device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="no CUDA device"):
            Trainer(config, data, tmp_path, device="cuda")
    assert not list(tmp_path.iterdir())


@pytest.mark.cuda
def test_a_run_on_cuda_learns_and_resumes(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    data = text_data()
    config = tiny_config("af-scf", data, max_epochs=10, precision="auto")
    first = Trainer(config, data, tmp_path, device="cuda")
    first._callbacks.append(lambda event: first.stop.set() if getattr(event, "step", 0) == 30 else None)
    assert first.run().reason == "interrupted"
    assert Trainer(config, data, tmp_path, device="cuda", resume=True).run().reason == "completed"
    rows = events_of(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 81))
    assert rows[-1]["reconstruction"] < 0.99 * rows[0]["reconstruction"]
