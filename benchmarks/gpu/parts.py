"""Large files in pieces small enough to travel, and back, checked by their SHA-256."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lnf_core.errors import LNFError

MOST = 15 * 2**20
"""Bytes of one piece."""


class PartsError(LNFError):
    """Pieces that do not make the file they were cut from; says which."""


def split(file: Path, folder: Path, most: int = MOST) -> list[Path]:
    """Cut ``file`` into pieces ``<name>.000`` ... of at most ``most`` bytes, and list them in ``<name>.parts``."""
    folder.mkdir(parents=True, exist_ok=True)
    data = file.read_bytes()
    pieces = [data[at : at + most] for at in range(0, max(1, len(data)), most)]
    paths = [folder / f"{file.name}.{number:03}" for number in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        path.write_bytes(piece)
    listed = {
        "name": file.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "parts": {path.name: hashlib.sha256(piece).hexdigest() for path, piece in zip(paths, pieces, strict=True)},
    }
    (folder / f"{file.name}.parts").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return paths


def join(listing: Path, folder: Path) -> Path:
    """Put the pieces beside ``listing`` together again in ``folder``.

    Raises:
        PartsError: a listing that is none, or a piece that is missing or another than it was.
    """
    try:
        listed = json.loads(listing.read_text(encoding="utf-8"))
        name, whole, parts = str(listed["name"]), listed["sha256"], dict(listed["parts"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PartsError(f"{listing.name} lists no pieces; take the file that split wrote.") from error
    data = bytearray()
    for part, expected in parts.items():
        path = listing.parent / Path(part).name
        if not path.is_file():
            raise PartsError(f"{part} is missing beside {listing.name}; fetch it again.")
        piece = path.read_bytes()
        if hashlib.sha256(piece).hexdigest() != expected:
            raise PartsError(f"{part} is damaged; fetch it again.")
        data += piece
    if hashlib.sha256(data).hexdigest() != whole:
        raise PartsError(f"The pieces of {name} are whole but not all there; take the listing that belongs to them.")
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / Path(name).name
    made.write_bytes(data)
    return made
