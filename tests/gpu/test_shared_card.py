"""The service that shares a card is started once, by whichever step comes first."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from benchmarks.gpu.service import share_card


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
