"""The ``cuda_graph`` engine draws what ``eager`` draws.

On a GPU: ``pytest -m cuda``. Without one its kernels run in Triton's interpreter, where Triton is installed:
``TRITON_INTERPRET=1 pytest tests/engines/test_cuda_graph.py``.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import threading
from collections.abc import Callable

import pytest
import torch
from small import ALL, FLOWS, LIKELIHOODS, random_x, small_flow, small_model

from lnf_core import engines
from lnf_core.config import Likelihood
from lnf_core.errors import EngineError
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.models.results import Sample
from lnf_core.storage.bundled import list_checkpoints
from lnf_core.storage.find import load

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1" and importlib.util.find_spec("triton") is not None


@pytest.fixture(params=["interpreter", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    if request.param == "cuda":
        if not torch.cuda.is_available() or INTERPRETED:
            pytest.skip("no CUDA device")
        return torch.device("cuda")
    if not INTERPRETED:
        pytest.skip("needs TRITON_INTERPRET=1 and Triton")
    return torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampler_of(model: torch.nn.Module):  # noqa: ANN201 - of a flow or of the baseline
    """Past the registry, which rightly refuses a model on the CPU."""
    from lnf_core.engines.cuda_graph.engine import GraphEngine

    return GraphEngine().flow(model) if isinstance(model, LatentFlow) else GraphEngine().baseline(model)  # type: ignore[arg-type]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
def test_the_same_noise_gives_the_same_sample(variant: str, likelihood: Likelihood, device: torch.device) -> None:
    sizes = {} if variant == "lstm" else {"latent_size": 5, "flow_hidden": 12}
    model = small_model(variant, likelihood, **sizes).to(device)
    sampler = sampler_of(model)
    lengths = torch.tensor([3, 1] if INTERPRETED else [9, 4, 1, 7])
    for argmax in (True, False):
        plain = model.sample(len(lengths), lengths, argmax=argmax, generator=generator(), engine="eager")
        fast = model.sample(len(lengths), lengths, argmax=argmax, generator=generator(), engine=sampler)
        assert fast.engine == "cuda_graph"
        assert fast.dependent_steps == plain.dependent_steps
        assert torch.equal(plain.x, fast.x)
        torch.testing.assert_close(fast.probabilities, plain.probabilities, atol=1e-5, rtol=1e-4)
        if plain.z is not None:
            torch.testing.assert_close(fast.z, plain.z, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("variant", FLOWS)
@pytest.mark.parametrize("sizes", [(2, 1), (3, 8), (6, 3), (7, 7), (8, 30)])
def test_a_stack_of_any_size_finds_the_noise_it_came_from(
    variant: str, sizes: tuple[int, int], device: torch.device
) -> None:
    from lnf_core.engines.cuda_graph.stack import pack_stack

    size, hidden = sizes
    layers = 1 if variant.startswith("af-only") else 2
    model = small_flow(variant, "categorical", latent_size=size, flow_hidden=hidden, flow_layers=layers).to(device)
    exact = copy.deepcopy(model).double().prior.stack
    width = model.prior.context.hidden if model.prior.context else model.positions.size
    eps, context = 2.0 * torch.randn(3, size, generator=generator()), torch.randn(3, width, generator=generator(1))
    eps, context = eps.to(device), context.to(device)
    longer = torch.full((3, size + 2), 7.0, device=device)
    with torch.no_grad():
        z = pack_stack(model.prior.stack).invert(eps, context, longer[:, :size])
        expected, _ = exact.inverse(eps.double(), context.double(), None)
    assert (longer[:, size:] == 7.0).all()  # z may be a part of longer rows, whose rest stays
    torch.testing.assert_close(z.double(), expected, atol=1e-4, rtol=1e-4)


def test_the_inverse_transform_is_exact_where_it_bends_most_and_far_away(device: torch.device) -> None:
    from lnf_core.engines.cuda_graph.stack import pack_stack
    from lnf_core.transforms.nlsq import NLSq

    size, rows = 64, 8 if INTERPRETED else 4000
    model = small_flow("af-only", "categorical", latent_size=size, flow_layers=1).to(device)
    (layer,) = model.prior.stack.layers
    scale = torch.tensor([5.0, 3.0, 8.0, 3.0, 20.0], dtype=torch.float64)
    parameters = (torch.randn(size, 5, generator=generator(), dtype=torch.float64) * scale).to(device)
    value = torch.randn(rows, size, generator=generator(1), dtype=torch.float64) * 10.0 ** torch.linspace(-3, 5, size)
    with torch.no_grad():
        layer.net.weight.zero_()  # type: ignore[union-attr]
        layer.net.bias.copy_(parameters.flatten())  # type: ignore[union-attr, operator]
        parameters = layer.net.bias.unflatten(0, (size, 5)).double()  # type: ignore[union-attr, operator]
        eps = value.float().to(device)
        context = torch.zeros(rows, layer.net.in_features, device=device)  # type: ignore[union-attr, arg-type]
        z = pack_stack(model.prior.stack).invert(eps, context, torch.empty_like(eps)).double()
        back, log_slope = NLSq().forward(z, parameters.expand(rows, -1, -1))
    # What rounding eps, s and w to float32 does to eps, told by its slope.
    rounding = 1e-6 * (1.0 + eps.abs() + parameters[:, 0].abs() + log_slope.exp() * (1.0 + z.abs()))
    rounding = rounding + 1e-6 * torch.exp(0.4 * (parameters[:, 1] - parameters[:, 3])) * (1.0 + parameters[:, 4].abs())
    assert ((back - eps).abs() <= 4.0 * rounding).all()


@pytest.mark.parametrize("variant", ["af-af", "af-scf", "lstm"])
def test_a_sampler_serves_any_batch_and_forgets_the_last_one(variant: str, device: torch.device) -> None:
    model = small_model(variant, "categorical").to(device)
    sampler = sampler_of(model)
    sizes = [(2, 3), (1, 2)] if INTERPRETED else [(4, 9), (1, 9), (4, 3), (7, 8), (1, 1)]
    for count, length in sizes * 2:
        plain = model.sample(count, length, generator=generator(count), engine="eager")
        fast = model.sample(count, length, generator=generator(count), engine=sampler)
        assert torch.equal(plain.x, fast.x)
        torch.testing.assert_close(fast.probabilities, plain.probabilities, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", ["af-af", "af-scf", "iaf-scf", "lstm"])
def test_a_beginning_is_continued_alike(variant: str, device: torch.device) -> None:
    model = small_model(variant, "bernoulli").to(device)
    prefix = random_x(small_model(variant, "bernoulli"), torch.tensor([2]))[:, 0].to(device)
    length, sampler = (4 if INTERPRETED else 9), sampler_of(model)
    plain = model.continue_from(prefix, length, 2, generator=generator(), engine="eager")
    fast = model.continue_from(prefix, length, 2, generator=generator(), engine=sampler)
    assert torch.equal(plain.x, fast.x)
    torch.testing.assert_close(fast.probabilities, plain.probabilities, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("variant", "settings"),
    [
        ("af-af", {"prior_layers": 1}),
        ("af-scf", {"prior_layers": 3, "positions": "onehot"}),
        ("af-af", {"latent_size": 1}),
        ("af-only-affine", {"positions": "onehot"}),
        ("hidden-flow-only", {"positions": "onehot"}),
        ("lstm", {"layers": 1, "positions": "onehot"}),
        ("lstm", {"layers": 3}),
    ],
)
def test_at_other_depths_and_positions_the_shortest_and_the_coldest_are_drawn_alike(
    variant: str, settings: dict[str, int | str], device: torch.device
) -> None:
    model = small_model(variant, "categorical", **settings).to(device)
    sampler, prefix = sampler_of(model), random_x(small_model(variant, "categorical"), torch.tensor([2]))[:, 0]
    for temperature in (1.0, 1e-35):

        def both(draw: Callable[..., Sample], *asked: object, temperature: float = temperature) -> list[Sample]:
            return [
                draw(*asked, temperature=temperature, generator=generator(), engine=engine)
                for engine in ("eager", sampler)
            ]

        shortest = both(model.sample, 1, 1)
        assert variant == "lstm" or len(sampler._recorded) == 0  # one step is no loop
        for plain, fast in (shortest, both(model.continue_from, prefix.to(device), 3, 1)):
            assert torch.equal(plain.x, fast.x)
            assert plain.dependent_steps == fast.dependent_steps
            torch.testing.assert_close(fast.probabilities, plain.probabilities, atol=1e-5, rtol=1e-4)


def test_a_sampler_needs_no_gradients_turned_off_and_refuses_changed_weights(device: torch.device) -> None:
    model = small_flow("af-scf", "categorical").to(device)
    sampler, lengths = sampler_of(model), torch.tensor([2], device=device)
    eps, positions = torch.zeros(2, 1, 3, device=device), model.positions(lengths, 2)
    z = sampler.push(eps, lengths, positions).z
    assert not z.requires_grad and not sampler.logits(z, lengths, positions).requires_grad
    with torch.no_grad():
        model.emission.bias += 1.0
    for use in (lambda: sampler.push(eps, lengths, positions), lambda: sampler.logits(z, lengths, positions)):
        with pytest.raises(EngineError, match="have changed"):
            use()


def test_a_model_on_the_cpu_is_refused() -> None:
    model = small_model("af-af", "categorical")
    with pytest.raises(EngineError, match="runs on CUDA and the model is on cpu"):
        model.sample(1, 2, engine="cuda_graph")


@pytest.mark.cuda
def test_it_is_what_auto_takes_on_a_gpu_and_it_says_when_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    monkeypatch.delenv("LNF_ENGINE")
    model = small_model("af-af", "categorical").to("cuda")
    assert model.sample(1, 2).engine == "cuda_graph"
    assert small_model("iaf-scf", "categorical").to("cuda").sample(1, 2).engine == "eager"
    assert "numba_cpu runs on the CPU" in str(engines.why_not("numba_cpu", model))
    with pytest.raises(EngineError, match=r"call model\.eval"):
        model.train().sample(1, 2, engine="cuda_graph")
    with pytest.raises(EngineError, match="computes in float32"):
        model.eval().double().sample(1, 2, engine="cuda_graph")


@pytest.mark.cuda
@pytest.mark.parametrize("name", [entry.name for entry in list_checkpoints() if not entry.name.endswith("lstm")])
def test_the_density_finds_the_noise_behind_a_sample_of_a_released_model(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = load(name).model.to("cuda")
    assert isinstance(model, LatentFlow)
    lengths = torch.tensor([60, 41], device="cuda")
    eps = torch.randn(60, 2, model.config.latent_size, generator=generator(1)).to("cuda")
    drawn = model.from_noise(eps, lengths, argmax=True, engine="cuda_graph")
    assert drawn.z is not None
    back = model.to_noise(drawn.z, lengths)
    mask = torch.arange(60, device="cuda")[:, None] < lengths
    assert (back - eps)[mask].abs().max() < 5e-3
    assert (back - eps)[mask].abs().mean() < 1e-5


@pytest.mark.cuda
def test_two_threads_may_share_a_sampler() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = small_model("af-af", "categorical").to("cuda")
    sampler = engines.prepare(model, "cuda_graph")
    expected = [model.sample(3, 9, generator=generator(seed), engine="eager").x for seed in range(4)]
    found: dict[int, torch.Tensor] = {}

    def draw(seed: int) -> None:
        for _ in range(5):
            found[seed] = model.sample(3, 9, generator=generator(seed), engine=sampler).x

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[seed], expected[seed]) for seed in range(4))
