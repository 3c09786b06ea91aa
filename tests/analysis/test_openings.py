"""Somebody's own music as a model reads it."""

from __future__ import annotations

from pathlib import Path

import pretty_midi
import pytest
import torch
from tiny_models import tiny_model

from lnf_core.analysis.openings import read_opening
from lnf_core.models.build import SequenceModel
from lnf_core.music import Performance

AT = 43
"""The one key that the model expects."""


@pytest.fixture
def model() -> SequenceModel:
    model = tiny_model("lstm")
    with torch.no_grad():
        model.emission.bias.fill_(-6.0)
        model.emission.bias[AT] = 6.0
    return model


def written(path: Path, *keys: int) -> Path:
    """A file with one key of the roll at a time, a step each."""
    roll = torch.zeros(len(keys), 88)
    roll[torch.arange(len(keys)), torch.tensor(keys)] = 1.0
    Performance("jsb").write_midi(roll, path)
    return path


@pytest.mark.parametrize(
    ("key", "remarks"),
    [
        (AT, ()),
        (AT - 3, ("moved up by 3 semitones to the key this model finds likeliest",)),
        (AT - 1, ("moved up by 1 semitone to the key this model finds likeliest",)),
        (AT + 2, ("moved down by 2 semitones to the key this model finds likeliest",)),
    ],
)
def test_music_is_moved_to_the_key_the_model_knows_and_it_is_said(
    tmp_path: Path, model: SequenceModel, key: int, remarks: tuple[str, ...]
) -> None:
    opening = read_opening(written(tmp_path / "one.mid", *[key] * 5), "jsb", model, 5)
    assert opening.remarks == remarks  # of five steps five may be read: nothing is left out
    assert opening.x.nonzero().tolist() == [[step, AT] for step in range(5)]


def test_of_more_than_may_be_read_the_beginning_is_kept(tmp_path: Path, model: SequenceModel) -> None:
    opening = read_opening(written(tmp_path / "long.mid", *[AT] * 6), "jsb", model, 5, unit="beats")
    assert len(opening.x) == 5 and opening.remarks == ("of its 6 beats the first 5 are used",)


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (0, None),
        (1, "1 of its 6 notes begins between the steps this model counts in and was moved to the nearest"),
        (2, "2 of its 6 notes begin between the steps this model counts in and were moved to the nearest"),
    ],
)
def test_notes_between_the_steps_are_told_of(
    tmp_path: Path, model: SequenceModel, moved: int, words: str | None
) -> None:
    path = written(tmp_path / "late.mid", AT, AT + 2, AT, AT + 2, AT, AT + 2)
    song = pretty_midi.PrettyMIDI(str(path))
    step = Performance("jsb").seconds_per_step
    for note in song.instruments[0].notes[1 : 1 + moved]:
        note.start += step / 3
    song.write(str(path))
    (remark, *others) = (*read_opening(path, "jsb", model, 12).remarks, None)
    assert remark is None if words is None else remark is not None and remark.startswith(words)
    assert not any(others)


@pytest.mark.parametrize(("count", "words"), [(1, "1 note outside"), (2, "2 notes outside")])
def test_what_the_model_has_no_keys_for_is_counted(
    tmp_path: Path, model: SequenceModel, count: int, words: str
) -> None:
    path = written(tmp_path / "wide.mid", *[AT] * 4)
    song = pretty_midi.PrettyMIDI(str(path))
    song.instruments[0].notes += [pretty_midi.Note(80, 120 - high, 0.0, 0.5) for high in range(count)]
    drums = pretty_midi.Instrument(0, is_drum=True)
    drums.notes = [pretty_midi.Note(80, 40, start, start + 0.2) for start in (0.0, 0.5)]
    song.instruments.append(drums)
    song.write(str(path))
    (remark,) = read_opening(path, "jsb", model, 12).remarks
    assert remark == f"{words} the keys this model has, A-1 to C7, and 2 drum notes left out"
