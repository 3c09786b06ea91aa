"""Figures are measured once, never mixed, and make their page; what goes wrong is said in one line."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from calls import call_in

from benchmarks.gpu import measure
from benchmarks.gpu.parcels import ROOT
from benchmarks.gpu.record import Clock, PlanError, Record
from benchmarks.gpu.steps import outcome
from benchmarks.gpu.tables import tables


def test_a_figure_is_measured_once_and_waits_where_time_is_short(tmp_path: Path) -> None:
    call = call_in(tmp_path)
    record = Record("1-check", call)
    assert record.once("a", lambda: 1, call.clock)
    assert not record.once("b", lambda: 2, Clock(0.1))
    later = Record("1-check", call_in(tmp_path, out=tmp_path / "fresh", back=tmp_path / "out"))
    assert later.once("a", lambda: 3, call.clock)
    assert later.once("b", lambda: 4, call.clock)
    assert later.items == {"a": 1, "b": 4}
    assert json.loads((tmp_path / "fresh" / "1-check.json").read_text())["items"] == later.items


def test_figures_of_another_machine_are_not_mixed_in(tmp_path: Path) -> None:
    Record("1-check", call_in(tmp_path))
    with pytest.raises(PlanError, match="small"):
        Record("1-check", call_in(tmp_path, small=False))
    (tmp_path / "out" / "1-check.json").write_text("[]")
    with pytest.raises(PlanError, match=r"1-check\.json is no record"):
        Record("1-check", call_in(tmp_path))


@pytest.mark.parametrize("variant", ["af-af", "lstm"])
def test_the_page_is_made_of_real_small_figures(variant: str, tmp_path: Path) -> None:
    record = Record("1-check", call_in(tmp_path))
    at = measure.limits("cpu", small=True)
    found = measure.agreement(variant, "text", "cpu", length=4, batch=2, small=True)
    assert found["agrees"]
    assert 0 < max(found["rounding"].values()) < 1e-4  # float32 is not float64, and not far from it
    step = measure.training_step(variant, "text", "cpu", "fp32", length=4, batch=2, small=True)
    assert step["ms_per_step"] > step["floor_ms"] > 0
    record.items |= {f"agreement/text/{variant}": found, f"training/{variant}/fp32": step}
    for engine in ("eager", "jacobi"):
        row = measure.sampling(variant, "text", engine, "cpu", at, length=4, batch=2, small=True)
        record.items[f"sampling/text/4/2/{variant}/{engine}"] = row
    record.save()
    with pytest.raises(PlanError, match="rehearsal"):
        tables(tmp_path / "out")
    page = tables(tmp_path / "out", allow_small=True)
    assert f"| {variant} | fp32 | 2 x 4 | {step['ms_per_step']:.1f} |" in page
    assert f"| {variant} | text | 4 | 2 | eager |" in page
    assert ("Not run: " in page) is (variant == "lstm")  # jacobi has no baseline, and says so
    assert torch.__version__ in page
    with pytest.raises(PlanError, match="holds none"):
        tables(tmp_path)


def test_a_difference_that_is_too_large_or_not_a_number_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    true_model = measure.sized_model
    for wrong in (1e-2, math.nan):
        built = []

        def model(*arguments: str, wrong: float = wrong, built: list = built, small: bool) -> torch.nn.Module:
            made = true_model(*arguments, small=small)
            built.append(made)
            if len(built) == 3:  # the CPU's float32 and float64 come first, then the device
                with torch.no_grad():
                    made.emission.bias[0] += wrong
            return made

        monkeypatch.setattr(measure, "sized_model", model)
        assert not measure.agreement("af-scf", "text", "cpu", length=4, batch=2, small=True)["agrees"]


def test_how_the_tests_ended_is_found_among_warnings() -> None:
    assert outcome(["x", "== 2 failed, 3 passed in 1.0s ==", "  warner(Warning)"]) == "== 2 failed, 3 passed in 1.0s =="
    assert outcome(["no tests ran"]) == "no tests ran"
    assert outcome([]) == ""


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "tables", "--out", str(tmp_path / "page.md")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "run a step first" in done.stderr and len(done.stderr.splitlines()) == 1


def test_the_page_of_the_repository_is_what_its_records_make() -> None:
    folder = ROOT / "benchmarks"
    assert (folder / "cuda.md").read_text(encoding="utf-8") == tables(folder / "cuda")
