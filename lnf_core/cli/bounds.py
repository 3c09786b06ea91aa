"""``bounds``: how the NLL that is reported depends on K, the number of posterior samples."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lnf_core.cli.common import MAX_SEED, Json, Threads, command_line, path_option, print_json, resolve_device
from lnf_core.cli.tables import check_sections, write_sections
from lnf_core.errors import InvalidInputError

if TYPE_CHECKING:
    from lnf_core.analysis.bounds import BoundCurve

_COUNTS = (1, 2, 5, 10, 20, 30, 50, 100)


def bounds(
    checkpoints: Annotated[list[str], typer.Argument(help="Names or folders of checkpoints of flows.")],
    samples: Annotated[int, typer.Option(min=1, help="The largest K; smaller ones are taken from its draws.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences encoded together.")] = 16,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the posterior draws.")] = 0,
    as_json: Json = False,
    write: Annotated[
        Path | None, path_option("Put the table into this Markdown file, between <!-- bounds --> and its end.")
    ] = None,
    threads: Threads = 0,
) -> None:
    """The negative bound on log p(x, T) on the valid split for K from 1 up, with its standard error."""
    resolve_device("cpu", threads)
    if write is not None:
        check_sections(write, ["bounds"])
    curves = {name: _measure(name, samples, batch_size, seed) for name in checkpoints}
    if write is not None:
        write_sections(write, {"bounds": _table(curves, seed)})
    if as_json:
        print_json({name: asdict(curve) for name, curve in curves.items()})
    else:
        typer.echo(_table(curves, seed))
        typer.echo("Nats / (T + 1). ± is the standard error over groups of K draws; it takes two groups or more.")


def _measure(name: str, samples: int, batch_size: int, seed: int) -> BoundCurve:
    import torch

    from lnf_core.analysis.bounds import bound_by_samples, pooled
    from lnf_core.data import batch_indices, collate, load_dataset
    from lnf_core.evaluation import sequences_for
    from lnf_core.models.latent_flow import LatentFlow
    from lnf_core.storage.find import load

    loaded = load(name)
    if not isinstance(loaded.model, LatentFlow):
        raise InvalidInputError(
            f"{name} has no latent space, and its likelihood is exact; give a checkpoint of a flow."
        )
    sequences = sequences_for(loaded, load_dataset(loaded.dataset), "valid")
    generator = torch.Generator().manual_seed(seed)
    counts = [*(count for count in _COUNTS if count < samples), samples]
    curves = []
    for indices in batch_indices([len(sequence) for sequence in sequences], batch_size):
        batch = collate([sequences[index] for index in indices])
        curves.append(bound_by_samples(loaded.model, batch.x, batch.lengths, samples, generator, counts))
    return pooled(curves)


def _table(curves: dict[str, BoundCurve], seed: int) -> str:
    """One row a checkpoint, one column a K; nats a step."""
    counts = next(iter(curves.values())).counts
    lines = [
        f"| Checkpoint | {' | '.join(f'K = {count}' for count in counts)} |",
        f"|---|{'---:|' * len(counts)}",
    ]
    for name, curve in curves.items():
        cells = [
            f"{-bound:.3f}" + ("" if error is None else f" ± {error:.3f}")
            for bound, error in zip(curve.bounds, curve.standard_errors, strict=True)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    date = datetime.now(UTC).date().isoformat()
    return "\n".join([*lines, "", f"Valid split, float32, seed {seed}, {date}. `{command_line()}`"]) + "\n"
