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


def test_repeating_one_step_is_no_copy() -> None:
    assert copies(["aaaa"], ["aaaaaaaa"], 2) == Copies(passage=2, share=None, longest=0)
    assert copies(["aaaab"], ["aaaa", "ab"], 3) == Copies(passage=3, share=0.0, longest=2)


def test_nothing_long_enough_is_no_share() -> None:
    assert copies(["ab", ""], ["abab"], 3) == Copies(passage=3, share=None, longest=2)
    assert copies([], ["ab"], 2) == Copies(passage=2, share=None, longest=0)
    assert copies(["ab"], [], 2) == Copies(passage=2, share=0.0, longest=0)


def test_steps_may_be_chords() -> None:
    rows = {name: bytes([number, 0, 1]) for number, name in enumerate("abc")}
    sampled, learnt = ([[rows[name] for name in text] for text in side] for side in (["abca"], ["cabb", "ca"]))
    assert copies(sampled, learnt, 2) == copies(["abca"], ["cabb", "ca"], 2) == Copies(2, share=2 / 3, longest=2)


def test_a_passage_has_two_steps() -> None:
    with pytest.raises(InvalidInputError, match="passage is 1"):
        copies(["a"], ["a"], 1)


TEXTS = st.lists(st.text("abc", max_size=12), max_size=4)


@given(TEXTS, TEXTS, st.integers(2, 5))
def test_the_same_as_a_plain_search(sequences: list[str], training: list[str], passage: int) -> None:
    def found(length: int) -> list[bool]:
        texts = [piece[at : at + length] for piece in sequences for at in range(len(piece) - length + 1)]
        return [any(text in learnt for learnt in training) for text in texts if len(set(text)) > 1]

    measured = copies(sequences, training, passage)
    assert measured.share == (sum(found(passage)) / len(found(passage)) if found(passage) else None)
    assert measured.longest == max((length for length in range(2, 13) if any(found(length))), default=0)
