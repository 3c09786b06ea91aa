"""What ``python app.py`` does before it serves and offers to programs; the examples are run in tests/test_space.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import gradio as gr
from app_server import load, serving

ROOT = Path(__file__).resolve().parents[2]


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


def test_gradio_writes_no_type_stubs_while_the_app_is_imported(tmp_path: Path) -> None:
    entry = load(ROOT / "app.py")
    source = "import gradio as gr\n\n\nclass Part(gr.HTML):\n    EVENTS = []\n"
    for name in ("with", "without"):
        (tmp_path / f"{name}.py").write_text(source)
    with entry.no_type_stubs():
        part = load(tmp_path / "without.py").Part("words")
        assert not (tmp_path / "without.pyi").exists() and isinstance(part, gr.HTML) and part.value == "words"
    load(tmp_path / "with.py")
    assert (tmp_path / "with.pyi").exists(), "Gradio writes none any more: no_type_stubs can go"
