"""Engines by name, why one cannot run here, and what ``auto`` takes."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, overload

from lnf_core.engines.contract import BaselineSampler, Engine, FlowSampler
from lnf_core.engines.cuda_graph.engine import GraphEngine
from lnf_core.engines.eager import EagerEngine
from lnf_core.engines.jacobi import JacobiEngine
from lnf_core.engines.numba_cpu.engine import NumbaEngine
from lnf_core.errors import EngineError

if TYPE_CHECKING:
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.build import SequenceModel
    from lnf_core.models.latent_flow import LatentFlow

AUTO_VARIABLE = "LNF_ENGINE"
"""Environment variable: the engine that ``auto`` tries first."""

_EAGER, _NUMBA, _GRAPH = EagerEngine(), NumbaEngine(), GraphEngine()
_ENGINES: dict[str, Engine] = {engine.name: engine for engine in (_EAGER, _NUMBA, JacobiEngine(), _GRAPH)}
ENGINES: tuple[str, ...] = ("auto", *_ENGINES)


def why_not(name: str, model: SequenceModel) -> str | None:
    """What keeps the engine ``name`` from running ``model`` here, in one sentence; None when nothing does.

    Raises:
        EngineError: no such engine.
    """
    return None if name == "auto" else _named(name).why_not(model)


def choose(name: str, model: SequenceModel) -> Engine:
    """The engine called ``name``; ``auto`` takes the fastest that is ready for ``model`` and never fails.

    Raises:
        EngineError: no such engine, or it was asked for by name and cannot run this model here.
    """
    if name == "auto":
        first = os.environ.get(AUTO_VARIABLE, "")
        if first and first not in ENGINES:
            warnings.warn(
                f"{AUTO_VARIABLE} is {first!r}, which is no engine; choose one of {', '.join(ENGINES)}.", stacklevel=2
            )
        wanted = _ENGINES.get(first)
        if wanted is not None and wanted.why_not(model) is None:
            return wanted
        if not _worth_compiling(model):
            return _EAGER
        if _GRAPH.why_not(model) is None:
            return _GRAPH
        return _NUMBA if _NUMBA.ready() and _NUMBA.why_not(model) is None else _EAGER
    engine = _named(name)
    if (reason := engine.why_not(model)) is not None:
        raise EngineError(reason)
    return engine


@overload
def prepare(model: LatentFlow, engine: str | FlowSampler = "auto") -> FlowSampler: ...
@overload
def prepare(model: LSTMBaseline, engine: str | BaselineSampler = "auto") -> BaselineSampler: ...
def prepare(
    model: SequenceModel, engine: str | FlowSampler | BaselineSampler = "auto"
) -> FlowSampler | BaselineSampler:
    """A sampler for the weights ``model`` has now; one that was prepared from ``model`` before is handed back.

    Raises:
        EngineError: no such engine, it was asked for by name and cannot run this model here, or the sampler is
            another model's.
    """
    from lnf_core.models.baseline import LSTMBaseline

    if not isinstance(engine, str):
        if getattr(engine, "model", None) is not model:
            raise EngineError("this sampler was prepared from another model; prepare one from this model.")
        return engine
    chosen = choose(engine, model)
    return chosen.baseline(model) if isinstance(model, LSTMBaseline) else chosen.flow(model)


def _named(name: str) -> Engine:
    if name not in _ENGINES:
        raise EngineError(f"there is no engine {name!r}; choose one of {', '.join(ENGINES)}.")
    return _ENGINES[name]


def ready(name: str) -> bool:
    """Whether the engine ``name`` would start at once: ``numba_cpu`` has something to compile first.

    ``auto`` does not take it before. ``cuda_graph`` counts as ready where it can run, though Triton compiles its
    kernels when they are first used on a machine.

    Raises:
        EngineError: no such engine.
    """
    return name == "auto" or _named(name) is not _NUMBA or _NUMBA.ready()


def warm_up() -> None:
    """Compile the kernels of ``numba_cpu``, or load them from disk; call it in a thread at start-up.

    Raises:
        EngineError: there is no numba.
    """
    _NUMBA.warm_up()


def _worth_compiling(model: SequenceModel) -> bool:
    """Whether there is a loop over time: where the prior is one pass, PyTorch's own kernels are as fast."""
    prior = getattr(model, "prior", None)
    return prior is None or bool(prior.reads == "z")
