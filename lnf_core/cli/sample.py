"""``sample``: draw sequences and write them as MIDI and sound, or as text."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import MAX_SEED, CheckpointName, Device, Json, Revision, Threads, resolve_device
from lnf_core.errors import CheckpointError, InvalidInputError

if TYPE_CHECKING:
    from lnf_core.data import Vocabulary
    from lnf_core.models.results import Sample
    from lnf_core.storage.bundle import Checkpoint


def sample(
    checkpoint: CheckpointName,
    out: Annotated[Path, typer.Option(help="Folder for the files; created when missing.")],
    count: Annotated[int, typer.Option(help="How many.")] = 1,
    length: Annotated[int | None, typer.Option(help="Steps or characters; drawn from p(T) when left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Equal seeds give equal samples.")] = 0,
    temperature: Annotated[float, typer.Option(help="Spread of the base noise; 1 is the model.")] = 1.0,
    argmax: Annotated[bool, typer.Option("--argmax", help="The likeliest x given z in place of a draw.")] = False,
    tempo: Annotated[float, typer.Option(help="Music: beats a minute.")] = 96.0,
    program: Annotated[int, typer.Option(help="Music: General MIDI instrument, from 0.")] = 0,
    as_json: Json = False,
    device: Device = "auto",
    threads: Threads = 0,
    revision: Revision = None,
) -> None:
    """Draw sequences: a .mid and a .wav each for music, a .txt each for text."""
    import torch

    from lnf_core.data import steps_per_beat
    from lnf_core.music import check_program
    from lnf_core.music.midi import check_tempo
    from lnf_core.storage.find import load

    check_program(program)  # before minutes of sampling rather than after
    check_tempo(tempo)
    loaded = load(checkpoint, revision=revision, device=resolve_device(device, threads))
    _check_can_be_written(loaded)
    where = loaded.model.length_prior.log_probs.device
    started = time.perf_counter()
    drawn = loaded.model.sample(
        count,
        length,
        temperature=temperature,
        argmax=argmax,
        generator=torch.Generator(where).manual_seed(seed),
    )
    seconds = time.perf_counter() - started
    stem = f"{loaded.dataset}-{loaded.variant}-seed{seed}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        if loaded.vocabulary is not None:
            files, engine = _write_text(loaded.vocabulary, drawn, out, stem), None
        else:
            files, engine = _write_music(drawn, out, stem, tempo, program, steps_per_beat(loaded.dataset))
    except OSError as error:
        raise InvalidInputError(f"cannot write into {out}: {error.strerror or error}; name another folder.") from error
    result: dict[str, Any] = {
        "checkpoint": checkpoint,
        "dataset": loaded.dataset,
        "variant": loaded.variant,
        "seed": seed,
        "temperature": temperature,
        "files": [str(path) for path in files],
        "lengths": [int(steps) for steps in drawn.lengths],
        "seconds": round(seconds, 3),
        "engine": engine,
    }
    if as_json:
        typer.echo(json.dumps(result))
        return
    for path in files:
        typer.echo(f"{path}: {path.read_text(encoding='utf-8').strip()}" if path.suffix == ".txt" else str(path))
    typer.echo(f"{len(drawn)} drawn in {seconds:.2f} s" + (f", sound by {engine}" if engine else ""))


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


def _write_music(drawn: Sample, out: Path, stem: str, tempo: float, program: int, grid: int) -> tuple[list[Path], str]:
    from lnf_core.music import KEYS, Synthesizer, roll_to_midi, write_midi, write_wav

    synthesizer = Synthesizer()
    files, engine = [], ""
    for number, roll in enumerate(drawn, start=1):
        # The paper's roll has one output more, at index 0, that never sounds.
        midi = roll_to_midi(roll[:, -KEYS:].cpu(), tempo=tempo, program=program, steps_per_beat=grid)
        audio = synthesizer.render(midi, seconds_limit=3600.0)
        engine = audio.engine
        files += [out / f"{stem}-{number}.mid", out / f"{stem}-{number}.wav"]
        write_midi(files[-2], midi)
        write_wav(files[-1], audio)
    return files, engine
