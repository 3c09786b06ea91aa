"""Text and the borders of controls can be told from what they stand on, in both schemes (WCAG 2.2: 1.4.3, 1.4.11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.fields import TABS

pytestmark = pytest.mark.browser

# Every visible text and every control with a border, in the shadow of any widget: what is too faint, as sentences.
FAINT = """() => {
  const mixed = (over, under) => over.slice(0, 3).map((c, i) => c * over[3] + under[i] * (1 - over[3])).concat(1);
  const read = (css) => {
    const found = css.match(/rgba?\\(([^)]+)\\)/);
    if (!found) return null;
    const parts = found[1].split(/[ ,/]+/).map(Number);
    return [...parts.slice(0, 3), parts.length > 3 ? parts[3] : 1];
  };
  const parent = (it) => it.assignedSlot || it.parentElement || it.getRootNode().host || null;
  const ground = (it) => {
    const layers = [];
    for (let at = it; at; at = parent(at)) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour && colour[3] > 0) layers.push(colour);
      if (colour && colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, over) => mixed(over, under), [255, 255, 255, 1]);
  };
  const light = (colour) => colour.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const faded = (it) => (it ? getComputedStyle(it).opacity * faded(parent(it)) : 1);
  const off = ":disabled, [aria-disabled=true], [aria-hidden=true]";
  const field = "input:not([type=radio], [type=checkbox], [type=range]), select, textarea";
  const out = new Set();
  const look = (root) => {
    for (const it of root.querySelectorAll("*")) {
      if (it.shadowRoot) look(it.shadowRoot);
      if (!it.checkVisibility({ visibilityProperty: true }) || it.closest(off)) continue;
      const box = it.getBoundingClientRect(), style = getComputedStyle(it);
      if (box.width < 2 || box.height < 2 || style.clipPath.includes("50%")) continue;
      const text = [...it.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      if (text && faded(it) > 0.95 && !(it instanceof SVGElement)) {
        const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
        const under = ground(it), found = ratio(mixed(read(style.color), under), under);
        if (found < (large ? 3 : 4.5)) out.add(`"${it.textContent.trim().slice(0, 40)}" ${found.toFixed(2)}`);
      }
      const bordered = parseFloat(style.borderTopWidth) > 0 && parseFloat(style.borderBottomWidth) > 0;
      const card = parseFloat(style.borderRadius) >= 10;
      const line = read(style.borderTopColor);
      if (bordered && line && (card || it.matches(`label:has(input[type=radio]), button, ${field}`))) {
        const under = ground(parent(it)), edge = ratio(mixed(line, under), under);
        if (line[3] > 0 && edge < 3 && ratio(ground(it), under) < 3)
          out.add(`border of <${it.tagName.toLowerCase()} ${it.className}> ${edge.toFixed(2)}`);
      }
    }
  };
  look(document);
  return [...out];
}"""


def test_nothing_is_too_faint(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.emulate_media(reduced_motion="reduce")  # else colours glide for a third of a second
    page.locator("#more button").first.click()
    faint: dict[tuple[str, bool], list[str]] = {}

    def look(where: str) -> None:
        for dark in (False, True):
            page.evaluate("(dark) => document.body.classList.toggle('dark', dark)", dark)
            page.wait_for_timeout(50)
            if found := page.evaluate(FAINT):
                faint[where, dark] = found

    for tab in TABS:
        page.locator(f"#tabs button[role=tab][data-tab-id={tab}]").click()
        look(tab)
    page.locator("#model-bar label", has_text="Penn Treebank").click()  # lines in place of a roll
    page.locator("#tabs button[role=tab][data-tab-id=sample]").click()
    page.locator("#lines .lines").wait_for()
    look("lines")
    page.emulate_media(reduced_motion="no-preference")
    assert faint == {}
    assert page.locator(".lnf-first").is_hidden()  # what stood there until the page did


@pytest.mark.parametrize(
    ("scheme", "paper", "ink"),
    [("light", "rgb(247, 244, 238)", "rgb(29, 37, 48)"), ("dark", "rgb(20, 23, 28)", "rgb(236, 231, 221)")],
)
def test_before_its_scripts_are_there_the_page_is_not_white_and_says_what_it_is(
    browser: Any,  # noqa: ANN401
    server: str,
    scheme: str,
    paper: str,
    ink: str,
) -> None:
    with browser.new_context(java_script_enabled=False, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(server)
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == paper
        assert page.locator(".lnf-first").is_visible()
        assert page.locator(".lnf-first").evaluate("(words) => getComputedStyle(words).color") == ink
