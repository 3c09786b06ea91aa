"""The lessons on dependence and on fitting, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pages import until

from lnf_core.transforms.nlsq import NLSq

pytestmark = pytest.mark.browser
NAMES = ("a", "beta", "gamma", "delta", "f")
Page = Any
Open = Callable[..., Page]


@pytest.fixture
def open_lesson(open_page: Open) -> Open:
    def opened(lesson: int, more: str = "", width: int = 1280, scheme: str = "light") -> Page:
        page = open_page(f"?tab=learn&lesson={lesson}{more}", width=width, scheme=scheme)
        until(page, f"() => document.querySelector('#lesson-{lesson} .seen')?.textContent.length > 20")
        return page

    return opened


def facts(page: Page, lesson: int) -> dict[str, str]:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: dict[str, str] = page.locator(f"#lesson-{lesson} .lesson").evaluate("(it) => ({ ...it.dataset })")
    return found


def words(page: Page, lesson: int) -> str:
    said: str = page.locator(f"#lesson-{lesson} .seen").inner_text()
    return said


def until_fitted(page: Page) -> dict[str, str]:
    until(
        page,
        """() => { const it = document.querySelector("#lesson-5 .lesson").dataset;
        return it.running === "false" && it.step === "2000"; }""",
        timeout=120_000,
    )
    return facts(page, 5)


def test_a_symbol_sees_every_vector_and_a_vector_those_before_it(open_lesson: Open) -> None:
    page = open_lesson(4, "&press=z4")
    assert facts(page, 4)["needed"] == "z1 z2 z3"
    page.click("#lesson-4 [data-name=x2]")
    assert facts(page, 4)["needed"] == "z1 z2 z3 z4 z5 z6"
    assert "most directly on z₂; all of them reach it through the decoder. It sees no other symbol" in words(page, 4)
    assert page.locator("#lesson-4 .node.needed").count() == 6
    for step in range(1, 7):
        page.click(f"#lesson-4 [data-name=z{step}]")
        assert facts(page, 4)["needed"].split() == [f"z{before}" for before in range(1, step)]
        assert page.locator("#lesson-4 .picture .needed").count() == step - 1
        assert page.locator("#lesson-4 .node[aria-pressed=true]").count() == 1
    # And by keyboard.
    page.focus("#lesson-4 [data-name=z4]")
    for key, name in (("ArrowRight", "z5"), ("ArrowUp", "x5"), ("End", "x6"), ("ArrowDown", "z6"), ("Home", "z1")):
        page.keyboard.press(key)
        assert page.evaluate("() => document.activeElement.dataset.name") == name
    facts(page, 4)
    assert "comes first" in page.locator("#lesson-4 svg[role=img]").get_attribute("aria-label")
    until(page, "() => location.search.includes('press=z1')")
    until(page, "() => document.querySelector('#lesson-4 .heard').textContent.includes('comes first')")


def test_a_stack_learns_what_is_drawn(open_lesson: Open) -> None:
    page = open_lesson(5, "&shape=three&layers=4")
    # Its gradient is that of automatic differentiation.
    generator = torch.Generator().manual_seed(3)
    raw = (2 * torch.randn(3, 5, generator=generator, dtype=torch.float64)).requires_grad_()
    numbers = torch.randn(17, generator=generator, dtype=torch.float64)
    value, total = numbers, torch.zeros_like(numbers)
    for layer in raw:
        value, log_slope = NLSq().forward(value, layer)
        total = total + log_slope
    expected = (total + torch.distributions.Normal(0.0, 1.0).log_prob(value)).mean()
    expected.backward()
    found = page.locator("#lesson-5 .lesson").evaluate(
        "(it, [layers, numbers]) => it.logLikelihood(layers, numbers)",
        [[dict(zip(NAMES, layer, strict=True)) for layer in raw.tolist()], numbers.tolist()],
    )
    assert found["value"] == pytest.approx(expected.item(), rel=1e-9)
    gradient = torch.tensor([[layer[name] for name in NAMES] for layer in found["gradient"]], dtype=torch.float64)
    assert raw.grad is not None
    torch.testing.assert_close(gradient, raw.grad, rtol=1e-7, atol=1e-9)

    before = facts(page, 5)
    assert before["step"] == "0" and words(page, 5).startswith("Before the first step")
    page.click("#lesson-5 .run")
    after = until_fitted(page)
    fitted, affine, best = (float(after[name]) for name in ("value", "affine", "best"))
    assert max(float(before["value"]), affine) < fitted < best + 0.01
    assert (fitted - affine) / (best - affine) > 0.9
    assert int(after["modes"]) == 3 and float(after["area"]) == pytest.approx(1, abs=0.01)


def test_fitting_stops_and_goes_on(open_lesson: Open) -> None:
    page = open_lesson(5)
    run = page.locator("#lesson-5 .run")
    run.press("Enter")
    until(page, "() => +document.querySelector('#lesson-5 .lesson').dataset.step > 20")
    run.press("Enter")
    stopped = facts(page, 5)["step"]
    page.wait_for_timeout(200)
    assert facts(page, 5)["step"] == stopped and run.inner_text() == "Go on"
    run.press("Enter")
    until(page, f"() => +document.querySelector('#lesson-5 .lesson').dataset.step > {stopped}")
    assert run.inner_text() == "Stop"
    page.locator("#lesson-5 input[name=layers]").press("End")
    until(page, "() => location.search.includes('layers=5')")
    page.locator("#lessons button[aria-current]").press("Home")  # out of sight nothing is computed
    page.wait_for_timeout(100)
    hidden = facts(page, 5)["step"]
    page.wait_for_timeout(200)
    assert facts(page, 5)["step"] == hidden


def test_a_density_can_be_drawn_by_hand(open_lesson: Open) -> None:
    page = open_lesson(5, "&layers=2")
    before = page.locator("#lesson-5 svg.plot path.filled").get_attribute("d")
    box = page.locator("#lesson-5 svg.plot").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] - 30)
    page.mouse.down()
    for share, height in ((0.3, 0.2), (0.5, 0.9), (0.7, 0.3), (0.98, 0.9)):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + height * box["height"], steps=5)
    page.mouse.up()
    until(page, "() => +document.querySelector('#lesson-5 .lesson').dataset.step > 50")
    assert page.locator("#lesson-5 svg.plot path.filled").get_attribute("d") != before
    assert page.locator("#lesson-5 .choice[aria-pressed=true]").count() == 0
    page.locator("#lesson-5 .run").click()
    until(page, "() => location.search.includes('drawn=')")
    drawn = page.locator("#lesson-5 svg.plot path.filled").get_attribute("d")
    again = open_lesson(5, page.url[page.url.index("lesson=5") + len("lesson=5") :])
    assert again.locator("#lesson-5 svg.plot path.filled").get_attribute("d") == drawn
    assert again.locator("#lesson-5 .choice[aria-pressed=true]").count() == 0
    page.mouse.move(box["x"] + 11, box["y"] + box["height"] - 9)  # an empty drawing is not fitted
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 11, box["y"] + box["height"] - 9, steps=5)
    page.mouse.up()
    until(page, "() => document.querySelector('#lesson-5 .choice[aria-pressed=true]')")
    assert float(facts(page, 5)["area"]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_they_fit_the_screen_and_answer(open_lesson: Open, width: int, scheme: str) -> None:
    page = open_lesson(4, width=width, scheme=scheme)
    for number in (4, 5):
        page.wait_for_selector(f"#lesson-{number} .lesson", state="visible")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        answer = page.locator(f"#lesson-{number} details p").first
        assert not answer.is_visible()
        page.locator(f"#lesson-{number} summary").press("Enter")
        assert answer.is_visible()
        until(
            page,
            f"() => document.querySelector('#lesson-{number} svg[role=img]').getAttribute('aria-label').length > 40",
        )
        page.locator("#lessons button[aria-current]").press("ArrowRight")


def test_words_in_a_picture_do_not_overlap_on_the_narrowest_phone(open_lesson: Open) -> None:
    page = open_lesson(4, width=320)
    overlap = page.evaluate("""() => {
      const texts = [...document.querySelectorAll("#lesson-4 svg.plot text")];
      const boxes = texts.map((it) => [it.textContent, it.getBoundingClientRect()]);
      const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
      const after = (at, box) => boxes.slice(at + 1).filter(([, other]) => meet(box, other));
      return boxes.flatMap(([one, box], at) => after(at, box).map(([two]) => [one, two]));
    }""")
    assert overlap == []
