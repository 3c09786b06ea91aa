"""A small data set of our own, and the state of a local server that serves it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from types import MappingProxyType

from lnf_core.data import DatasetInfo

SENTENCES = {
    "mini/train.txt": b" the <unk> cat \nsat\n\n" + b"x" * 289 + b"\n",
    "mini/valid.txt": b"a cat\n",
    "mini/test.txt": b"a hat\n",
}


def describe(contents: dict[str, bytes], domain: str = "text") -> DatasetInfo:
    """The description of a data set with these files; its public copy is an address that answers nobody."""
    return DatasetInfo(
        name="mini",
        title="Mini",
        domain=domain,  # type: ignore[arg-type]
        files=tuple(contents),
        url="http://127.0.0.1:1/nowhere",
        sha256=MappingProxyType({file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}),
        licence="none",
        credit="nobody",
    )


@dataclass
class FileServer:
    """Serves ``files`` (last path component -> content) and remembers what it was asked for."""

    url: str
    files: dict[str, bytes]
    asked: list[str] = field(default_factory=list)
    cut_after: int | None = None
    """Send only so many bytes of a body, then hang up, having promised them all."""
    silent_for: float = 0.0
    """Seconds to wait before each answer."""
