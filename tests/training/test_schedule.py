"""Schedules against their closed forms."""

from __future__ import annotations

import itertools
import math

import pytest
from training_runs import text_data, tiny_config

from lnf_core.training.config import Ramp
from lnf_core.training.schedule import KLPlan, kl_weight, learning_rate, running_average
from lnf_core.training.state import Counters


def rates(total: int, **arguments: object) -> list[float]:
    known = {"peak": 2.0, "warmup": 4, "schedule": "cosine", "floor": 0.1} | arguments
    return [learning_rate(step, total, **known) for step in range(total + 1)]  # type: ignore[arg-type]


def test_warm_up_is_linear_and_never_zero() -> None:
    assert rates(20)[:4] == pytest.approx([0.5, 1.0, 1.5, 2.0])


def test_cosine_runs_from_peak_through_the_middle_to_the_floor() -> None:
    values = rates(24)
    assert values[4] == pytest.approx(2.0)
    assert values[14] == pytest.approx(2.0 * 0.55)  # half way between 1 and the floor
    assert values[24] == pytest.approx(0.2)
    assert all(later < earlier for earlier, later in itertools.pairwise(values[4:]))


def test_constant_stays_at_the_peak() -> None:
    assert set(rates(20, schedule="constant")[3:]) == {2.0}


def test_cosine_past_its_end_stays_at_the_floor() -> None:
    assert learning_rate(50, 10, peak=1.0, warmup=0, schedule="cosine", floor=0.25) == pytest.approx(0.25)


def test_warm_up_longer_than_the_run_does_not_divide_by_zero() -> None:
    assert rates(3, warmup=10) == pytest.approx([0.2, 0.4, 0.6, 0.8])


@pytest.mark.parametrize("ramp", ["linear", "geometric"])
@pytest.mark.parametrize("ceiling", [1.0, 0.05])
def test_kl_weight_rests_rises_and_is_exactly_its_ceiling(ramp: Ramp, ceiling: float) -> None:
    weights = [kl_weight(step, 10, ramp_steps=7, floor=1e-3, ceiling=ceiling, ramp=ramp) for step in range(30)]
    assert set(weights[:11]) == {1e-3}
    assert weights[10:18] == sorted(set(weights[10:18]))
    assert set(weights[17:]) == {ceiling}


def test_ramps_against_their_closed_forms() -> None:
    assert kl_weight(15, 10, ramp_steps=20, floor=0.2, ramp="linear") == pytest.approx(0.2 + 0.8 * 0.25)
    assert kl_weight(15, 10, ramp_steps=20, floor=0.01, ramp="geometric") == pytest.approx(
        math.exp(0.75 * math.log(0.01))
    )
    halfway = kl_weight(20, 10, ramp_steps=20, floor=0.01, ceiling=0.25, ramp="geometric")
    assert halfway == pytest.approx(math.sqrt(0.01 * 0.25))


def test_a_ramp_that_has_not_begun_stays_at_the_floor() -> None:
    assert kl_weight(10**6, None, ramp_steps=0, floor=1e-5) == 1e-5


def test_no_ramp_steps_jump_to_one() -> None:
    assert kl_weight(3, 3, ramp_steps=0, floor=1e-5) == 1.0


def test_epochs_and_steps_give_the_same_plan() -> None:
    data = text_data()
    epochs = tiny_config("af-scf", data, kl_zero_steps=0, kl_ramp_steps=0, kl_zero_epochs=2.0, kl_ramp_epochs=0.5)
    steps = tiny_config("af-scf", data, kl_zero_steps=20, kl_ramp_steps=5)
    assert KLPlan.of(epochs, 10) == KLPlan.of(steps, 10)


def test_the_ramp_waits_for_steps_and_for_reconstruction() -> None:
    plan = KLPlan(zero_steps=10, ramp_steps=5, floor=1e-5, ceiling=1.0, ramp="linear", wait_below=0.5)
    assert not plan.may_start(9, 0.1)
    assert not plan.may_start(10, 0.5)
    assert not plan.may_start(10, None)
    assert plan.may_start(10, 0.49)


def test_without_a_threshold_only_steps_count() -> None:
    plan = KLPlan(zero_steps=10, ramp_steps=5, floor=1e-5, ceiling=1.0, ramp="linear", wait_below=0.0)
    assert not plan.may_start(9, None)
    assert plan.may_start(10, 99.0)


def test_running_average_starts_at_its_first_value_and_forgets_it() -> None:
    average = running_average(None, 8.0)
    assert average == 8.0
    assert running_average(average, 0.0, decay=0.75) == 6.0
    assert running_average(average, 0.0) == 7.6  # what presets' thresholds of the reconstruction were found with


def test_validations_are_counted_from_the_best_and_from_the_last_cut() -> None:
    counters, seen = Counters(), []
    for step, value in enumerate([5.0, 5.0, 4.0, 4.5, 4.0, 4.5]):
        counters.step = step
        counters.count_validation(value, stall_patience=2)
        seen.append((counters.best_step, counters.since_best, counters.since_cut, counters.learning_rate_scale))
    assert seen == [(0, 0, 0, 1), (0, 1, 1, 1), (2, 0, 0, 1), (2, 1, 1, 1), (2, 2, 0, 0.25), (2, 3, 1, 0.25)]
    for _ in range(9):
        counters.count_validation(4.5, stall_patience=0)
    assert counters.learning_rate_scale == 0.25 and counters.since_best == 12
