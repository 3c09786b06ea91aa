"""Engines by name, why one cannot run here, and what ``auto`` takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, overload

from lnf_core.engines.contract import BaselineSampler, Engine, FlowSampler
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

_EAGER, _NUMBA = EagerEngine(), NumbaEngine()
_ENGINES: dict[str, Engine] = {engine.name: engine for engine in (_EAGER, _NUMBA, JacobiEngine())}
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
        wanted = _ENGINES.get(os.environ.get(AUTO_VARIABLE, ""))
        if wanted is not None and wanted.why_not(model) is None:
            return wanted
        return _NUMBA if _worth_compiling(model) and _NUMBA.ready() and _NUMBA.why_not(model) is None else _EAGER
    engine = _named(name)
    if (reason := engine.why_not(model)) is not None:
        raise EngineError(reason)
    return engine


@overload
def prepare(model: LatentFlow, engine: str = "auto") -> FlowSampler: ...
@overload
def prepare(model: LSTMBaseline, engine: str = "auto") -> BaselineSampler: ...
def prepare(model: SequenceModel, engine: str = "auto") -> FlowSampler | BaselineSampler:
    """A sampler for the weights ``model`` has now.

    Raises:
        EngineError: no such engine, or it was asked for by name and cannot run this model here.
    """
    from lnf_core.models.baseline import LSTMBaseline

    chosen = choose(engine, model)
    return chosen.baseline(model) if isinstance(model, LSTMBaseline) else chosen.flow(model)


def _named(name: str) -> Engine:
    if name not in _ENGINES:
        raise EngineError(f"there is no engine {name!r}; choose one of {', '.join(ENGINES)}.")
    return _ENGINES[name]


def ready(name: str) -> bool:
    """Whether the engine ``name`` would start at once: only ``numba_cpu`` has something to compile first.

    Raises:
        EngineError: no such engine.
    """
    return _NUMBA.ready() if _named(name) is _NUMBA else True


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
