"""Fixtures of the tests of the mathematics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """The processor, and a GPU where there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device(request.param)


@pytest.fixture(autouse=True)
def _repeatable_weights() -> Iterator[None]:
    """Modules draw their first weights from the global generator: pin it, and put it back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(20)
        yield
