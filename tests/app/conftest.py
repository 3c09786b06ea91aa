"""A folder of small real checkpoints, and a real server process that uses it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import save_tiny, tiny_model

from lnf_core.models.build import SequenceModel
from lnf_core.storage.bundle import save_checkpoint

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def quiet_model(variant: str) -> SequenceModel:
    """A tiny music model that plays a few keys around the middle, so that a roll has notes and gaps."""
    model = tiny_model(variant)
    with torch.no_grad():
        model.emission.bias.fill_(-12.0)
        model.emission.bias[27:60] = -1.5
    return model


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Music and text models, one truncated and one that is no checkpoint at all."""
    root = tmp_path_factory.mktemp("checkpoints")
    for variant in ("af-af", "af-scf", "iaf-scf"):
        save_checkpoint(root / "jsb" / variant, quiet_model(variant), dataset="jsb", vocabulary=None, training={})
    for variant in ("af-scf", "lstm"):
        save_tiny(root / "ptb" / variant, variant, "text")
    save_tiny(root / "ptb" / "iaf-scf", "iaf-scf", "text")
    weights = root / "ptb" / "iaf-scf" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    (root / "jsb" / "lstm").mkdir()
    (root / "jsb" / "lstm" / "config.json").write_text("{}")
    return root


@pytest.fixture
def here(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder for code that runs in this process."""
    monkeypatch.setenv("LNF_CHECKPOINTS", str(checkpoints))
    return checkpoints


@pytest.fixture(scope="session")
def server(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``python app.py`` running on 127.0.0.1."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "LNF_CHECKPOINTS": str(checkpoints),
        "GRADIO_TEMP_DIR": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    beside = ROOT.parent / "shared" / "data"
    if beside.is_dir():
        environment.setdefault("LNF_DATA_DIR", str(beside))
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        command = [sys.executable, "app.py", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(process, address, folder / "log")
            yield address
        finally:
            process.terminate()
            process.wait(timeout=20)
    log_text = (folder / "log").read_text()
    assert address in log_text, "the address was not printed"
    assert "Traceback" not in log_text, log_text


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, server: str) -> Iterator[Callable[..., Any]]:  # noqa: ANN401 - playwright may not be installed
    contexts = []
    complaints: list[str] = []

    def opened(query: str = "", width: int = 1280, height: int = 900, scheme: str = "light") -> Any:  # noqa: ANN401
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: complaints.append(request.url) if _elsewhere(request.url, server) else None)
        page.goto(server + query)
        page.wait_for_selector("#roll canvas.notes, #lines .lines", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _elsewhere(url: str, server: str) -> bool:
    return not url.startswith((server, "data:", "blob:"))
