from __future__ import annotations

import itertools
import wave
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pretty_midi
import pytest
import torch
from pieces import music
from tiny_models import tiny_config

import lnf_core
from app import catalogue, ready
from app.fields import Settings
from app.limits import LIMITS, FieldError
from app.services import sampling as service
from app.services.models import LoadedModels
from app.services.sampled import Text
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.widgets import for_clients
from app.widgets.piano_roll.payload import roll_payload
from app.widgets.text_lines.payload import text_payload
from lnf_core.analysis.statistics import music_statistics
from lnf_core.engines.numba_cpu.engine import NumbaEngine
from lnf_core.models.build import build_model
from lnf_core.music import INSTRUMENTS, Performance
from lnf_core.storage.bundle import save_checkpoint


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


def test_the_file_of_a_piece_names_its_instrument(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    piece = music(sampling, tmp_path, instrument="Church organ").pieces[0]
    (track,) = pretty_midi.PrettyMIDI(str(piece.midi)).instruments
    assert track.program == INSTRUMENTS["Church organ"] != INSTRUMENTS["Grand piano"]


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


@pytest.mark.parametrize(
    ("done", "elapsed", "words"),
    [
        (0, 9.0, "Step 0 of 12"),
        (3, 0.4, "Step 3 of 12"),
        (3, 6.0, "Step 3 of 12, about 18 s left"),
        (11, 1.0, "Step 11 of 12, about 1 s left"),
        (12, 6.0, "Decoding"),
    ],
)
def test_what_is_left_is_told_once_it_can_be_known(done: int, elapsed: float, words: str) -> None:
    assert service._words(done, 12, elapsed) == words


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


def test_ready_made_samples_need_no_click(here: Path, sampling: Sampling, tmp_path: Path) -> None:
    notes, lines = ready.music(sampling, tmp_path / "m"), ready.text(sampling, tmp_path / "t")
    assert (
        notes is not None and notes.pieces[0].notes and Sound().of(notes.pieces[0].midi, "flac").stat().st_size > 1000
    )
    assert lines is not None and lines.lines[0].text.strip() and lines.file.exists()


def test_without_ready_made_samples_the_first_model_is_sampled(
    here: Path, sampling: Sampling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "FOLDER", tmp_path / "nothing")
    notes, lines = ready.music(sampling, tmp_path / "m"), ready.text(sampling, tmp_path / "t")
    assert notes is not None and notes.entry == catalogue.first("music") and len(notes.pieces) == 1
    assert lines is not None and lines.entry == catalogue.first("text") and len(lines.lines) == 1
    assert (notes.settings.seed, lines.settings.seed, lines.settings.temperature) == (1685, 1993, 0.8)
    assert notes.drawn is lines.drawn is None  # nobody waited for it
    monkeypatch.setattr(catalogue, "first", lambda _domain: None)
    assert ready.music(sampling, tmp_path / "m") is ready.text(sampling, tmp_path / "t") is None
