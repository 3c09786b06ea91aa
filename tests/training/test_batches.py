"""Batches and seeds: every sequence once an epoch, the same whatever the number of processes."""

from __future__ import annotations

import pytest
import torch
from training_runs import music_data, text_data

from lnf_core.training.batches import BatchPlan, derive_seed, shard, spread, symbol_count


def test_an_epoch_holds_every_sequence_once_in_another_order_each_time() -> None:
    data = text_data(train=30)
    plan = BatchPlan(data.train, 8, seed=1)
    assert plan.steps_per_epoch == 4
    first, second = ([i for s in range(start, start + 4) for i in plan.indices(s)] for start in (0, 4))
    assert sorted(first) == sorted(second) == list(range(30))
    assert first != second


def test_any_step_can_be_asked_for_in_any_order() -> None:
    data = music_data()
    forwards = BatchPlan(data.train, 5, seed=3, transpose_semitones=5)
    backwards = BatchPlan(data.train, 5, seed=3, transpose_semitones=5)
    expected = {step: forwards.batch(step) for step in range(12)}
    for step in reversed(range(12)):
        assert all(torch.equal(a, b) for a, b in zip(backwards.batch(step), expected[step], strict=True))


def test_seeds_change_the_order_and_the_transposition() -> None:
    data = music_data()
    assert BatchPlan(data.train, 5, seed=0).indices(0) != BatchPlan(data.train, 5, seed=1).indices(0)
    rolls = [BatchPlan(data.train[:1], 1, seed=0, transpose_semitones=5).batch(step)[0] for step in range(20)]
    shifts = {int(roll[0].argmax() - data.train[0][0].argmax()) for roll in rolls}
    assert len(shifts) > 4
    assert all(-5 <= shift <= 5 for shift in shifts)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_shards_share_a_batch_out_completely(processes: int) -> None:
    sequences = list(text_data().train[:5])
    shards = [shard(sequences, rank, processes) for rank in range(processes)]
    assert sum(int((batch.lengths + 1).sum()) for batch, _ in shards) == symbol_count(sequences)
    assert all(weight == 1.0 for _, weight in shards)


def test_a_process_without_sequences_counts_for_nothing() -> None:
    sequences = list(text_data().train[:2])
    batch, weight = shard(sequences, 2, 3)
    assert weight == 0.0
    assert len(batch.lengths) == 1


def test_derived_seeds_differ_by_purpose_and_step() -> None:
    seeds = {derive_seed(s, purpose, step) for s in range(3) for purpose in ("dropout", "order") for step in range(50)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_spread_takes_batches_of_all_lengths() -> None:
    batches = [[i] for i in range(10)]
    assert spread(batches, 0) == spread(batches, 99) == batches
    assert spread(batches, 2) == [[2], [7]]
    assert spread(batches, 5) == [[1], [3], [5], [7], [9]]
