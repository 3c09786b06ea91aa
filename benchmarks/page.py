"""How long the page takes, in a real Chromium on this machine: the first sound, and the main action of every tab.

    python -m benchmarks.page --times 10

Starts the app, opens it with an empty browser cache, and presses what a visitor presses. Prints medians in
milliseconds, by the browser's clock, from the press to the picture; the first line is from opening the page to music
that can be played. Above them, what a visit until then costs, processor seconds of the server and kilobytes on the line
with an empty cache, and what server and browser take while nobody asks for anything and the page is in sight. A
machine that does something else measures that as well.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.browser import find_chromium
from lnf_core.benchmark import machine

ROOT = Path(__file__).resolve().parents[1]
Page = Any
# Everything the page has asked for, as it came over the line, and of that the page itself.
ON_THE_LINE = """() => {
  const size = (kind) => performance.getEntriesByType(kind).reduce((sum, entry) => sum + entry.transferSize, 0);
  return [size("navigation") + size("resource"), size("navigation")];
}"""


def press(page: Page, do: str, seen: str) -> float:
    """Milliseconds from running ``do`` in the page until ``seen`` holds, looked at in every frame for half a minute."""
    script = """([act, test]) => new Promise((done, fail) => {
      const seen = new Function("return " + test), began = performance.now();
      new Function(act)();
      const look = () => {
        const took = performance.now() - began;
        if (seen()) done(took);
        else if (took > 30000) fail(new Error("nothing changed: " + test));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    })"""
    return float(page.evaluate(script, [do, seen]))


def text(selector: str) -> str:
    """What stands in an element, as JavaScript."""
    return f"(document.querySelector('{selector}')?.textContent || '')"


def changes(page: Page, selector: str) -> str:
    """A test that holds once the text of ``selector`` is another."""
    return f"{text(selector)} !== {json.dumps(page.evaluate(text(selector)))}"


def sampled(page: Page) -> float:
    """Press Sample, until the roll shows another piece."""
    seen = changes(page, "#roll .details")
    return press(page, "document.querySelector('#sample-button').click()", seen)


def first_sound(page: Page, address: str) -> float:
    """Open the page, until its music can be played."""
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_function(f"() => {text('#roll .sound')}.startsWith('sound made in')", timeout=120_000)
    return 1e3 * (time.perf_counter() - began)


def stepped(tab: str, key: str) -> Callable[[Page], float]:
    """Move to another step of the sequence, until what is said of it changes."""

    def act(page: Page) -> float:
        seen = changes(page, f"#{tab} {key}")
        slider = f"document.querySelector('#{tab} .step')"
        move = f"const it = {slider}; it.value = (+it.value % +it.max) + 1; it.dispatchEvent(new Event('input'))"
        return press(page, move, seen)

    return act


def another(tab: str, key: str) -> Callable[[Page], float]:
    """Ask for another sequence, until what is said of it changes."""

    def act(page: Page) -> float:
        return press(page, f"document.querySelector('#{tab} .another').click()", changes(page, f"#{tab} {key}"))

    return act


def raced(page: Page) -> float:
    """Press Race, until the figures can be saved, which they cannot while it runs."""
    hidden = "document.querySelector('#race .csv').hidden"
    seen = f"(window.lnfRuns = window.lnfRuns || {hidden}) && !{hidden}"
    return press(page, "window.lnfRuns = false; document.querySelector('#race-button').click()", seen)


def bent(page: Page) -> float:
    """Move one parameter of the first lesson, until what is said of the picture follows."""
    seen = changes(page, "#lesson-1 .seen")
    slider = "document.querySelector('#lesson-1 input[name=gamma]')"
    step = f"const it = {slider}; it.value = +it.value > 0 ? -3 : 3; it.dispatchEvent(new Event('input'))"
    return press(page, step, seen)


ACTIONS: tuple[tuple[str, str, str, Callable[[Page], float]], ...] = (
    ("Sample: three chorales, AF/SCF", "?dataset=jsb&variant=af-scf", "#roll canvas.notes", sampled),
    ("Sample: three chorales, AF/AF", "?dataset=jsb&variant=af-af", "#roll canvas.notes", sampled),
    ("Race: all models of the chorales", "?tab=race&dataset=jsb", "#race-button", raced),
    ("Latent space: the next step, chorales", "?tab=latent&dataset=jsb&variant=af-scf", "#cloud .legend li",
     stepped("cloud", ".said")),
    ("Latent space: the next step, chorales, AF/AF", "?tab=latent&dataset=jsb&variant=af-af", "#cloud .legend li",
     stepped("cloud", ".said")),
    ("Latent space: the next step, text", "?tab=latent&dataset=ptb&variant=af-scf", "#cloud .legend li",
     stepped("cloud", ".said")),
    ("Inside: the reach of another step", "?tab=inside&dataset=jsb&variant=af-scf", "#inside .layers canvas",
     stepped("inside", ".reachWords")),
    ("Inside: another sequence", "?tab=inside&dataset=jsb&variant=af-scf", "#inside .layers canvas",
     another("inside", ".costsWords")),
    ("Learn: one bend follows the hand", "?tab=learn&lesson=1", "#lesson-1 .seen", bent),
    ("Results: the tab opens", "?tab=learn", "#lesson-1 .seen",
     lambda page: press(page, "document.querySelector('#tabs button[data-tab-id=results]').click()",
                        "document.querySelector('#tab-results table')?.getClientRects().length > 0")),
)  # fmt: skip


def visits(browser: Any, address: str, server: psutil.Process, times: int) -> tuple[list[float], dict[str, float]]:  # noqa: ANN401 - of Playwright
    """Milliseconds of each of ``times`` visits until its music can be played, with an empty cache, and what one costs.

    Processor seconds of the server are the mean of all, kilobytes those of the last.
    """
    before, took = server.cpu_times(), []
    for _ in range(times):
        page = browser.new_page()
        took.append(first_sound(page, address))
        whole, alone = page.evaluate(ON_THE_LINE)
        page.close()
    after = server.cpu_times()
    spent = after.user + after.system - before.user - before.system
    sent = {"kilobytes": round(whole / 1e3), "page": round(alone / 1e3)}
    return took, {"server_seconds": round(spent / times, 2), **sent}


def at_rest(browser: Any, address: str, seconds: float = 10.0) -> float:  # noqa: ANN401 - of Playwright
    """Percent of a core that all processes of the browser take for a page that is looked at and left alone."""
    page = browser.new_page()
    first_sound(page, address)
    page.wait_for_timeout(5000)
    before = _browser_seconds()
    page.wait_for_timeout(1e3 * seconds)
    after = _browser_seconds()
    page.close()
    return 100 * sum(spent - before.get(number, 0.0) for number, spent in after.items()) / seconds


def _browser_seconds() -> dict[int, float]:
    """Processor seconds of each of the processes that Playwright started, by its number."""
    children = psutil.Process().children(recursive=True)
    times = {one.pid: one.cpu_times() for one in children if "chrom" in one.name()}
    return {number: time.user + time.system for number, time in times.items()}


def measure(browser: Any, address: str, times: int) -> dict[str, list[float]]:  # noqa: ANN401
    """Milliseconds of every action, each time."""
    found: dict[str, list[float]] = {}
    for turn in range(times):
        for name, query, ready, act in ACTIONS:
            if turn and not name.startswith("Results"):
                continue
            page = browser.new_page()
            page.set_default_timeout(60_000)
            page.goto(address + query)
            page.wait_for_selector(ready, state="visible")
            page.wait_for_timeout(2500)  # what the page does by itself at the beginning
            for _ in range(1 if name.startswith("Results") else times):
                found.setdefault(name, []).append(act(page))
                page.wait_for_timeout(400)
            page.close()
    return found


def summary(times: list[float]) -> dict[str, int]:
    """Median and longest, in whole milliseconds, and of how many."""
    return {"median": round(statistics.median(times)), "longest": round(max(times)), "times": len(times)}


def main() -> None:
    """Start the app, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        sys.exit("No chromium on this machine (Debian: apt install chromium).")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        command = [sys.executable, "app.py", "--port", str(port)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            while time.perf_counter() - began < 180:
                try:
                    httpx.get(address, timeout=5)
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            started = time.perf_counter() - began
            time.sleep(25)  # the compiled engine gets ready in the background
            rest = psutil.Process(server.pid).cpu_percent(interval=10)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                seen = at_rest(browser, address)
                opened, visit = visits(browser, address, psutil.Process(server.pid), arguments.times)
                found = {"Opening the page, until its music can be played": opened}
                found |= measure(browser, address, arguments.times)
                browser.close()
        finally:
            server.terminate()
            server.wait(timeout=20)
    rows = {name: summary(each) for name, each in found.items()}
    if arguments.json:
        print(
            json.dumps(
                {
                    "seconds_to_serve": round(started, 1),
                    "percent_at_rest": {"server": round(rest, 1), "browser": round(seen, 1)},
                    "visit": visit,
                    "actions": rows,
                    "machine": machine(),
                }
            )
        )
        return
    print(f"From python app.py to the first answer: {started:.1f} s.")
    print(f"At rest the server takes {rest:.1f} % of a core, the browser with the page in sight {seen:.1f} %.")
    print(
        f"A visit until its music can be played: {visit['server_seconds']:.2f} processor seconds of the server, "
        f"{visit['kilobytes']} kB on the line, {visit['page']} of them the page itself.\n"
    )
    print("| | median ms | longest ms | times |\n|---|---:|---:|---:|")
    for name, row in rows.items():
        print(f"| {name} | {row['median']} | {row['longest']} | {row['times']} |")


if __name__ == "__main__":
    main()
