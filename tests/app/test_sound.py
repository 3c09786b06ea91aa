"""Sound is made once, however many ask for it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.fields import Settings
from app.services.sampled import Music
from app.services.sampling import Sampling
from app.services.sound import Sound


def test_sound_that_two_ask_for_is_made_once(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert here.is_dir()
    drawn = Sampling().sample(Settings.check("jsb/af-scf", length=12, seed=1), tmp_path)
    assert isinstance(drawn, Music)
    midi, sounds, made = drawn.pieces[0].midi, Sound(), []
    render: Any = sounds._synthesizer.render

    def slow(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as the synthesizer
        made.append(midi)
        time.sleep(0.2)  # the second asks meanwhile
        return render(*arguments, **named)

    monkeypatch.setattr(sounds._synthesizer, "render", slow)
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(lambda _: sounds.of(midi, "wav"), range(2))
    assert first == second and first.is_file() and len(made) == 1
