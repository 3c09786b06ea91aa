"""``statistics``: what a checkpoint's samples are like, beside the data it was trained on."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import (
    MAX_SEED,
    CheckpointName,
    Device,
    Json,
    Revision,
    Threads,
    print_json,
    provenance,
    resolve_device,
)
from lnf_core.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from torch import Tensor

    from lnf_core.data import Dataset
    from lnf_core.models.results import Sample
    from lnf_core.storage.bundle import Checkpoint

_PASSAGE_MUSIC = 8  # steps: two bars of a chorale, one of the other sets
_PASSAGE_TEXT = 20  # characters: about four words


def statistics(
    checkpoint: CheckpointName,
    count: Annotated[int, typer.Option(help="Samples to measure.")] = 20,
    length: Annotated[int, typer.Option(help="Steps or characters of each.")] = 60,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Equal seeds give equal samples.")] = 0,
    temperature: Annotated[float, typer.Option(help="Spread of the base noise; 1 is the model.")] = 1.0,
    argmax: Annotated[bool, typer.Option("--argmax", help="The likeliest x given z in place of a draw.")] = False,
    engine: Annotated[str, typer.Option(help="auto, eager, numba_cpu, jacobi or cuda_graph.")] = "auto",
    as_json: Json = False,
    write: Annotated[bool, typer.Option("--write", help="Keep them in metrics.json and on the card.")] = False,
    device: Device = "auto",
    threads: Threads = 0,
    revision: Revision = None,
) -> None:
    """Measure samples of a checkpoint beside its data: chords and clashes, or words, and what they copy from it."""
    import torch

    from lnf_core.data import load_dataset
    from lnf_core.storage.bundle import check_keeps_figures, keep_figures
    from lnf_core.storage.card import statistics_table
    from lnf_core.storage.find import load

    loaded = load(checkpoint, revision=revision, device=resolve_device(device, threads))
    if write:
        check_keeps_figures(loaded)
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
        generator=torch.Generator().manual_seed(seed),
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
    if as_json:
        said = {"checkpoint": checkpoint, "dataset": loaded.dataset, "variant": loaded.variant}
        print_json({**said, **measured})
    else:
        typer.echo(statistics_table(measured), nl=False)
    if write:  # after they are printed: a folder that cannot be written costs no figures
        keep_figures(loaded, {"statistics": {**measured, "engine": drawn.engine, **provenance()}})


def _measure(checkpoint: Checkpoint, dataset: Dataset, drawn: Sample) -> dict[str, Any]:
    """What ``samples`` and the training ``data`` are like, and what samples and ``held_out`` copy of it.

    By their names in :mod:`lnf_core.analysis`. ``held_out`` are as many passages, of the same length.
    """
    from lnf_core.analysis import music_statistics, text_statistics, words_of

    sampled = list(drawn)
    held_out = _passages(dataset.valid, len(sampled), max(map(len, sampled)))
    if checkpoint.vocabulary is None or dataset.vocabulary is None:
        own, held, training = ([_chords(roll) for roll in rolls] for rolls in (sampled, held_out, dataset.train))
        return {
            "samples": music_statistics(sampled).to_dict(),
            "data": music_statistics(dataset.train).to_dict(),
            "copies": _copies(own, held, training, _PASSAGE_MUSIC),
        }
    lines = [checkpoint.vocabulary.decode(ids.cpu()) for ids in sampled]
    held_lines, learnt = ([dataset.vocabulary.decode(ids) for ids in split] for split in (held_out, dataset.train))
    known = words_of(learnt)
    return {
        "samples": text_statistics(lines, known).to_dict(),
        "data": text_statistics(learnt, known).to_dict(),
        "copies": _copies(lines, held_lines, learnt, _PASSAGE_TEXT),
    }


def _passages(sequences: Sequence[Tensor], count: int, steps: int) -> list[Tensor]:
    """``count`` passages of at most ``steps`` steps: beginnings of sequences from all over a split, then what follows.

    Fewer where the split holds no more.
    """
    chosen = sequences[:: max(1, len(sequences) // count)]
    starts = range(0, max(map(len, chosen)), steps)
    passages = (piece[start : start + steps] for start in starts for piece in chosen if start < len(piece))
    return list(islice(passages, count))


def _copies(
    sampled: Sequence[Sequence[Hashable]],
    held_out: Sequence[Sequence[Hashable]],
    training: Sequence[Sequence[Hashable]],
    passage: int,
) -> dict[str, Any]:
    from lnf_core.analysis import copies

    sides = {"samples": sampled, "held_out": held_out}
    return {side: copies(sequences, training, passage).to_dict() for side, sequences in sides.items()}


def _chords(roll: Tensor) -> list[bytes]:
    """Each step of a roll ``[T, 88 or 89]`` as a value to compare."""
    from lnf_core.data.rolls import check_roll, piano_keys

    return [step.tobytes() for step in check_roll(piano_keys(roll))]
