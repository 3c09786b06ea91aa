"""Which one is Bach?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import until

from app.limits import FieldError
from app.services import guess as service
from app.services.guess import CHOICES, Guess
from app.services.sampling import Sampling
from lnf_core.data import load_dataset
from lnf_core.errors import InvalidInputError


@pytest.fixture
def chorales(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(data_root))
    service._chorales.cache_clear()


def test_one_of_three_is_a_piece_no_model_was_trained_on(chorales: None, data_root: Path, tmp_path: Path) -> None:
    guess = Guess(Sampling())
    data = load_dataset("jsb", data_root)

    def found(roll: torch.Tensor, pieces: tuple[torch.Tensor, ...]) -> bool:
        return any(torch.equal(piece[:24], roll) for piece in pieces)

    seen: list[torch.Tensor] = []
    for number in range(1, 4):
        pieces = guess.round(number, tmp_path / str(number)).pieces
        names = [f"which-is-bach-round{number}-{place}.mid" for place in (1, 2, 3)]  # not whose they are
        assert [piece.midi.name for piece in pieces] == names and all(piece.midi.is_file() for piece in pieces)
        rolls = [piece.roll for piece in pieces]
        assert [roll.shape for roll in rolls] == [(24, 88)] * CHOICES
        assert [found(roll, data.test) for roll in rolls] == [at == guess.answer(number) for at in range(CHOICES)]
        assert not any(found(roll, data.train) for roll in rolls)
        assert not any(found(roll, tuple(seen)) for roll in rolls)  # every round is another
        seen += rolls

    for number in range(1, 49, 3):
        assert {guess.answer(at) for at in range(number, number + 3)} == {0, 1, 2}


def test_guesses_are_counted_for_each_round() -> None:
    guess = Guess(Sampling())
    for choice in (0, 2, 2):
        told = guess.vote({"round": 4, "choice": choice})
    assert told == {"answer": guess.answer(4), "votes": [1, 0, 2]}
    assert guess.votes({"round": 4}) == {"votes": [1, 0, 2]} and guess.votes({"round": 6}) == {"votes": [0, 0, 0]}
    assert guess.vote({"round": 5, "choice": 1})["votes"] == [0, 1, 0]
    for wrong in ({"round": 0, "choice": 1}, {"round": 51, "choice": 1}, {"round": 1, "choice": 3}, {"round": 1}, {}):
        with pytest.raises(FieldError):
            guess.vote(wrong)
    with pytest.raises(FieldError):
        guess.votes({"round": 51})


def test_without_the_chorales_and_a_network_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LNF_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody answers there
    service._chorales.cache_clear()
    with pytest.raises(InvalidInputError, match=r"chorales are not.*could not be downloaded.*data download jsb"):
        Guess(Sampling()).round(1, tmp_path)


@pytest.mark.browser
@pytest.mark.usefixtures("chorales")
def test_a_round_is_played_on_the_page(open_page: Callable[..., Any]) -> None:
    page = open_page("?tab=learn&lesson=7&round=3")
    page.locator("#guess .run").press("Enter")
    page.wait_for_selector("#guess-roll .tabs button >> nth=2")
    # Nobody leaves the round that the others have by a second press, and the keyboard goes on where it was.
    assert page.locator("#guess .run").is_hidden()
    assert page.evaluate("document.activeElement.textContent") == "Number 1"
    assert page.locator("#guess-roll .habits").inner_text() == "" and page.locator("#guess-roll .watch").is_hidden()
    shown = page.locator("#guess-roll section").inner_text()
    assert "round 3" in shown and "AF" not in shown
    page.locator("#guess-roll .play").click()
    until(page, "() => !document.querySelector('#guess-roll audio').paused")
    answer = Guess(Sampling()).answer(3)
    page.locator("#guess .votes button").nth(answer).press("Enter")
    until(page, "() => document.querySelector('#guess .lesson').dataset.right === 'true'")
    assert page.locator("#guess .tally .right").inner_text().startswith(f"Number {answer + 1}, Bach")
    assert page.locator("#guess .votes button").nth(answer).get_attribute("aria-disabled") == "true"
    assert page.evaluate("document.activeElement.textContent") == f"Number {answer + 1}"
    assert page.locator("#guess .run").inner_text() == "Another round"
    until(page, "() => location.search.includes('lesson=7&round=3')")


@pytest.mark.browser
@pytest.mark.usefixtures("chorales")
def test_the_tally_grows_on_every_screen_and_a_guess_is_kept(open_page: Callable[..., Any]) -> None:
    def guess(page: Any, choice: int) -> None:  # noqa: ANN401 - a Playwright page
        page.locator("#guess .run").press("Enter")
        page.wait_for_selector("#guess-roll .tabs button >> nth=2")
        page.locator("#guess .votes button").nth(choice).press("Enter")
        page.wait_for_selector("#guess .tally li")

    def counts(page: Any) -> list[str]:  # noqa: ANN401
        found: list[str] = page.locator("#guess .tally output").all_inner_texts()
        return found

    link = "?tab=learn&lesson=7&round=8"
    first, second = open_page(link), open_page(link)
    guess(first, 0)
    assert counts(first) == ["1", "0", "0"]
    guess(second, 2)
    until(first, "() => document.querySelectorAll('#guess .tally output')[2].textContent === '1'")
    assert counts(first) == counts(second) == ["1", "0", "1"]
    assert "1 of 2 guesses" in first.locator("#guess .seen").inner_text()
    # What a reload would find: the result, and nothing to press.
    again = open_page(link)
    kept = first.evaluate("() => sessionStorage.getItem('lnf-guesses')")
    again.evaluate("(kept) => sessionStorage.setItem('lnf-guesses', kept)", kept)
    again.locator("#guess .run").press("Enter")
    again.wait_for_selector("#guess-roll .tabs button >> nth=2")
    again.wait_for_selector("#guess .tally li")
    assert counts(again) == ["1", "0", "1"]
    assert again.locator("#guess .votes button").first.get_attribute("aria-disabled") == "true"
