"""How the server's memory is kept together."""

from __future__ import annotations

import ctypes
import sys

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
_HEAPS = 2


def share_heaps() -> None:
    """Let all threads allocate from a few heaps; call it before there are many.

    glibc gives each thread a heap of its own, eight for a core, and what is freed in one is of no use in another:
    after a crowd the server holds half as much again as it needs. Where there is no glibc nothing happens.
    """
    if sys.platform != "linux":
        return
    setting = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if setting is not None:
        setting(_ARENA_MAX, _HEAPS)
