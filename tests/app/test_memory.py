"""Heaps are shared by threads, what was freed goes back to the system, and every model of the app stays loaded."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from app import catalogue
from app.limits import LIMITS
from app.services import models
from app.services.models import LoadedModels

# Eight threads that allocate at the same time; glibc then says how many heaps there are.
PROGRAM = """
import ctypes, sys, threading
from app.memory import share_heaps
if sys.argv[2] == "shared":
    share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    together.wait()
    for _ in range(2000):
        libc.malloc(ctypes.c_size_t(4000))
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(open(sys.argv[1]).read().count("<heap nr"))
"""

# A hundred megabytes of small pieces are freed below one that stays.
FREED = """
import ctypes
from app.memory import give_back
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
libc.mallopt(-3, 2**30)  # M_MMAP_THRESHOLD: all from the heap
pieces = [ctypes.c_void_p(libc.malloc(ctypes.c_size_t(100_000))) for _ in range(1000)]
for piece in pieces:
    ctypes.memset(piece, 1, 100_000)
kept = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(100_000)))
for piece in pieces:
    libc.free(piece)
before = held()
give_back()
print(before - held())
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a heap for each thread")
def test_threads_share_two_heaps(tmp_path: Path) -> None:
    def heaps(how: str) -> int:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / how), how]
        return int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)

    assert heaps("shared") <= 2 < heaps("each its own")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what was freed and can be told to stop")
def test_what_was_freed_is_given_back() -> None:
    command = [sys.executable, "-c", FREED]
    assert int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout) > 90_000_000


def test_every_model_that_comes_with_the_app_stays_loaded() -> None:
    working = [entry for entry in catalogue.catalogue() if entry.problem is None]
    assert len(working) <= LIMITS.models


def test_memory_is_given_back_once_every_model_is_there(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.is_dir()
    names, loaded = ("jsb/af-scf", "ptb/af-scf"), LoadedModels()
    given: list[int] = []
    monkeypatch.setattr(models.engines, "warm_up", lambda: None)
    monkeypatch.setattr(models, "give_back", lambda: given.append(len(loaded)))
    loaded.warm_up(names)
    assert given == [len(names)]
