from __future__ import annotations

from pathlib import Path

import pytest
import torch

import lnf_core
from lnf_core.analysis.keys import SHIFTS, likeliest_key
from lnf_core.data import load_dataset
from lnf_core.errors import InvalidInputError
from lnf_core.models.latent_flow import LatentFlow


@pytest.fixture(scope="module")
def model() -> LatentFlow:
    found = lnf_core.load("jsb/af-scf").model
    assert isinstance(found, LatentFlow)
    return found


@pytest.mark.parametrize("moved", [-5, 0])
def test_chorales_come_back_to_their_key(model: LatentFlow, data_root: Path, moved: int) -> None:
    pieces = load_dataset("jsb", data_root).valid[:20]
    found = []
    for piece in pieces:
        search = likeliest_key(model, piece[:32].roll(moved, 1), generator=torch.Generator().manual_seed(0))
        found.append(search.shifts[search.best])
        assert len(search.shifts) == len(search.rolls) == len(search.log_likelihoods) <= len(SHIFTS)
        torch.testing.assert_close(search.rolls[search.shifts.index(0)], piece[:32].roll(moved, 1))
    assert sum(shift == -moved for shift in found) >= 14  # some begin in a neighbouring key


def test_no_note_leaves_the_keyboard(model: LatentFlow) -> None:
    roll = torch.zeros(4, 88)
    roll[:, [0, 87]] = 1.0
    assert likeliest_key(model, roll).shifts == (0,)
    roll[:, 0] = 0.0
    search = likeliest_key(model, roll)
    assert search.shifts == SHIFTS[:7] and all(int(moved.sum()) == 4 for moved in search.rolls)


def test_what_is_no_roll_is_refused(model: LatentFlow) -> None:
    for wrong in (torch.zeros(0, 88), torch.zeros(3, 40), torch.full((2, 88), 0.5)):
        with pytest.raises(InvalidInputError):
            likeliest_key(model, wrong)
