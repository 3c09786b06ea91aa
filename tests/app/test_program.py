"""What README and docs say to programs is true: their examples run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_server import serving

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page as people start it, with the checkpoints that come with it."""
    with serving(ROOT, tmp_path_factory.mktemp("released"), LNF_CHECKPOINTS=str(ROOT / "checkpoints")) as address:
        yield address


@pytest.mark.parametrize("page", ["README.md", "docs/app.md"])
def test_the_examples_run(released: str, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "gradio_client" in block]
    assert "http://127.0.0.1:7860" in example
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    text = example.replace("http://127.0.0.1:7860", released)
    found: dict[str, Any] = {}
    exec(compile(text, page, "exec"), found)
    assert len(found["roll"]["samples"]) >= 1 and found["done"]["kind"] == "done"
    assert Path(found["roll"]["samples"][0]["midi"]).read_bytes().startswith(b"MThd")
    if page == "README.md":
        assert found["roll"]["given"] > 0 and found["cloud"]["step"] == 4 and found["tables"][0]["rows"]
        assert {"jsb/af-scf", "ptb/lstm"} <= {model["name"] for model in found["models"]}


def without_mcp(**environment: str) -> str:
    """What ``python app.py --mcp`` says where it cannot be done."""
    command = [sys.executable, "app.py", "--mcp"]
    whole = {**os.environ, **environment}
    done = subprocess.run(command, cwd=ROOT, env=whole, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr and not done.stdout
    return done.stderr.splitlines()[-1]


def test_mcp_offers_the_endpoints_or_says_what_it_needs(checkpoints: Path, tmp_path: Path) -> None:
    try:
        import mcp  # noqa: F401
    except ImportError:
        assert without_mcp() == (
            'app.py: error: --mcp needs the package mcp, which is not installed; get it with: pip install "gradio[mcp]"'
        )
        return
    with (
        serving(ROOT, tmp_path, "--mcp", LNF_CHECKPOINTS=str(checkpoints)) as address,
        urllib.request.urlopen(f"{address}/gradio_api/mcp/schema") as answer,
    ):
        tools = {tool["name"]: tool for tool in json.load(answer)}
    assert {"sample", "models", "race", "latent", "inside", "between", "results"} <= set(tools)
    assert all(tool["description"].endswith(".") for tool in tools.values() if tool["name"] != "sample")
    taken = tools["sample"]["inputSchema"]["properties"]
    assert taken["checkpoint"]["type"] == "string"
    # A model that calls a tool writes "0.8" in place of 0.8 unless it is told.
    assert {name: taken[name]["type"] for name in ("count", "temperature", "tempo")} == dict.fromkeys(
        ("count", "temperature", "tempo"), "number"
    )


def test_an_mcp_that_gradio_cannot_use_is_named(tmp_path: Path) -> None:
    (tmp_path / "mcp-99.0.dist-info").mkdir()
    (tmp_path / "mcp-99.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mcp\nVersion: 99.0\n")
    said = without_mcp(PYTHONPATH=str(tmp_path))
    assert "and 99.0 is installed" in said and 'pip install "gradio[mcp]"' in said
