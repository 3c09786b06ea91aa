"""Latent normalizing flows for discrete sequences (Ziegler & Rush, ICML 2019).

``import lnf_core`` is light: a name is imported from its module the first time it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lnf_core.version import __version__

if TYPE_CHECKING:
    from lnf_core.config import BaselineConfig as BaselineConfig
    from lnf_core.config import LatentFlowConfig as LatentFlowConfig
    from lnf_core.data import load_dataset as load_dataset
    from lnf_core.errors import CheckpointError as CheckpointError
    from lnf_core.errors import ConfigError as ConfigError
    from lnf_core.errors import DataError as DataError
    from lnf_core.errors import EngineError as EngineError
    from lnf_core.errors import InvalidInputError as InvalidInputError
    from lnf_core.errors import LNFError as LNFError
    from lnf_core.errors import MidiError as MidiError
    from lnf_core.errors import TrainingError as TrainingError
    from lnf_core.errors import UnknownSymbolError as UnknownSymbolError
    from lnf_core.evaluation import Evaluation as Evaluation
    from lnf_core.evaluation import evaluate as evaluate
    from lnf_core.models.baseline import LSTMBaseline as LSTMBaseline
    from lnf_core.models.build import build_model as build_model
    from lnf_core.models.latent_flow import LatentFlow as LatentFlow
    from lnf_core.storage.bundle import Checkpoint as Checkpoint
    from lnf_core.storage.bundle import save_checkpoint as save_checkpoint
    from lnf_core.storage.bundled import CheckpointEntry as CheckpointEntry
    from lnf_core.storage.bundled import list_checkpoints as list_checkpoints
    from lnf_core.storage.find import load as load
    from lnf_core.storage.hub import push as push

_HOMES = {
    "config": ("BaselineConfig", "LatentFlowConfig"),
    "data": ("load_dataset",),
    "errors": (
        "CheckpointError",
        "ConfigError",
        "DataError",
        "EngineError",
        "InvalidInputError",
        "LNFError",
        "MidiError",
        "TrainingError",
        "UnknownSymbolError",
    ),
    "evaluation": ("Evaluation", "evaluate"),
    "models.baseline": ("LSTMBaseline",),
    "models.build": ("build_model",),
    "models.latent_flow": ("LatentFlow",),
    "storage.bundle": ("Checkpoint", "save_checkpoint"),
    "storage.bundled": ("CheckpointEntry", "list_checkpoints"),
    "storage.find": ("load",),
    "storage.hub": ("push",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_MODULE_OF]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - it is whatever the module holds
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
