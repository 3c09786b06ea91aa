"""The plan for a lent GPU: pieces that travel, the same numbers on two devices, and the report."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from benchmarks.gpu.parts import PartsError, join, split
from benchmarks.gpu.plan import STEPS, Call, agreement, sampling
from benchmarks.gpu.report import report


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1000])
def test_pieces_make_the_file_again(tmp_path: Path, size: int) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(random.Random(size).randbytes(size))
    parts = split(file, tmp_path / "sent", most=100)
    assert all(part.stat().st_size <= 100 for part in parts) and len(parts) == max(1, -(-size // 100))
    made = join(tmp_path / "sent" / "weights.bin.parts", tmp_path / "back")
    assert made.name == "weights.bin" and made.read_bytes() == file.read_bytes()


def test_damage_is_named(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(random.Random(0).randbytes(350))
    parts, listing = split(file, tmp_path, most=100), tmp_path / "weights.bin.parts"
    whole = parts[1].read_bytes()
    parts[1].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(PartsError, match=r"weights\.bin\.001 is damaged"):
        join(listing, tmp_path / "back")
    parts[1].unlink()
    with pytest.raises(PartsError, match=r"weights\.bin\.001 is missing"):
        join(listing, tmp_path / "back")
    parts[1].write_bytes(whole)
    listed = json.loads(listing.read_text())
    del listed["parts"]["weights.bin.003"]
    listing.write_text(json.dumps(listed))
    with pytest.raises(PartsError, match="not all there"):
        join(listing, tmp_path / "back")
    listing.write_text("[]")
    with pytest.raises(PartsError, match="lists no pieces"):
        join(listing, tmp_path / "back")


def test_the_same_device_agrees_with_itself() -> None:
    found = agreement("cpu")
    assert {"af-af", "af-scf", "iaf-scf"} <= set(found) and max(found.values()) < 1e-5


def test_sampling_is_timed_and_reported(tmp_path: Path) -> None:
    assert list(STEPS) == ["check", "text", "music", "sampling"]
    with pytest.raises(PartsError, match="no results"):
        report(tmp_path)
    call = Call(tmp_path, tmp_path / "work", "cpu", seconds=60, small=True)
    call.write("text", {"runs": {"paper/ptb/lstm": {"last": "Done after 3 steps", "status": 0}}, "rates": []})
    sampling(call, ("af-scf", "lstm"))
    rows = json.loads((tmp_path / "sampling.json").read_text())["rows"]
    timed = [row for row in rows if "ms" in row]
    assert {(row["variant"], row["engine"]) for row in timed} >= {
        ("af-scf", "eager"),
        ("af-scf", "jacobi"),
        ("lstm", "eager"),
    }
    assert all(row["ms"] > 0 and row["dependent_steps"] >= 1 for row in timed)
    text = report(tmp_path)
    assert "a rehearsal at small sizes" in text and "| paper/ptb/lstm | Done after 3 steps |" in text
    assert all(f"| {row['variant']} | {row['engine']} | {row['batch']} | {row['ms']} |" in text for row in timed)
