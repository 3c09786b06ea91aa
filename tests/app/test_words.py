"""What is said of a result, of a piece and of a failure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pieces import music

import lnf_core
from app import catalogue
from app.errors import refused, sentence, spoken
from app.fields import Settings
from app.limits import FieldError
from app.services.sampled import Drawn, Music, Text
from app.services.sampling import Sampling
from app.widgets.piano_roll.payload import roll_payload
from app.widgets.status.payload import refusal, status
from app.widgets.text_lines.payload import text_payload
from lnf_core.analysis.statistics import MusicStatistics
from lnf_core.errors import InvalidInputError


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


def test_what_the_symbols_of_the_penn_treebank_stand_for_is_said_of_no_other_text(
    here: Path, sampling: Sampling, tmp_path: Path
) -> None:
    result = sampling.sample(Settings.check("ptb/af-scf", length=4, seed=1), tmp_path)
    assert isinstance(result, Text)
    other = replace(result, entry=replace(result.entry, dataset="rhymes", dataset_title="rhymes"))
    captions = [text_payload(shown)["caption"] for shown in (result, other)]
    assert captions[0] == captions[1] + " <unk> stands for a rare word, N for a number."


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
