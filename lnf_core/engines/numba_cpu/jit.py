"""How kernels are compiled and where the machine code is kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import filelock
import llvmlite.binding
import numba
import platformdirs
from numba.core.caching import UserProvidedCacheLocator

_F = TypeVar("_F", bound=Callable[..., Any])


def _digest() -> str:
    """Of what machine code depends on: a kernel is inlined into its callers, whose own files may not have changed."""
    made_by = f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()}"
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(made_by.encode() + b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


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


class OneFolder(UserProvidedCacheLocator):  # type: ignore[misc]  # numba has no types
    """Machine code in ``FOLDER`` wherever the package lies: numba's own locators have a folder for each path of it."""

    def get_cache_path(self) -> str:
        """See numba's documentation of ``NUMBA_CACHE_LOCATOR_CLASSES``."""
        return str(FOLDER)


@contextmanager
def alone() -> Iterator[None]:
    """Held by the one process at a time that fills ``FOLDER``; the others then find it filled."""
    if FOLDER is None:
        yield
        return
    lock = filelock.FileLock(FOLDER / "lock")
    with suppress(OSError, NotImplementedError):  # some file systems know no locks: at worst two processes compile
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def compiled(function: _F) -> _F:
    """Compile ``function`` the first time it is called, without the interpreter lock; keep the code on disk.

    Multiplications and additions may be fused; nothing else about floating point is relaxed, so sums keep
    their order and a result does not depend on how the work was split.
    """
    before = numba.config.CACHE_DIR, numba.config.CACHE_LOCATOR_CLASSES
    try:
        numba.config.CACHE_DIR, numba.config.CACHE_LOCATOR_CLASSES = str(FOLDER or ""), f"{__name__}.OneFolder"
        made: _F = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"}, cache=FOLDER is not None)(
            function
        )
    finally:
        numba.config.CACHE_DIR, numba.config.CACHE_LOCATOR_CLASSES = before
    return made
