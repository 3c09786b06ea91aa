"""Two real CPU processes that share each batch: equal weights on both, and the same run as one process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_runs import events_of, run_elastic, run_processes, text_data, tiny_config, tiny_model_config, without_time

from lnf_core.training import Trainer


def arguments(out: Path, *options: str, **settings: object) -> list[str]:
    return [*options, "--settings", json.dumps(settings), "--dump", str(out / "dump"), str(out)]


def two(out: Path, reason: str, *options: str, **settings: object) -> None:
    """Two processes that end for ``reason``."""
    for ended in run_processes(out, arguments(out, *options, **settings), 2):
        assert (ended.returncode, ended.stdout.strip()) == (0, reason), ended.stderr


@pytest.mark.slow
def test_two_processes_end_with_equal_weights_and_resume(tmp_path: Path) -> None:
    # 64 sentences in batches of 7: the last batch of an epoch has one sentence and leaves the second process idle.
    settings = {"batch_size": 7, "max_steps": 14, "checkpoint_minutes": 60}
    two(tmp_path / "whole", "completed", "--text", "af-scf", **settings)
    first, second = (load_file(tmp_path / "whole" / "dump" / f"rank{rank}.safetensors") for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [event["step"] for event in events_of(tmp_path / "whole")] == list(range(1, 15))  # one writer

    # Only the main process gets the signal; both must stop after the same step.
    two(tmp_path / "cut", "interrupted", "--text", "--kill-at", "6", "--how", "SIGTERM", "af-scf", **settings)
    two(tmp_path / "cut", "completed", "--text", "--resume", "af-scf", **settings)
    assert without_time(events_of(tmp_path / "cut")) == without_time(events_of(tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    # The baseline draws no z, and without dropout nothing depends on which process has which sequence.
    settings = {"max_steps": 12, "batch_size": 9, "valid_every": 6}
    # As people do it: torchrun, since on CPUs accelerate launch starts several processes through MPI only.
    out = tmp_path / "2"
    for ended in run_elastic(out, arguments(out, "--text", "lstm", dropout=0.0, **settings), 2):
        assert (ended.returncode, ended.stdout.strip()) == (0, "completed"), ended.stderr
    data = text_data()
    config = tiny_config("lstm", data, model=tiny_model_config("lstm", data, dropout=0.0), **settings)
    Trainer(config, data, tmp_path / "1", device="cpu").run()
    for kind, keys in (("step", ("loss", "grad_norm")), ("valid", ("negative_elbo",))):
        one, two = (events_of(tmp_path / name, kind) for name in ("1", "2"))
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            for key in keys:
                assert b[key] == pytest.approx(a[key], rel=2e-4)
