"""``import-textflow`` and ``release``: make a checkpoint out of other weights, or of a training run's best ones."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lnf_core.cli.common import path_argument, path_option
from lnf_core.config import Likelihood, VariantName
from lnf_core.errors import CheckpointError, DataError, InvalidInputError
from lnf_core.storage.metrics import TRAINING_FACTS

if TYPE_CHECKING:
    from torch import Tensor

    from lnf_core.data import Vocabulary

_MOST_MEGABYTES = 40
_OF_THE_TRAINING = ("parameters", "data_sha256", *TRAINING_FACTS)
"""What of ``metrics.json`` stays true of rounded weights."""


class Storage(StrEnum):
    """How parameters are stored; they are always loaded as float32."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


def import_textflow(
    model: Annotated[Path, path_argument("A state dict saved by the reference.", "MODEL.pt")],
    out: Annotated[Path, path_option("Folder of the new checkpoint.")],
    dataset: Annotated[str, typer.Option(help="The data set it was trained on.")] = "ptb",
    variant: Annotated[
        VariantName | None, typer.Option(help="Tells AF/SCF from IAF/SCF, whose tensors look alike.")
    ] = None,
    vocabulary: Annotated[Path | None, path_option("Text: a JSON list of the symbols in the model's order.")] = None,
) -> None:
    """Turn a state dict of the reference implementation (harvardnlp/TextFlow) into a checkpoint."""
    from lnf_core.data import dataset_info
    from lnf_core.storage.bundle import save_checkpoint
    from lnf_core.storage.textflow import import_textflow as read

    music = dataset_info(dataset).domain == "music"
    counts = _length_counts(dataset)
    likelihood: Likelihood = "bernoulli" if music else "categorical"
    flat = read(model, None, variant=variant, likelihood=likelihood)
    fits = counts is not None and len(counts) == flat.config.max_length + 1
    imported = read(model, counts, variant=variant, likelihood=likelihood) if fits else flat
    save_checkpoint(
        out,
        imported,
        dataset=dataset,
        vocabulary=None if vocabulary is None else _read_vocabulary(vocabulary),
        training={"imported_from": model.name, "length_prior": f"histogram of {dataset}" if fits else "flat"},
    )
    typer.echo(f"wrote {out}: {imported.config.variant}, {imported.config.vocab_size} symbols")
    if not fits:
        typer.echo(
            f"p(T) is flat, because the data of {dataset} is not here or has other lengths; "
            "likelihoods and drawn lengths follow it.",
            err=True,
        )
    if vocabulary is None and not music:
        typer.echo("without --vocabulary its samples cannot be written as text.", err=True)


def release(
    source: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Usually RUN/best.")],
    destination: Annotated[Path, path_argument("For example mine/jsb/af-scf.")],
    storage: Annotated[Storage, typer.Option("--dtype", help="Storage of the parameters.")] = Storage.float32,
    force: Annotated[bool, typer.Option("--force", help="Replace a checkpoint that has test figures.")] = False,
) -> None:
    """Copy a run's best checkpoint to where it is published from; then evaluate it there with --write.

    When the weights are rounded, all that was measured is left behind: it belongs to the unrounded ones.
    """
    import torch

    from lnf_core.storage.bundle import save_checkpoint
    from lnf_core.storage.files import WEIGHTS, read_metrics
    from lnf_core.storage.find import load

    loaded = load(source)
    if destination.resolve() == loaded.path.resolve():
        raise InvalidInputError(f"{destination} is the checkpoint itself; name another folder.")
    if "test" in read_metrics(destination) and not force:
        raise CheckpointError(f"{destination} is released, with test figures; --force replaces it and them.")
    rounded = storage is not Storage.float32
    metrics = {key: value for key, value in loaded.metrics.items() if not rounded or key in _OF_THE_TRAINING}
    save_checkpoint(
        destination,
        loaded.model,
        dataset=loaded.dataset,
        vocabulary=loaded.vocabulary,
        training=loaded.training,
        metrics=metrics or None,
        dtype=getattr(torch, storage.value),
    )
    megabytes = (destination / WEIGHTS).stat().st_size / 1e6
    typer.echo(f"wrote {destination}: {megabytes:.1f} MB")
    if megabytes > _MOST_MEGABYTES:
        typer.echo(f"that is more than {_MOST_MEGABYTES} MB; --dtype float16 halves it.", err=True)


def _length_counts(dataset: str) -> Tensor | None:
    from lnf_core.data import load_dataset

    try:
        return load_dataset(dataset).length_counts
    except DataError:
        return None  # the weights are whole without the data; the caller says what is missing


def _read_vocabulary(path: Path) -> Vocabulary:
    from lnf_core.data import Vocabulary

    try:
        symbols = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be read as JSON ({error}); give a JSON list of symbols.") from error
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise InvalidInputError(f"{path} holds no list of strings; give a JSON list of symbols.")
    return Vocabulary.from_list(symbols)
