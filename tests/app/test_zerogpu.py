"""On a Space that lends GPUs one function is marked, as it demands, and nothing on the page borrows one."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import build, zerogpu


def test_one_function_is_marked_and_no_handler(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.is_dir()
    marked: list[Callable[..., Any]] = []
    pages: list[Any] = []

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        marked.append(function)
        return function

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(zerogpu, "spaces", types.SimpleNamespace(GPU=mark), raising=False)
    monkeypatch.setattr(build, "share_heaps", lambda: None)
    monkeypatch.setattr(build, "sweep_always", lambda _kept: None)
    monkeypatch.setattr(build, "_get_ready", lambda *_arguments: None)
    monkeypatch.setattr(build.gr.Blocks, "launch", lambda page, **_named: pages.append(page))
    build.launch()
    assert len(marked) == 1 and marked[0]() is None
    assert not any(function.fn in marked for function in pages[0].fns.values())
