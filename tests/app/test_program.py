"""What README and docs say to programs is true: their examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/app.md"])
def test_the_examples_run(server: str, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "gradio_client" in block]
    assert "http://127.0.0.1:7860" in example
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    # the models of the test are untrained and short: a likeliest key would be silence
    text = (
        example.replace("http://127.0.0.1:7860", server)
        .replace('"64"', '"12"')
        .replace('seed="7"', 'seed="7", draw=True')
    )
    found: dict[str, Any] = {}
    exec(compile(text, page, "exec"), found)
    assert len(found["roll"]["samples"]) >= 1 and found["done"]["kind"] == "done"
    assert Path(found["roll"]["samples"][0]["midi"]).read_bytes().startswith(b"MThd")
    if page == "README.md":
        assert found["roll"]["given"] > 0 and found["cloud"]["step"] == 4 and found["tables"][0]["rows"]
        assert {"jsb/af-scf", "ptb/lstm"} <= {model["name"] for model in found["models"]}


def test_what_mcp_needs_is_said() -> None:
    try:
        import mcp  # noqa: F401
    except ImportError:
        done = subprocess.run([sys.executable, "app.py", "--mcp"], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and 'pip install "gradio[mcp]"' in done.stderr
    else:
        pytest.skip("the package mcp is installed: --mcp needs nothing more")
