"""How the server's memory is kept together. Where there is no glibc nothing happens."""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
_HEAPS = 2


def share_heaps() -> None:
    """Let all threads allocate from a few heaps; call it before there are many.

    glibc gives each thread a heap of its own, eight for a core, and what is freed in one is of no use in another:
    after a crowd the server holds half as much again as it needs.
    """
    _glibc("mallopt", _ARENA_MAX, _HEAPS)


def give_back() -> None:
    """Hand the system what was freed: after loading every model, a quarter of what the server holds is that."""
    _glibc("malloc_trim", 0)


def _glibc(function: str, *arguments: int) -> None:
    """Nothing, where there is no such function: other C libraries have none."""
    found = getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
    if found is not None:
        found(*arguments)
