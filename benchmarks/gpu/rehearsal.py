"""The whole plan, small, on the processor, the way it will be fired: packed, run from the trip, cut off, put back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.parcels import MIB, pack
from benchmarks.gpu.record import PlanError, read_record
from benchmarks.gpu.tables import tables

_GOES_ON = 3
_FILES, _FILE_BYTES = 8, 16 * MIB


def rehearse(out: Path) -> None:
    """Pack the trip into ``out/trip``, run every step there with nothing but what was packed, and make the tables.

    Step 2 is cut off after its first steps; its work folder is then removed, as with a machine that was given back, and
    the second call goes on from the files that came back.

    Raises:
        PlanError: a step failed, did not go on where it stood, or left more than may come back.
    """
    began = time.monotonic()
    for name in ("trip", "back"):
        shutil.rmtree(out / name, ignore_errors=True)
    trip, back = (out / "trip").resolve(), (out / "back").resolve()
    print(f"packed {pack(trip) / MIB:.1f} MiB", flush=True)
    _step("1-check", trip, back, minutes=4)
    _step("2-ptb", trip, back, "--train-minutes", "0.001", minutes=4, goes_on=True)
    cut = read_record(back / "2-ptb.json")["items"]
    shutil.rmtree(trip / "runs")
    _step("2-ptb", trip, back, minutes=5)
    for name, item in read_record(back / "2-ptb.json")["items"].items():
        went_on(name, cut[name]["calls"][-1], item["calls"][-1])
    _step("3-music", trip, back, minutes=5)
    _step("4-engines", trip, back, minutes=4)
    (back / "cuda.md").write_text(tables(back, allow_small=True), encoding="utf-8")
    print(f"rehearsed in {time.monotonic() - began:.0f} s; {back / 'cuda.md'} shows the tables", flush=True)


def went_on(name: str, cut: dict[str, Any], then: dict[str, Any]) -> None:
    """Check that a run that was cut off went on from there, to its end.

    Raises:
        PlanError: it was not cut off, began anew, or did not end.
    """
    if cut["done"] or not cut["step"]:
        raise PlanError(f"{name} was to be cut off within its first stage and stands at {json.dumps(cut)}.")
    if then["from"] != cut["step"]:
        raise PlanError(f"{name} was cut off at step {cut['step']} and went on from {then['from']}.")
    if not then["done"]:
        raise PlanError(f"{name} was to be done and stands at {json.dumps(then)}.")


def _step(name: str, trip: Path, back: Path, *more: str, minutes: float, goes_on: bool = False) -> None:
    """One call as on the machine: from the trip's root, into an empty folder, which is then copied to ``back``."""
    out = trip / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(trip / "results", ignore_errors=True)
    if back.is_dir():
        shutil.copytree(back, trip / "results")
    command = [sys.executable, "-m", "benchmarks.gpu", name, "--out", "out", "--back", "results", "--small"]
    command += ["--device", "cpu", "--minutes", str(minutes), *more]
    began = time.monotonic()
    # One thread: sizes are small, and several models train side by side.
    environment = os.environ | {"LNF_DATA_DIR": "data", "PYTHONPATH": str(trip), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=trip, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - began
    (trip / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode not in ((_GOES_ON,) if goes_on else (0,)):
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise PlanError(f"{name} ended with {done.returncode}: {said}")
    if seconds > 60 * minutes:
        raise PlanError(f"{name} took {seconds:.0f} s of the {60 * minutes:.0f} it had.")
    files = sorted(path for path in out.rglob("*") if path.is_file())
    large = [path.name for path in files if path.stat().st_size > _FILE_BYTES]
    if large or len(files) > _FILES:
        raise PlanError(f"{name} left {len(files)} files, too large among them: {', '.join(large) or 'none'}.")
    shutil.copytree(out, back, dirs_exist_ok=True)
    size = sum(path.stat().st_size for path in files) / MIB
    print(f"{name}: {seconds:.0f} s, {len(files)} files, {size:.1f} MiB", flush=True)
