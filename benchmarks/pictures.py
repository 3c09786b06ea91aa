"""Take the pictures of the app again: ``python -m benchmarks.pictures [ADDRESS]`` while ``python app.py`` runs."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.browser import find_chromium

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7860"


def take(browser: Browser, name: str, query: str = "", width: int = 1280, scheme: str = "light") -> None:
    """Open the page, wait for its sample and save all of it as ``name``.png."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(ADDRESS + query)
    if query:
        page.wait_for_function("() => document.querySelector('#status .words')?.textContent.includes('seed')")
    page.wait_for_selector("#lines .line" if "ptb" in query else "#roll audio[src]", state="attached")
    if "ptb" not in query:
        page.focus("#roll canvas.notes")
        for _ in range(6):
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(150)
        page.evaluate("() => document.activeElement.blur()")
    page.wait_for_timeout(600)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    context.close()


# The other tabs: how each is opened, and what is there once it is whole.
OTHERS = (
    ("latent", "&dataset=ptb&variant=af-scf&seed=4&step=10", "#cloud .said", "draws"),
    ("inside", "&dataset=jsb&variant=af-scf", "#inside .reachWords", "noise of step"),
    ("learn", "&lesson=1&preset=two", "#lesson-1 .seen", "mode"),
    ("race", "&dataset=ptb&plain=1", "#race .said", "times as long"),
    ("results", "", "#figures tbody", "Treebank"),
)


def take_tab(browser: Browser, tab: str, query: str, part: str, words: str) -> None:
    """Open a tab, wait until ``part`` says ``words``, and save all of it as ``app-<tab>``.png."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    page.goto(f"{ADDRESS}?tab={tab}{query}")
    if tab == "race":
        page.wait_for_selector("#race-plain input:checked")
        page.click("#race-button")
    said = "([part, words]) => document.querySelector(part)?.textContent.includes(words)"
    page.wait_for_function(said, arg=[part, words])
    page.wait_for_timeout(600)
    page.screenshot(path=FOLDER / f"app-{tab}.png", full_page=True)
    page.close()


if __name__ == "__main__":
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=["--headless", "--no-sandbox", "--disable-gpu"],
        )
        take(chromium, "app-music")
        take(chromium, "app-text", "?dataset=ptb&variant=af-scf&seed=4&temperature=0.8&count=5")
        take(chromium, "app-dark", scheme="dark")
        take(chromium, "app-phone", width=390)
        for other in OTHERS:
            take_tab(chromium, *other)
        chromium.close()
