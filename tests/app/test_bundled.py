"""The released checkpoints and the ready-made samples, where this checkout has them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from app import catalogue, ready
from app.fields import Settings
from app.services.latent import LatentViews
from app.services.sampled import Music, Text
from app.services.sampling import Sampling
from app.services.sequences import Request, Sequences
from lnf_core.music import Performance
from lnf_core.storage.bundled import list_checkpoints

BUNDLED = Path(__file__).resolve().parents[2] / "checkpoints"
NAMES = [entry.name for entry in list_checkpoints() if entry.path.is_relative_to(BUNDLED)]


@pytest.mark.slow
@pytest.mark.usefixtures("compiled_engine")
@pytest.mark.skipif(not NAMES, reason="checkpoints/ holds no trained checkpoint yet")
def test_every_bundled_checkpoint_samples_and_every_flow_is_looked_into_in_time(
    sampling: Sampling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a second is what moving along a sequence may take; the slowest processors get twice as much."""
    monkeypatch.delenv("LNF_CHECKPOINTS", raising=False)
    sequences = Sequences(sampling.models)
    views = LatentViews(sequences)
    for name in NAMES:
        assert catalogue.find(name).name == name
        length = sampling.bounds(name)[0]
        assert 1 < length < 120  # no model is asked for less than it was trained on
        result = sampling.sample(Settings.check(name, length=length, count=1, seed=1), tmp_path / name)
        if isinstance(result, Music):
            assert Performance(name.split("/")[0]).read(result.pieces[0].midi).roll.shape[0] == length
        else:
            assert isinstance(result, Text) and len(result.lines[0].symbols) == length
        if name.endswith("lstm"):
            continue  # no latents
        sequences.get(Request(name, 0, 4))  # the sequence has been read
        began = time.thread_time()  # not the clock: other tests run beside this one
        views.view({"checkpoint": name, "step": 5})
        assert time.thread_time() - began < 1.0, name


@pytest.mark.usefixtures("compiled_engine")
@pytest.mark.parametrize("name", ["music", "text"])
def test_ready_made_samples_belong_to_the_page(sampling: Sampling, name: str, tmp_path: Path) -> None:
    file = ready.FOLDER / f"{name}.json"
    if not file.is_file():
        pytest.skip(f"assets/ready/{name}.json is made from a trained checkpoint, which is not there yet")
    settings = json.loads(file.read_text("utf-8"))["settings"]
    result = getattr(ready, name)(sampling, tmp_path)
    assert result.entry.domain == name and result.entry.name == settings["checkpoint"]
    if isinstance(result, Music):
        assert len(result.pieces) == settings["count"]
        assert all(len(piece.roll) == settings["length"] and piece.notes for piece in result.pieces)
    else:
        assert len(result.lines) == settings["count"]
        assert all(0.0 < chance <= 1.0 for line in result.lines for chance in line.sureness)


@pytest.mark.usefixtures("compiled_engine")
def test_thin_music_says_what_to_do_about_it(sampling: Sampling, tmp_path: Path) -> None:
    """Piano music of which few keys are likely; chorales, and every key drawn, have nothing to say."""
    said = {}
    for name, draw in (("piano-midi/af-scf", False), ("piano-midi/af-scf", True), ("jsb/af-scf", False)):
        settings = Settings.check(name, length=120, count=2, seed=3, draw=draw)
        result = sampling.sample(settings, tmp_path / name / str(draw))
        assert isinstance(result, Music)
        said[name, draw] = "Draw every key" in result.note
        if said[name, draw]:  # the way between two pieces has no such field
            rolls = [piece.roll for piece in result.pieces]
            assert "Draw" not in sampling.music(settings, rolls, tmp_path / name / "mix", named="seed3-to-seed4").note
    assert said == {
        ("piano-midi/af-scf", False): True,
        ("piano-midi/af-scf", True): False,
        ("jsb/af-scf", False): False,
    }
