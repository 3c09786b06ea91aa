from __future__ import annotations

from pathlib import Path

import pytest
import torch

import lnf_core
from lnf_core.analysis.keys import SHIFTS, KeySearch, likeliest_key
from lnf_core.config import BaselineConfig, Likelihood
from lnf_core.data import load_dataset
from lnf_core.errors import InvalidInputError
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.latent_flow import LatentFlow


@pytest.fixture(scope="module")
def model() -> LatentFlow:
    found = lnf_core.load("jsb/af-scf").model
    assert isinstance(found, LatentFlow)
    return found


def test_chorales_come_back_to_their_key(data_root: Path) -> None:
    model = lnf_core.load("jsb/af-scf-affine").model  # of all JSB flows it knows best which key it is measured in
    pieces = load_dataset("jsb", data_root).valid[:20]
    back = []
    for piece, moved in zip(pieces, (0, -5) * 10, strict=True):
        search = likeliest_key(model, piece[:32].roll(moved, 1), generator=torch.Generator().manual_seed(0))
        back.append(search.shifts[search.best] == -moved)
        assert len(search.shifts) == len(search.rolls) == len(search.log_likelihoods) <= len(SHIFTS)
        torch.testing.assert_close(search.rolls[search.shifts.index(0)], piece[:32].roll(moved, 1))
    assert sum(back[::2]) >= 7 and sum(back[1::2]) >= 7  # some begin in a neighbouring key


def test_a_piece_stays_where_no_key_is_clearly_likelier() -> None:
    rolls = (torch.zeros(10, 88),) * 3
    for gain, best in ((0.0, 1), (1.9, 1), (2.1, 2)):
        assert KeySearch((-1, 0, 1), torch.tensor([-60.0, -50.0, gain - 50.0], dtype=torch.float64), rolls).best == best


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


@pytest.mark.parametrize(("width", "likelihood"), [(40, "bernoulli"), (90, "bernoulli"), (88, "categorical")])
def test_models_of_no_piano_have_no_key(width: int, likelihood: Likelihood) -> None:
    """In a roll of 40 keys, the last one moved up a semitone would have come back as the first."""
    config = BaselineConfig(width, likelihood, max_length=8, embedding_size=2, hidden_size=2)
    model = LSTMBaseline(config, torch.ones(9))
    x = torch.zeros(3, width) if likelihood == "bernoulli" else torch.zeros(3, dtype=torch.int64)
    with pytest.raises(InvalidInputError, match=r"give \[T, 88\]"):
        likeliest_key(model, x)


def test_the_papers_silent_output_stays_where_it_is() -> None:
    config = BaselineConfig(89, "bernoulli", max_length=8, embedding_size=2, hidden_size=2)
    roll = torch.zeros(3, 89)
    roll[:, [1, 2]] = 1.0  # the two lowest keys
    search = likeliest_key(LSTMBaseline(config, torch.ones(9)), roll)
    assert search.shifts == SHIFTS[6:]
    for shift, moved in zip(search.shifts, search.rolls, strict=True):
        assert moved[0].nonzero().flatten().tolist() == [1 + shift, 2 + shift]
