"""A call of a step, small and on the processor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.gpu.record import Call, Clock


def call_in(folder: Path, **settings: object) -> Call:
    call = Call(folder / "out", folder / "out", folder / "work", "cpu", True, Clock(5))
    return replace(call, **settings)  # type: ignore[arg-type]
