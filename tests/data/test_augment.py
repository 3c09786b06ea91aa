"""Transposition: a shift of the whole piece that loses no note."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lnf_core.data import add_dummy_key, random_transpose
from lnf_core.errors import InvalidInputError

NOTES = st.sets(st.tuples(st.integers(0, 9), st.integers(0, 87)), max_size=20)


def roll_of(notes: set[tuple[int, int]]) -> torch.Tensor:
    roll = torch.zeros(10, 88)
    for step, key in notes:
        roll[step, key] = 1.0
    return roll


def notes_of(roll: torch.Tensor) -> set[tuple[int, int]]:
    return {(step, key) for step, key in roll.nonzero().tolist()}


@given(NOTES, st.integers(0, 100), st.integers(0, 2**32))
def test_the_same_piece_some_semitones_away(notes: set[tuple[int, int]], most: int, seed: int) -> None:
    roll = roll_of(notes)
    before = torch.get_rng_state()
    moved = random_transpose(roll, most, torch.Generator().manual_seed(seed))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(roll, roll_of(notes))
    assert moved.shape == roll.shape and moved.dtype == roll.dtype
    shifts = [shift for shift in range(-most, most + 1) if {(t, key + shift) for t, key in notes} == notes_of(moved)]
    assert shifts


@pytest.mark.parametrize(
    ("notes", "most", "shifts"),
    [
        ({(0, 40), (3, 44)}, 3, range(-3, 4)),
        ({(0, 2), (3, 44)}, 5, range(-2, 6)),
        ({(0, 40), (3, 86)}, 4, range(-4, 2)),
        ({(0, 0), (3, 87)}, 12, range(1)),
        ({(0, 40)}, 0, range(1)),
    ],
)
def test_uniform_over_the_shifts_that_fit(notes: set[tuple[int, int]], most: int, shifts: range) -> None:
    roll, source = roll_of(notes), torch.Generator().manual_seed(0)
    lowest, draws = min(key for _, key in notes), 400 * len(shifts)
    counts = dict.fromkeys(shifts, 0)
    for _ in range(draws):
        counts[min(key for _, key in notes_of(random_transpose(roll, most, source))) - lowest] += 1
    assert all(300 < count < 500 for count in counts.values())  # 400 expected, standard deviation below 20


@pytest.mark.parametrize(("shape", "most"), [((4, 90), 1), ((4, 87), 1), ((88,), 1), ((2, 4, 88), 1), ((4, 88), -1)])
def test_bad_input(shape: tuple[int, ...], most: int) -> None:
    with pytest.raises(InvalidInputError):
        random_transpose(torch.zeros(shape), most, torch.Generator())


def test_the_dummy_key_stays_where_it_is() -> None:
    roll = roll_of({(0, 40), (3, 44)})
    moved = random_transpose(add_dummy_key(roll), 5, torch.Generator().manual_seed(3))
    assert not moved[:, 0].any()
    assert torch.equal(moved[:, 1:], random_transpose(roll, 5, torch.Generator().manual_seed(3)))
    assert not torch.equal(moved[:, 1:], roll)
