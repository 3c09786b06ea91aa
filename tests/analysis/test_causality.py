"""What the noise of one step reaches: the zeros the flow over time promises, and the reach it does not forbid."""

from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_model
from torch import Tensor

from lnf_core.analysis.causality import MAX_DIRECTIONS, Influence, influence
from lnf_core.errors import EngineError, InvalidInputError
from lnf_core.models.latent_flow import LatentFlow

LENGTHS = torch.tensor([9, 6])
STEP = 3
AF = ["af-af", "af-scf", "af-only", "af-scf-affine"]
IAF = ["iaf-scf", "iaf-scf-affine"]
NONE = ["hidden-flow-only", "hidden-flow-only-affine"]


def flow(variant: str, domain: str = "music") -> LatentFlow:
    model = tiny_model(variant, domain)
    assert isinstance(model, LatentFlow)
    model.double()  # untrained nets hardly listen to their context: what reaches far is small
    return model


def noise(seed: int = 0) -> Tensor:
    return torch.randn(9, 2, 4, generator=seeded(seed), dtype=torch.float64)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def measured(variant: str, step: int = STEP, **arguments: object) -> Influence:
    return influence(flow(variant), noise(), LENGTHS, step, generator=seeded(), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("variant", AF + IAF)
@pytest.mark.parametrize("step", [0, 3, 5])
def test_z_before_the_step_stands_still_and_z_after_it_moves(variant: str, step: int) -> None:
    # Several draws: the four rectified units of a tiny prior may all be silent at one step of one of them.
    reach = torch.stack(
        [influence(flow(variant), noise(seed), LENGTHS, step, size=2.0, generator=seeded()).z for seed in range(6)]
    )
    assert (reach[:, :step] == 0.0).all()
    assert (reach[:, step] > 0.0).all()
    assert (reach.mean(0)[step:, 0] > 0.0).all()
    assert (reach.mean(0)[step:6, 1] > 0.0).all()


@pytest.mark.parametrize("variant", NONE)
@pytest.mark.parametrize("step", [0, 3, 5])
def test_without_time_context_only_z_of_the_step_moves(variant: str, step: int) -> None:
    moved = measured(variant, step).z > 0.0
    assert moved[step].all()
    assert moved.sum() == len(LENGTHS)


@pytest.mark.parametrize("variant", AF + IAF + NONE)
@pytest.mark.parametrize("domain", ["music", "text"])
def test_the_decoder_spreads_both_ways_up_to_the_end_of_each_sequence(variant: str, domain: str) -> None:
    found = influence(flow(variant, domain), noise(), LENGTHS, STEP, size=3.0, generator=seeded())
    for index, length in enumerate(LENGTHS):
        assert (found.probabilities[:length, index] > 0.0).all()
        assert (found.probabilities[length:, index] == 0.0).all()
        assert (found.z[length:, index] == 0.0).all()


def test_the_numbers_are_the_mean_absolute_changes_of_one_push() -> None:
    model, eps, size = flow("af-scf"), noise(), 0.7
    found = influence(model, eps, LENGTHS, STEP, size=size, directions=1, generator=seeded(), engine="eager")
    drawn = torch.randn(2, 4, generator=seeded(), dtype=torch.float64)
    changed = eps.clone()
    changed[STEP] += size * drawn / drawn.norm(dim=-1, keepdim=True)
    before, after = (model.from_noise(each, LENGTHS, argmax=True, engine="eager") for each in (eps, changed))
    assert before.z is not None and after.z is not None
    torch.testing.assert_close(found.z, (after.z - before.z).abs().mean(-1))
    torch.testing.assert_close(found.probabilities, (after.probabilities - before.probabilities).abs().mean(-1))


def test_directions_are_averaged_each_sequence_by_its_own() -> None:
    model, eps = flow("hidden-flow-only"), noise()
    found = influence(model, eps, LENGTHS, STEP, directions=3, generator=seeded())
    drawn = torch.randn(6, 4, generator=seeded(), dtype=torch.float64)
    directions = (drawn / drawn.norm(dim=-1, keepdim=True)).reshape(2, 3, 4)
    changes = []
    for which in range(3):
        changed = eps.clone()
        changed[STEP] += directions[:, which]
        z = [model.from_noise(each, LENGTHS, argmax=True).z for each in (eps, changed)]
        assert z[0] is not None and z[1] is not None
        changes.append((z[1] - z[0]).abs().mean(-1))
    torch.testing.assert_close(found.z, torch.stack(changes).mean(0))


def test_a_larger_change_reaches_further_and_the_draw_is_the_generators() -> None:
    near, far = measured("af-scf", size=0.01), measured("af-scf", size=1.0)
    assert (far.z[STEP] > 10.0 * near.z[STEP]).all()
    assert torch.equal(far.z, measured("af-scf", size=1.0).z)
    assert (far.step, far.size) == (STEP, 1.0)


def test_other_engines_find_the_same() -> None:
    eager = measured("af-scf", engine="eager")
    torch.testing.assert_close(measured("af-scf", engine="jacobi").z, eager.z, atol=1e-4, rtol=1e-3)
    with pytest.raises(EngineError, match="no engine 'abacus'"):
        measured("af-scf", engine="abacus")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 6}, "step is 6; give a whole number from 0 to 5"),  # the second sequence has six steps
        ({"step": -1}, "step is -1"),
        ({"step": 1.0}, "step is 1.0"),
        ({"size": 0.0}, "size is 0.0; give a finite number above 0"),
        ({"size": float("inf")}, "size is inf"),
        ({"directions": 0}, "directions is 0"),
        ({"directions": MAX_DIRECTIONS + 1}, f"1 to {MAX_DIRECTIONS}"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        measured("af-scf", **arguments)  # type: ignore[arg-type]


def test_noise_that_does_not_fit() -> None:
    with pytest.raises(InvalidInputError, match="the latents have shape"):
        influence(flow("af-scf"), noise()[..., :3], LENGTHS, 0)
