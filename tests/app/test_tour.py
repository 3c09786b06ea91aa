"""The tour, and how a sample came about shown again on the roll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pages import until

pytestmark = pytest.mark.browser
SAID = "() => document.querySelector('#roll .sound').textContent"
# Columns of the picture that hold a note: how far the roll is filled.
FILLED = """() => {
  const canvas = document.querySelector('#roll canvas.notes'), context = canvas.getContext('2d');
  const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
  let last = 0;
  for (let x = 8; x < width; x++) for (let y = 24; y < height; y++) {
    const at = 4 * (y * width + x);
    if (Math.max(data[at], data[at + 1], data[at + 2]) - Math.min(data[at], data[at + 1], data[at + 2]) > 60) last = x;
  }
  return last / width;
}"""


def test_on_a_phone_the_tour_reaches_the_tabs_that_are_folded_away(open_page: Callable[..., Any]) -> None:
    page = open_page("", width=390, height=844)
    page.emulate_media(reduced_motion="reduce")
    page.locator("#tour .start").click()
    page.locator("#tour .next").click()
    assert page.locator("#tour .words").text_content().endswith("Press “Watch it being drawn” to see that slowed down.")
    page.wait_for_selector("#roll .watch", state="visible")
    page.wait_for_timeout(800)  # where it may move, it does by now
    assert not page.evaluate(SAID).startswith("step ")
    for _ in range(2):
        page.locator("#tour .next").click()
    page.locator("#cloud canvas.points").first.wait_for(state="visible", timeout=60_000)
    until(page, "() => new URLSearchParams(location.search).get('tab') === 'latent'")
    until(
        page,
        """() => {
      const of = (at) => document.querySelector(at).getBoundingClientRect(), cloud = of("#cloud canvas.points");
      return cloud.top > -2 && cloud.bottom < of("#tour .card").top; }""",
    )
    assert page.locator("#tour .words").text_content().endswith("Press Bend to see them grow out of plain noise.")
    page.go_back()
    page.locator("#sample-button").wait_for(state="visible")
    page.emulate_media(reduced_motion="no-preference")


def draw(page: Any, variant: str) -> None:  # noqa: ANN401 - a Playwright page
    if not page.locator("#length input, #length textarea").is_visible():
        page.locator("#more button").click()
    page.locator("#length input, #length textarea").fill("12")
    page.locator("#draw input").check()
    page.locator("#model-bar label", has_text=variant).click()
    page.locator("#sample-button").click()
    page.wait_for_selector("#roll .watch", state="visible")
    until(page, "() => document.querySelector('#roll .sound').textContent.startsWith('sound made in')")
    # That may still be said of the piece before: the picture is the new one's after two frames.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_roll_fills_step_by_step_or_appears_at_once(open_page: Callable[..., Any]) -> None:
    page = open_page()
    assert page.locator("#roll .watch").is_hidden()  # nobody timed the ready-made sample
    draw(page, "Step by step")
    whole = page.evaluate(FILLED)
    page.locator("#roll .watch").click()
    until(page, f"{SAID}.includes('is made from those before it')")
    fills = []
    while page.evaluate(SAID).startswith("step "):
        fills.append(page.evaluate(FILLED))
        page.wait_for_timeout(40)
    assert fills == sorted(fills) and fills[0] < whole
    until(page, f"{SAID}.startsWith('one step after another')")
    assert page.evaluate(FILLED) == pytest.approx(whole, abs=0.01)
    draw(page, "All at once")
    whole = page.evaluate(FILLED)
    page.locator("#roll .watch").click()
    until(page, f"{SAID}.includes('computed at once')")
    if "computed at once" in page.evaluate(SAID):
        assert page.evaluate(FILLED) in (0, whole)
    until(page, f"{SAID}.startsWith('all at once')")
    assert page.evaluate(FILLED) == pytest.approx(whole, abs=0.01)


def test_the_tour_walks_through_the_page_and_can_be_left(open_page: Callable[..., Any]) -> None:
    page = open_page()
    start, head = page.locator("#tour .start"), page.locator("#tour .head")
    start.press("Enter")
    for expected in ("Music nobody wrote", "One step after another"):
        until(page, "(words) => document.querySelector('#tour .head').textContent === words", arg=expected)
        assert page.evaluate("() => document.activeElement.textContent") == "Next"
        page.keyboard.press("Enter")
    until(page, "() => document.querySelector('#status').textContent.includes('all steps at once')")
    assert head.inner_text() == "All at once" and "IAF/SCF" in page.locator("#roll .title").inner_text()
    page.keyboard.press("Enter")
    until(page, "() => document.querySelector('#cloud .title')?.textContent.includes('Penn Treebank')")
    until(page, "() => document.querySelector('#cloud .said')?.textContent.includes('draws')")
    until(page, "() => { const at = document.querySelector('#cloud .layer'); return +at.value < +at.max; }")
    page.keyboard.press("Escape")
    assert page.locator("#tour .card").is_hidden()
    assert page.evaluate("() => document.activeElement.className").endswith("start")
    page.set_viewport_size({"width": 390, "height": 780})
    start.click()
    box = page.locator("#tour .card").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 780
    page.locator("#tour .skip").click()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
