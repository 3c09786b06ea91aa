"""What ``cuda_graph`` does beside its kernels, with neither a GPU nor Triton."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lnf_core.cli.common import resolve_device
from lnf_core.engines import registry
from lnf_core.engines.cuda_graph import recording
from lnf_core.engines.cuda_graph.engine import GraphEngine
from lnf_core.errors import EngineError

CARD = torch.device("cuda:0")


def model_on(device: str) -> SimpleNamespace:
    """All that an engine looks at before it says no."""
    bias = SimpleNamespace(device=torch.device(device), dtype=torch.float32)
    return SimpleNamespace(emission=SimpleNamespace(bias=bias), training=False)


@pytest.fixture
def first_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first GPU is the current one, and Triton seems to be there."""
    found = importlib.util.find_spec
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found("json" if name == "triton" else name))


@pytest.mark.usefixtures("first_card")
def test_a_model_on_another_gpu_is_refused_with_what_to_do() -> None:
    reason = GraphEngine().why_not(model_on("cuda:1"))
    assert reason is not None
    assert "the model is on cuda:1; call torch.cuda.set_device(1)" in reason


def test_a_gpu_that_a_command_names_is_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert resolve_device("cpu") == "cpu"
    assert chosen == []
    monkeypatch.setattr("lnf_core.checks.check_device", torch.device)
    assert resolve_device("cuda:1") == "cuda:1"
    assert chosen == [torch.device("cuda:1")]


@pytest.mark.usefixtures("first_card")
def test_a_triton_that_does_not_work_is_told_and_auto_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)  # as a damaged one: found, but importing it fails
    for name in ("kernels", "recurrence"):
        monkeypatch.delitem(sys.modules, f"lnf_core.engines.cuda_graph.{name}", raising=False)
    reason = GraphEngine().why_not(model_on("cuda:0"))
    assert reason is not None
    assert "cannot run its kernels here (" in reason and "triton" in reason
    monkeypatch.delenv("LNF_ENGINE")
    assert registry.choose("auto", model_on("cuda:0")).name == "eager"
    with pytest.raises(EngineError, match="cannot run its kernels here"):
        registry.choose("cuda_graph", model_on("cuda:0"))


@pytest.mark.usefixtures("first_card")
def test_kernels_that_ran_once_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[torch.device] = []
    recurrence = SimpleNamespace(try_out=tried.append)
    monkeypatch.setitem(sys.modules, "lnf_core.engines.cuda_graph.recurrence", recurrence)
    engine = GraphEngine()
    assert [engine.why_not(model_on("cuda:0")) for _ in range(3)] == [None] * 3
    assert tried == [CARD]


def test_recordings_are_kept_for_the_sizes_that_came_last() -> None:
    made: list[int] = []

    def make(rows: int) -> str:
        made.append(rows)
        return f"loop of {rows}"

    kept = recording.Recordings(make)
    for rows in range(recording.KEPT):
        assert kept.of(rows) == f"loop of {rows}"
    assert kept.of(0) == "loop of 0"  # and is now the last one used
    kept.of(1000)
    assert len(kept) == recording.KEPT
    kept.of(0)
    assert made == [*range(recording.KEPT), 1000]
    kept.of(1)
    assert made[-1] == 1


def test_a_recording_that_failed_is_not_kept() -> None:
    def fail(_rows: int) -> None:
        raise EngineError("no memory")

    kept = recording.Recordings(fail)
    with pytest.raises(EngineError):
        kept.of(3)
    assert len(kept) == 0


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """CUDA as ``record`` sees it: it counts how many graphs are recorded at a time."""
    seen = SimpleNamespace(now=0, most=0, replayed=0)

    class Stream:
        def wait_stream(self, other: object) -> None: ...

    class Graph:
        def replay(self) -> None:
            seen.replayed += 1

    @contextlib.contextmanager
    def graph(_graph: Graph, capture_error_mode: str) -> Iterator[None]:
        seen.now += 1
        seen.most = max(seen.most, seen.now)
        time.sleep(0.02)
        try:
            yield
        finally:
            seen.now -= 1

    monkeypatch.setattr(torch.cuda, "Stream", lambda _device: Stream())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: Stream())
    monkeypatch.setattr(torch.cuda, "stream", lambda _stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    return seen


def test_two_samplers_in_two_threads_record_one_after_the_other(card: SimpleNamespace) -> None:
    replays: list[Any] = []
    threads = [threading.Thread(target=lambda: replays.append(recording.record(lambda: None, CARD))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replays) == 4
    assert card.most == 1
    replays[0]()
    assert card.replayed == 1


@pytest.mark.usefixtures("card")
def test_no_memory_for_a_recording_is_said_even_behind_the_error_of_breaking_it_off() -> None:
    def work() -> None:
        try:
            raise torch.OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("the capture was invalidated")

    with pytest.raises(EngineError, match=r"cuda:0 has no memory left.*draw fewer at once"):
        recording.record(work, CARD)

    def wrong() -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        recording.record(wrong, CARD)
    assert recording.record(lambda: None, CARD) is not None  # what failed holds nobody up


def test_on_the_processor_there_is_nothing_to_record() -> None:
    def work() -> None: ...

    assert recording.record(work, torch.device("cpu")) is work
