"""Race: measured, live, and ended when somebody asks."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch
from pages import until
from tiny_models import MAX_LENGTH, tiny_model

import lnf_core
from app import catalogue
from app.services import racing
from app.services.models import LoadedModels
from app.services.racing import Driven, Racing, Runner
from app.tabs.race import RaceTab
from app.widgets.race.payload import race_payload, said
from lnf_core import engines
from lnf_core.laps import Lap, laps


@pytest.fixture(autouse=True)
def soon_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models this small need not draw for a moment before they are timed."""
    monkeypatch.setattr("lnf_core.laps._WARM_SECONDS", 0.02)


def test_every_model_of_the_data_set_takes_part_and_says_how_many_steps_waited(here: Path) -> None:
    assert here.is_dir()
    races = list(Racing(LoadedModels()).run("jsb/af-scf", True, threading.Event()))
    shown = [race_payload(race) for race in races]
    driven = [(one.runner.entry.variant.name, one.lap) for one in races[-1].driven]
    told = races[-2].driven[-1]
    assert races[-2].now == f"{told.runner.title} drew {told.lap.length} beats in {1e3 * told.lap.seconds:,.1f} ms"
    assert [len(value["rows"]) for value in shown] == sorted(len(value["rows"]) for value in shown)
    assert all(value["running"] for value in shown[:-1]) and not shown[-1]["running"]
    rows = [row for row in shown[-1]["rows"] if row["engine"] == "eager"]
    assert {row["variant"] for row in rows} == {"af-af", "af-scf", "iaf-scf"}  # the LSTM of the fixture is broken
    for row in rows:
        whose = (row["variant"], row["engine"], row["length"])
        lap = next(lap for name, lap in driven if (name, lap.engine, lap.length) == whose)
        assert row["milliseconds"] == pytest.approx(1e3 * lap.seconds, abs=1e-3) and lap.seconds > 0
        assert row["dependent_steps"] == (1 if row["variant"] == "iaf-scf" else row["length"])
    assert "in turn" in shown[-1]["said"] and "plain=1" in shown[-1]["status"]["query"]
    assert any(text.startswith("LSTM cannot take part") for text in shown[-1]["left_out"])


def times(engine: str, length: int, **milliseconds: float) -> list[Driven]:
    """Laps of the same length."""
    laps_of = []
    for name, taken in milliseconds.items():
        entry = catalogue.describe(f"jsb/{name.replace('_', '-')}")
        lap = Lap(engine, length, taken / 1e3, 1 if name == "iaf_scf" else length)
        laps_of.append(Driven(Runner(entry, engine), lap))
    return laps_of


def test_engines_are_compared_each_for_itself() -> None:
    fast = times("numba_cpu", 64, af_af=30.0, af_scf=20.0, iaf_scf=10.0)
    fast += times("numba_cpu", 128, af_af=60.0, af_scf=40.0, iaf_scf=10.0)
    slow = times("eager", 64, af_af=9000.0, af_scf=1000.0, iaf_scf=11.0)
    assert said(fast, "characters") == (
        "Compiled, 128 characters: IAF/SCF was quickest with 10.0 ms, AF/AF took 6.0 times as long, "
        "1 step in turn against 128."
    )
    assert said(fast + slow, "steps").endswith(
        "Plain PyTorch, 64 steps: IAF/SCF was quickest with 11.0 ms, AF/AF took 818.2 times as long, "
        "1 step in turn against 64. Compiling makes AF/AF 300.0 times as quick at 64 steps, IAF/SCF hardly at all."
    )
    slow += times("eager", 128, af_af=600.0, af_scf=200.0, iaf_scf=10.0)
    assert said(fast + slow, "steps").endswith("AF/AF 10.0 times as quick at 128 steps, IAF/SCF hardly at all.")


def test_a_race_without_contrast_says_so() -> None:
    assert said(times("eager", 32, af_scf=10.0, iaf_scf=10.4), "steps") == (
        "Plain PyTorch, 32 steps: all took about as long, 10.0 ms to 10.4 ms."
    )
    assert "AF/AF took 1.2 times as long" in said(times("eager", 32, af_af=12.0, af_scf=10.0), "steps")
    slow = times("eager", 32, af_af=2500.0, af_scf=2400.0)
    assert said(slow, "steps").endswith("about as long, 2.4 s to 2.5 s.")
    assert said(times("eager", 32, af_af=1500.0, af_scf=10.0, iaf_scf=12.0), "steps") == (
        "Plain PyTorch, 32 steps: AF/SCF was quickest with 10.0 ms, AF/AF took 150.0 times as long, "
        "32 steps in turn each; IAF/SCF, with 1 step in turn, took 12.0 ms."
    )
    both = times("eager", 32, af_scf=30.0), times("numba_cpu", 32, af_scf=10.0), times("numba_cpu", 32, af_scf=29.0)
    assert said(both[0] + both[1], "steps") == "Compiling makes AF/SCF 3.0 times as quick at 32 steps."
    assert said(both[0] + both[2], "steps") == "Compiling gains next to nothing at 32 steps."
    assert said(times("eager", 32, af_scf=10.0), "steps") == said([], "steps") == ""


def test_a_race_ends_within_a_step(here: Path) -> None:
    assert here.is_dir()
    stop = threading.Event()
    race = Racing(LoadedModels()).run("jsb/af-af", True, stop)
    next(race)
    stop.set()
    began = time.monotonic()
    last = list(race)[-1]
    assert time.monotonic() - began < 5
    assert last.now == "Stopped" and not last.running and not last.driven


def test_a_race_takes_the_lengths_its_models_take_and_says_which_would_take_too_long(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert here.is_dir()
    monkeypatch.setattr(racing, "LENGTHS", {"music": (4, MAX_LENGTH - 1, MAX_LENGTH, MAX_LENGTH + 1)})
    *_, last = Racing(LoadedModels()).run("jsb/af-scf", False, threading.Event())
    assert {driven.lap.length for driven in last.driven} == {4, MAX_LENGTH - 1, MAX_LENGTH}
    monkeypatch.setattr(racing, "laps", partial(laps, patience=1e-9))
    *_, last = Racing(LoadedModels()).run("jsb/af-scf", False, threading.Event())
    assert {driven.lap.length for driven in last.driven} == {4}
    assert sum("longer than 4 left out" in words for words in last.left_out) == 3


def test_a_race_leaves_every_thread_that_drives_it_its_gradients(here: Path) -> None:
    assert here.is_dir()
    race = Racing(LoadedModels()).run("jsb/af-scf", False, threading.Event())
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        # As Gradio does, which goes on with a generator in whichever thread is free.
        for driver, idle in ((one, other), (other, one)) * 2:
            assert driver.submit(next, race).result().running
            assert driver.submit(torch.is_grad_enabled).result() and idle.submit(torch.is_grad_enabled).result()


def test_a_checkpoint_there_is_not_is_refused(here: Path) -> None:
    with pytest.raises(lnf_core.CheckpointError, match="no checkpoint 'nobody'"):
        next(Racing(LoadedModels()).run("nobody", False, threading.Event()))


def test_a_name_with_markup_reaches_the_page_as_text(here: Path) -> None:
    assert here.is_dir()
    pressed = RaceTab(Racing(LoadedModels()))._race("<img src=x>", False, gr.Request(session_hash="one"))
    with pytest.raises(gr.Error) as caught:
        next(pressed)
    assert "&lt;img src=x&gt;" in caught.value.message and "<" not in caught.value.message


def test_laps_stop_before_one_that_would_take_too_long() -> None:
    model = tiny_model("af-scf")
    sampler: Any = engines.prepare(model, "eager")
    with torch.no_grad():
        assert [lap.length for lap in laps(model, sampler, (12, 4))] == [4, 12]
        assert [lap.length for lap in laps(model, sampler, (4, 12), patience=1e-9)] == [4]


def test_laps_are_foretold_and_short_ones_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("af-scf")
    sampler: Any = engines.prepare(model, "eager")
    taken = iter([0.04, 0.01, 0.02, 2.0, 3.0])  # as a stopwatch would show
    monkeypatch.setattr("lnf_core.laps.timed_draw", lambda *_given, **_options: (next(taken), 7))
    found = list(laps(model, sampler, (3, 4, 6, 12), patience=5.0))
    # Of a draw of milliseconds the median of three counts; the last would have taken six seconds.
    assert found == [Lap("eager", 3, 0.02, 7), Lap("eager", 4, 2.0, 7), Lap("eager", 6, 3.0, 7)]


@pytest.mark.browser
def test_a_race_is_run_on_the_page(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=race&plain=1")
    page.wait_for_selector("#race-plain input:checked")
    page.click("#race-button")
    page.wait_for_selector("#race .chart", state="visible")
    # Another data set is chosen meanwhile: Race does nothing yet, and the card says what to do.
    page.locator("#model-bar label", has_text="Penn Treebank").click()
    until(page, "() => document.querySelector('#race .now').textContent.includes('press Stop, then Race')")
    until(page, "() => document.querySelector('#race .said').textContent.includes('times as long')")
    assert page.locator("#race tbody tr").count() >= 3
    assert "tab=race" in page.url and "plain=1" in page.url
    with page.expect_download() as download:
        page.click("#race .csv")
    assert download.value.suggested_filename == "lnf-race-jsb.csv"
    with Path(download.value.path()).open(newline="") as file:
        table = list(csv.DictReader(file))
    columns = "data set,model,engine,length in beats,milliseconds,steps in turn,machine"
    assert len(table) > 3 and ",".join(table[0]) == columns
    assert {row["data set"] for row in table} == {"JSB Chorales"}
    assert "plain PyTorch" in {row["engine"] for row in table} <= {"plain PyTorch", "compiled"}
    assert all("cores" in row["machine"] for row in table)
    assert "in each layer of its flow" in page.locator("#race .caption").inner_text()
    # On a phone four lengths and the models' names fit, and no name is broken in the middle of a word.
    page.set_viewport_size({"width": 390, "height": 844})
    fits, breaks = page.evaluate("""() => {
      for (const row of document.querySelectorAll("#race tr"))
        while (row.children.length < 5) row.append(row.lastElementChild.cloneNode(true));
      for (const unit of document.querySelectorAll("#race .unit")) unit.textContent = " characters";
      const table = document.querySelector("#race .scroll"), name = document.querySelector("#race tbody td");
      return [table.scrollWidth <= table.clientWidth, getComputedStyle(name).overflowWrap];
    }""")
    assert fits and breaks == "normal"
    assert page.locator("#race .unit").count() == 4
