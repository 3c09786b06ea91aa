"""Files that travel: folders in parts of at most 15 MiB with checksums, and the tree that goes to the GPU machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from lnf_core.atomic import replace
from lnf_core.data import DATASETS
from lnf_core.data.files import data_root, verify_files
from lnf_core.errors import LNFError
from lnf_core.storage.files import json_bytes
from lnf_core.version import VERSION_FILE, code_version

MIB = 2**20
PART_BYTES = 15 * MIB
"""Below the 16 MiB that a file may have, whatever is counted around it."""
PARTS = ".parts.json"
"""How the file with a parcel's sums ends."""
TRIP_BYTES = 64 * MIB
"""What may go to the machine in one call."""
ROOT = Path(__file__).resolve().parents[2]
_STAYS = ("checkpoints/", "docs/", "assets/", "app/", ".ci/")


class ParcelError(LNFError):
    """A parcel is incomplete or damaged, or too large to travel."""


def split(folder: Path, name: str, out: Path, *, part_bytes: int = PART_BYTES) -> list[Path]:
    """Pack ``folder`` into ``out/<name>.zip.00``, ``.01``, ... and their sums into ``out/<name>.parts.json``.

    Older parts of that name go. Returns the parts.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{name}.zip.*"):
        old.unlink()
    whole = out / f".{name}.zip"
    with ZipFile(whole, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    parts, sums = [], []
    with whole.open("rb") as file:
        while content := file.read(part_bytes):
            part = out / f"{name}.zip.{len(parts):02d}"
            replace(part, content)
            parts.append(part)
            sums.append({"file": part.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    whole.unlink()
    replace(out / f"{name}{PARTS}", json_bytes({"parts": sums}))
    return parts


def join(out: Path, name: str, folder: Path) -> bool:
    """Unpack the parcel ``name`` that :func:`split` left in ``out`` into ``folder``; False where there is none.

    Every part is checked before anything is written.

    Raises:
        ParcelError: a part is missing, of another size or damaged; it names the part.
    """
    listed = out / f"{name}{PARTS}"
    if not listed.is_file():
        return False
    try:
        sums = [(str(p["file"]), int(p["bytes"]), str(p["sha256"])) for p in json.loads(listed.read_text())["parts"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParcelError(f"{listed} is no list of parts ({error!r}): copy it again.") from error
    contents = [_checked(out / file, size, digest) for file, size, digest in sums]
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / f".{name}.zip"
    try:
        with whole.open("wb") as file:
            for content in contents:
                file.write(content)
        with ZipFile(whole) as archive:
            archive.extractall(folder)  # which leaves no file outside of it
    finally:
        whole.unlink(missing_ok=True)
    return True


def _checked(part: Path, size: int, digest: str) -> bytes:
    try:
        content = part.read_bytes()
    except OSError as error:
        raise ParcelError(f"the part {part} cannot be read ({error.strerror or error}): copy it again.") from error
    if len(content) != size:
        raise ParcelError(f"the part {part} has {len(content)} bytes and should have {size}: copy it again.")
    if hashlib.sha256(content).hexdigest() != digest:
        raise ParcelError(f"the part {part} is damaged (its SHA-256 is another): copy it again.")
    return content


def tree_bytes(folder: Path) -> int:
    """The size of all files under ``folder``."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pack(
    trip: Path,
    *,
    back: Path | None = None,
    wheels: Path | None = None,
    checkpoints: Iterable[str] = (),
    limit: int = TRIP_BYTES,
) -> int:
    """Fill the folder ``trip`` with all that the steps need; returns its bytes.

    ::

        lnf_core/ benchmarks/ recipes/ tests/ ...   tracked files, without the page, the documents and all checkpoints
                                                    but those named
        data/       the data sets, verified         (LNF_DATA_DIR)
        results/    what came back from earlier calls
        wheels/     Python packages that are missing there

    Raises:
        ParcelError: ``trip`` is not empty, or more than ``limit`` bytes.
        DataError: a data file is missing or not the published one.
    """
    if trip.exists() and any(trip.iterdir()):
        raise ParcelError(f"{trip} is not empty: choose another folder, or remove it.")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        goes_on_from = any(name.startswith(f"checkpoints/{checkpoint}/") for checkpoint in checkpoints)
        if (goes_on_from or not name.startswith(_STAYS)) and (ROOT / name).is_file():
            _copy(ROOT / name, trip / name)
    (trip / VERSION_FILE).write_text(code_version() + "\n", encoding="utf-8")
    for info in DATASETS.values():
        for name, path in verify_files(info, data_root()).items():
            _copy(path, trip / "data" / name)
    for source, target in ((back, "results"), (wheels, "wheels")):
        if source is not None:
            shutil.copytree(source, trip / target)
    if (size := tree_bytes(trip)) > limit:
        raise ParcelError(
            f"{trip} holds {size / MIB:.1f} MiB and may hold {limit / MIB:.0f}: leave out results or wheels."
        )
    return size


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
