"""Batches: every sequence once, like lengths together, nothing but zeros in the padding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lnf_core.data import batch_indices, collate
from lnf_core.errors import InvalidInputError

LENGTHS = st.lists(st.integers(1, 300), max_size=120)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(LENGTHS, st.integers(1, 20), st.none() | st.integers(0, 2**32))
def test_every_index_once_and_one_short_batch_at_most(lengths: list[int], batch_size: int, seed: int | None) -> None:
    batches = batch_indices(lengths, batch_size, None if seed is None else generator(seed))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    sizes = sorted((len(batch) for batch in batches), reverse=True)
    assert all(size == batch_size for size in sizes[:-1])
    assert all(1 <= size <= batch_size for size in sizes)


@given(LENGTHS, st.integers(1, 20))
def test_evaluation_order_is_by_length_then_index(lengths: list[int], batch_size: int) -> None:
    flat = [index for batch in batch_indices(lengths, batch_size) for index in batch]
    assert flat == sorted(range(len(lengths)), key=lambda index: (lengths[index], index))


@given(LENGTHS, st.integers(1, 20), st.integers(0, 2**32))
def test_a_seed_names_one_order_and_the_global_generator_is_left_alone(
    lengths: list[int], batch_size: int, seed: int
) -> None:
    before = torch.get_rng_state()
    first = batch_indices(lengths, batch_size, generator(seed))
    assert first == batch_indices(lengths, batch_size, generator(seed))
    assert torch.equal(before, torch.get_rng_state())


def test_training_batches_change_from_epoch_to_epoch() -> None:
    lengths = torch.randint(1, 200, (500,), generator=generator(0)).tolist()
    source = generator(1)
    first, second = (batch_indices(lengths, 16, source) for _ in range(2))
    assert {frozenset(batch) for batch in first}.isdisjoint({frozenset(batch) for batch in second})
    assert [min(lengths[i] for i in batch) for batch in first] != sorted(min(lengths[i] for i in b) for b in first)


@pytest.mark.parametrize("seed", range(3))
def test_training_batches_pad_little(seed: int) -> None:
    lengths = torch.randint(20, 300, (2000,), generator=generator(seed)).tolist()
    batches = batch_indices(lengths, 16, generator(seed))
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    assert padded < 1.15 * sum(lengths)  # one unsorted epoch would be at 1.75


def test_the_short_batch_can_hold_any_length() -> None:
    lengths = [2**power for power in range(10)]  # too far apart to change places
    source = generator(0)
    short = {batch[0] for _ in range(200) for batch in batch_indices(lengths, 3, source) if len(batch) == 1}
    assert short == {0, 3, 6, 9}


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size_must_be_positive(batch_size: int) -> None:
    with pytest.raises(InvalidInputError, match="batch_size"):
        batch_indices([3], batch_size)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.booleans(), st.integers(0, 2**32))
def test_collate_keeps_the_sequences_and_pads_with_zeros(lengths: list[int], music: bool, seed: int) -> None:
    source = generator(seed)
    sequences = [
        torch.randint(0, 2, (length, 88), generator=source).float()
        if music
        else torch.randint(1, 51, (length,), generator=source)
        for length in lengths
    ]
    batch = collate(sequences)
    assert batch.x.shape == (max(lengths), len(lengths), *([88] if music else []))
    assert batch.x.dtype == sequences[0].dtype
    assert batch.lengths.dtype == torch.int64
    assert batch.lengths.tolist() == lengths
    for column, sequence in enumerate(sequences):
        assert torch.equal(batch.x[: len(sequence), column], sequence)
        assert not batch.x[len(sequence) :, column].any()


def test_a_batch_moves_whole() -> None:
    batch = collate([torch.arange(3), torch.arange(2)]).to("meta")
    assert batch.x.device.type == batch.lengths.device.type == "meta"


@pytest.mark.parametrize(
    "sequences",
    [
        [],
        [torch.zeros(0, dtype=torch.int64)],
        [torch.tensor(3)],
        [torch.zeros(2, 3, 4)],
        [torch.arange(3), torch.arange(3).float()],
        [torch.zeros(3, 88), torch.zeros(3, 89)],
        [torch.zeros(3), torch.zeros(3, 88)],
    ],
)
def test_collate_refuses_what_does_not_fit_together(sequences: list[torch.Tensor]) -> None:
    with pytest.raises(InvalidInputError):
        collate(sequences)
