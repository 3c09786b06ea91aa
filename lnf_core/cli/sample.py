"""``sample``: draw sequences and write them as MIDI and sound, or as text."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import (
    MAX_SEED,
    CheckpointName,
    Device,
    Json,
    Revision,
    Threads,
    path_option,
    print_json,
    resolve_device,
)
from lnf_core.errors import CheckpointError, InvalidInputError, reason_of

if TYPE_CHECKING:
    from torch import Tensor

    from lnf_core.data import Vocabulary
    from lnf_core.models.results import Sample
    from lnf_core.music import Performance
    from lnf_core.storage.bundle import Checkpoint


_MOST_CHARACTERS, _MOST_BYTES = 64, 192
"""Of a path in a file's name, which has room for 255 bytes."""


def sample(
    checkpoint: CheckpointName,
    out: Annotated[Path, path_option("Folder for the files; created when missing.")],
    count: Annotated[int, typer.Option(help="How many.")] = 1,
    length: Annotated[int | None, typer.Option(help="Steps or characters; drawn from p(T) when left out.")] = None,
    begin: Annotated[
        str | None, typer.Option(help="Go on from this text, or for music from the beginning of this MIDI file.")
    ] = None,
    begin_steps: Annotated[
        int, typer.Option(min=1, help="Music: how many steps of the file, from its first note on.")
    ] = 32,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Equal seeds give equal samples.")] = 0,
    temperature: Annotated[float, typer.Option(help="Spread of the base noise; 1 is the model.")] = 1.0,
    argmax: Annotated[bool, typer.Option("--argmax", help="The likeliest x given z in place of a draw.")] = False,
    tempo: Annotated[float, typer.Option(help="Music: beats a minute.")] = 96.0,
    program: Annotated[int, typer.Option(help="Music: General MIDI instrument, from 0.")] = 0,
    engine: Annotated[
        str, typer.Option(help="auto, eager, numba_cpu, jacobi or cuda_graph: the same sample, faster or slower.")
    ] = "auto",
    as_json: Json = False,
    device: Device = "auto",
    threads: Threads = 0,
    revision: Revision = None,
) -> None:
    """Draw sequences: a .mid and a .wav each for music, a .txt each for text."""
    import torch

    from lnf_core.music import Performance, check_program
    from lnf_core.music.midi import check_tempo
    from lnf_core.storage.find import load

    check_program(program)  # before minutes of sampling rather than after
    check_tempo(tempo)
    loaded = load(checkpoint, revision=revision, device=resolve_device(device, threads))
    _check_can_be_written(loaded)
    options: dict[str, Any] = {
        "temperature": temperature,
        "argmax": argmax,
        "generator": torch.Generator().manual_seed(seed),
        "engine": engine,
    }
    beginning, remark = (None, "") if begin is None else _beginning(loaded, begin, begin_steps)
    started = time.perf_counter()
    if beginning is None:
        drawn = loaded.model.sample(count, length, **options)
    elif length is None:
        raise InvalidInputError(
            "a beginning was given and no length; give --length, the whole of it with the beginning."
        )
    else:
        drawn = loaded.model.continue_from(beginning, length, count, **options)
    drawn.x.cpu()  # a GPU is still at work when the call returns
    seconds = time.perf_counter() - started
    stem = f"{_as_file_name(loaded, checkpoint, revision)}-seed{seed}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if loaded.vocabulary is not None:
            files, synthesizer = _write_text(loaded.vocabulary, drawn, out, stem), None
        else:
            performance = Performance(loaded.dataset, tempo, program)
            files, synthesizer = _write_music(drawn, out, stem, performance)
    except OSError as error:
        raise InvalidInputError(f"cannot write into {out}: {reason_of(error)}; name another folder.") from error
    result: dict[str, Any] = {
        "checkpoint": checkpoint,
        "dataset": loaded.dataset,
        "variant": loaded.variant,
        "seed": seed,
        "temperature": temperature,
        "begun": 0 if beginning is None else len(beginning),
        "remark": remark,
        "files": [str(path) for path in files],
        "lengths": [int(steps) for steps in drawn.lengths],
        "seconds": round(seconds, 3),
        "engine": drawn.engine,
        "dependent_steps": drawn.dependent_steps,
        "synthesizer": synthesizer,
    }
    if as_json:
        print_json(result)
        return
    if remark:
        typer.echo(remark)
    for path in files:
        typer.echo(f"{path}: {path.read_text(encoding='utf-8').strip()}" if path.suffix == ".txt" else str(path))
    typer.echo(f"{len(drawn)} drawn in {seconds:.2f} s" + (f", sound by {synthesizer}" if synthesizer else ""))


def _beginning(checkpoint: Checkpoint, given: str, steps: int) -> tuple[Tensor, str]:
    """Text or the beginning of a MIDI file as the model reads it, and what was done to the music for that."""
    from lnf_core.analysis.openings import read_opening
    from lnf_core.storage.files import from_home

    if checkpoint.vocabulary is not None:
        return checkpoint.vocabulary.encode(given).to(checkpoint.model.device), ""
    # Only the model tells that what was given is a path.
    opening = read_opening(from_home(given), checkpoint.dataset, checkpoint.model, steps)
    return opening.x, f"{given}: {'; '.join(opening.remarks)}" if opening.remarks else ""


def _as_file_name(loaded: Checkpoint, given: str, revision: str | None) -> str:
    """The whole name the checkpoint was given by: data set and variant are shared by several."""
    name = given if re.search(r"\w", given) else str(loaded.path.resolve())
    one_word = re.sub(r"[^\w.-]+", "-", name if revision is None else f"{name}-{revision}").strip("-.")
    end = one_word[-_MOST_CHARACTERS:].encode()[-_MOST_BYTES:].decode(errors="ignore")  # no half character in front
    return end.lstrip("-.")


def _check_can_be_written(checkpoint: Checkpoint) -> None:
    from lnf_core.music import KEYS

    size = checkpoint.model.config.vocab_size
    if checkpoint.domain == "text" and checkpoint.vocabulary is None:
        raise CheckpointError(
            f"{checkpoint.path} has no vocabulary, so its symbols cannot be written as text; "
            "import it again with --vocabulary."
        )
    if checkpoint.domain == "music" and size not in (KEYS, KEYS + 1):
        raise CheckpointError(f"{checkpoint.path} has {size} keys; music is written from {KEYS}, those of a piano.")


def _write_text(vocabulary: Vocabulary, drawn: Sample, out: Path, stem: str) -> list[Path]:
    files = []
    for number, ids in enumerate(drawn, start=1):
        files.append(out / f"{stem}-{number}.txt")
        files[-1].write_text(vocabulary.decode(ids.cpu()) + "\n", encoding="utf-8")
    return files


def _write_music(drawn: Sample, out: Path, stem: str, performance: Performance) -> tuple[list[Path], str]:
    from lnf_core.music import Synthesizer

    synthesizer = Synthesizer()
    files, made_by = [], ""
    for number, roll in enumerate(drawn, start=1):
        files += [out / f"{stem}-{number}.mid", out / f"{stem}-{number}.wav"]
        performance.write_midi(roll.cpu(), files[-2])
        made_by = performance.write_sound(roll.cpu(), files[-1], synthesizer, seconds_limit=3600.0).synthesizer
    return files, made_by
