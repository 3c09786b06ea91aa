"""Heaps are shared by threads."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a heap for each thread")
def test_threads_share_two_heaps(tmp_path: Path) -> None:
    def heaps(how: str) -> int:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / how), how]
        root = Path(__file__).resolve().parents[2]
        return int(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)

    assert heaps("shared") <= 2 < heaps("each its own")
