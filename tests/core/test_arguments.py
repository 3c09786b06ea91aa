"""Arguments: what is refused in words, and in which forms the rest may come."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small import random_x, small_flow, small_model

from lnf_core.config import LatentFlowConfig, Likelihood
from lnf_core.errors import ConfigError, InvalidInputError
from lnf_core.models.build import build_model


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


Call = Callable[[Any], object]
BAD_LENGTHS = (0, -3, 10, 10**30, 2.5, True, [], [2.5], [True], [4, 0], [10**30], [[2], [3, 4]], "long")
PREFIX = torch.tensor([1, 2])
BAD: dict[str, Call] = {
    **{
        f"temperature {t}": (lambda m, t=t: m.sample(1, 3, temperature=t))
        for t in (math.nan, -1.0, 0.0, math.inf, 11.0, True)
    },
    "temperature text": lambda m: m.sample(1, 3, temperature="hot"),
    **{f"count {c}": (lambda m, c=c: m.sample(c, 3)) for c in (0, -1, 10**9, 2.5, True)},
    **{f"length {n}": (lambda m, n=n: m.sample(1, n)) for n in BAD_LENGTHS},
    "count and lengths": lambda m: m.sample(3, [2, 2]),
    **{f"total {n}": (lambda m, n=n: m.continue_from(PREFIX, n)) for n in (None, 2.5, True, [5], "x", 2, 10, 10**30)},
    **{
        f"prefix {list(p.shape)}": (lambda m, p=p: m.continue_from(p, 5)) for p in (PREFIX[0], PREFIX[None], PREFIX[:0])
    },
    "prefix out of vocabulary": lambda m: m.continue_from(PREFIX + 5, 5),
    "prefix of floats": lambda m: m.continue_from(PREFIX.float(), 5),
    "continuations": lambda m: m.continue_from(PREFIX, 5, 0),
    "temperature of a continuation": lambda m: m.continue_from(PREFIX, 5, temperature=math.nan),
    "samples": lambda m: m.elbo(random_x(m, torch.tensor([3])), torch.tensor([3]), 0),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("variant", ["af-scf", "iaf-scf", "lstm"])
def test_bad_arguments_are_refused_in_words(variant: str, call: Call) -> None:
    with pytest.raises(InvalidInputError) as caught:
        call(small_model(variant, "categorical"))
    assert str(caught.value).endswith((".", ")."))


X = torch.zeros(4, 2, dtype=torch.int64)
TWO = torch.tensor([4, 2])


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
@pytest.mark.parametrize(
    ("likelihood", "x", "lengths"),
    [
        ("categorical", X + 5, TWO),  # a symbol outside the vocabulary
        ("categorical", X - 1, TWO),
        ("categorical", X.float(), TWO),
        ("categorical", X[None], TWO),
        ("categorical", X, torch.tensor([5, 2])),  # longer than x
        ("categorical", X, torch.tensor([4, 2, 1])),
        ("categorical", X, torch.tensor([4, 0])),
        ("categorical", X, torch.tensor([4.0, 2.0])),
        ("categorical", X.to(torch.uint16), TWO),  # torch computes with no such numbers
        ("categorical", X.to(torch.complex64), TWO),
        ("categorical", X, TWO.to(torch.complex64)),
        ("categorical", X.numpy(), TWO),
        ("bernoulli", torch.zeros(4, 2, 5).to(torch.complex64), TWO),
        ("bernoulli", torch.full((4, 2, 5), 0.5), TWO),
        ("bernoulli", torch.full((4, 2, 5), math.nan), TWO),
        ("bernoulli", torch.zeros(4, 2, 88), TWO),  # keys the model does not have
    ],
)
def test_bad_batches_are_refused(variant: str, likelihood: Likelihood, x: torch.Tensor, lengths: torch.Tensor) -> None:
    model = small_model(variant, likelihood)
    for call in (model.elbo, model.log_likelihood):
        with pytest.raises(InvalidInputError):
            call(x, lengths)
    with pytest.raises(InvalidInputError, match="samples"):
        model.bound(random_x(model, TWO), TWO, 0)


@pytest.mark.parametrize("method", ["decode", "invert", "from_noise"])
@pytest.mark.parametrize("shape", [(4, 2, 4), (3, 2, 3), (4, 3, 3), (4, 3)])
def test_latents_of_another_shape_are_refused(method: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="shape"):
        getattr(small_flow("af-scf", "categorical"), method)(torch.zeros(shape), TWO)


@pytest.mark.parametrize("method", ["decode", "invert", "from_noise", "to_noise", "log_prior"])
def test_latents_of_another_precision_or_not_finite_are_refused(method: str) -> None:
    call = getattr(small_flow("af-scf", "categorical"), method)
    with pytest.raises(InvalidInputError, match=r"float64 and the model computes in torch\.float32"):
        call(torch.zeros(4, 2, 3, dtype=torch.float64), TWO)
    z = torch.zeros(4, 2, 3)
    z[1, 1, 0] = math.nan
    with pytest.raises(InvalidInputError, match="NaN"):
        call(z, TWO)
    call(z.index_fill(0, torch.tensor([1]), 0.0), TWO)
    z = torch.zeros(4, 2, 3)
    z[2:, 1] = math.inf  # beyond the second sequence's end: padding may hold anything
    call(z, TWO)


def test_arguments_that_do_not_belong_together_are_refused() -> None:
    model = small_flow("af-scf", "categorical")
    x = random_x(model, TWO)
    for totals in (torch.tensor([99, 99]), torch.tensor([4, 1]), torch.tensor([9])):
        with pytest.raises(InvalidInputError):
            model.encode(x, TWO, totals)
    model.encode(x, TWO, torch.tensor([9, 2]))
    with pytest.raises(InvalidInputError, match="x has 4 steps and z 5"):
        model.log_emission(x, torch.zeros(5, 2, 3), TWO)
    with pytest.raises(InvalidInputError, match=r"the prefix is of type str; give a torch\.Tensor"):
        model.continue_from("the company ", 60)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="the latent sequence is of type ndarray"):
        model.decode(torch.zeros(4, 2, 3).numpy(), TWO)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="must be a tensor"):
        model.log_prior(torch.zeros(4, 2, 3), [4, 2])  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="ask for 4 steps or more and 2 sequences"):
        model.elbo(x[:, :1], TWO)


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_whole_numbers_may_be_numpys(variant: str) -> None:
    model = small_model(variant, "categorical")
    drawn = model.sample(np.int64(2), np.int32(4), generator=generator())
    assert torch.equal(drawn.x, model.sample(2, 4, generator=generator()).x)
    assert model.continue_from(drawn.sequence(0), np.int64(6), np.int64(1)).lengths.tolist() == [6]


@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
@pytest.mark.parametrize(
    ("likelihood", "dtype"),
    [
        ("categorical", torch.uint8),
        ("categorical", torch.int32),
        ("bernoulli", torch.bool),
        ("bernoulli", torch.uint8),
        ("bernoulli", torch.float64),
    ],
)
def test_symbols_and_rolls_may_come_in_any_sensible_dtype(
    variant: str, likelihood: Likelihood, dtype: torch.dtype
) -> None:
    model = small_model(variant, likelihood)
    x = random_x(model, TWO)
    expected, found = (model.log_likelihood(y, TWO, 2, generator()) for y in (x, x.to(dtype)))
    assert torch.equal(expected, found)
    assert model.continue_from(x[:2, 0].to(dtype), 4).x.shape[0] == 4


@pytest.mark.parametrize(
    "counts",
    [
        [1.0] * 3,
        [1.0] * 5,
        [[1.0] * 4],
        [3.0, 0, 0, 0],
        [0.0] * 4,
        [1, -1, 1, 1],
        [1, math.nan, 1, 1],
        [1, math.inf, 1, 1],
    ],
)
def test_a_histogram_that_gives_no_lengths_is_refused(counts: list[float]) -> None:
    config = LatentFlowConfig(2, "categorical", 3, embedding_size=2, hidden_size=2, latent_size=2, flow_hidden=2)
    with pytest.raises(ConfigError, match="length_counts"):
        build_model(config, torch.tensor(counts))
