"""What the documents show in Python runs as it stands, each block after the one before it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from lnf_core.music import Performance

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.mark.slow
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("document", ["library.md", "data.md", "music.md", "performance.md"])
def test_the_examples_run(document: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roll = torch.zeros(8, 88)
    roll[:, 51] = 1.0
    Performance("jsb").write_midi(roll, tmp_path / "my_tune.mid")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    monkeypatch.setenv("LNF_ENGINE", "numba_cpu")  # what auto takes where it has been compiled
    found: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / document).read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        exec(compile(block, f"{document}, block {number + 1}", "exec"), found)
