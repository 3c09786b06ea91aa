"""Cancel: what a visitor began ends within a step, what waits is taken out, and the next press samples again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from pages import until

from app.fields import FIELDS
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.stops import Stops
from app.tabs.sample import SampleTab

BUSY = "() => document.querySelector('#status .pending') !== null"
IDLE = "() => document.querySelector('#status .pending') === null"
SHOWN = "AF/SCF · JSB Chorales: a ready-made sample. Press Sample to hear Nottingham, "
CANCELLED = f"() => document.querySelector('#status .words').textContent.startsWith('Cancelled. {SHOWN}')"


def visitor(name: str) -> Any:  # noqa: ANN401 - all that is read of a request
    return SimpleNamespace(session_hash=name)


def test_a_stop_reaches_the_visitor_s_own_work_only() -> None:
    stops = Stops()
    with stops.of(visitor("one")) as one, stops.of(visitor("two")) as two:
        stops.stop(visitor("three"))
        assert not one.is_set() and not two.is_set()
        stops.stop(visitor("one"))
        assert one.is_set() and not two.is_set()


def test_work_that_ends_late_does_not_take_the_mark_of_the_next() -> None:
    stops = Stops()
    late = stops.of(visitor("one"))
    late.__enter__()
    with stops.of(visitor("one")) as next_one:
        late.__exit__(None, None, None)
        stops.stop(visitor("one"))
        assert next_one.is_set()
    stops.stop(visitor("one"))  # nothing is going on: nothing happens


def test_drawing_ends_with_the_step_in_which_cancel_was_pressed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.is_dir()
    monkeypatch.setenv("LNF_ENGINE", "eager")  # it reports every step
    tab = SampleTab(Sampling(), Sound())
    given = {field.name: field.default for field in FIELDS} | {"length": 12}
    steps: list[float] = []

    def going_on(fraction: float, desc: str) -> None:  # what Gradio hands in
        assert desc
        steps.append(fraction)
        if len(steps) == press_at:
            tab._stops.stop(visitor("one"))

    press_at = 3
    shown = tab._for_page("jsb/af-af", given, "jsb", going_on, visitor("one"))
    assert len(steps) == 3 and steps[-1] < 0.9, "it went on"
    assert all(update == gr.skip() for update in shown)
    press_at = 0
    status, *_ = tab._for_page("jsb/af-af", given, "jsb", going_on, visitor("one"))
    assert status["kind"] == "done" and "drawn in" in status["text"]


def test_cancel_counts_while_the_model_is_loaded(here: Path) -> None:
    assert here.is_dir()

    class Slow(Sampling):
        def bounds(self, name: str) -> tuple[int, int]:
            tab._stops.stop(visitor("one"))
            return super().bounds(name)

    tab = SampleTab(Slow(), Sound())
    given = {field.name: field.default for field in FIELDS}
    shown = tab._for_page("jsb/af-af", given, "jsb", lambda *_, **__: None, visitor("one"))
    assert all(update == gr.skip() for update in shown), "it was drawn"


def long_sample(page: Any, *, pressed: bool = False) -> None:  # noqa: ANN401 - playwright may not be installed
    """Press Sample for a tune that takes long, and wait until it can be left."""
    if not pressed:
        page.click("#sample-button")
    until(page, BUSY)
    page.wait_for_selector("#sample-cancel", state="visible")


@pytest.mark.browser
def test_cancel_ends_a_sample_and_the_next_one_is_drawn(open_page: Callable[..., Any]) -> None:
    page = open_page()
    assert page.locator("#sample-cancel").is_hidden()
    for chosen in ("Nottingham", "AF/AF"):  # the slow one
        page.locator("#model-bar label", has_text=chosen).click()
    long_sample(page)
    page.locator("#sample-cancel").press("Enter")  # by keyboard: a click waits for frames, and this server is busy
    until(page, CANCELLED)  # and what the picture still shows
    until(page, IDLE)
    assert page.locator("#sample-cancel").is_hidden()
    assert page.evaluate("() => document.activeElement.id") == "sample-button"
    # Whoever presses Sample as soon as it says so is heard.
    long_sample(page)
    page.evaluate(f"""() => new Promise((done) => {{
      const look = () => ({CANCELLED})() ? done(document.querySelector("#sample-button").click()) : setTimeout(look);
      document.querySelector("#status .words").textContent = "";
      document.querySelector("#sample-cancel").click(); look(); }})""")
    long_sample(page, pressed=True)
    page.locator("#sample-cancel").press("Enter")
    until(page, CANCELLED)
    page.locator("#model-bar label", has_text="JSB Chorales").click()
    page.click("#sample-button")
    until(page, "() => document.querySelector('#status .words').textContent.includes('drawn in')")
    assert "JSB Chorales" in page.locator("#status .words").text_content()


@pytest.mark.browser
def test_cancel_before_the_first_answer_says_what_is_in_sight(open_page: Callable[..., Any]) -> None:
    page = open_page("?dataset=nottingham&variant=af-af&seed=3&length=1024&count=6")
    until(page, BUSY)
    page.wait_for_selector("#sample-cancel", state="visible")
    page.locator("#sample-cancel").press("Enter")
    until(page, CANCELLED)
    assert "seed=" not in page.url


@pytest.mark.browser
def test_a_race_that_waits_says_its_place_and_can_be_left(open_page: Callable[..., Any]) -> None:
    first, second = (open_page("?tab=race&dataset=nottingham&plain=1") for _ in range(2))
    first.click("#race-button")
    until(first, "() => document.querySelector('#race .now').textContent.includes('drawing')")
    second.click("#race-button")
    until(second, "() => document.querySelector('#race .now').textContent.endsWith('yours comes next.')")
    assert second.locator("#race .progress-text").is_hidden()  # Gradio's own words for it
    second.click("#race-stop")
    until(second, "() => document.querySelector('#race .now').textContent.startsWith('Press Race')")
    first.click("#race-stop")
    until(first, "() => document.querySelector('#race .now').textContent === 'Stopped'")
    assert first.locator("#race-stop").is_hidden() and second.locator("#race-stop").is_hidden()
    assert first.evaluate("() => document.activeElement.id") == "race-button"
    assert first.locator("#race .csv").is_visible() == (first.locator("#race tbody tr").count() > 0)
    second.click("#race-button")
    until(second, "() => document.querySelector('#race tbody tr')")
    second.click("#race-stop")
    until(second, "() => document.querySelector('#race .now').textContent === 'Stopped'")
