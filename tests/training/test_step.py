"""What one training step computes, and what it does with what is not finite."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_runs import (
    events_of,
    run,
    steps,
    text_data,
    tiny_config,
    tiny_model_config,
)

from lnf_core.data import collate
from lnf_core.errors import TrainingError
from lnf_core.training import Event, FinishedEvent, StepEvent, Trainer
from lnf_core.training.batches import BatchPlan, derive_generator
from lnf_core.training.schedule import learning_rate


def test_step_terms_are_those_of_the_model(tmp_path: Path) -> None:
    data = text_data(train=8)
    config = tiny_config("af-scf", data, max_steps=1, model=tiny_model_config("af-scf", data, dropout=0.0))
    trainer = Trainer(config, data, tmp_path, device="cpu")
    with torch.no_grad():
        batch = collate([passage.x for passage in BatchPlan(data.train, 8, seed=0).batch(0)])
        elbo = trainer.model.elbo(batch.x, batch.lengths, 1, derive_generator(0, "posterior", 0, 0))
    symbols = sum(len(sequence) + 1 for sequence in data.train)
    trainer.run()
    (row,) = events_of(tmp_path)
    assert row["reconstruction"] == pytest.approx(-elbo.log_px.sum().item() / symbols, rel=1e-5)
    assert row["kl"] == pytest.approx(elbo.kl.sum().item() / symbols, rel=1e-4)


@pytest.mark.parametrize("variant", ["lstm", "af-scf"])
def test_dropout_and_the_draws_of_z_are_other_ones_at_every_step(tmp_path: Path, variant: str) -> None:
    """One sequence and weights that stand still: the baseline's losses differ by dropout alone, the flow's by z."""
    data = text_data(train=1)
    dropped = 0.5 if variant == "lstm" else 0.0
    config = tiny_config(
        variant,
        data,
        max_steps=3,
        learning_rate=1e-12,
        model=tiny_model_config(variant, data, dropout=dropped),
    )
    Trainer(config, data, tmp_path, device="cpu").run()
    assert len({round(row["reconstruction"], 4) for row in events_of(tmp_path)}) == 3


@pytest.mark.parametrize(("samples", "weight"), [(1, 1.0), (1, 0.3), (3, 0.3)])
def test_a_step_follows_the_gradient_of_the_weighted_bound(tmp_path: Path, samples: int, weight: float) -> None:
    """Mean over K, sum over steps, KL times its weight: the norm of the gradient knows each of them."""
    data = text_data(train=8)
    config = tiny_config(
        "af-scf",
        data,
        max_steps=1,
        posterior_samples=samples,
        kl_floor=weight,
        kl_zero_steps=5,
        model=tiny_model_config("af-scf", data, dropout=0.0),
    )
    trainer = Trainer(config, data, tmp_path, device="cpu")
    batch = collate([passage.x for passage in BatchPlan(data.train, 8, seed=0).batch(0)])
    model = copy.deepcopy(trainer.model)
    posterior = model.encode(batch.x, batch.lengths)
    noise = posterior.noise(samples, derive_generator(0, "posterior", 0, 0))
    loss = torch.zeros(())
    for k in range(samples):
        elbo = model.elbo_at(batch.x, batch.lengths, posterior, noise[k : k + 1])
        loss = loss + (weight * elbo.kl.sum() - elbo.log_px.sum()) / samples
    loss = loss / sum(len(sequence) + 1 for sequence in data.train)
    loss.backward()
    norm = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm()
    trainer.run()
    (row,) = events_of(tmp_path)
    assert row["kl_weight"] == pytest.approx(weight)
    assert row["loss"] == pytest.approx(float(loss), rel=1e-4)
    assert row["grad_norm"] == pytest.approx(float(norm), rel=1e-3)


def test_weights_move_as_adamw_moves_them_by_the_clipped_gradient(tmp_path: Path) -> None:
    data = text_data(train=8)
    config = tiny_config(
        "lstm",
        data,
        max_steps=4,
        max_epochs=4,
        grad_clip=0.05,
        weight_decay=0.3,
        betas=(0.5, 0.7),
        model=tiny_model_config("lstm", data, dropout=0.0),
    )
    trainer = Trainer(config, data, tmp_path, device="cpu")
    model = copy.deepcopy(trainer.model)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.5, 0.7), weight_decay=0.3)
    norms = []
    for step in range(4):
        batch = collate([passage.x for passage in BatchPlan(data.train, 8, seed=0).batch(step)])
        optimizer.zero_grad()
        (-model.elbo(batch.x, batch.lengths).log_px.sum() / (batch.lengths + 1).sum()).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)))
        rate = learning_rate(step, 4, peak=2e-2, warmup=3, schedule="cosine", floor=config.lr_floor)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    trainer.run()
    assert min(norms) > 0.05 and [row["grad_norm"] for row in events_of(tmp_path)] == pytest.approx(norms, rel=1e-3)
    for found, expected in zip(trainer.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("bfloat16")
def test_bfloat16_follows_float32_closely(tmp_path: Path) -> None:
    full, half = (steps(run(tmp_path / precision, precision=precision, max_epochs=2)) for precision in ("fp32", "bf16"))
    assert full[0].loss != half[0].loss
    for one, other in zip(full, half, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=0.05)


def test_a_loss_that_is_not_finite_names_step_and_terms(tmp_path: Path) -> None:
    data = text_data()
    trainer = Trainer(tiny_config("af-scf", data), data, tmp_path, device="cpu")

    def break_at_three(event: Event) -> None:
        if isinstance(event, StepEvent) and event.step == 3:
            with torch.no_grad():
                next(iter(trainer.model.parameters())).fill_(math.nan)

    trainer._callbacks.append(break_at_three)
    with pytest.raises(TrainingError, match=r"step 4 is not finite: reconstruction nan, kl nan, loss nan"):
        trainer.run()
    assert len(events_of(tmp_path)) == 3


def test_what_to_do_about_a_run_that_is_not_finite_can_be_done(tmp_path: Path) -> None:
    data = text_data()
    trainer = Trainer(tiny_config("lstm", data, valid_every=2), data, tmp_path / "first", device="cpu")
    trainer.model.register_forward_hook(lambda _model, _x, terms: replace(terms, log_px=terms.log_px * math.inf))
    with pytest.raises(TrainingError, match=r"step 1 .* start another one .*start_from=OUT/best"):
        trainer.run()
    with pytest.raises(TrainingError, match=r"the validation is not finite.*start_from=OUT/best"):
        trainer._validate()
    run(tmp_path / "first", "lstm", max_steps=2)
    again = {"start_from": str(tmp_path / "first" / "best"), "learning_rate": 1e-3, "grad_clip": 0.1, "max_steps": 2}
    assert isinstance(run(tmp_path / "second", "lstm", **again)[-1], FinishedEvent)


def test_a_gradient_that_is_not_finite_names_its_parameter(tmp_path: Path) -> None:
    data = text_data()
    trainer = Trainer(tiny_config("lstm", data), data, tmp_path, device="cpu")
    name, parameter = next(iter(trainer.model.named_parameters()))
    parameter.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match=rf"gradient norm (nan|inf).*gradients of {name}"):
        trainer.run()
