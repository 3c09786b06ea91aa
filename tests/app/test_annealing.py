"""The lesson whose models are trained on the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any
from unittest import TestCase

import pytest
from pages import until

from app.limits import FieldError
from app.services.annealing import Annealing
from lnf_core.training.collapse import Moment, Walk, Watched


def until_done(annealing: Annealing, seed: int) -> dict[str, Any]:
    deadline, begin = time.monotonic() + 60, True
    while time.monotonic() < deadline:
        found = annealing.view({"seed": seed, "begin": begin})
        if found["done"]:
            return found
        begin = False
        time.sleep(0.05)
    raise AssertionError("the training did not end")


def test_everybody_sees_the_same_runs_and_each_is_trained_once() -> None:
    annealing = Annealing(steps=12)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: annealing.view({"seed": 1 + at % 2}), range(16)))
    first, second = (until_done(annealing, seed) for seed in (1, 2))
    for found in (first, second):
        assert [point[0] for point in found["points"][0]] == [point[0] for point in found["points"][1]] == [3, 6, 9, 12]
        assert found["points"][0][-1][1] == found["points"][1][0][1] == 1.0
        assert [len(lines) for lines in found["written"]] == [4, 4] and found["ahead"] == 0
    assert first["points"] != second["points"]
    source = Walk()
    assert (first["entropy"], first["unconditional"]) == (round(source.entropy, 4), round(source.unconditional, 4))
    for annealed, curve in zip((True, False), first["points"], strict=True):  # a point is the mean of three steps
        three = list(islice(Watched(annealed, 1, 12, source).run(), 3))
        means = [sum(getattr(one, name) for one in three) / 3 for name in ("reconstruction", "kl")]
        assert curve[0][2:] == pytest.approx(means, abs=1e-3)
    assert annealing.view({"seed": 1, "after": 3})["points"] == [curve[3:] for curve in first["points"]]
    assert until_done(Annealing(steps=12), 1)["points"] == first["points"]


def test_who_waits_is_told_how_many_are_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, through, run = threading.Event(), threading.Event(), Watched.run

    def held(watched: Watched) -> Iterator[Moment]:
        begun.set()
        through.wait(60)
        yield from run(watched)

    monkeypatch.setattr(Watched, "run", held)
    annealing = Annealing(steps=3)
    annealing.view({"seed": 4})
    assert begun.wait(60)
    assert [annealing.view({"seed": seed})["ahead"] for seed in (4, 7, 2, 7)] == [0, 1, 2, 1]
    through.set()
    assert until_done(annealing, 2)["ahead"] == 0


def test_a_training_that_failed_is_said_and_begun_again_by_who_presses(monkeypatch: pytest.MonkeyPatch) -> None:
    run, fails = Watched.run, iter([True])

    def fail_once(watched: Watched) -> Iterator[Moment]:
        for done, moment in enumerate(run(watched)):
            if done == 4 and next(fails, False):
                raise MemoryError
            yield moment

    monkeypatch.setattr(Watched, "run", fail_once)
    annealing = Annealing(steps=6)
    with TestCase().assertLogs("app") as said:
        annealing.view({"seed": 5})
        annealing.view({"seed": 6})
        assert len(until_done(annealing, 6)["points"][0]) == 2  # the next in the row is trained all the same
    assert [line.count("training of seed 5 failed") for line in said.output] == [1]
    for after in (0, 1):  # who asks how far it is starts nothing
        with pytest.raises(FieldError, match="broke off; press Train both"):
            annealing.view({"seed": 5, "after": after})
    assert [point[0] for point in until_done(annealing, 5)["points"][0]] == [3, 6]


@pytest.mark.parametrize("asked", [{"seed": 0}, {"seed": 10}, {"seed": "x"}, {"seed": 1, "after": -1}])
def test_what_is_no_run_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        Annealing(steps=3).view(asked)


@pytest.mark.browser
def test_both_models_are_trained_in_front_of_the_visitor(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=learn&lesson=6&seed=2")
    page.locator("#lesson-6 .run").press("Enter")
    until(page, "() => +document.querySelector('#lesson-6 .lesson').dataset.points > 3")
    until(page, "() => document.querySelector('#lesson-6 .lesson').dataset.done === 'true'", timeout=90_000)
    shown = page.locator("#lesson-6 .lesson").evaluate("(it) => ({ ...it.dataset })")
    assert float(shown["annealed"]) < 1.2 < 2.0 < float(shown["full"]) and float(shown["kl"]) < 0.02
    assert page.locator("#lesson-6 .written code").count() == 8
    assert "Step 240 of 240" in page.locator("#lesson-6 .seen").inner_text()
    # Another visitor's run is known at once, and still seen to grow, but where motion is not wanted.
    shown_at = "[...document.querySelectorAll('#lesson-6 .lesson')].map((it) => +it.dataset.points)[0]"
    page.locator("#lesson-6 .run").press("Enter")
    until(page, f"() => {shown_at} > 2 && {shown_at} < 60")
    assert page.locator("#lesson-6 .run").inner_text() == "Showing …"
    assert page.locator("#lesson-6 .seen").inner_text().startswith("Trained before")
    assert page.locator("#lesson-6 .written code").count() == 0
    # It can be left for another beginning, and is shown whole where motion is not wanted.
    page.locator("#lesson-6 input[name=seed]").press("End")
    until(page, "() => location.search.includes('seed=9')")
    assert page.locator("#lesson-6 .run").inner_text() == "Train both"
    page.emulate_media(reduced_motion="reduce")
    page.locator("#lesson-6 input[name=seed]").press("Home")
    page.locator("#lesson-6 input[name=seed]").press("ArrowRight")
    until(page, "() => location.search.includes('seed=2')")
    page.evaluate(f"""() => {{ window.seen = new Set(); const look = () => {{ seen.add({shown_at});
        requestAnimationFrame(look); }}; look(); }}""")
    page.locator("#lesson-6 .run").press("Enter")
    until(page, "() => seen.has(0) && seen.has(80)")
    assert page.evaluate("() => [...seen].sort()") == [0, 80]
