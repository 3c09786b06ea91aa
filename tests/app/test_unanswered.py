"""The page where the server does not answer, answers late, or has no room: it says so, and goes on."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pages import until

from app.services.annealing import Annealing
from app.services.guess import CHOICES, ROUNDS, Guess
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.tabs.learn import LearnTab

Route = Any  # of Playwright
JOIN, SERVER = re.compile("/queue/join"), re.compile("/component_server")


@pytest.fixture
def fresh(pages: Callable[[int], Any], server: str) -> Any:  # noqa: ANN401 - a maker of Playwright pages, whose failures are the point
    """Opens the app in a window in which requests to some paths are refused, whatever the browser complains of."""
    page = pages(0)

    def opened(query: str, path: re.Pattern[str] | None = None, answer: Callable[[Route], None] | None = None) -> Any:  # noqa: ANN401
        page.set_viewport_size({"width": 1280, "height": 720})
        page.set_default_timeout(20_000)
        if path is not None:
            page.route(path, answer)
        page.goto(server + query)
        page.wait_for_selector("#roll canvas.notes, #lines .lines", state="attached")
        return page

    yield opened
    page.unroute_all(behavior="ignoreErrors")
    page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    page.goto("about:blank")


def full(route: Route) -> None:
    route.fulfill(status=503, json={"detail": "Queue is full."})


def called(server: str, name: str) -> int:
    """The number under which the page asks for the function ``name``."""
    with urllib.request.urlopen(server + "/config") as answer:
        return int(next(one["id"] for one in json.load(answer)["dependencies"] if one["api_name"] == name))


class Held:
    """Keeps back what is asked of functions of these numbers, each until it is let go."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = set(numbers)
        self._routes: list[tuple[int, Route]] = []

    def __call__(self, route: Route) -> None:
        number = route.request.post_data_json["fn_index"]
        if number in self._numbers:
            self._routes.append((number, route))
        else:
            route.continue_()

    def let_go(self, number: int) -> None:
        self._numbers.discard(number)
        for held, route in self._routes:
            if held == number:
                route.continue_()
        self._routes = [(held, route) for held, route in self._routes if held != number]


def says(page: Any, selector: str, words: str) -> None:  # noqa: ANN401
    until(
        page,
        "([selector, words]) => document.querySelector(selector)?.textContent.includes(words)",
        arg=[selector, words],
    )


@pytest.mark.browser
def test_a_link_that_finds_the_queue_full_is_told_so_and_the_page_can_be_used(fresh: Any) -> None:  # noqa: ANN401
    page = fresh("?dataset=ptb&variant=lstm&seed=3&length=9", JOIN, full)
    says(page, "#status .words", "Too many are waiting just now to follow this link")
    page.unroute(JOIN)
    page.click("#sample-button")
    says(page, "#status .words", "seed ")


@pytest.mark.browser
def test_a_round_that_finds_the_queue_full_can_be_asked_for_again(fresh: Any) -> None:  # noqa: ANN401
    page = fresh("?tab=learn&lesson=7")
    page.wait_for_selector("#guess .run", state="visible")
    page.route(JOIN, full)
    page.click("#guess .run")
    says(page, "#guess .seen", "Too many are waiting")
    assert page.locator("#guess .run").is_enabled()


@pytest.mark.browser
def test_a_server_that_does_not_answer_is_told_of(fresh: Any) -> None:  # noqa: ANN401
    page = fresh("", SERVER, lambda route: route.abort())
    says(page, "#roll .sound", "The server did not answer; please try again.")
    page.unroute(SERVER)
    page.route(SERVER, lambda route: route.fulfill(status=500))
    page.locator("#tabs button[data-tab-id=learn]").click()
    page.locator("#lessons button").nth(5).click()
    page.click("#lesson-6 .run")
    says(page, "#lesson-6 .seen", "The server did not answer")
    assert page.locator("#lesson-6 .run").is_enabled()


@pytest.mark.browser
def test_sound_that_comes_late_plays_to_nobody_who_has_left(fresh: Any) -> None:  # noqa: ANN401
    sounds: list[Route] = []
    page = fresh("", SERVER, lambda route: sounds.append(route))
    page.click("#roll .play")
    says(page, "#roll .sound", "which then plays")
    page.locator("#tabs button[data-tab-id=race]").click()
    page.locator("#race-button").wait_for()
    for sound in sounds:
        sound.continue_()
    page.unroute(SERVER)
    until(page, "() => document.querySelector('#roll audio').readyState >= 1")
    assert page.evaluate("() => document.querySelector('#roll audio').paused")
    page.locator("#tabs button[data-tab-id=sample]").click()
    page.click("#roll .play")
    until(page, "() => !document.querySelector('#roll audio').paused")


@pytest.mark.browser
def test_a_picture_that_is_not_there_yet_leaves_no_empty_one(fresh: Any) -> None:  # noqa: ANN401
    views: list[Route] = []
    page = fresh("?tab=latent&dataset=ptb&variant=af-scf", SERVER, lambda route: views.append(route))
    says(page, "#cloud .said", "Drawing 4,096 hidden vectors")
    assert page.locator("#cloud .points, #cloud .step").count() and page.locator("#cloud .body").is_hidden()
    assert page.locator("#cloud .said").bounding_box()["y"] < 400  # on the first screen
    for view in views:
        view.continue_()
    page.unroute(SERVER)
    page.locator("#cloud .points:not(.plain)").wait_for()
    page.route(SERVER, lambda route: views.append(route))
    page.locator("#cloud .another").click()
    says(page, "#cloud .details", "Drawing 4,096 hidden vectors")  # nor does who waits see nothing happen


@pytest.mark.browser
def test_who_does_not_wait_for_a_link_is_shown_something(fresh: Any, server: str) -> None:  # noqa: ANN401
    link = called(server, "_restore")
    held = Held(link)
    page = fresh("?tab=latent&dataset=ptb&variant=af-scf", JOIN, held)
    says(page, "#cloud .said", "Following the link")
    page.locator("#cloud .another").click()
    says(page, "#cloud .title", "JSB Chorales")
    held.let_go(link)
    says(page, "#cloud .title", "Penn Treebank")


@pytest.mark.browser
def test_answers_that_come_late_do_not_take_the_hand_back(fresh: Any) -> None:  # noqa: ANN401
    page = fresh("?tab=latent&dataset=ptb&variant=af-scf&text=abcabcab&step=1")
    says(page, "#cloud .stepWords", "Step 1 of 8")

    def late(route: Route) -> None:
        page.wait_for_timeout(100)
        route.continue_()

    page.route(SERVER, late)
    for _ in range(6):
        page.locator("#cloud .step").press("ArrowRight")
    says(page, "#cloud .stepWords", "Step 7 of 8")
    assert page.locator("#cloud .step").input_value() == "7"


@pytest.mark.browser
def test_a_refusal_that_is_there_before_its_tab_is_shown(fresh: Any) -> None:  # noqa: ANN401
    page = fresh("?tab=inside&dataset=ptb&variant=af-scf&first=1&through=walls")
    page.wait_for_selector("#through .lnf-refusal")
    says(page, "#mixed .words", "The way is 'walls'")


@pytest.mark.browser
def test_a_link_that_is_not_read_is_told_of_in_its_tab(fresh: Any, server: str) -> None:  # noqa: ANN401
    link = called(server, "_restore")

    def refused(route: Route) -> None:
        (full if route.request.post_data_json["fn_index"] == link else type(route).continue_)(route)

    page = fresh("?tab=inside&dataset=ptb&variant=af-scf", JOIN, refused)
    says(page, "#inside .said", "Too many are waiting just now to follow this link")
    says(page, "#inside .title", "JSB Chorales")


@pytest.mark.browser
def test_no_late_answer_takes_the_address_of_what_was_used_last(fresh: Any, server: str) -> None:  # noqa: ANN401
    link, mix = called(server, "_restore"), called(server, "_show")
    held = Held(link, mix)
    page = fresh("?tab=inside&dataset=ptb&variant=af-scf&first=3&second=4&through=noise", JOIN, held)
    page.locator("#inside").wait_for(state="visible")
    page.locator("h1").click()  # somebody is there while the link is read: something is shown meanwhile
    page.set_viewport_size({"width": 1000, "height": 900})
    says(page, "#inside .title", "JSB Chorales")
    held.let_go(link)
    says(page, "#inside .title", "Penn Treebank")
    page.wait_for_selector("#inside .inside:not([aria-busy])")
    assert "second=4" in page.url  # it is the link's model, and nobody's choice
    held.let_go(mix)
    page.wait_for_selector("#way-lines .line")

    # A step asked for before the mix answers after it.
    steps: list[Route] = []
    page.route(SERVER, lambda route: steps.append(route))
    page.locator("#inside .step").press("Home")
    page.fill("#second input, #second textarea", "5")
    page.press("#second input, #second textarea", "Enter")
    says(page, "#mixed .words", "to seed 5")
    until(page, "() => location.search.includes('second=5')")
    page.unroute(SERVER)
    for step in steps:
        step.continue_()
    says(page, "#inside .reachWords", "step 1,")
    assert "second=5" in page.url

    # And a mix asked for before the step.
    late = Held(mix)
    page.route(JOIN, late)
    page.fill("#second input, #second textarea", "6")
    page.press("#second input, #second textarea", "Enter")
    page.wait_for_selector("#mixed .pending")
    page.locator("#inside .step").press("ArrowRight")
    until(page, "() => location.search.includes('step=2')")
    late.let_go(mix)
    says(page, "#mixed .words", "to seed 6")
    page.wait_for_selector("#mixed .pending", state="detached")
    assert "step=2" in page.url


def test_the_same_refusal_twice_is_two_answers() -> None:
    tab = LearnTab(Annealing(), Guess(Sampling()), Sound())
    first, second = (tab._round(SimpleNamespace(round=99))[0] for _ in range(2))  # type: ignore[arg-type]
    assert first["error"] == second["error"] and first != second


def test_no_place_is_bachs_for_long() -> None:
    guess = Guess(Sampling())
    places = [guess.answer(number) for number in range(ROUNDS[0], ROUNDS[1] + 1)]
    assert all(set(places[at : at + CHOICES]) == set(range(CHOICES)) for at in range(0, ROUNDS[1] - CHOICES, CHOICES))
    assert len({tuple(places[at : at + CHOICES]) for at in range(0, ROUNDS[1] - CHOICES, CHOICES)}) > 3
