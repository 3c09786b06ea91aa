"""Parcels come back whole or are refused by name; the trip holds what the steps need."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

from benchmarks.gpu.parcels import PART_BYTES, ParcelError, join, pack, split
from lnf_core.version import code_version


@pytest.fixture
def parcel(tmp_path: Path) -> Path:
    """``out`` with a parcel of three parts, made of ``tree``."""
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    noise = torch.randint(256, (25_000,), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    (tree / "a" / "b" / "weights").write_bytes(bytes(noise.tolist()))
    (tree / "empty").touch()
    assert len(split(tree, "runs", tmp_path / "out", part_bytes=10_000)) == 3
    return tmp_path / "out"


def test_a_parcel_comes_back_whole_and_a_smaller_one_leaves_no_old_part(parcel: Path, tmp_path: Path) -> None:
    assert join(parcel, "runs", tmp_path / "again")
    for name in ("a/b/weights", "empty"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "tree" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["a", "empty"]
    split(tmp_path / "tree", "runs", parcel)
    assert sorted(path.name for path in parcel.iterdir()) == ["runs.parts.json", "runs.zip.00"]
    assert not join(parcel, "others", tmp_path / "none")
    assert PART_BYTES < 16 * 2**20


@pytest.mark.parametrize("how", ["flipped", "short", "missing"])
def test_a_damaged_part_is_named_and_nothing_is_unpacked(parcel: Path, tmp_path: Path, how: str) -> None:
    part = parcel / "runs.zip.01"
    content = bytearray(part.read_bytes())
    content[100] ^= 1
    if how == "missing":
        part.unlink()
    else:
        part.write_bytes(content if how == "flipped" else content[:-1])
    with pytest.raises(ParcelError, match=r"runs\.zip\.01.*copy it again"):
        join(parcel, "runs", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_what_asks_to_be_written_elsewhere_stays_in_the_folder(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "runs.zip.00", "w") as archive:
        archive.writestr("../outside", "x")
    content = (tmp_path / "runs.zip.00").read_bytes()
    sums = {"file": "runs.zip.00", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (tmp_path / "runs.parts.json").write_text(json.dumps({"parts": [sums]}))
    assert join(tmp_path, "runs", tmp_path / "again")
    assert not (tmp_path / "outside").exists() and (tmp_path / "again" / "outside").read_text() == "x"


def test_a_list_of_parts_that_is_none_is_refused(parcel: Path, tmp_path: Path) -> None:
    (parcel / "runs.parts.json").write_text('{"parts": [{"file": "x"}]}')
    with pytest.raises(ParcelError, match=r"runs\.parts\.json is no list"):
        join(parcel, "runs", tmp_path / "again")


def test_the_trip_holds_what_the_steps_need_and_no_checkpoints(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    trip = tmp_path / "trip"
    assert pack(trip) < 20 * 2**20
    for name in ("lnf_core/version.py", "recipes/ptb/lstm.toml", "benchmarks/parity.py", "data/ptb/train.txt"):
        assert (trip / name).is_file()
    assert not (trip / "checkpoints").exists()
    # What is trained there knows which code trained it, though no repository travels.
    asked = [sys.executable, "-c", "import lnf_core.version as v; print(v.__file__, v.code_version())"]
    said = subprocess.run(asked, cwd=trip, env={"PYTHONPATH": str(trip)}, capture_output=True, text=True, check=True)
    assert said.stdout.split() == [str(trip / "lnf_core" / "version.py"), code_version()]
    with pytest.raises(ParcelError, match="not empty"):
        pack(trip)
    with pytest.raises(ParcelError, match="may hold"):
        pack(tmp_path / "full", limit=2**20)
