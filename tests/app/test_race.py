"""Race: measured, live, and ended when somebody asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_model

import lnf_core
from app.services.models import LoadedModels
from app.services.racing import Racing
from lnf_core import engines
from lnf_core.benchmark import laps


def test_every_model_of_the_data_set_takes_part_and_says_how_many_steps_waited(here: Path) -> None:
    assert here.is_dir()
    shown = list(Racing(LoadedModels()).run("jsb/af-scf", True, threading.Event()))
    assert [len(value["rows"]) for value in shown] == sorted(len(value["rows"]) for value in shown)
    assert all(value["running"] for value in shown[:-1]) and not shown[-1]["running"]
    rows = [row for row in shown[-1]["rows"] if row["engine"] == "eager"]
    assert {row["variant"] for row in rows} == {"af-af", "af-scf", "iaf-scf"}  # the LSTM of the fixture is broken
    for row in rows:
        assert row["milliseconds"] > 0
        assert row["dependent_steps"] == (1 if row["variant"] == "iaf-scf" else row["length"])
    assert "dependent" in shown[-1]["said"] and "plain=1" in shown[-1]["status"]["query"]


def test_a_race_ends_within_a_step(here: Path) -> None:
    assert here.is_dir()
    stop = threading.Event()
    race = Racing(LoadedModels()).run("jsb/af-af", True, stop)
    next(race)
    stop.set()
    began = time.monotonic()
    last = list(race)[-1]
    assert time.monotonic() - began < 5
    assert last["now"] == "Stopped" and not last["running"] and not last["rows"]


def test_a_checkpoint_there_is_not_is_refused(here: Path) -> None:
    with pytest.raises(lnf_core.CheckpointError, match="no checkpoint 'nobody'"):
        next(Racing(LoadedModels()).run("nobody", False, threading.Event()))


def test_laps_stop_before_one_that_would_take_too_long() -> None:
    model = tiny_model("af-scf")
    sampler: Any = engines.prepare(model, "eager")
    with torch.no_grad():
        assert [lap.length for lap in laps(model, sampler, (12, 4))] == [4, 12]
        assert [lap.length for lap in laps(model, sampler, (4, 12), patience=1e-9)] == [4]


@pytest.mark.browser
def test_a_race_is_run_on_the_page(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=race&plain=1")
    page.wait_for_selector("#race-plain input:checked")
    page.click("#race-button")
    page.wait_for_function("() => document.querySelector('#race .said').textContent.includes('times as long')")
    assert page.locator("#race tbody tr").count() >= 3
    assert "tab=race" in page.url and "plain=1" in page.url
    with page.expect_download() as download:
        page.click("#race .csv")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "variant,engine,length,milliseconds,dependent_steps" and len(lines) > 3
