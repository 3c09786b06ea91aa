"""A step's clock, and the file its figures stand in: each is measured once, over as many calls as it takes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from lnf_core.atomic import replace
from lnf_core.benchmark import machine
from lnf_core.errors import LNFError
from lnf_core.storage.files import json_bytes
from lnf_core.version import code_version


class PlanError(LNFError):
    """A step cannot go on: its figures are from another machine, or its plan does not fit."""


@dataclass(frozen=True)
class Clock:
    """The time one call of a step may take."""

    minutes: float
    started: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float:
        """Until the call must have ended; below 0 when it is late."""
        return self.started + 60 * self.minutes - time.monotonic()


@dataclass(frozen=True)
class Call:
    """What a step was asked for."""

    out: Path
    """Where its results go."""
    back: Path
    """Where the results of earlier calls were put back; may be ``out`` itself."""
    work: Path
    """Runs in full, which stay on the machine."""
    device: str
    """``cpu`` or ``cuda``."""
    small: bool
    """A rehearsal: small sizes, and figures that mean nothing."""
    clock: Clock
    only: tuple[str, ...] = ()
    """The models steps 2 and 3 train; empty: all of the plan."""
    first: tuple[str, ...] = ()
    """Models whose weights are sent back before the others'."""
    train_minutes: float | None = None
    """Steps 2 and 3 train no longer than this, whatever time is left."""
    send_only: bool = False
    """Steps 2 and 3 train nothing more and pack what is there."""


class Record:
    """The JSON file of one step: what was measured on, and one item for each measurement.

    Raises:
        PlanError: the file that was put back is no record, or is of another machine or size: figures of one table
            belong together.
    """

    def __init__(self, name: str, call: Call) -> None:
        self._path = call.out / f"{name}.json"
        self.about = about(call.device, small=call.small)
        self.items: dict[str, Any] = {}
        earlier = next((folder / self._path.name for folder in (call.out, call.back) if self._is_in(folder)), None)
        if earlier is not None:
            found = read_record(earlier)
            for key in ("device", "torch", "small"):
                if found["about"].get(key) != self.about[key]:
                    raise PlanError(
                        f"{earlier} has {key} {found['about'].get(key)!r} and this call {self.about[key]!r}: "
                        "figures of one table belong together; give folders of their own to --out and --back."
                    )
            self.items = found["items"]
        self.save()

    def _is_in(self, folder: Path) -> bool:
        return (folder / self._path.name).is_file()

    def once(self, key: str, measure: Callable[[], Any], clock: Clock, *, reserve: float = 20.0) -> bool:
        """Measure ``key`` unless it stands there already or fewer than ``reserve`` seconds are left.

        Returns whether it stands there now.
        """
        if key in self.items:
            return True
        if clock.seconds_left() < reserve:
            print(f"{key}: left for the next call", flush=True)
            return False
        started = time.perf_counter()
        self.items[key] = measure()
        self.save()
        print(f"{key}: {time.perf_counter() - started:.1f} s", flush=True)
        return True

    def save(self) -> None:
        """Write the file in one step."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        replace(self._path, json_bytes({"about": self.about, "items": self.items}))


def read_record(path: Path) -> dict[str, Any]:
    """``{"about": ..., "items": ...}``.

    Raises:
        PlanError: missing or no record.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found["about"], dict) and isinstance(found["items"], dict):
            return dict(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlanError(f"{path} is no record of a step ({error!r}): copy it again, or measure anew.") from error
    raise PlanError(f"{path} is no record of a step: copy it again, or measure anew.")


def about(device: str, *, small: bool) -> dict[str, Any]:
    """What is measured on, and in which number formats products run when nothing else is said."""
    found: dict[str, Any] = {
        **machine(),
        "kind": device,
        "device": machine()["processor"],
        "small": small,
        "code_version": code_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    if device == "cuda":
        found |= {
            "device": torch.cuda.get_device_name(),
            "driver": _ask_card("driver_version"),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


def utilisation() -> dict[str, float] | None:
    """The card's share of busy time in percent and its memory in MiB, as the driver says it; None without one."""
    said = _ask_card("utilization.gpu,memory.used")
    try:
        busy, memory = (float(value) for value in (said or "").split(","))
    except ValueError:
        return None
    return {"percent": busy, "mebibytes": memory}


def _ask_card(what: str) -> str | None:
    try:
        asked = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return lines[0].strip() if lines else None
