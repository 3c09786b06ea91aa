"""A link to the page is followed, or what is wrong with it is said; the address is of what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from pages import Open, press_sample, ready, unfold, until

pytestmark = pytest.mark.browser


def test_a_tab_there_is_not_is_said(open_page: Open) -> None:
    page = open_page("?tab=nowhere")
    until(page, "() => document.querySelector('#status .words').textContent.includes(\"no tab 'nowhere'\")")
    ready(page)


def test_what_a_link_cannot_have_is_said_and_the_rest_waits_for_sample(open_page: Open) -> None:
    page = open_page("?dataset=ptb&variant=lstm&temperature=-1&seed=3&length=9")
    page.wait_for_selector("#lines .lines", state="visible")
    page.wait_for_timeout(300)  # the lines that came into sight have a line of their own
    said = (
        "The temperature is -1; give a number from 0.1 to 2 (1 is the model as trained). "
        "Press Sample to go on without it."
    )
    assert page.locator("#status .words").text_content() == said
    ready(page)
    page.click("#sample-button")
    until(page, "() => document.querySelector('#status .words').textContent.includes('seed 3.')")
    assert "temperature=1&" in page.url and "length=9" in page.url and "variant=lstm" in page.url


def test_back_goes_back_a_tab_and_forward_forward(open_page: Open) -> None:
    page = open_page("")
    tab = "() => new URLSearchParams(location.search).get('tab') || 'sample'"
    for name in ("learn", "results"):
        page.locator(f"#tabs button[data-tab-id={name}]").click()
        until(page, f"(name) => ({tab})() === name", arg=name)
    for go, name in ((page.go_back, "learn"), (page.go_back, "sample"), (page.go_forward, "learn")):
        go()
        until(
            page,
            "(name) => document.querySelector('#tabs button[aria-selected=true]')?.dataset.tabId === name",
            arg=name,
        )
        assert page.evaluate(tab) == name


def test_a_link_restores_and_samples(open_page: Open) -> None:
    page = open_page("?dataset=ptb&variant=lstm&seed=7&length=9&temperature=0.6&count=2")
    until(page, "() => document.querySelector('#status .words').textContent.includes('seed 7')")
    assert page.locator("#lines .lines li").count() == 2
    unfold(page)
    assert page.locator("#length input").input_value() == "9"
    assert page.locator("#seed input").input_value() == "7"
    assert "temperature 0.6" in page.locator("#lines .details").text_content()
    assert "seed=7" in page.url and "variant=lstm" in page.url


def test_nothing_is_drawn_before_a_link_is_read(open_page: Open) -> None:
    first = open_page()
    page = first.context.new_page()  # what is under way when a page is left complains
    late: list[Any] = []
    page.route("**/queue/join*", lambda route: late.append(route))  # as where the model has yet to be loaded
    page.goto(f"{first.url.split('?')[0]}?dataset=ptb&variant=af-scf&seed=3&length=9")
    page.wait_for_selector(".lnf-reading #sample-button")
    page.wait_for_timeout(500)
    before = len(late)
    page.click("#sample-button")
    page.wait_for_timeout(300)
    assert before and len(late) == before  # nothing was asked for
    for route in late:
        route.continue_()
    page.unroute("**/queue/join*")
    until(page, "() => document.querySelector('#status .words').textContent.includes('seed 3.')")
    assert "Penn Treebank" in page.locator("#status .words").text_content()
    assert page.locator(".lnf-reading").count() == 0
    page.locator("#model-bar label", has_text="JSB").click()
    page.wait_for_selector("#roll canvas.notes", state="visible")
    page.click("#sample-button")  # it can be pressed again
    until(page, "() => document.querySelector('#status .words').textContent.includes('JSB')")
    page.close()


def test_a_link_without_a_seed_leaves_it_open(open_page: Open) -> None:
    page = open_page("?dataset=ptb&variant=lstm&length=9&count=1")
    until(page, "() => location.search.includes('seed=')")  # it sampled
    unfold(page)
    assert page.locator("#seed input").input_value() == ""
    first = page.url
    page.click("#sample-button")
    until(page, "(old) => location.href !== old", arg=first)


def test_the_seed_can_be_kept(open_page: Open) -> None:
    page = open_page()
    press_sample(page)
    page.click("#status .reuse")
    unfold(page)
    until(page, "() => document.querySelector('#seed input').value !== ''")
    assert f"seed={page.locator('#seed input').input_value()}&" in page.url
