"""Engines by name, why one cannot run here, and what ``auto`` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from lnf_core.engines.contract import BaselineSampler, Engine, FlowSampler
from lnf_core.engines.eager import EagerEngine
from lnf_core.errors import EngineError

if TYPE_CHECKING:
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.build import SequenceModel
    from lnf_core.models.latent_flow import LatentFlow

_ENGINES: dict[str, Engine] = {engine.name: engine for engine in (EagerEngine(),)}
ENGINES: tuple[str, ...] = ("auto", *_ENGINES)


def why_not(name: str, model: SequenceModel) -> str | None:
    """What keeps the engine ``name`` from running ``model`` here, in one sentence; None when nothing does.

    Raises:
        EngineError: no such engine.
    """
    return None if name == "auto" else _named(name).why_not(model)


def choose(name: str, model: SequenceModel) -> Engine:
    """The engine called ``name``; ``auto`` takes the fastest that can run ``model`` now and never fails.

    Raises:
        EngineError: no such engine, or it was asked for by name and cannot run this model here.
    """
    if name == "auto":
        return _ENGINES["eager"]
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
