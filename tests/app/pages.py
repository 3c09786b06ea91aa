"""What the browser tests of the page do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# How many different colours the canvas shows: an empty one has one.
COLOURS = """(selector) => {
  const canvas = document.querySelector(selector);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) seen.add(data[i] + "," + data[i + 1] + "," + data[i + 2]);
  return seen.size;
}"""
NOTES, AUDIO = "#roll canvas.notes", "#roll audio"
Page = Any
Open = Callable[..., Page]


def until(page: Page, holds: str, **options: Any) -> None:  # noqa: ANN401 - passed to Playwright
    """Wait until ``holds``, looked at by the clock: in every frame it would have the page draw sixty a second."""
    page.wait_for_function(holds, polling=30, **options)


def ready(page: Page) -> None:
    """Wait until the first roll can be played."""
    until(page, "() => document.querySelector('#roll audio')?.readyState >= 1")


def press_sample(page: Page) -> None:
    """Click and wait until the page says which seed it used."""
    before = page.locator("#status .words").text_content()
    page.click("#sample-button")
    until(
        page,
        "(before) => { const words = document.querySelector('#status .words').textContent;"
        " return words !== before && words.includes('seed'); }",
        arg=before,
    )


def unfold(page: Page) -> None:
    """Open the settings."""
    if not page.locator("#length input").is_visible():
        page.click("#more .fold")
        page.wait_for_selector("#length input", state="visible")
