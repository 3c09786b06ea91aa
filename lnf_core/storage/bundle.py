"""Checkpoints: a folder of plain files, written atomically and read without unpickling anything.

::

    model.safetensors   the weights; tensors that share memory (the tied embedding) are stored once
    config.json         format version, data set, configuration, vocabulary, how it was trained
    metrics.json        figures measured on valid and test (optional)
    README.md           the model card, generated from the other three
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save as serialise
from torch.overrides import TorchFunctionMode

from lnf_core.atomic import replace
from lnf_core.config import ModelConfig, config_from_dict, config_to_dict
from lnf_core.errors import CheckpointError, ConfigError, InvalidInputError, reason_of
from lnf_core.storage.card import model_card
from lnf_core.storage.files import (
    CARD,
    CONFIG,
    FORMAT_VERSION,
    METRICS,
    WEIGHTS,
    bundled_roots,
    from_home,
    json_bytes,
    read_config,
    read_metrics,
)
from lnf_core.storage.metrics import TRAINING_FACTS, check_metrics
from lnf_core.storage.weights import fill, open_weights, stored_tensors
from lnf_core.version import __version__

if TYPE_CHECKING:
    from lnf_core.data import Domain, Vocabulary
    from lnf_core.models.build import SequenceModel

Stamp = tuple[int, int, int]
"""Inode, time of the last change in ns, size: another one, another content."""
_TIMES = 5  # that a checkpoint may be replaced while it is read
_STORED_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


_FIGURES_FIRST = ("valid", "test", "parameters", "data_sha256", *TRAINING_FACTS)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model ready to use, with everything known about it."""

    model: SequenceModel
    """In eval mode, float32 weights."""
    dataset: str
    domain: Domain
    variant: str
    vocabulary: Vocabulary | None
    """Symbols of a text model; None for music."""
    metrics: dict[str, Any]
    """Contents of ``metrics.json``; empty when nothing was measured."""
    training: dict[str, Any]
    path: Path
    commit: str | None = None
    """The commit of a checkpoint that came from the Hub; None for one of this machine's folders."""
    stamp: Stamp | None = field(default=None, repr=False)
    """Of the weights' file as it was read."""


# ---------------------------------------------------------------------------------------------------------- writing


def save_checkpoint(
    folder: str | Path,
    model: SequenceModel,
    *,
    dataset: str,
    vocabulary: Vocabulary | None,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write ``model`` and what is known about it into ``folder``.

    Each file is replaced in one step, weights first. A run killed between two of them leaves a folder that loads, the
    facts in it those of the weights before; over a checkpoint of other sizes it leaves one that is refused. Other files
    in the folder are kept; an old ``metrics.json`` goes when ``metrics`` is None, since its figures belong to other
    weights.

    Args:
        folder: created when missing; ``~`` is the home folder, as :func:`load` has it.
        model: a latent flow or the LSTM baseline, not wrapped by Accelerate.
        dataset: name of the data set, for example ``jsb``.
        vocabulary: symbols of a text model; None for music.
        training: plain values (JSON) describing the run.
        metrics: contents of ``metrics.json``.
        dtype: storage of the parameters: float32, float16 or bfloat16. Buffers keep their own type.

    Raises:
        CheckpointError: weights that are not finite, a vocabulary of the wrong size, figures that no card could be made
            from, or a folder not writable.
        InvalidInputError: another ``dtype``, or ``training`` or ``metrics`` that JSON cannot hold, as it cannot hold
            NaN and infinity. Nothing is written.
    """
    folder = from_home(folder)
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
    # Everything that can be refused is refused before the first file changes.
    described = _plain(config)
    measured = None if metrics is None else _figures(metrics, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Old figures go with the weights they belong to: not before there is room for new ones, nor after.
        replace(folder / WEIGHTS, weights, before=lambda: (folder / METRICS).unlink(missing_ok=True))
        replace(folder / CONFIG, described)
        if measured is not None:
            replace(folder / METRICS, measured)
        write_card(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {folder}: {reason_of(error)}.") from error


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Replace ``metrics.json`` of an existing checkpoint and regenerate its card.

    Raises:
        CheckpointError: the folder holds no checkpoint, or cannot be written, or figures no card could be made from.
        InvalidInputError: figures that JSON cannot hold, as it cannot hold NaN and infinity. Nothing is written.
    """
    read_config(folder)
    _write(folder / METRICS, _figures(metrics, folder))
    write_card(folder)


def _plain(values: Mapping[str, Any]) -> bytes:
    try:
        return json_bytes(values)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"training and metrics must be plain values, ready for JSON: {error}.") from error


def _figures(metrics: Mapping[str, Any], folder: Path) -> bytes:
    """What goes into ``metrics.json``; what could not be read back from there is refused."""
    content = _plain(metrics)
    check_metrics(json.loads(content), folder / METRICS)
    return content


def write_card(folder: Path) -> Path:
    """Regenerate a checkpoint's ``README.md`` from its other files and return its path.

    Raises:
        CheckpointError: the folder holds no readable checkpoint, or cannot be written.
    """
    _write(folder / CARD, card_of(folder).encode())
    return folder / CARD


def card_of(folder: Path, load_as: str | None = None) -> str:
    """The model card of a checkpoint, from its other files.

    Args:
        folder: of the checkpoint.
        load_as: the name under which readers find it; when None its bundled name, if it has one.

    Raises:
        CheckpointError: the folder holds no readable checkpoint.
    """
    if load_as is None:
        place = folder.resolve()
        named = any(root.resolve() == place.parent.parent for root in bundled_roots())
        load_as = f"{place.parent.name}/{place.name}" if named else ""
    return model_card(read_config(folder), read_metrics(folder), folder.name, load_as)


def check_keeps_figures(checkpoint: Checkpoint) -> None:
    """Refuse, before anything is measured, a checkpoint whose figures could not be kept with it.

    Raises:
        CheckpointError: it came from the Hub: what is fetched is what was pushed, and stays so.
    """
    if checkpoint.commit is not None:
        raise CheckpointError(
            f"{checkpoint.path} is the Hub client's copy of a commit and is left as it is: measure without --write, or "
            "put the checkpoint into a folder of your own first (release)."
        )


def keep_figures(checkpoint: Checkpoint, measured: Mapping[str, Any]) -> None:
    """Add what was measured of a checkpoint to its ``metrics.json``, and regenerate its card.

    Measuring takes minutes: what others have added to the file meanwhile stays.

    Args:
        checkpoint: as it was loaded to be measured.
        measured: parts of ``metrics.json`` by their names.

    Raises:
        CheckpointError: the weights in the folder are others by now, or it cannot be written, or it is the Hub's.
        InvalidInputError: a figure that JSON cannot hold, such as an infinite NLL.
    """
    check_keeps_figures(checkpoint)
    folder = checkpoint.path
    if stamp_of(folder / WEIGHTS) != checkpoint.stamp:
        raise CheckpointError(
            f"the weights in {folder} were replaced while they were measured; these figures are of those before and "
            "were not kept: measure again once the run has ended, or measure a copy."
        )
    everything = {**read_metrics(folder), **measured}
    first = {key: everything[key] for key in _FIGURES_FIRST if key in everything}
    write_metrics(folder, {**first, **{key: value for key, value in everything.items() if key not in first}})


def _write(path: Path, content: bytes) -> None:
    try:
        replace(path, content)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {reason_of(error)}.") from error


# ---------------------------------------------------------------------------------------------------------- reading


def read_checkpoint(folder: Path, *, device: str | torch.device = "cpu") -> Checkpoint:
    """The checkpoint in ``folder``; its weights are float32 whatever they were stored as.

    One that a run replaces meanwhile is read again: its facts are those of its weights.

    Raises:
        CheckpointError: nothing there, or a checkpoint that is incomplete, foreign or of a newer format.
    """
    for _ in range(_TIMES):
        before = _stamps(folder)
        try:
            checkpoint = _read(folder, device, before[-1])
        except CheckpointError:
            if _stamps(folder) == before:
                raise
        else:
            if _stamps(folder) == before:
                return checkpoint
    raise CheckpointError(f"{folder} is replaced again and again while it is read: wait until the run has ended.")


def _stamps(folder: Path) -> tuple[Stamp | None, ...]:
    """Of what is read of a checkpoint, the weights last: what is replaced meanwhile has another."""
    return tuple(stamp_of(folder / name) for name in (CONFIG, METRICS, WEIGHTS))


def _read(folder: Path, device: str | torch.device, stamp: Stamp | None) -> Checkpoint:
    values = read_config(folder)
    config = _model_config(values, folder)
    vocabulary = _vocabulary(values, config, folder)
    model = _build(config, folder)
    fill(model, folder / WEIGHTS)
    if not model.length_prior.sums_to_one():
        raise CheckpointError(
            f"p(T) in {folder / WEIGHTS} does not sum to 1: fetch the checkpoint again or train anew."
        )
    return Checkpoint(
        model=model.to(device).eval(),
        dataset=values["dataset"],
        domain="text" if config.likelihood == "categorical" else "music",
        variant=config.variant,
        vocabulary=vocabulary,
        metrics=read_metrics(folder),
        training=values["training"],
        path=folder,
        stamp=stamp,
    )


def look_at(folder: Path) -> tuple[Domain | None, str | None]:
    """What the checkpoint in ``folder`` emits and why it cannot be loaded, from its configuration and headers alone.

    The first is None where no configuration can be read; the second, one sentence, is where all is in order. Files that
    have not changed since they were looked at are not read again: a server asks with every request.
    """
    return _look_at(folder, _stamps(folder))


def stamp_of(path: Path) -> Stamp | None:
    """What tells a file from the one that replaces it; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=256)
def _look_at(folder: Path, _stamps: tuple[Stamp | None, ...]) -> tuple[Domain | None, str | None]:
    domain: Domain | None = None
    try:
        values = read_config(folder)
        config = _model_config(values, folder)
        domain = "text" if config.likelihood == "categorical" else "music"
        _vocabulary(values, config, folder)
        read_metrics(folder)
        with open_weights(folder / WEIGHTS):
            return domain, None
    except CheckpointError as error:
        return domain, str(error)


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


class _Unfilled(TorchFunctionMode):
    """Parameters made inside hold no initial values: what is read next replaces every one of them.

    To draw them takes longer than to read them, and the caller's random state would depend on what was loaded.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - whatever PyTorch's functions take and give
        given = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)


def _build(config: ModelConfig, folder: Path) -> SequenceModel:
    from lnf_core.models.build import build_model

    try:
        with _Unfilled():
            return build_model(config, torch.ones(config.max_length + 1, dtype=torch.float64))
    except (RuntimeError, MemoryError, OverflowError) as error:
        raise CheckpointError(f"the model described by {folder / CONFIG} cannot be built: {error}") from error
