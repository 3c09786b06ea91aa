"""``python app.py`` as a process of its own, from any copy of the repository; what is in ``app.py`` itself."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def serving(root: Path, folder: Path, *options: str, **environment: str) -> Iterator[str]:
    """The address of the page served from ``root``; log and files go to ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, log = f"http://127.0.0.1:{port}", folder / "log"
    whole = {**os.environ, "GRADIO_TEMP_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1", **environment}
    with log.open("w") as file:
        command = [sys.executable, "app.py", "--port", str(port), *options]
        process = subprocess.Popen(command, cwd=root, env=whole, stdout=file, stderr=subprocess.STDOUT)
    try:
        _wait(process, address, log)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
    assert "Traceback" not in log.read_text(), log.read_text()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def load(path: Path) -> ModuleType:
    """The module in a file that is in no package."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_by_itself", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # inspect finds a class's file by its module's name
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
