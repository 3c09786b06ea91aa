"""Two real CPU processes that share each batch: equal weights on both, and the same run as one process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_runs import events_of, text_data, tiny_config, tiny_model_config, without_time

from lnf_core.training import Trainer

SCRIPT = Path(__file__).with_name("training_runs.py")


def finished(run: subprocess.CompletedProcess[str]) -> list[str]:
    """How each process ended; two that write at once may share a line."""
    return re.findall("completed|interrupted", run.stdout)


def launch(out: Path, processes: int, *options: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """``torchrun``: on CPUs ``accelerate launch`` starts several processes through MPI only."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command += [str(SCRIPT), *options, "--settings", json.dumps(settings), "--dump", str(out / "dump"), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2]), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment)


@pytest.mark.slow
def test_two_processes_end_with_equal_weights_and_resume(tmp_path: Path) -> None:
    # 64 sentences in batches of 7: the last batch of an epoch has one sentence and leaves the second process idle.
    settings = {"batch_size": 7, "max_steps": 14, "checkpoint_minutes": 60}
    whole = launch(tmp_path / "whole", 2, "--text", "af-scf", **settings)
    assert whole.returncode == 0, whole.stderr
    assert finished(whole) == ["completed", "completed"]
    first, second = (load_file(tmp_path / "whole" / "dump" / f"rank{rank}.safetensors") for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [event["step"] for event in events_of(tmp_path / "whole")] == list(range(1, 15))  # one writer

    # Only the main process gets the signal; both must stop after the same step.
    stopped = launch(tmp_path / "cut", 2, "--text", "--kill-at", "6", "--how", "SIGTERM", "af-scf", **settings)
    assert stopped.returncode == 0, stopped.stderr
    assert finished(stopped) == ["interrupted", "interrupted"]
    resumed = launch(tmp_path / "cut", 2, "--text", "--resume", "af-scf", **settings)
    assert resumed.returncode == 0, resumed.stderr
    assert without_time(events_of(tmp_path / "cut")) == without_time(events_of(tmp_path / "whole"))


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    # The baseline draws no z, and without dropout nothing depends on which process has which sequence.
    settings = {"max_steps": 12, "batch_size": 9, "valid_every": 6}
    result = launch(tmp_path / "2", 2, "--text", "lstm", dropout=0.0, **settings)
    assert result.returncode == 0, result.stderr
    data = text_data()
    config = tiny_config("lstm", data, model=tiny_model_config("lstm", data, dropout=0.0), **settings)
    Trainer(config, data, tmp_path / "1", device="cpu").run()
    for kind, keys in (("step", ("loss", "grad_norm")), ("valid", ("negative_elbo",))):
        one, two = (events_of(tmp_path / name, kind) for name in ("1", "2"))
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            for key in keys:
                assert b[key] == pytest.approx(a[key], rel=2e-4)
