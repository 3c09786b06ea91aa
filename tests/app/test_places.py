"""A crowd that looks into sequences: a few at a time, the others wait without a thread, the last are told so."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from answers import run
from anyio import to_thread

from app.build import build_app
from app.limits import LIMITS
from app.services.inside import InsideViews
from app.services.latent import LatentViews
from app.turns import CrowdedError, Turns


@pytest.mark.parametrize(
    ("widget", "name", "views"),
    [("cloud", "view", LatentViews), ("inside", "view", InsideViews), ("inside", "poke", InsideViews)],
)
def test_those_who_wait_hold_no_thread_and_the_last_are_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, widget: str, name: str, views: type
) -> None:
    assert here.is_dir()
    through, at_once, most = threading.Event(), 0, 0
    lock = threading.Lock()

    def slow(_views: object, asked: dict[str, Any]) -> dict[str, Any]:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        through.wait(20)
        with lock:
            at_once -= 1
        return asked

    monkeypatch.setattr(views, name, slow)
    answer = next(getattr(block, name) for block in build_app().blocks.values() if block.elem_id == widget)
    too_many = 5

    async def crowd() -> list[dict[str, Any]]:
        count = LIMITS.at_once + LIMITS.queue + too_many
        asked = [asyncio.ensure_future(answer({"visitor": number})) for number in range(count)]
        await asyncio.sleep(0.3)
        assert to_thread.current_default_thread_limiter().borrowed_tokens == 0  # what serves files and everything else
        assert sum(one.done() for one in asked) == too_many
        through.set()
        return list(await asyncio.gather(*asked))

    answers = run(crowd())
    refused = [number for number, given in enumerate(answers) if "Too many are waiting" in given.get("error", "")]
    assert len(refused) == too_many == len(answers) - refused[0]
    assert all(given == {"visitor": number} for number, given in enumerate(answers[: refused[0]]))
    assert most == LIMITS.at_once


def test_sound_is_waited_for_by_so_many() -> None:
    turns = Turns(sounds=1)

    async def crowd() -> list[Any]:
        with turns.drawing():
            asked = [asyncio.ensure_future(turns.after_drawing(lambda: "made")) for _ in range(LIMITS.queue + 2)]
            await asyncio.sleep(0.1)
        return list(await asyncio.gather(*asked, return_exceptions=True))

    *made, last = run(crowd())
    assert made == ["made"] * (LIMITS.queue + 1) and isinstance(last, CrowdedError)
