"""NVIDIA's multi-process service: without it processes take turns on the card."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_PROBE = "import torch; print(float(torch.ones(2, device='cuda').sum()))"


def share_card(device: str) -> bool:
    """Start the service where there is one; this process's children will use it.

    It changes no setting of the card. Of two steps that are fired together one starts it and the other waits until it
    is known to work. Returns whether the runs will use it.
    """
    if device != "cuda" or (control := shutil.which("nvidia-cuda-mps-control")) is None:
        return False
    import fcntl  # not on Windows, where the service is not either

    place = Path(tempfile.gettempdir()) / "lnf-mps"
    for folder in ("pipe", "log"):
        (place / folder).mkdir(parents=True, exist_ok=True)
    told = {"CUDA_MPS_PIPE_DIRECTORY": str(place / "pipe"), "CUDA_MPS_LOG_DIRECTORY": str(place / "log")}
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        works = _answers(control, told) or _start(control, told)
    if works:
        os.environ |= told
    return works


def _start(control: str, told: dict[str, str]) -> bool:
    """Start it and try it out; one that does not serve is ended, so that nobody takes it for one that does."""
    if _run([control, "-d"], told) is None:
        return False
    works = _run([sys.executable, "-c", _PROBE], told) is not None
    if not works:
        _run([control], told, said="quit\n")
    return works


def _answers(control: str, told: dict[str, str]) -> bool:
    """Whether it is there: it was tried out by whoever started it."""
    answer = _run([control], told, said="get_server_list\n")
    return answer is not None and "Cannot find" not in answer


def _run(command: list[str], told: dict[str, str], said: str = "") -> str | None:
    """What ``command`` prints; None where it fails or does not end."""
    try:
        done = subprocess.run(
            command, env=os.environ | told, input=said, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout + done.stderr
