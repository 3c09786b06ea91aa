"""Passages shared with the training split, with answers known by hand and against a plain search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnf_core.analysis import Copies, copies
from lnf_core.errors import InvalidInputError


def test_passages_are_counted_where_they_overlap() -> None:
    # Of ab, bc, cx, xa and za the first two and the last stand in training.
    assert copies(["abcxa", "za"], ["zzabc", "a"], 2) == Copies(passage=2, share=3 / 5, longest=3)


def test_a_passage_does_not_run_on_from_one_sequence_into_the_next() -> None:
    assert copies(["abcd"], ["ab", "cd"], 3) == Copies(passage=3, share=0.0, longest=2)
    assert copies(["aab"], ["a", "ab"], 2).longest == 2


def test_nothing_long_enough_is_no_share() -> None:
    assert copies(["ab", ""], ["abab"], 3) == Copies(passage=3, share=None, longest=2)
    assert copies([], ["ab"], 1) == Copies(passage=1, share=None, longest=0)
    assert copies(["ab"], [], 1) == Copies(passage=1, share=0.0, longest=0)


def test_steps_may_be_chords() -> None:
    rows = {name: bytes([number, 0, 1]) for number, name in enumerate("abc")}
    sampled, learnt = ([[rows[name] for name in text] for text in side] for side in (["abca"], ["cabb", "ca"]))
    assert copies(sampled, learnt, 2) == copies(["abca"], ["cabb", "ca"], 2) == Copies(2, share=2 / 3, longest=2)


def test_a_passage_has_a_step() -> None:
    with pytest.raises(InvalidInputError, match="passage is 0"):
        copies(["a"], ["a"], 0)


TEXTS = st.lists(st.text("abc", max_size=12), max_size=4)


@given(TEXTS, TEXTS, st.integers(1, 5))
def test_the_same_as_a_plain_search(sequences: list[str], training: list[str], passage: int) -> None:
    def everywhere(length: int) -> list[bool]:
        return [
            any(piece[at : at + length] in text for text in training)
            for piece in sequences
            for at in range(len(piece) - length + 1)
        ]

    found = copies(sequences, training, passage)
    assert found.share == (sum(everywhere(passage)) / len(everywhere(passage)) if everywhere(passage) else None)
    assert found.longest == max((length for length in range(1, 13) if any(everywhere(length))), default=0)
