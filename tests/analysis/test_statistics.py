"""Statistics of rolls and lines with answers known by hand, and of the data as published."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from lnf_core.analysis import MusicStatistics, music_statistics, text_statistics, unlikeness, words_of
from lnf_core.data import add_dummy_key, load_dataset
from lnf_core.errors import InvalidInputError

C = 39  # the column of middle C


def roll_of(*steps: tuple[int, ...]) -> torch.Tensor:
    """One row a step, each given by its keys in semitones above middle C."""
    roll = torch.zeros(len(steps), 88)
    for row, keys in zip(roll, steps, strict=True):
        row[[C + key for key in keys]] = 1.0
    return roll


def test_notes_and_voices_are_counted_over_all_steps_alike() -> None:
    measured = music_statistics([roll_of((0,), (0, 4, 7), (0, 4, 7, 12), (0, 2, 4, 6, 8)), roll_of((), (1, 5))])
    assert measured.steps == 6
    assert measured.notes == pytest.approx((1 + 3 + 4 + 5 + 0 + 2) / 6)
    assert measured.three_or_four_notes == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    ("keys", "in_a_chord"),
    [
        ((0, 4, 7), True),  # major
        ((9, 12, 16), True),  # minor, across the octave
        ((-13, 2, 5), True),  # diminished, spread out
        ((4, 7, 12, 24), True),  # an inversion, one note twice
        ((7, 11, 14, 17), True),  # dominant seventh
        ((0, 4, 7, 11), True),  # major seventh
        ((2, 5, 9, 12), True),  # minor seventh
        ((11, 14, 17, 21), True),  # half-diminished
        ((0, 3, 6, 9), True),  # diminished seventh
        ((0, 12, 24), True),  # one note in three octaves leaves nothing out
        ((0, 7, 12), True),  # an open fifth
        ((0, 4, 8), False),  # augmented
        ((0, 5, 7), False),  # suspended
        ((0, 1, 2), False),
        ((0, 4, 7, 9, 2), False),
        ((0, 3, 7, 11), False),  # minor with a major seventh
    ],
)
@pytest.mark.parametrize("transposed", [0, 1, -7])
def test_a_triad_is_one_in_every_key(keys: tuple[int, ...], in_a_chord: bool, transposed: int) -> None:
    assert music_statistics([roll_of(tuple(key + transposed for key in keys))]).triads == float(in_a_chord)


def test_triads_are_a_share_of_the_steps_with_three_notes() -> None:
    assert music_statistics([roll_of((0, 4, 7), (0, 4, 8), (0, 4), (0, 1), ())]).triads == 0.5
    assert music_statistics([roll_of((0, 4), (0,), ())]).triads is None


@pytest.mark.parametrize(
    ("keys", "clashes"),
    [
        ((0, 1), 1),
        ((0, 13), 1),  # a minor ninth
        ((0, 11), 1),  # a major seventh
        ((0, 1, 2), 2),
        ((0, 1, 12, 13), 1),  # the same two pitch classes
        ((11, 12), 1),  # B and C, around the octave
        ((0, 2, 4), 0),
        ((0, 12), 0),
        (tuple(range(12)), 12),
    ],
)
def test_clashes_are_pairs_of_pitch_classes_a_semitone_apart(keys: tuple[int, ...], clashes: int) -> None:
    assert music_statistics([roll_of(keys)]).clashes == clashes
    assert music_statistics([roll_of(keys, (0, 4, 7), ())]).clashes == pytest.approx(clashes / 3)


def test_leaps_of_the_highest_note_wider_than_a_fifth() -> None:
    assert music_statistics([roll_of((0, 7), (-20, 14), (6,), (14,))]).wide_leaps == pytest.approx(2 / 3)  # 7, -8, 8
    # Neither silence nor the end of a piece is a move.
    assert music_statistics([roll_of((0,), (), (40,)), roll_of((-30,), (-30,))]).wide_leaps == 0.0
    assert music_statistics([roll_of((0,)), roll_of((40,))]).wide_leaps is None
    ends = torch.zeros(2, 88)
    ends[0, 0] = ends[1, 87] = 1.0
    assert music_statistics([ends]).wide_leaps == 1.0


def test_the_papers_silent_output_changes_nothing() -> None:
    roll = (torch.rand(50, 88, generator=torch.Generator().manual_seed(0)) < 0.05).float()
    assert music_statistics([add_dummy_key(roll)]) == music_statistics([roll])


def test_the_chorales_give_the_figures_in_the_documentation(data_root: Path) -> None:
    measured = music_statistics(load_dataset("jsb", data_root).train)
    said = {name: round(value, 2) for name, value in measured.to_dict().items() if name != "steps"}
    assert said == {"notes": 3.9, "three_or_four_notes": 1.0, "triads": 0.92, "clashes": 0.03, "wide_leaps": 0.0}
    assert measured.steps == 13807


@pytest.mark.parametrize("rolls", [[], [torch.zeros(0, 88)], [torch.zeros(3, 87)], [torch.full((2, 88), 0.5)]])
def test_what_cannot_be_measured_is_refused(rolls: list[torch.Tensor]) -> None:
    with pytest.raises(InvalidInputError, match="roll"):
        music_statistics(rolls)


def test_words_are_known_or_not() -> None:
    known = words_of(["the cat sat", "the  <unk>\thats "])
    assert known == {"the", "cat", "sat", "<unk>", "hats"}
    measured = text_statistics(["the bat  sat", " catt catt"], known)
    assert (measured.words, measured.known_words) == (5, 0.4)
    assert measured.word_length == pytest.approx((3 + 3 + 3 + 4 + 4) / 5)
    assert text_statistics(["", "  "], known).to_dict() == {"words": 0, "known_words": None, "word_length": None}


def test_unlikeness_is_a_distance_in_every_statistic() -> None:
    data = MusicStatistics(steps=10, notes=4.0, three_or_four_notes=1.0, triads=0.9, clashes=0.0, wide_leaps=0.1)
    assert unlikeness(data, data) == 0.0
    for name, other, expected in (
        ("notes", 3.0, 0.25),
        ("three_or_four_notes", 0.5, 0.5),
        ("triads", None, 0.9),
        ("clashes", 0.2, 0.2),
        ("wide_leaps", 0.0, 0.1),
    ):
        changed = dataclasses.replace(data, **{name: other})
        assert unlikeness(data, changed) == unlikeness(changed, data) == pytest.approx(expected)
