"""Checkpoints: a folder of plain files, written atomically and read without unpickling anything.

::

    model.safetensors   the weights; tensors that share memory (the tied embedding) are stored once
    config.json         format version, data set, configuration, vocabulary, how it was trained
    metrics.json        figures measured on valid and test (optional)
    README.md           the model card, generated from the other three
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save as serialise

from lnf_core.config import ModelConfig, config_from_dict, config_to_dict
from lnf_core.errors import CheckpointError, ConfigError, InvalidInputError
from lnf_core.storage.card import model_card
from lnf_core.storage.files import (
    CARD,
    CONFIG,
    FORMAT_VERSION,
    METRICS,
    WEIGHTS,
    json_bytes,
    read_config,
    read_metrics,
    replace,
)
from lnf_core.storage.weights import fill, open_weights, stored_tensors
from lnf_core.version import __version__

if TYPE_CHECKING:
    from lnf_core.data import Vocabulary
    from lnf_core.models.build import SequenceModel

_STORED_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model ready to use, with everything known about it."""

    model: SequenceModel
    """In eval mode, float32 weights."""
    dataset: str
    domain: str
    """``text`` or ``music``."""
    variant: str
    vocabulary: Vocabulary | None
    """Symbols of a text model; None for music."""
    metrics: dict[str, Any]
    """Contents of ``metrics.json``; empty when nothing was measured."""
    training: dict[str, Any]
    path: Path


# ---------------------------------------------------------------------------------------------------------- writing


def save_checkpoint(
    folder: Path,
    model: SequenceModel,
    *,
    dataset: str,
    vocabulary: Vocabulary | None,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write ``model`` and what is known about it into ``folder``.

    Each file is replaced in one step, weights first, so a run killed at any moment leaves a folder that loads.
    Other files in the folder are kept; an old ``metrics.json`` goes when ``metrics`` is None, since its figures
    belong to other weights.

    Args:
        folder: created when missing.
        model: a latent flow or the LSTM baseline, not wrapped by Accelerate.
        dataset: name of the data set, for example ``jsb``.
        vocabulary: symbols of a text model; None for music.
        training: plain values (JSON) describing the run.
        metrics: contents of ``metrics.json``.
        dtype: storage of the parameters: float32, float16 or bfloat16. Buffers keep their own type.

    Raises:
        CheckpointError: weights that are not finite, a vocabulary of the wrong size, or a folder not writable.
        InvalidInputError: another ``dtype``, or ``training`` or ``metrics`` that JSON cannot hold. Nothing is written.
    """
    if dtype not in _STORED_DTYPES:
        raise InvalidInputError(f"cannot store weights as {dtype}; choose float32, float16 or bfloat16.")
    _check_vocabulary(model.config, vocabulary, folder)
    weights = serialise(stored_tensors(model, dtype, folder), metadata={"format": "pt"})
    config = {
        "format_version": FORMAT_VERSION,
        "lnf_core": __version__,
        "dataset": dataset,
        "variant": model.config.variant,
        "model": config_to_dict(model.config),
        "vocabulary": None if vocabulary is None else vocabulary.to_list(),
        "training": dict(training),
    }
    try:  # everything that can be refused is refused before the first file changes
        described = json_bytes(config)
        measured = None if metrics is None else json_bytes(metrics)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"training and metrics must be plain values, ready for JSON: {error}.") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if measured is None:
            (folder / METRICS).unlink(missing_ok=True)
        replace(folder / WEIGHTS, weights)
        replace(folder / CONFIG, described)
        if measured is not None:
            replace(folder / METRICS, measured)
        write_card(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {folder}: {error.strerror or error}.") from error


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Replace ``metrics.json`` of an existing checkpoint and regenerate its card.

    Raises:
        CheckpointError: the folder holds no checkpoint, or cannot be written.
    """
    read_config(folder)
    try:
        replace(folder / METRICS, json_bytes(metrics))
        write_card(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write {folder / METRICS}: {error.strerror or error}.") from error


def write_card(folder: Path) -> Path:
    """Regenerate a checkpoint's ``README.md`` from its other files and return its path.

    Raises:
        CheckpointError: the folder holds no readable checkpoint.
    """
    card = model_card(read_config(folder), read_metrics(folder), folder.name)
    replace(folder / CARD, card.encode())
    return folder / CARD


# ---------------------------------------------------------------------------------------------------------- reading


def read_checkpoint(folder: Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """The checkpoint in ``folder``; its weights are float32 whatever they were stored as.

    Raises:
        CheckpointError: nothing there, or a checkpoint that is incomplete, foreign or of a newer format.
    """
    values = read_config(folder)
    config = _model_config(values, folder)
    vocabulary = _vocabulary(values, config, folder)
    model = _build(config, folder)
    fill(model, folder / WEIGHTS)
    return Checkpoint(
        model=model.to(device).eval(),
        dataset=values["dataset"],
        domain="text" if config.likelihood == "categorical" else "music",
        variant=config.variant,
        vocabulary=vocabulary,
        metrics=read_metrics(folder),
        training=values["training"],
        path=folder,
    )


def find_problem(folder: Path) -> str | None:
    """Why the checkpoint in ``folder`` cannot be loaded, in one sentence, from its configuration and headers alone.

    Files that have not changed since they were looked at are not read again: a server asks with every request.
    """
    return _find_problem(folder, tuple(_stamp(folder / name) for name in (CONFIG, METRICS, WEIGHTS)))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=256)
def _find_problem(folder: Path, _stamps: tuple[tuple[int, int, int] | None, ...]) -> str | None:
    try:
        values = read_config(folder)
        _vocabulary(values, _model_config(values, folder), folder)
        read_metrics(folder)
        with open_weights(folder / WEIGHTS):
            return None
    except CheckpointError as error:
        return str(error)


def _model_config(values: Mapping[str, Any], folder: Path) -> ModelConfig:
    try:
        return config_from_dict(values["model"])
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG} describes no model this lnf_core knows: {error}") from error


def _vocabulary(values: Mapping[str, Any], config: ModelConfig, folder: Path) -> Vocabulary | None:
    from lnf_core.data import Vocabulary

    symbols = values.get("vocabulary")
    if symbols is not None and not (isinstance(symbols, list) and all(isinstance(item, str) for item in symbols)):
        raise CheckpointError(f"the vocabulary in {folder / CONFIG} is not a list of strings: fetch or save it again.")
    try:
        vocabulary = None if symbols is None else Vocabulary.from_list(symbols)
    except InvalidInputError as error:
        raise CheckpointError(f"the vocabulary in {folder / CONFIG} is none: {error}") from error
    _check_vocabulary(config, vocabulary, folder)
    return vocabulary


def _check_vocabulary(config: ModelConfig, vocabulary: Vocabulary | None, folder: Path) -> None:
    if vocabulary is not None and len(vocabulary) != config.vocab_size:
        raise CheckpointError(
            f"the vocabulary of {folder} has {len(vocabulary)} symbols, its model {config.vocab_size}: "
            "they do not belong together."
        )


def _build(config: ModelConfig, folder: Path) -> SequenceModel:
    from lnf_core.models.build import build_model

    try:
        # Building draws initial weights; the caller's random state must not depend on whether a model was loaded.
        with torch.random.fork_rng(devices=[]):
            return build_model(config, torch.ones(config.max_length + 1, dtype=torch.float64))
    except (RuntimeError, MemoryError, OverflowError) as error:
        raise CheckpointError(f"the model described by {folder / CONFIG} cannot be built: {error}") from error
