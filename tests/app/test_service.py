from __future__ import annotations

import ast
import asyncio
import errno
import itertools
import wave
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pretty_midi
import pytest
import soundfile
import torch
from tiny_models import tiny_config

import lnf_core
from app import catalogue, ready
from app.cache import new_folder
from app.errors import refused, sentence, spoken
from app.fields import Settings
from app.limits import LIMITS, FieldError
from app.services import sampling as service
from app.services.models import LoadedModels
from app.services.sampled import Drawn, Music, Text
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.tabs.sounds import sound_server, tuning_server
from app.turns import Turns
from app.widgets import for_clients
from app.widgets.piano_roll.payload import roll_payload, tuned_payload
from app.widgets.status.payload import refusal, status
from app.widgets.text_lines.payload import text_payload
from lnf_core.analysis.statistics import MusicStatistics, music_statistics
from lnf_core.engines.numba_cpu.engine import NumbaEngine
from lnf_core.errors import InvalidInputError
from lnf_core.models.build import build_model
from lnf_core.music import INSTRUMENTS, Performance
from lnf_core.storage.bundle import save_checkpoint

ROOT = Path(__file__).resolve().parents[2]


def run(answer: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it answers
    """In a thread of its own: in this one the loop of a browser opened by an earlier test may still be running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, answer).result()


@pytest.fixture(scope="module")
def sampling() -> Sampling:
    return Sampling()


def music(sampling: Sampling, folder: Path, **values: object) -> Music:
    result = sampling.sample(
        Settings.check("jsb/af-scf", **{"seed": 3, "length": 12, "count": 2, "draw": True, **values}), folder
    )
    assert isinstance(result, Music)
    return result


def test_music_matches_its_midi_and_its_sound(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    result = music(sampling, tmp_path, tempo=120, length=11)
    assert len(result.pieces) == 2 and result.data is None  # nobody measured this untrained model
    shown = for_clients(roll_payload(result))
    assert all(sample["habits"].startswith("This piece: ") for sample in shown["samples"])
    assert shown["data_habits"] == "" and shown["seconds_per_beat"] == 0.5
    for piece, sample in zip(result.pieces, shown["samples"], strict=True):
        assert sample["notes"] == [pytest.approx(note) for note in piece.notes]
        assert (sample["seconds"], sample["steps"]) == (5.5, 11)
    assert result.pieces[0].statistics == music_statistics([result.pieces[0].roll])
    for piece in result.pieces:
        assert torch.equal(Performance("jsb").read(piece.midi).roll, piece.roll)
        assert piece.seconds == pytest.approx(11 * 0.5)
        drawn = torch.zeros_like(piece.roll)
        for start, held, pitch in piece.notes:
            drawn[round(start / 0.5) : round((start + held) / 0.5), pitch - 21 + 12] = (
                1.0  # chorales sound an octave below their rolls
            )
        assert torch.equal(drawn, piece.roll) and piece.roll.sum() > 0
        with wave.open(str(Sound().of(piece.midi, "wav"))) as sound:
            assert (sound.getframerate(), sound.getsampwidth()) == (44100, 2)
            assert sound.getnframes() / 44100 >= piece.seconds


def test_what_a_piece_is_like_is_said_in_words(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    drawn = music(sampling, tmp_path)
    choir = MusicStatistics(8, notes=3.4, three_or_four_notes=0.5, triads=0.9, clashes=0.12, wide_leaps=None)
    words = "3.4 notes at a time, three or four 50% of the time"
    shown = roll_payload(replace(drawn, data=choir, pieces=(replace(drawn.pieces[0], statistics=choir),)))
    triads = "90% of the chords are plain triads or sevenths"
    assert shown["data_habits"] == f"The music it learnt from: {words}, {triads}, 0.12 semitone clashes at a time."
    assert shown["samples"][0]["habits"] == f"This piece: {words}, {triads}, 0.12 semitone clashes at a time."
    assert "from bass (dark) to soprano (light)" in shown["caption"]
    tunes = replace(drawn, data=replace(choir, triads=None), entry=catalogue.describe("nottingham/af-scf"))
    shown = roll_payload(tunes)
    assert shown["data_habits"].endswith(f": {words}, 0.12 semitone clashes at a time.")
    assert "from low (dark) to high (light)" in shown["caption"]


@pytest.mark.parametrize(
    ("drawn", "given", "words"),
    [
        (Drawn(0.9, "eager", 12, 12), 0.0, "2 samples drawn in 900 ms, 12 steps one after another, seed 3."),
        (Drawn(1.26, "eager", 12, 2), 0.0, "2 samples drawn in 1.3 s, 2 steps one after another, seed 3."),
        (Drawn(1e-5, "eager", 2, 1), 1.5, "2 samples that go on from yours drawn in 1 ms, all steps at once, seed 3."),
        (None, 0.0, "2 samples, seed 3."),
    ],
)
def test_the_line_above_says_what_was_drawn_and_how(
    here: Path, sampling: Sampling, tmp_path: Path, drawn: Drawn | None, given: float, words: str
) -> None:
    result = replace(music(sampling, tmp_path), drawn=drawn, given=given)
    assert status(result)["text"] == f"AF/SCF · JSB Chorales: {words}"
    alone = replace(result, settings=replace(result.settings, count=1))
    one = words.replace("2 samples that go", "1 sample that goes").replace("2 samples", "1 sample")
    assert status(alone)["text"] == f"AF/SCF · JSB Chorales: {one}"


@pytest.mark.parametrize(
    ("name", "draw", "words"),
    [("af-scf", True, ", every key drawn"), ("af-scf", False, ", likeliest keys"), ("lstm", False, "")],
)
def test_of_music_the_line_below_says_how_keys_were_chosen(
    here: Path, sampling: Sampling, tmp_path: Path, name: str, draw: bool, words: str
) -> None:
    result = replace(music(sampling, tmp_path, draw=draw), entry=catalogue.describe(f"jsb/{name}"))
    how = {"af-scf": "step by step", "lstm": "symbol by symbol"}[name]
    assert roll_payload(result)["details"] == f"{how}, seed 3, temperature 1{words}"


def test_the_file_of_a_piece_names_its_instrument(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    piece = music(sampling, tmp_path, instrument="Church organ").pieces[0]
    (track,) = pretty_midi.PrettyMIDI(str(piece.midi)).instruments
    assert track.program == INSTRUMENTS["Church organ"] != INSTRUMENTS["Grand piano"]


def test_the_page_opens_with_a_model_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path))
    assert catalogue.first() == catalogue.find("jsb/af-scf")
    (tmp_path / "jsb" / "af-scf").mkdir(parents=True)
    (tmp_path / "jsb" / "af-scf" / "config.json").write_text("{}")  # this one hides the bundled one of its name
    assert catalogue.first() == catalogue.find("nottingham/af-scf")
    assert catalogue.first("text") == catalogue.find("ptb/af-scf")


def test_of_several_refusals_the_first_has_the_field() -> None:
    said = refusal(FieldError("seed", "The seed is x."), FieldError("tempo", "The tempo is y."))
    assert (said["text"], said["field"]) == ("The seed is x. The tempo is y.", "seed")
    assert refusal(InvalidInputError("no such tab"), FieldError("tempo", "The tempo is y."))["field"] is None


@pytest.mark.parametrize("checkpoint", ["jsb/af-scf", "ptb/lstm"])
def test_what_the_page_holds_does_not_grow_with_the_length(
    here: Path, sampling: Sampling, tmp_path: Path, checkpoint: str
) -> None:
    """Gradio copies a component's value leaf by leaf, a dozen times a press."""

    def leaves(value: object) -> int:
        if isinstance(value, dict):
            return sum(leaves(part) for part in value.values())
        return sum(leaves(part) for part in value) if isinstance(value, (list, tuple)) else 1

    counts = []
    for length in (4, 12):
        settings = Settings.check(checkpoint, seed=3, length=length, count=2, draw=True)
        result = sampling.sample(settings, tmp_path / str(length))
        counts.append(leaves(roll_payload(result) if isinstance(result, Music) else text_payload(result)))
    assert counts[0] == counts[1] < 60


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


def test_what_the_visitor_asked_for_reaches_the_model(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    """Each setting changes the result, and the result is that of the package."""
    model = lnf_core.load("jsb/af-scf").model

    def keys(**values: object) -> list[torch.Tensor]:
        return [piece.roll for piece in music(sampling, tmp_path / str(sorted(values.items())), **values).pieces]

    def expected(seed: int = 3, length: int = 12, temperature: float = 1.0, argmax: bool = False) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return list(model.sample(2, length, temperature=temperature, argmax=argmax, generator=generator))

    plain = expected()
    for values, given in (
        ({}, {}),
        ({"temperature": 2.0}, {"temperature": 2.0}),
        ({"draw": False}, {"argmax": True}),
        ({"seed": 8}, {"seed": 8}),
        ({"length": 7}, {"length": 7}),
    ):
        wanted = expected(**given)  # type: ignore[arg-type]
        assert all(torch.equal(a, b) for a, b in zip(keys(**values), wanted, strict=True))
        assert not given or any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(wanted, plain, strict=True))


def test_the_papers_89_outputs_sound_like_88_keys(
    tmp_path: Path, sampling: Sampling, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "checkpoints"
    config = replace(tiny_config("af-scf"), vocab_size=89)
    model = build_model(config, torch.ones(13)).eval()
    with torch.no_grad():
        model.emission.bias.fill_(-12.0)
        model.emission.bias[1 + 39] = 12.0  # one key sounds: column 39, after the output that never does
    save_checkpoint(root / "jsb" / "af-scf", model, dataset="jsb", vocabulary=None, training={})
    monkeypatch.setenv("LNF_CHECKPOINTS", str(root))
    result = music(Sampling(), tmp_path / "out")
    for piece in result.pieces:
        assert piece.roll.shape == (12, 88)
        assert [pitch for _, _, pitch in piece.notes] == [48]  # C4 on the roll sounds as C3
    assert for_clients(roll_payload(result))["samples"][0]["notes"][0][2] == 48


def test_lengths_that_are_drawn_are_lengths_of_the_training_data(here: Path, tmp_path: Path) -> None:
    sampling = Sampling()
    prior = sampling.models.get("jsb/af-scf").checkpoint.model.length_prior
    with torch.no_grad():  # a histogram as music has it: one in every bin, and pieces of 9 to 12 steps
        prior.log_probs.copy_(torch.log(torch.tensor([1.0] * 9 + [5.0] * 4) / 29.0))
    shortest = [
        min(len(piece.roll) for piece in music(sampling, tmp_path / str(seed), seed=seed, length="").pieces)
        for seed in range(12)
    ]
    assert min(shortest) == 9


def test_lengths_that_are_drawn_are_some_a_visitor_may_ask_for(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lengths(folder: str) -> list[int]:
        pieces = [music(Sampling(), tmp_path / folder / str(seed), seed=seed, length="").pieces for seed in range(6)]
        return [len(piece.roll) for both in pieces for piece in both]

    free = lengths("free")
    monkeypatch.setattr(service, "LIMITS", replace(LIMITS, length=(1, 9)))
    held = lengths("held")
    assert max(held) <= 9 < max(free)
    assert any(length < 9 for length in held)


def test_the_seed_decides(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    first, again, other = (music(sampling, tmp_path / str(i), seed=seed) for i, seed in enumerate((3, 3, 4)))
    assert [piece.notes for piece in first.pieces] == [piece.notes for piece in again.pieces]
    assert [piece.notes for piece in first.pieces] != [piece.notes for piece in other.pieces]


def test_threads_do_not_disturb_each_other(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    alone = [music(sampling, tmp_path / f"alone{seed}", seed=seed).pieces[0].notes for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = pool.map(lambda seed: music(sampling, tmp_path / f"all{seed}", seed=seed).pieces[0].notes, range(4))
    assert list(made) == alone


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_lines_carry_the_probability_of_each_symbol(
    here: Path, sampling: Sampling, tmp_path: Path, variant: str
) -> None:
    settings = Settings.check(f"ptb/{variant}", length=9, count=3, seed=2)
    result = sampling.sample(settings, tmp_path)
    assert isinstance(result, Text) and len(result.lines) == 3
    shown = for_clients(text_payload(result))
    assert shown["caption"].startswith("Each character is tinted by the probability the model") is (variant == "lstm")
    for line, sent in zip(result.lines, shown["lines"], strict=True):
        assert sent == {"symbols": list(line.symbols), "sure": [round(100 * chance) for chance in line.sureness]}
    checkpoint = lnf_core.load(f"ptb/{variant}")
    sample = checkpoint.model.sample(3, 9, generator=torch.Generator().manual_seed(2))
    for index, line in enumerate(result.lines):
        ids = sample.sequence(index)
        assert checkpoint.vocabulary is not None
        assert line.symbols == tuple(checkpoint.vocabulary.symbols[i] for i in ids.tolist())
        expected = [float(sample.probabilities[t, index, i]) for t, i in enumerate(ids.tolist())]
        assert line.sureness == pytest.approx(expected)
    assert result.file.read_text("utf-8") == "".join(f"{line.text}\n" for line in result.lines)


def test_progress_ends_with_all_steps_and_never_goes_back(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    sampling.sample(
        Settings.check("jsb/af-af", length=12, count=2, seed=1),
        tmp_path,
        lambda part, words: told.append((part, words)),
    )
    parts = [part for part, _ in told]
    assert (
        all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(parts))
        and parts[0] >= 0.0
        and parts[-1] <= 1.0
    )
    assert any(words.startswith("Step 1 of ") for _, words in told) and told[-1][1] == "Decoding"


def test_lengths_are_the_models_own(here: Path, sampling: Sampling) -> None:
    assert sampling.bounds("jsb/af-scf") == (3, 12)  # the histogram of tiny_models.py
    for wrong in (2, 13):
        with pytest.raises(FieldError, match="from 3 to 12") as caught:
            Settings.check("jsb/af-scf", sampling.bounds("jsb/af-scf"), length=wrong)
        assert caught.value.field == "length"


def test_the_compiled_engine_takes_over_once_it_is_ready(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LNF_ENGINE")
    monkeypatch.setattr("lnf_core.engines.registry._NUMBA", NumbaEngine())  # one that has compiled nothing yet
    monkeypatch.setattr(NumbaEngine, "ready", lambda self: self._warm)
    models = LoadedModels()
    assert models.get("jsb/af-scf").sampler.engine == "eager"
    models.warm_up()
    assert models.get("jsb/af-scf").sampler.engine == "numba_cpu"
    assert models.get("jsb/iaf-scf").sampler.engine == "eager"  # one pass has nothing to compile


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


def test_the_catalogue_lists_what_cannot_be_used_with_its_reason(here: Path, checkpoints: Path) -> None:
    entries = {entry.name: entry for entry in catalogue.catalogue()}
    for name in ("jsb/lstm", "ptb/iaf-scf"):
        problem = entries[name].problem
        assert problem and str(checkpoints) not in problem
    assert entries["jsb/af-scf"].problem is None
    assert catalogue.describe("jsb/af-scf-affine").title == "AF/SCF, affine · JSB Chorales"
    units = {name: catalogue.describe(f"{name}/af-scf").unit for name in ("jsb", "piano-midi", "ptb")}
    assert units == {"jsb": "beats", "piano-midi": "half beats", "ptb": "characters"}
    assert {option["variant"] for option in catalogue.options() if option["preferred"]} == {"af-scf"}
    assert catalogue.first() == entries["jsb/af-scf"] and catalogue.first("text") == entries["ptb/af-scf"]
    assert [entry.domain for entry in entries.values()] == sorted((e.domain for e in entries.values()), key="mt".find)


def test_the_cache_is_bounded_and_keeps_what_is_used(here: Path) -> None:
    cache = LoadedModels(2)
    kept = cache.get("jsb/af-scf")
    cache.get("jsb/af-af")
    assert cache.get("jsb/af-scf") is kept
    cache.get("ptb/lstm")
    assert len(cache) == 2 and cache.get("jsb/af-scf") is kept
    with pytest.raises(lnf_core.CheckpointError):
        cache.get("ptb/iaf-scf")
    assert len(cache) == 2


def test_errors_become_one_sentence_without_markup_where_it_is_shown() -> None:
    import gradio as gr

    @spoken
    def refuse() -> None:
        raise lnf_core.InvalidInputError("the name is <b>x</b>\n and no good")

    with pytest.raises(gr.Error) as caught:
        refuse()
    assert caught.value.message == "The name is <b>x</b> and no good."  # for programs, as it is written
    assert refused(lnf_core.InvalidInputError("<b>x</b>")).message == "&lt;b&gt;x&lt;/b&gt;."
    assert sentence(ValueError("")) == "Something went wrong."


def test_without_libfluidsynth_sine_voices_play_and_the_page_says_how_to_do_better(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fluidsynth", None)  # what a missing library looks like to an import
    result = music(Sampling(Sound().note), tmp_path)
    assert "fluidsynth" in roll_payload(result)["note"]
    assert Sound().of(result.pieces[0].midi, "flac").stat().st_size > 1000


def test_ready_made_samples_need_no_click(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    notes, lines = ready.music(sampling, tmp_path / "m"), ready.text(sampling, tmp_path / "t")
    assert (
        notes is not None and notes.pieces[0].notes and Sound().of(notes.pieces[0].midi, "flac").stat().st_size > 1000
    )
    assert lines is not None and lines.lines[0].text.strip() and lines.file.exists()


def test_the_package_never_imports_the_app() -> None:
    for path in (ROOT / "lnf_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not any(name.split(".")[0] in ("app", "gradio") for name in names), path
