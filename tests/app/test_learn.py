"""Learn: the arithmetic of the lessons, done in the browser, is that of the package."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import torch
from pages import until

from lnf_core.transforms.nlsq import NLSq

pytestmark = pytest.mark.browser
TEACHING = Path(__file__).resolve().parents[2] / "docs" / "teaching.md"
LINKS = sorted(set(re.findall(r"`(\?tab=learn&[^`]*)`", TEACHING.read_text(encoding="utf-8"))))
# What the settings of the open lesson stand at: its fields by name, what is pressed, and its words.
STATE = """() => { const lesson = document.querySelector("[id^=lesson-]:not(.lnf-folded) .lesson");
  const all = (selector, value) => [...lesson.querySelectorAll(selector)].map(value);
  return { title: lesson.querySelector(".title").textContent,
    fields: Object.fromEntries(all("input", (it) => [it.name, it.value])),
    pressed: all("[aria-pressed=true]", (it) => it.dataset.key || it.dataset.name) }; }"""


def facts(page: Any, lesson: int) -> dict[str, str]:  # noqa: ANN401 - a Playwright page
    """What the lesson that is shown says of itself."""
    until(page, f"() => document.querySelector('#lesson-{lesson} .seen')?.textContent.length > 20")
    found: dict[str, str] = page.evaluate(
        f"() => ({{ ...document.querySelector('#lesson-{lesson} .lesson').dataset }})"
    )
    return found


def test_one_bend_is_the_packages_nlsq(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=learn&lesson=1")
    assert facts(page, 1)["modes"] == "1", "the task is done before anybody has begun"
    page.locator("#lesson-1 input[name=gamma]").press("End")
    until(page, "() => document.querySelector('#lesson-1 .lesson').dataset.modes === '2'")
    for preset, modes in (("nothing", "1"), ("two", "2"), ("skewed", "1")):
        page.click(f"#lesson-1 .choice[data-key={preset}]")
        until(page, f"() => document.querySelector('#lesson-1 .lesson').dataset.modes === '{modes}'")
        shown = facts(page, 1)
        assert shown["affineModes"] == "1" and float(shown["area"]) == pytest.approx(1.0, abs=0.01)
        raw = torch.tensor(json.loads(shown["raw"]), dtype=torch.float64)
        eps = torch.tensor(float(shown["eps"]), dtype=torch.float64)
        z, log_slope = NLSq().inverse(eps, raw)
        assert float(shown["z"]) == pytest.approx(float(z), abs=1e-6)
        assert float(shown["slope"]) == pytest.approx(float(torch.exp(-log_slope)), rel=1e-6)
    words = page.locator("#lesson-1 .seen").text_content()
    page.locator("#lesson-1 input[name=gamma]").press("End")
    until(page, "(old) => document.querySelector('#lesson-1 .seen').textContent !== old", arg=words)
    # Written a moment later, and of the first press gamma was 10 before.
    until(page, "() => ['gamma=10', '-0.4'].every((value) => location.search.includes(value))")
    again = open_page(page.evaluate("() => location.search"))
    assert json.loads(facts(again, 1)["raw"]) == json.loads(facts(page, 1)["raw"])


def test_a_second_gap_of_one_bend_is_a_shallow_one(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=learn&lesson=1&beta=-2&gamma=8&delta=1.25&f=-4")
    assert facts(page, 1)["modes"] == "3"
    # More bends than the sliders reach, each where there is weight.
    share = torch.rand(5, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    beta, gamma, delta = -8 * share[0], 16 * share[1] - 8, 12 * share[2]
    place = torch.exp(0.4 * (delta - beta)) * (6 * share[3] - 3)
    raw = torch.stack([4 * share[4] - 2, beta, gamma, delta, place], -1)
    eps = torch.linspace(-6, 6, 4001, dtype=torch.float64).expand(300, -1)
    _, log_slope = NLSq().inverse(eps, raw[:, None])
    found = set()
    for heights in torch.exp(-0.5 * eps**2 - log_slope):
        rising = heights.diff() > 0
        turns = heights[1:-1][rising[1:] != rising[:-1]].tolist()  # a hill, a valley, a hill
        hills, valleys = turns[::2], turns[1::2]
        found.add(len(hills))
        assert sum(at < 0.5 * min(sides) for at, *sides in zip(valleys, hills, hills[1:], strict=False)) <= 1
    assert found == {1, 2, 3}


def test_a_stack_of_bends_has_many_modes_and_one_of_affine_maps_has_one(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=learn&lesson=2&layers=5")
    shown = facts(page, 2)
    counts = [int(count) for count in shown["modes"].split()]
    assert counts[0] == 1 and len(counts) == 6 and counts[-1] >= 3
    assert shown["affineModes"] == "1 1 1 1 1 1"
    page.click("#lesson-2 .fresh")
    until(page, "(old) => document.querySelector('#lesson-2 svg path.filled').getAttribute('d') !== old", arg="")
    page.locator("#lesson-2 input[name=layers]").press("Home")
    until(page, "() => document.querySelector('#lesson-2 .lesson').dataset.modes.split(' ').length === 2")
    assert "the density after one layer. " in page.locator("#lesson-2 .seen").text_content()
    picture = page.locator("#lesson-2 svg.plot")
    assert picture.bounding_box()["height"] == float(picture.get_attribute("viewBox").split()[3])  # no bare margins


def test_what_waits_for_what(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=learn&lesson=3&kind=af&task=draw&length=5&step=1", height=800)
    numbers = page.locator("#lesson-3 text.turn")
    run = page.locator("#lesson-3 .run")
    below = run.bounding_box()
    assert below["y"] + below["height"] <= 800  # nobody looks for it below the edge of a laptop's screen

    def is_to_be_predicted() -> bool:
        said = facts(page, 3)
        words = page.locator("#lesson-3 .seen").text_content()
        return numbers.all_text_contents() == ["?"] * 5 and said["turns"] == "" and "turns," not in words

    assert is_to_be_predicted()
    for step, (chosen, turns) in enumerate(((None, 5), ("iaf", 1), ("score", 5), ("af", 1)), start=2):
        if chosen:
            page.locator(f"#lesson-3 .choice[data-key={chosen}]").press("Enter")
            until(page, "() => document.querySelector('#lesson-3 text.turn').textContent === '?'")
            assert is_to_be_predicted()
        run.press("Enter")
        until(page, "() => document.querySelector('#lesson-3 .lesson').dataset.turns")
        assert int(facts(page, 3)["turns"]) == turns
        assert numbers.all_text_contents() == ([str(at) for at in range(1, 6)] if turns > 1 else ["1"] * 5)
        page.locator("#lesson-3 input[name=step]").press("ArrowRight")  # the arrows of another step, the same answer
        until(
            page, "(step) => document.querySelector('#lesson-3 .seen').textContent.includes(step)", arg=f"step {step}"
        )
        assert int(facts(page, 3)["turns"]) == turns


def test_the_step_looked_at_is_one_of_the_sequence_and_arrows_tell_their_direction(
    open_page: Callable[..., Any],
) -> None:
    page = open_page("?tab=learn&lesson=3&kind=af&task=draw&length=6&step=4")
    step = page.locator("#lesson-3 input[name=step]")
    step.press("End")
    assert step.input_value() == "6"
    page.locator("#lesson-3 input[name=length]").press("ArrowLeft")
    until(
        page,
        "(words) => document.querySelector('#lesson-3 .seen').textContent.includes(words)",
        arg="The vector of step 5 waits for ε₅, z₁, z₂, z₃, z₄.",
    )
    assert step.input_value() == "5"
    assert page.locator("#lesson-3 path.head.now").count() == page.locator("#lesson-3 path.arrow.now").count() == 5


def test_lessons_are_reached_by_keyboard_and_fit_a_phone(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=learn", width=390, height=800, scheme="dark")
    page.wait_for_selector("#lesson-1 .lesson", state="visible")
    page.locator("#lessons button[aria-current]").press("ArrowRight")
    page.wait_for_selector("#lesson-2 .lesson", state="visible")
    assert page.locator("#lesson-1 .lesson").is_hidden()
    until(page, "() => location.search.includes('lesson=2')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # A refusal may name an address, which has no place to break.
    said = page.evaluate_handle("document.querySelector('#lesson-2 .seen')")
    words = said.evaluate("(said) => said.textContent")
    wide = said.evaluate("(said) => { said.textContent = 'x'.repeat(99); return said.scrollWidth > said.clientWidth; }")
    assert not wide
    said.evaluate("(said, words) => { said.textContent = words; }", words)
    # On paper it is a lesson without what is pressed, in the colours of the light scheme; then all is as before.
    seen = "['#lessons', '#lesson-2 .fresh', '#lesson-2 .seen', 'footer']"
    seen = f"{seen}.map((at) => document.querySelector(at).checkVisibility())"
    seen = f"() => [getComputedStyle(document.body).getPropertyValue('--lnf-ink'), ...{seen}]"
    before = page.evaluate(seen)
    page.evaluate(f"() => window.addEventListener('beforeprint', () => {{ window.onPaper = ({seen})(); }})")
    page.emulate_media(media="print")  # a page that is printed is laid out anew only after the event
    assert page.pdf().startswith(b"%PDF")
    page.emulate_media(media="screen")
    colour, *visible = page.evaluate("() => window.onPaper")
    assert visible == [False, False, True, False] and colour == "#1d2530" != before[0]
    assert page.evaluate(seen) == before and before[1:] == [True] * 4
    page.locator("#lesson-2 summary").press("Enter")
    assert page.locator("#lesson-2 details p").first.is_visible()


@pytest.mark.parametrize("link", LINKS)
def test_a_teachers_link_restores_the_lesson_and_stays_in_the_address(open_page: Callable[..., Any], link: str) -> None:
    wanted = dict(parse_qsl(link[1:]))
    page = open_page(link)
    lesson = wanted["lesson"]
    until(page, f"() => document.querySelector('#lesson-{lesson} .seen')?.textContent")
    page.wait_for_timeout(500)  # the address is written a moment after the lesson has opened
    assert wanted.items() <= dict(parse_qsl(page.url.partition("?")[2])).items()
    found = page.evaluate(STATE)
    assert found["title"].startswith(lesson)
    for name in wanted.keys() - {"tab", "lesson", "round"}:  # a round is seen once it is played
        value = wanted[name]
        assert found["fields"].get(name) == value or value in found["pressed"], (name, found)


@pytest.mark.parametrize("wanted", ["0", "two"])
def test_a_lesson_there_is_not_is_said(open_page: Callable[..., Any], wanted: str) -> None:
    page = open_page(f"?tab=learn&lesson={wanted}&layers=1", width=390, height=800)
    page.wait_for_selector("#lesson-1 .lesson", state="visible")
    said = page.locator("#lessons .problem")
    assert said.inner_text() == f"There is no lesson “{wanted}” on this page; it has 1 to 7. This is the first."
    page.locator("#lessons button").nth(1).press("Enter")
    assert said.is_hidden()


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("1&preset=three&gamma=99", ["preset=three; give nothing, two or skewed.", "gamma=99; give a number from "]),
        ("3&kind=aff&length=4&step=5", ["kind=aff; give af or iaf.", "step=5; give a whole number from 1 to 4."]),
        (
            "5&layers=2.5&drawn=12",
            ["layers=2.5; give a whole number from 1 to ", "drawn=12; give the heights of a drawing"],
        ),
    ],
)
def test_a_setting_a_lesson_cannot_have_is_said_and_the_rest_followed(
    open_page: Callable[..., Any], link: str, words: list[str]
) -> None:
    page = open_page(f"?tab=learn&lesson={link}")
    said = page.locator("#lessons .problem")
    said.wait_for()
    found = said.inner_text().split("The link says ")[1:]
    assert [part.startswith(one) for part, one in zip(found, words, strict=True)] == [True, True], found
    assert link[0] != "3" or page.evaluate(STATE)["fields"] == {"length": "4", "step": "4"}
    page.locator(f"#lesson-{link[0]} input").first.press("ArrowLeft")  # once something is set, nothing is wrong
    said.wait_for(state="hidden")


@pytest.mark.parametrize("tab", ["learn", "results"])
def test_a_phone_held_sideways_begins_with_what_the_tab_holds(open_page: Callable[..., Any], tab: str) -> None:
    page = open_page(f"?tab={tab}", width=740, height=360)
    page.wait_for_selector(f"#tab-{tab}", state="visible")
    page.locator("#model-bar").wait_for(state="hidden")  # no lesson and no table is of one model
