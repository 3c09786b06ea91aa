from __future__ import annotations

import math

import pytest
import torch

from lnf_core.training.collapse import STEPS, Walk, Watched, _Adam


def test_the_entropy_is_that_of_the_source() -> None:
    """Against the entropy counted from many sequences of a source small enough to count."""
    source = Walk(symbols=3, length=3, follows=0.7)
    x = source.sample(400_000, torch.Generator().manual_seed(0))
    counts = torch.bincount((x * torch.tensor([9, 3, 1])[:, None]).sum(0), minlength=27).double()
    share = counts / counts.sum()
    assert -float(torch.special.xlogy(share, share).sum()) / 3 == pytest.approx(source.entropy, abs=2e-3)
    assert source.unconditional == pytest.approx(math.log(3))
    assert Walk(symbols=3, length=3, follows=1.0).entropy == pytest.approx(math.log(3) / 3)  # only where it begins


@pytest.mark.slow
def test_annealing_keeps_what_full_price_loses() -> None:
    ends = {}
    for annealed in (True, False):
        run = Watched(annealed, seed=4, steps=STEPS if annealed else STEPS // 2)  # what is lost is lost at once
        moments = list(run.run())
        assert [moment.step for moment in moments] == list(range(1, run.steps + 1)) and moments[-1].kl_weight == 1.0
        last = moments[-40:]
        ends[annealed] = tuple(sum(getattr(m, name) for m in last) / 40 for name in ("reconstruction", "kl"))
        x = run.write(64)
        follows = ((x[1:] - x[:-1]) % 8 == 1).double().mean()
        assert (float(follows) > 0.6) is annealed
    source = Walk()
    assert source.entropy < sum(ends[True]) < source.entropy + 0.35 and ends[True][1] > 0.5
    assert ends[False][1] < 0.02 and ends[False][0] == pytest.approx(source.unconditional, abs=0.02)


def test_the_seed_decides_and_nobody_else_s_numbers_are_used() -> None:
    before = torch.random.get_rng_state()
    first, again, other = ([m.kl for m in Watched(True, seed, 6).run()] for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), before)


def test_its_optimiser_is_adam() -> None:
    generator, ends = torch.Generator().manual_seed(0), []
    targets = torch.randn(6, 3, generator=generator)
    for optimiser in (lambda weights: torch.optim.Adam(weights, lr=1e-2), lambda weights: _Adam(weights, rate=1e-2)):
        weights = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.zeros(()))]
        chosen = optimiser(weights)
        for target in targets:
            for weight in weights:
                weight.grad = None
            (weights[0] * target + weights[1]).square().sum().backward()
            chosen.step()
        ends.append(torch.cat([weights[0], weights[1][None]]).detach())
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-6, atol=1e-7)
    assert not torch.allclose(ends[0], torch.tensor([1.0, 1.0, 1.0, 0.0]), atol=0.02)
