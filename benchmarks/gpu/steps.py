"""The numbered steps by name, and what steps 1 and 4 measure."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks import parity
from benchmarks.gpu import measure
from benchmarks.gpu.parcels import ROOT
from benchmarks.gpu.record import Call, PlanError, Record
from benchmarks.gpu.train import train
from lnf_core.benchmark import Limits
from lnf_core.engines import ENGINES
from lnf_core.training.runtime import has_bfloat16

BATCHES, SMALL_BATCHES = (1, 32, 512), (1, 2)
_QUICK = ("cuda_graph", "numba_cpu", "jacobi", "eager")
_TEST_FOLDERS = ("tests/core", "tests/training", "tests/engines")  # the page's tests need the page


def check(call: Call) -> bool:
    """Step 1: the CUDA tests, parity, agreement with the CPU, the training step, sampling at length 288."""
    record, clock = Record("1-check", call), call.clock
    whole = record.once("tests", lambda: _tests(call), clock, reserve=60)
    cases = sorted(parity.CASES.glob("*.safetensors"))
    if not cases:
        raise PlanError(f"{parity.CASES} holds no parity cases: they have to travel with the code.")
    with measure.exact_products():
        for case in cases:
            whole &= record.once(f"parity/{case.stem}", lambda case=case: _parity(case, call.device), clock)  # type: ignore[misc]
        for variant in measure.VARIANTS:
            whole &= record.once(f"agreement/text/{variant}", _agreement(variant, "text", call), clock)
            whole &= record.once(f"agreement/music/{variant}", _agreement(variant, "music", call), clock)
        whole &= record.once("limits", lambda: asdict(measure.limits(call.device, small=call.small)), clock)
        for variant in measure.VARIANTS:
            for precision in ("fp32", "bf16") if has_bfloat16(call.device) else ("fp32",):
                key = f"training/{variant}/{precision}"
                whole &= record.once(key, _training(variant, precision, call), clock, reserve=15)
        sizes = [("text", 12 if call.small else 288)]
    return _sampling(record, call, sizes) and whole


def engines(call: Call) -> bool:
    """Step 4: every engine that can run there at the paper's sizes, at the lengths that step 1 leaves out."""
    record = Record("4-engines", call)
    with measure.exact_products():
        whole = record.once("limits", lambda: asdict(measure.limits(call.device, small=call.small)), call.clock)
    lengths = [("text", 8), ("music", 8)] if call.small else [("text", 32), ("text", 128), ("music", 128)]
    return _sampling(record, call, lengths) and whole


def _sampling(record: Record, call: Call, sizes: Iterable[tuple[str, int]]) -> bool:
    if "limits" not in record.items:
        return False
    found = record.items["limits"]
    copies = {int(size): float(rate) for size, rate in found["copy_gigabytes"].items()}  # JSON's keys are text
    limits = Limits(found["multiply_gflops"], copies)
    whole = True
    with measure.exact_products():
        # The slow ones last: what the time does not suffice for is left to the next call.
        for engine in sorted(ENGINES[1:], key=_QUICK.index):
            for domain, length in sizes:
                for batch in SMALL_BATCHES if call.small else BATCHES:
                    for variant in measure.VARIANTS:
                        key = f"sampling/{domain}/{length}/{batch}/{variant}/{engine}"
                        row = _row(variant, domain, engine, limits, length, batch, call)
                        whole &= record.once(key, row, call.clock, reserve=15)
    return whole


def _row(
    variant: str, domain: str, engine: str, limits: Limits, length: int, batch: int, call: Call
) -> Callable[[], dict[str, Any]]:
    return lambda: measure.sampling(
        variant, domain, engine, call.device, limits, length=length, batch=batch, small=call.small
    )


def _agreement(variant: str, domain: str, call: Call) -> Callable[[], dict[str, Any]]:
    length = 6 if call.small else 48
    return lambda: measure.agreement(variant, domain, call.device, length=length, batch=4, small=call.small)


def _training(variant: str, precision: str, call: Call) -> Callable[[], dict[str, Any]]:
    length, batch = (8, 2) if call.small else (128, 64)
    return lambda: measure.training_step(
        variant, "text", call.device, precision, length=length, batch=batch, small=call.small
    )


def _parity(case: Any, device: str) -> dict[str, Any]:  # noqa: ANN401 - a Path
    found, same = parity.differences(case, device)
    return {"differences": found, "same_symbols": same}


def _tests(call: Call) -> dict[str, Any]:
    """``pytest -m cuda``; a machine without pytest says so. Without a card every such test skips itself, by name."""
    missing = [name for name in ("pytest", "hypothesis", "pytest_timeout") if importlib.util.find_spec(name) is None]
    if missing:
        return {"passed": False, "said": f"not run: {', '.join(missing)} missing"}
    folders = _TEST_FOLDERS[:1] if call.small else _TEST_FOLDERS
    # Without the options of pyproject.toml, which ask for plugins that may be missing there.
    plain = ["-q", "--tb=short", "-p", "no:cacheprovider", "-o", "addopts="]
    command = [sys.executable, "-m", "pytest", *plain, "-m", "cuda", *folders]
    if importlib.util.find_spec("xdist") is not None and call.device == "cuda":
        command += ["-n", "8"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=max(call.clock.seconds_left() - 60, 30)
        )
    except subprocess.TimeoutExpired:
        return {"passed": False, "said": "not finished in the time of the call"}
    lines = (done.stdout + done.stderr).strip().splitlines()
    return {"passed": done.returncode == 0, "said": outcome(lines), "end": lines[-200:]}


def outcome(lines: Sequence[str]) -> str:
    """The last line in which pytest counts; others may warn after it."""
    counts = [line for line in lines if re.search(r"\d+ (passed|failed|error|skipped)", line)]
    return (counts or ["", *lines])[-1]


STEPS: dict[str, Callable[[Call], bool]] = {
    "1-check": check,
    "2-ptb": lambda call: train("2-ptb", call),
    "3-music": lambda call: train("3-music", call),
    "4-engines": engines,
}
"""Each returns whether nothing is left for another call."""
