"""Every engine draws what ``eager`` draws, in any company, with any weights, and says when it cannot."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest
import torch
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from small import ALL, FLOWS, LIKELIHOODS, random_x, small_flow, small_model
from torch import nn

from lnf_core import engines
from lnf_core.config import Likelihood
from lnf_core.engines.numba_cpu.engine import NumbaEngine
from lnf_core.errors import EngineError, InvalidInputError
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.storage.bundled import list_checkpoints
from lnf_core.storage.find import load

pytestmark = pytest.mark.usefixtures("kernels")

FAST = ("numba_cpu", "jacobi")
LENGTHS = torch.tensor([9, 4, 1, 7])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(model: LatentFlow, lengths: torch.Tensor, seed: int = 5) -> torch.Tensor:
    return torch.randn(int(lengths.max()), len(lengths), model.config.latent_size, generator=generator(seed))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
@pytest.mark.parametrize("engine", FAST)
def test_the_same_noise_gives_the_same_sample(engine: str, variant: str, likelihood: Likelihood) -> None:
    if engine == "jacobi" and variant == "lstm":
        pytest.skip("jacobi needs latents")
    model = small_model(variant, likelihood, latent_size=7) if variant != "lstm" else small_model(variant, likelihood)
    plain = model.sample(4, LENGTHS, generator=generator(), engine="eager")
    fast = model.sample(4, LENGTHS, generator=generator(), engine=engine)
    assert (plain.engine, fast.engine) == ("eager", engine)
    assert torch.equal(plain.x, fast.x)
    assert plain.x.dtype == fast.x.dtype
    torch.testing.assert_close(fast.probabilities, plain.probabilities, atol=1e-5, rtol=1e-4)
    if plain.z is not None:
        torch.testing.assert_close(fast.z, plain.z, atol=1e-4, rtol=1e-4)


@settings(max_examples=40)
@given(
    variant=st.sampled_from(FLOWS),
    sizes=st.fixed_dictionaries(
        {
            "latent_size": st.integers(2, 9),
            "flow_hidden": st.integers(1, 70),
            "prior_hidden": st.integers(1, 40),
            "prior_layers": st.integers(1, 3),
            "hidden_size": st.integers(1, 20),
            "decoder_layers": st.integers(1, 2),
            "vocab_size": st.integers(1, 70),
        }
    ),
    spread=st.sampled_from([0.0, 0.05, 0.3, 0.7]),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    onehot=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_any_sizes_and_any_weights(
    variant: str, sizes: dict[str, int], spread: float, lengths: list[int], onehot: bool, seed: int
) -> None:
    extra = {"positions": "onehot" if onehot else "learned"}
    model = small_flow(variant, "categorical", spread=spread, seed=seed % 97, **sizes, **extra)  # type: ignore[arg-type]
    rows = torch.tensor(lengths)
    eps = noise(model, rows, seed)
    try:
        exact = copy.deepcopy(model).double().from_noise(eps.double(), rows, argmax=True, engine="eager")
        assert exact.z is not None
        # Weights as wild as these can leave float32; what a transform does there is tested where it is defined.
        assume(bool(exact.z.abs().max() < 1e4))
        plain = model.from_noise(eps, rows, argmax=True, engine="eager")
    except InvalidInputError as error:
        assert "gives no numbers here (NaN)" in str(error)
        reject()
    # Some weights amplify rounding from step to step; then both engines are as far from the truth as eager is.
    assert plain.z is not None
    own_error = (plain.z - exact.z).abs().max()
    for engine in FAST:
        fast = model.from_noise(eps, rows, argmax=True, engine=engine)
        assert fast.z is not None
        assert (fast.z - exact.z).abs().max() <= 1e-4 * (1 + exact.z.abs().max()) + 10 * own_error
        assert (fast.probabilities - exact.probabilities).abs().max() <= 1e-4 + 10 * own_error


@pytest.mark.parametrize("name", [entry.name for entry in list_checkpoints() if not entry.name.endswith("lstm")])
@pytest.mark.parametrize("engine", FAST)
def test_the_density_finds_the_noise_behind_a_sample_of_a_released_model(engine: str, name: str) -> None:
    model = load(name).model
    assert isinstance(model, LatentFlow)
    # A sweep of jacobi over an AF/AF model solves every dimension of every step: seconds, where the loop takes none.
    lengths = torch.tensor([12, 8] if engine == "jacobi" else [60, 41])
    eps = noise(model, lengths, 1)
    drawn = model.from_noise(eps, lengths, argmax=True, engine=engine)
    assert drawn.z is not None
    # The density direction is a plain pass over z: it shows every step's own error, however z amplifies rounding.
    back = model.to_noise(drawn.z, lengths)
    mask = torch.arange(len(eps))[:, None] < lengths
    assert (back - eps)[mask].abs().max() < 5e-3
    assert (back - eps)[mask].abs().mean() < 1e-5


@pytest.mark.parametrize("variant", FLOWS)
@pytest.mark.parametrize("engine", ["eager", "numba_cpu"])
def test_draws_of_one_step_are_those_of_the_stack_after_every_flow(engine: str, variant: str) -> None:
    model = small_flow(variant, "categorical", latent_size=7, flow_layers=1 if variant.startswith("af-only") else 3)
    sampler = engines.prepare(model, engine)
    lengths = torch.tensor([2])
    context_size = model.prior.contexts(torch.zeros(2, 1, 7), torch.zeros(2, 1, 7), model.positions(lengths, 2)).shape[
        -1
    ]
    contexts, eps = torch.randn(2, context_size, generator=generator(3)), torch.randn(37, 7, generator=generator(4))
    found = [sampler.trace(eps, context) for context in contexts]
    assert torch.equal(found[0][0], eps) and not torch.allclose(found[0][-1], found[1][-1], atol=1e-2)
    stack = copy.deepcopy(model).double().prior.stack
    for values, context in zip(found, contexts.double(), strict=True):
        value = eps.double()
        for layer, after in zip(reversed(stack.layers), values[1:], strict=True):  # type: ignore[arg-type]
            value, _ = layer.inverse(value, context.expand(37, -1), None)
            torch.testing.assert_close(after.double(), value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("engine", ["eager", "numba_cpu"])
@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_a_sampler_of_another_model_is_refused(engine: str, variant: str) -> None:
    model, other = small_model(variant, "bernoulli"), small_model(variant, "bernoulli")
    sampler = engines.prepare(other, engine)
    with pytest.raises(EngineError, match="another model"):
        model.sample(1, 4, engine=sampler)
    with pytest.raises(EngineError, match="another model"):
        model.continue_from(torch.zeros(2, 5), 4, engine=sampler)
    assert engines.prepare(other, sampler) is sampler


def test_an_engine_that_is_named_wrongly_in_the_environment_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LNF_ENGINE", "numba")
    with pytest.warns(UserWarning, match="'numba', which is no engine"):
        assert engines.choose("auto", small_model("iaf-scf", "categorical")).name == "eager"
    assert engines.ready("auto")


@pytest.mark.parametrize("variant", ["af-af", "af-scf", "iaf-scf", "hidden-flow-only", "lstm"])
def test_neither_threads_nor_company_change_a_sample(variant: str) -> None:
    model = small_model(variant, "bernoulli")
    sampler = engines.prepare(model, "numba_cpu")
    many = model.sample(40, 9, generator=generator(), engine=sampler)
    few = model.sample(3, 9, generator=generator(), engine=sampler)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        threaded = model.sample(40, 9, generator=generator(), engine=sampler)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(many.x, threaded.x)
    assert torch.equal(many.probabilities, threaded.probabilities)
    assert torch.equal(many.probabilities[:, :3], few.probabilities)


def test_where_a_thread_cannot_start_those_that_did_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model("af-scf", "bernoulli")
    sampler = engines.prepare(model, "numba_cpu")
    whole = model.sample(5, 9, generator=generator(), engine=sampler)
    asked, start = [], threading.Thread.start

    def every_second(thread: threading.Thread) -> None:
        asked.append(thread)
        if len(asked) % 2 == 0:
            raise RuntimeError("can't start new thread")
        start(thread)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        monkeypatch.setattr(threading.Thread, "start", every_second)
        sample = model.sample(5, 9, generator=generator(), engine=sampler)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(sample.probabilities, whole.probabilities)
    assert len(asked) >= 2 and not any(thread.is_alive() for thread in asked)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("variant", ALL)
@pytest.mark.parametrize("engine", FAST)
def test_a_beginning_is_continued_alike(engine: str, variant: str, likelihood: Likelihood) -> None:
    if engine == "jacobi" and variant == "lstm":
        pytest.skip("jacobi needs latents")
    model = small_model(variant, likelihood)
    prefix = random_x(model, torch.tensor([4]))[:, 0]
    plain = model.continue_from(prefix, 9, 3, generator=generator(), engine="eager")
    fast = model.continue_from(prefix, 9, 3, generator=generator(), engine=engine)
    assert torch.equal(plain.x, fast.x)
    torch.testing.assert_close(fast.probabilities, plain.probabilities, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("engine", ["eager", *FAST])
def test_dependent_steps_are_counted(engine: str) -> None:
    for variant in ("af-scf", "iaf-scf"):
        model = small_flow(variant, "categorical")
        steps = model.sample(2, 9, generator=generator(), engine=engine).dependent_steps
        if variant == "iaf-scf":
            assert steps == 1
        elif engine == "jacobi":
            assert 1 <= steps <= 9
        else:
            assert steps == 9


def test_jacobi_needs_one_sweep_more_than_the_past_reaches() -> None:
    model = small_flow("af-scf", "categorical", spread=0.0)  # z_t does not depend on z_<t at all
    assert model.sample(2, 9, generator=generator(), engine="jacobi").dependent_steps <= 2


@pytest.mark.parametrize("engine", ["eager", *FAST])
@pytest.mark.parametrize("variant", ["af-af", "iaf-scf", "lstm"])
def test_progress_reaches_the_end_and_may_stop_the_work(engine: str, variant: str) -> None:
    if engine == "jacobi" and variant == "lstm":
        pytest.skip("jacobi needs latents")
    model = small_model(variant, "categorical", max_length=40)
    seen: list[tuple[int, int]] = []
    model.sample(2, 40, generator=generator(), engine=engine, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (40, 40)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.sample(2, 40, generator=generator(), engine=engine, progress=stop)


@torch.no_grad()
def _scale(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.mul_(1.5)


def _scale_unseen(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(1.5)


def _train(model: nn.Module) -> None:
    """A step of the optimiser that recipes use, which torch does not count as writing."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()


@pytest.mark.parametrize("change", [_scale, _scale_unseen, _train])
@pytest.mark.parametrize("variant", ["af-scf", "lstm"])
def test_weights_changed_in_place_are_never_stale(variant: str, change: Callable[[nn.Module], None]) -> None:
    model = small_model(variant, "bernoulli")
    sampler = engines.prepare(model, "numba_cpu")
    before = model.sample(1, 9, generator=generator(), engine=sampler)
    change(model)
    with pytest.raises(EngineError, match="prepare it again"):
        model.sample(1, 9, generator=generator(), engine=sampler)
    after = model.sample(1, 9, generator=generator(), engine="numba_cpu")
    expected = model.sample(1, 9, generator=generator(), engine="eager")
    torch.testing.assert_close(after.probabilities, expected.probabilities, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(after.probabilities, before.probabilities, atol=1e-3)


def test_an_engine_that_cannot_run_says_why_and_auto_takes_another() -> None:
    model = small_flow("af-scf", "categorical")
    with pytest.raises(EngineError, match=r"no engine 'warp'.*eager"):
        model.sample(1, 4, engine="warp")
    for engine in FAST:
        assert engines.why_not(engine, model) is None
        with pytest.raises(EngineError, match=r"training mode|dropout"):
            small_flow("af-scf", "categorical").train().sample(1, 4, engine=engine)
    with pytest.raises(EngineError, match=r"float64.*eager"):
        small_flow("af-scf", "categorical").double().sample(1, 4, engine="numba_cpu")
    with pytest.raises(EngineError, match="has none"):
        small_model("lstm", "categorical").sample(1, 4, engine="jacobi")
    for awkward in (small_flow("af-scf", "categorical").double(), small_flow("af-scf", "categorical").train()):
        assert awkward.sample(1, 4, engine="auto").engine == "eager"


def test_auto_takes_what_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_flow("af-scf", "categorical")
    engines.warm_up()
    monkeypatch.delenv("LNF_ENGINE")
    assert model.sample(1, 4).engine == "numba_cpu"
    assert small_flow("iaf-scf", "categorical").sample(1, 4).engine == "eager"  # one pass: nothing to compile
    monkeypatch.setenv("LNF_ENGINE", "jacobi")
    assert model.sample(1, 4).engine == "jacobi"
    assert small_model("lstm", "categorical").sample(1, 4).engine == "numba_cpu"  # jacobi cannot: the next best


def test_machine_code_is_kept_in_one_folder_which_one_process_at_a_time_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    from lnf_core.engines.numba_cpu import jit, kernels

    assert jit.FOLDER is not None
    assert Path(kernels.sample_steps.stats.cache_path) == jit.FOLDER, "it depends on where the package lies"
    assert list(jit.FOLDER.glob("kernels.sample_steps-*.nbi"))

    def another_wants_it(engine: NumbaEngine) -> None:
        with pytest.raises(filelock.Timeout), filelock.FileLock(jit.FOLDER / "lock", timeout=0):
            pass
        tried.append(engine)

    tried: list[NumbaEngine] = []
    monkeypatch.setattr(NumbaEngine, "_run_every_kernel", another_wants_it)
    NumbaEngine().warm_up()
    assert len(tried) == 1

    def no_locks_here(_lock: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(NumbaEngine, "_run_every_kernel", lambda engine: tried.append(engine))
    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks_here)
    NumbaEngine().warm_up()
    assert len(tried) == 2


@pytest.mark.slow
def test_kernels_compile_when_they_are_needed_and_where_nothing_may_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "a file, no folder"
    blocked.touch()
    code = (
        "import sys, torch\n"
        "from lnf_core import engines\n"
        "from lnf_core.config import BaselineConfig\n"  # the fewest kernels
        "from lnf_core.models.build import build_model\n"
        "print('numba' in sys.modules)\n"
        "config = BaselineConfig(5, 'categorical', 8, embedding_size=4, hidden_size=4)\n"
        "model = build_model(config, torch.ones(9)).eval()\n"
        "print(engines.ready('numba_cpu'), model.sample(1, 8).engine)\n"
        "print(model.sample(1, 8, engine='numba_cpu').engine)\n"
    )
    environment = {"LNF_CACHE_DIR": str(blocked), "PATH": "/usr/bin:/bin", "NUMBA_DISABLE_JIT": "0"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["False", "False", "eager", "numba_cpu"]
    assert blocked.is_file()
