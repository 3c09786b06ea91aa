"""How kernels are compiled and where the machine code is kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import platformdirs

_F = TypeVar("_F", bound=Callable[..., Any])


def _digest() -> str:
    """Of every kernel file: a kernel is inlined into its callers, whose own files may not have changed."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder() -> Path | None:
    """Where machine code is kept between runs; None where nothing may be written.

    ``LNF_CACHE_DIR``, else the user's cache folder.
    """
    root = os.environ.get("LNF_CACHE_DIR") or platformdirs.user_cache_dir("lnf_core", appauthor=False)
    folder = Path(root) / "kernels" / _digest()
    return folder if _writable(folder) else None


FOLDER = cache_folder()
"""Where this process keeps its machine code."""


def compiled(function: _F) -> _F:
    """Compile ``function`` the first time it is called, without the interpreter lock; keep the code on disk.

    Multiplications and additions may be fused; nothing else about floating point is relaxed, so sums keep
    their order and a result does not depend on how the work was split.
    """
    before = numba.config.CACHE_DIR
    try:
        numba.config.CACHE_DIR = str(FOLDER or "")
        made: _F = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=FOLDER is not None)(
            function
        )
    finally:
        numba.config.CACHE_DIR = before
    return made
