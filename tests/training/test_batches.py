"""Batches and seeds: every sequence once an epoch, the same whatever the number of processes."""

from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_model
from training_runs import music_data, text_data

from lnf_core.data import Dataset
from lnf_core.nets.positions import Place
from lnf_core.training.batches import BatchPlan, Passage, derive_seed, shard, spread, symbol_count


def numbers(data: Dataset, passages: list[Passage]) -> list[int]:
    """Which sequences of the training split the passages, not transposed, are cut from: they share its memory."""
    places = [sequence.untyped_storage().data_ptr() for sequence in data.train]
    return [places.index(passage.x.untyped_storage().data_ptr()) for passage in passages]


def test_an_epoch_holds_every_sequence_once_in_another_order_each_time() -> None:
    data = text_data(train=30)
    plan = BatchPlan(data.train, 8, seed=1)
    assert plan.steps_per_epoch == 4
    first, second = ([i for s in range(start, start + 4) for i in numbers(data, plan.batch(s))] for start in (0, 4))
    assert sorted(first) == sorted(second) == list(range(30))
    assert first != second


def test_any_step_can_be_asked_for_in_any_order() -> None:
    data = music_data()
    forwards = BatchPlan(data.train, 5, seed=3, transpose_semitones=5)
    backwards = BatchPlan(data.train, 5, seed=3, transpose_semitones=5)
    expected = {step: forwards.batch(step) for step in range(12)}
    for step in reversed(range(12)):
        assert all(torch.equal(a.x, b.x) for a, b in zip(backwards.batch(step), expected[step], strict=True))


def test_seeds_change_the_order_and_the_transposition() -> None:
    data = music_data()
    first, other = (numbers(data, BatchPlan(data.train, 5, seed=seed).batch(0)) for seed in (0, 1))
    assert first != other
    rolls = [BatchPlan(data.train[:1], 1, seed=0, transpose_semitones=5).batch(step)[0].x for step in range(20)]
    shifts = {int(roll[0].argmax() - data.train[0][0].argmax()) for roll in rolls}
    assert len(shifts) > 4
    assert all(-5 <= shift <= 5 for shift in shifts)


def test_crops_are_the_whole_split_cut_elsewhere_in_every_epoch() -> None:
    data = music_data()
    plan = BatchPlan(data.train, 3, seed=2, crop_steps=4)
    epochs = []
    for epoch in range(2):
        steps = range(epoch * plan.steps_per_epoch, (epoch + 1) * plan.steps_per_epoch)
        found: dict[int, list[Passage]] = {}
        for step in steps:
            passages = plan.batch(step)
            for number, passage in zip(numbers(data, passages), passages, strict=True):
                found.setdefault(number, []).append(passage)
        for number, passages in found.items():
            passages.sort(key=lambda passage: passage.start)
            assert all(len(passage.x) <= 4 and passage.total == len(data.train[number]) for passage in passages)
            assert torch.equal(torch.cat([passage.x for passage in passages]), data.train[number])
        assert sorted(found) == list(range(len(data.train)))
        assert sum(p.symbols for ps in found.values() for p in ps) == sum(len(x) + 1 for x in data.train)
        epochs.append([[passage.start for passage in found[number]] for number in sorted(found)])
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("variant", ["af-scf", "iaf-scf", "lstm"])
def test_a_passage_that_is_the_whole_sequence_has_the_same_bound(variant: str) -> None:
    model = tiny_model(variant)
    x = (torch.rand(6, 2, model.config.vocab_size) < 0.2).float()
    lengths = torch.tensor([6, 4])
    plain, placed = (
        model(x, lengths, 1, torch.Generator().manual_seed(0), place)
        for place in (None, Place(torch.zeros(2, dtype=torch.int64), lengths))
    )
    assert torch.equal(plain.log_px, placed.log_px) and torch.equal(plain.kl, placed.kl)
    moved = model(x, lengths, 1, torch.Generator().manual_seed(0), Place(torch.ones(2, dtype=torch.int64), lengths + 3))
    assert not torch.equal(plain.log_px, moved.log_px)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_shards_share_a_batch_out_completely(processes: int) -> None:
    passages = BatchPlan(text_data().train, 5, seed=0).batch(0)
    shards = [shard(passages, rank, processes) for rank in range(processes)]
    assert sum(int((batch.lengths + 1).sum()) for batch, _, _ in shards) == symbol_count(passages)
    assert all(weight == 1.0 for _, _, weight in shards)


def test_a_process_without_sequences_counts_for_nothing() -> None:
    batch, _, weight = shard(BatchPlan(text_data().train, 2, seed=0).batch(0), 2, 3)
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
