"""Validation against its definition: sums over the whole split, divided by ``sum(T + 1)``."""

from __future__ import annotations

import pytest
import torch
from tiny_models import tiny_model
from training_runs import text_data

from lnf_core.data import batch_indices, collate
from lnf_core.training.batches import derive_generator
from lnf_core.training.runtime import make_accelerator
from lnf_core.training.validation import Validator


@torch.no_grad()
def test_the_terms_are_those_of_every_sequence_a_symbol() -> None:
    sequences = text_data().valid
    model = tiny_model("af-scf", "text")
    model.train()
    found = Validator(sequences, 3, batches=0, seed=5)(model, make_accelerator("cpu", "fp32", 3))
    assert model.training  # as it was
    model.eval()
    reconstruction = kl = length = 0.0
    for number, batch in enumerate(batch_indices([len(sequence) for sequence in sequences], 3)):
        data = collate([sequences[index] for index in batch])
        elbo = model.elbo(data.x, data.lengths, 1, derive_generator(5, "validation", number))
        reconstruction -= float(elbo.log_px.double().sum())
        kl += float(elbo.kl.double().sum())
        length -= float(elbo.log_p_length.double().sum())
    symbols = sum(len(sequence) + 1 for sequence in sequences)
    assert found.reconstruction == pytest.approx(reconstruction / symbols, rel=1e-6)
    assert found.kl == pytest.approx(kl / symbols, rel=1e-6)
    assert found.negative_elbo == pytest.approx((reconstruction + kl + length) / symbols, rel=1e-6)
