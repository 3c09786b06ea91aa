"""The averaged weights against a loop written out, and their stay in the module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lnf_core.training.ema import WeightAverage


def test_average_is_the_written_out_recursion() -> None:
    module = nn.Linear(3, 2)
    average = WeightAverage(module, decay=0.6)
    expected = module.weight.detach().clone()
    generator = torch.Generator().manual_seed(0)
    for update in range(1, 30):
        with torch.no_grad():
            module.weight.copy_(torch.randn(2, 3, generator=generator))
        average.update()
        decay = min(0.6, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * module.weight.detach()
    assert torch.allclose(average.values["weight"], expected, atol=1e-6)


def test_the_initial_weights_are_soon_forgotten() -> None:
    module = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(1000.0)
    average = WeightAverage(module, decay=0.999)
    with torch.no_grad():
        module.weight.fill_(1.0)
    for _ in range(40):
        average.update()
    assert average.values["weight"].item() == pytest.approx(1.0, abs=0.01)


def test_applied_gives_the_weights_back_even_after_an_error() -> None:
    module = nn.Linear(2, 2)
    average = WeightAverage(module, decay=0.9)
    with torch.no_grad():
        module.weight.add_(1.0)
    own, averaged = module.weight.detach().clone(), average.values["weight"].clone()
    with pytest.raises(KeyError), average.applied():
        assert torch.equal(module.weight, averaged)
        raise KeyError
    assert torch.equal(module.weight, own)
    assert torch.equal(average.values["weight"], averaged)


def test_a_loaded_average_goes_on_as_the_saved_one() -> None:
    module = nn.Linear(2, 2)
    first, second = WeightAverage(module, 0.99), WeightAverage(module, 0.99)
    for _ in range(5):
        with torch.no_grad():
            module.weight.add_(0.5)
        first.update()
    second.load({name: value.clone() for name, value in first.values.items()}, first.updates)
    with torch.no_grad():
        module.weight.mul_(2.0)
    first.update()
    second.update()
    assert torch.equal(first.values["weight"], second.values["weight"])


def test_decay_zero_is_the_raw_weights() -> None:
    module = nn.Linear(2, 2)
    average = WeightAverage(module, 0.0)
    with torch.no_grad():
        module.weight.mul_(3.0)
    average.update()
    assert torch.allclose(average.values["weight"], module.weight)
