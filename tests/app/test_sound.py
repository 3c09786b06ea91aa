"""Sound is made once, however many ask for it, and what cannot be played is said."""

from __future__ import annotations

import asyncio
import errno
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from answers import run
from pieces import music

import lnf_core
from app.cache import new_folder
from app.fields import Settings
from app.services.sampled import Music
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.tabs.sounds import sound_server, tuning_server
from app.turns import Turns
from app.widgets.piano_roll.payload import roll_payload, tuned_payload
from lnf_core.music import Performance


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


def test_a_silent_piece_stays_silent_at_another_tempo(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    rolls = [torch.zeros(8, 88), torch.nn.functional.one_hot(torch.arange(30, 38), 88).float()]
    settings = Settings.check("jsb/af-scf", seed=3, count=2)
    drawn = sampling.music(settings, rolls, tmp_path / "drawn").pieces
    slow = Settings.check("jsb/af-scf", tempo=50)
    tuned = sampling.tuned(slow, [(piece.midi, 8) for piece in drawn], tmp_path / "tuned")
    assert all(torch.equal(piece.roll, roll) for piece, roll in zip(tuned, rolls, strict=True))
    assert [piece.seconds for piece in tuned] == pytest.approx([8 * 60 / 50] * 2)
    shown = tuned_payload(tuned, 60 / 50)
    assert [sample["seconds"] for sample in shown["samples"]] == pytest.approx([9.6] * 2)
    assert shown["seconds_per_beat"] == 1.2


def test_sound_is_made_once_and_in_two_forms(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    midi, sounds = music(sampling, tmp_path).pieces[0].midi, Sound()
    flac, wav = sounds.of(midi, "flac"), sounds.of(midi, "wav")
    assert flac.stat().st_size < 0.5 * wav.stat().st_size
    samples, rate = soundfile.read(flac)
    assert rate == 44100 and abs(samples).max() > 0.1
    made = flac.stat().st_mtime_ns
    assert sounds.of(midi, "flac").stat().st_mtime_ns == made
    with pytest.raises(lnf_core.InvalidInputError, match="flac or wav"):
        sounds.of(midi, "exe")
    with pytest.raises(lnf_core.InvalidInputError, match="deleted"):
        sounds.of(tmp_path / "gone.mid", "flac")


def test_sound_waits_for_what_is_drawn_but_not_for_ever(here: Path, tmp_path: Path) -> None:
    """Two kinds of sound are asked for while a picture is drawn: neither begins before it is there."""

    async def asked(turns: Turns, made: list[str]) -> list[str]:
        async def after(name: str) -> None:
            made.append(await turns.after_drawing(lambda: name))

        with turns.drawing():
            waiting = [asyncio.ensure_future(after(name)) for name in ("flac", "wav")]
            await asyncio.sleep(0.2)
            made.append("drawn")
        await asyncio.gather(*waiting)
        return made

    assert run(asked(Turns(patience=60.0), [])) == ["drawn", "flac", "wav"]
    assert run(asked(Turns(patience=0.05), [])) == ["flac", "wav", "drawn"]

    turns, during = Turns(), []
    with turns.drawing():
        with turns.drawing():
            pass
        assert turns.busy  # the other goes on
    sampling = Sampling(turns=turns)
    settings = Settings.check("jsb/af-scf", length=12, seed=1)
    sampling.sample(settings, tmp_path, lambda *_: during.append(turns.busy))
    assert all(during) and not turns.busy
    with pytest.raises(lnf_core.LNFError):
        sampling.sample(replace(settings, checkpoint="jsb/lstm"), tmp_path)
    assert not turns.busy  # what fails holds nobody up


@pytest.mark.parametrize(
    "wanted",
    [None, 3, {}, {"piece": ["..", "x.mid"], "kind": "flac"}, {"piece": ["a" * 32, "../x.mid"], "kind": "flac"},
     {"piece": [["a"], 1], "kind": "flac"}, {"piece": ["a" * 32], "kind": "flac"}],
)  # fmt: skip
def test_the_sound_server_serves_pieces_alone(wanted: object) -> None:
    assert run(sound_server(Sound())(wanted)) == {"error": "There is no such piece here."}
    gone = run(sound_server(Sound())({"piece": ["a" * 32, "x.mid"], "kind": "flac"}))
    assert "deleted" in gone["error"]


def test_what_goes_wrong_with_a_piece_is_said_and_leaves_nothing_behind(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert here.is_dir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    piece = new_folder() / "x.mid"
    piece.parent.mkdir()
    Performance("jsb").write_midi(torch.zeros(4, 88), piece)
    wanted = {"piece": [piece.parent.name, piece.name], "kind": "flac"}
    sounds = Sound()

    def full(path: Path, _audio: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.services.sound.write_compressed", full)
    assert run(sound_server(sounds)(wanted))["error"].startswith("Something went wrong here")
    assert [file.name for file in piece.parent.iterdir()] == ["x.mid"]
    monkeypatch.undo()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert Path(run(sound_server(sounds)(wanted))["path"]).is_file()
    piece.with_suffix(".flac").unlink()
    piece.write_bytes(b"no MIDI")
    assert run(sound_server(sounds)(wanted))["error"].startswith("Something went wrong here")


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"instrument": ["Harp"]}, "instrument", "The instrument is"),
        ({"tempo": "fast"}, "tempo", "The tempo is fast"),
        ({"pieces": [["a" * 32, "x.mid", "long"]]}, "length", "The length is long"),
        ({"pieces": [["a" * 32, "x.mid", 8]]}, None, "deleted"),
        ({"pieces": [["a" * 32, "../x.mid", 8]]}, None, "no such piece"),
        ({"pieces": None}, None, "no such piece"),
    ],
)
def test_what_cannot_be_played_anew_is_said(
    here: Path, sampling: Sampling, changed: dict[str, Any], field: str | None, words: str
) -> None:
    assert here.is_dir()
    wanted = {"checkpoint": "jsb/af-scf", "tempo": 60, "instrument": "Harp", "pieces": []} | changed
    answer = run(tuning_server(sampling)(wanted))
    assert words in answer["error"] and answer.get("field") == field


def test_without_libfluidsynth_sine_voices_play_and_the_page_says_how_to_do_better(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fluidsynth", None)  # what a missing library looks like to an import
    result = music(Sampling(Sound().note), tmp_path)
    assert "fluidsynth" in roll_payload(result)["note"]
    assert Sound().of(result.pieces[0].midi, "flac").stat().st_size > 1000
