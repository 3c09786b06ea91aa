"""``statistics``: what a checkpoint's samples are like, beside the data it was trained on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import MAX_SEED, CheckpointName, Device, Json, Revision, Threads, command_line, resolve_device
from lnf_core.errors import CheckpointError

if TYPE_CHECKING:
    from lnf_core.data import Dataset
    from lnf_core.models.results import Sample
    from lnf_core.storage.bundle import Checkpoint


def statistics(
    checkpoint: CheckpointName,
    count: Annotated[int, typer.Option(help="Samples to measure.")] = 20,
    length: Annotated[int, typer.Option(help="Steps or characters of each.")] = 60,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Equal seeds give equal samples.")] = 0,
    temperature: Annotated[float, typer.Option(help="Spread of the base noise; 1 is the model.")] = 1.0,
    argmax: Annotated[bool, typer.Option("--argmax", help="The likeliest x given z in place of a draw.")] = False,
    engine: Annotated[str, typer.Option(help="auto, eager, numba_cpu or jacobi.")] = "auto",
    as_json: Json = False,
    write: Annotated[bool, typer.Option("--write", help="Keep them in metrics.json and on the card.")] = False,
    device: Device = "auto",
    threads: Threads = 0,
    revision: Revision = None,
) -> None:
    """Measure samples of a checkpoint beside the training split: chords and clashes, or words."""
    import torch

    from lnf_core.data import load_dataset
    from lnf_core.storage.bundle import write_metrics
    from lnf_core.storage.card import statistics_table
    from lnf_core.storage.find import load
    from lnf_core.version import code_version

    loaded = load(checkpoint, revision=revision, device=resolve_device(device, threads))
    if loaded.domain == "text" and loaded.vocabulary is None:
        raise CheckpointError(
            f"{loaded.path} has no vocabulary, so its words cannot be told; import it again with --vocabulary."
        )
    dataset = load_dataset(loaded.dataset)
    drawn = loaded.model.sample(
        count,
        length,
        temperature=temperature,
        argmax=argmax,
        generator=torch.Generator(loaded.model.device).manual_seed(seed),
        engine=engine,
    )
    measured = {
        **_measure(loaded, dataset, drawn),
        "count": count,
        "length": length,
        "seed": seed,
        "temperature": temperature,
        "argmax": argmax,
    }
    if write:
        about = {
            "engine": drawn.engine,
            "code_version": code_version(),
            "date": datetime.now(UTC).date().isoformat(),
            "command": command_line(),
        }
        write_metrics(loaded.path, {**loaded.metrics, "statistics": {**measured, **about}})
    if as_json:
        said = {"checkpoint": checkpoint, "dataset": loaded.dataset, "variant": loaded.variant}
        typer.echo(json.dumps({**said, **measured}))
    else:
        typer.echo(statistics_table(measured), nl=False)


def _measure(checkpoint: Checkpoint, dataset: Dataset, drawn: Sample) -> dict[str, Any]:
    """The statistics of ``samples`` and of the training ``data``, by their names in :mod:`lnf_core.analysis`."""
    from lnf_core.analysis import music_statistics, text_statistics, words_of

    if checkpoint.vocabulary is None or dataset.vocabulary is None:
        return {"samples": music_statistics(drawn).to_dict(), "data": music_statistics(dataset.train).to_dict()}
    training = [dataset.vocabulary.decode(ids) for ids in dataset.train]
    known = words_of(training)
    lines = [checkpoint.vocabulary.decode(ids.cpu()) for ids in drawn]
    return {"samples": text_statistics(lines, known).to_dict(), "data": text_statistics(training, known).to_dict()}
