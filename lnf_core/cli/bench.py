"""``bench``: sampling and training speed on this machine, every engine beside ``eager`` in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import Json, Threads, command_line, path_option, print_json, resolve_device
from lnf_core.cli.tables import check_sections, write_sections
from lnf_core.errors import InvalidInputError

if TYPE_CHECKING:
    from lnf_core.benchmark import SamplingTime, TrainingTime

_LENGTHS = {"text": (32, 96, 288), "music": (64, 128, 256)}
_QUICK = {"text": (32, 96), "music": (64,)}
_BATCHES, _QUICK_BATCHES = (1, 8, 32), (1, 8)


def bench(
    as_json: Json = False,
    quick: Annotated[bool, typer.Option("--quick", help="Short sequences, few repeats: a minute or two.")] = False,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="The bundled checkpoints in place of the paper's sizes.")
    ] = False,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only checkpoints of these data sets (may be repeated).")
    ] = None,
    variant: Annotated[list[str] | None, typer.Option(help="Only these variants (may be repeated).")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Only these engines (may be repeated).")] = None,
    length: Annotated[list[int] | None, typer.Option(min=1, help="Only these lengths (may be repeated).")] = None,
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Only these batch sizes (may be repeated).")] = None,
    training: Annotated[bool, typer.Option(help="Time a training step of the paper's sizes as well.")] = True,
    write: Annotated[
        Path | None,
        path_option("Put the table into this Markdown file (<!-- bench --> or <!-- checkpoints -->)."),
    ] = None,
    section: Annotated[
        str | None, typer.Option(help="With --write: between <!-- SECTION --> and its end instead.")
    ] = None,
    plot: Annotated[Path | None, path_option("Draw time against length at batch 1 into this picture.")] = None,
    threads: Threads = 0,
) -> None:
    """Measure sampling and training: ratios within one run are what counts, on a machine that does nothing else."""
    from lnf_core import benchmark, engines

    resolve_device("cpu", threads)
    if dataset and not checkpoints:
        raise InvalidInputError("--dataset chooses among checkpoints: give --checkpoints as well.")
    title = section or ("checkpoints" if checkpoints else "bench")
    if write is not None:
        check_sections(write, [title])
    if plot is not None:
        _check_picture(plot)
    if "numba_cpu" in (chosen := _known("engine", engine, engines.ENGINES[1:])):
        engines.warm_up()
    at_hand = _at_hand(dataset) if checkpoints else []
    kinds = sorted({name.split("/")[1] for name in at_hand}) if checkpoints else benchmark.PAPER_VARIANTS
    names = _known("variant", variant, kinds)
    limits = benchmark.measure_limits()
    rows: list[SamplingTime] = []
    for name, kind, domain, model in _models(names, at_hand if checkpoints else None):
        lengths = tuple(length or (_QUICK if quick else _LENGTHS)[domain])
        for row in benchmark.sampling_times(
            model,
            name=name,
            variant=kind,
            domain=domain,
            chosen=chosen,
            lengths=tuple(steps for steps in sorted(set(lengths)) if steps <= model.config.max_length),
            batches=tuple(batch or (_QUICK_BATCHES if quick else _BATCHES)),
            limits=limits,
            repeats=3 if quick else 7,
        ):
            rows.append(row)
            if not as_json:
                typer.echo(_line(row))
    if not rows:
        raise InvalidInputError("no model takes that length: nothing was measured.")
    # The paper's batch; and a larger one, with which bfloat16 begins to pay where the processor has it.
    ways = [("fp32", 5), ("fp32", 20), *([("bf16", 20)] if limits.multiply_gflops_bf16 else [])]
    steps = [
        benchmark.training_time(
            kind,
            length=24 if quick else 60,
            batch=size,
            repeats=1 if quick else 3,
            limits=limits,
            precision=precision,
        )
        for kind in (names if training and not checkpoints else ())
        for precision, size in (ways[:1] if quick else ways)
    ]
    if not as_json:
        for step in steps:
            typer.echo(
                f"training {step.variant:>8}, {step.precision}: {step.ms_per_step:9.1f} ms a step of {step.batch} x "
                f"{step.length}, floor {step.floor_ms:9.1f}"
            )
    if plot is not None:
        _draw(rows, plot)
    if write is not None:
        about = benchmark.machine()
        table = _table(rows, steps, f"{about['processor']}, {about['threads']} threads, torch {about['torch']}")
        write_sections(write, {title: table})
    if as_json:
        result = {
            "results": [benchmark.as_row(row) for row in rows],
            "training": [benchmark.as_row(step) for step in steps],
            "machine": benchmark.machine(),
            "limits": asdict(limits),
            "date": datetime.now(UTC).date().isoformat(),
            "command": command_line(),
        }
        print_json(result)


def _known(what: str, given: list[str] | None, accepted: Sequence[str]) -> tuple[str, ...]:
    for name in given or ():
        if name not in accepted:
            raise InvalidInputError(f"there is no {what} {name!r} to measure; choose from {', '.join(accepted)}.")
    return tuple(given or accepted)


def _at_hand(datasets: list[str] | None) -> list[str]:
    """Names of the bundled checkpoints that can be loaded, all of them or those of some data sets."""
    from lnf_core.storage.bundled import list_checkpoints

    found = [entry.name for entry in list_checkpoints() if entry.problem is None]
    chosen = _known("data set", datasets, sorted({name.split("/")[0] for name in found}))
    return [name for name in found if name.split("/")[0] in chosen]


def _models(variants: tuple[str, ...], checkpoints: list[str] | None) -> Any:  # noqa: ANN401 - an iterator of four things
    from lnf_core import benchmark
    from lnf_core.storage.find import load

    if checkpoints is None:
        for domain in benchmark.DOMAINS:
            for name in variants:
                yield "paper", name, domain, benchmark.paper_model(name, domain)
        return
    for name in checkpoints:
        if name.split("/")[1] in variants:
            loaded = load(name)
            yield name, loaded.variant, loaded.domain, loaded.model


def _check_picture(path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    kinds = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in kinds:
        raise InvalidInputError(f"{path} is no kind of picture that can be drawn; end it in .png, .svg or .pdf.")
    if not path.absolute().parent.is_dir():
        raise InvalidInputError(f"{path} cannot be written: there is no folder {path.parent}.")


def _line(row: SamplingTime) -> str:
    return (
        f"{row.model:>12} {row.domain:>5} {row.variant:>8} {row.engine:>9}, {row.batch:>2} of length {row.length:>3}: "
        f"{row.ms_per_sequence:9.2f} ms a sequence, floor {row.floor_ms:7.2f}, {row.sequential_steps:>3} steps wait"
    )


def _table(rows: list[SamplingTime], steps: list[TrainingTime], where: str) -> str:
    """A line for the same work, the engines side by side; ``eager`` is what the others are compared with."""
    engines = list(dict.fromkeys(row.engine for row in rows))
    work: dict[tuple[str, str, str, int, int], dict[str, SamplingTime]] = {}
    for row in rows:
        work.setdefault((row.model, row.variant, row.domain, row.length, row.batch), {})[row.engine] = row
    lines = [
        f"| Model | Variant | Data | Length | Batch | floor, ms | {' | '.join(f'{name}, ms' for name in engines)} "
        "| steps that wait |",
        f"|---|---|---|---:|---:|---:|{'---:|' * len(engines)}---|",
    ]
    for key, measured in work.items():
        floor = next(iter(measured.values())).floor_ms
        cells = [_cell(measured.get(name), measured.get("eager")) for name in engines]
        lines.append(f"| {' | '.join(map(str, key))} | {floor:.1f} | {' | '.join(cells)} | {_waiting(measured)} |")
    if steps:
        lines += [
            "",
            "| Training step, paper sizes, music | Batch x length | Precision | ms | floor, ms | steps a second |",
            "|---|---:|---|---:|---:|---:|",
        ]
        lines += [
            f"| {step.variant} | {step.batch} x {step.length} | {step.precision} | {step.ms_per_step:.0f} "
            f"| {step.floor_ms:.0f} | {step.steps_of_sequence_per_second:.0f} |"
            for step in steps
        ]
    date = datetime.now(UTC).date().isoformat()
    return "\n".join([*lines, "", f"Measured on {date}: {where}. `{command_line()}`"]) + "\n"


def _cell(row: SamplingTime | None, plain: SamplingTime | None) -> str:
    if row is None:
        return ""
    beside = "" if plain is None or row is plain else f" ({plain.ms_per_sequence / row.ms_per_sequence:.1f} x)"
    return f"{row.ms_per_sequence:.1f}{beside}"


def _waiting(measured: dict[str, SamplingTime]) -> str:
    """One number where all engines take as many, else by engine."""
    counts = {name: row.sequential_steps for name, row in measured.items()}
    if len(set(counts.values())) == 1:
        return str(next(iter(counts.values())))
    sweeps = counts.pop("jacobi", None)
    rest = ", ".join(map(str, dict.fromkeys(counts.values())))
    return rest if sweeps is None else f"{rest}; jacobi {sweeps}" if rest else str(sweeps)


def _draw(rows: list[SamplingTime], path: Path) -> None:
    from matplotlib.figure import Figure

    domains = sorted({row.domain for row in rows}, reverse=True)
    figure = Figure(figsize=(1.6 + 4.8 * len(domains), 4.2), layout="constrained")
    styles = {"eager": ":", "numba_cpu": "-", "jacobi": "--", "cuda_graph": "-."}
    markers = {"af-af": "o", "af-scf": "s", "iaf-scf": "^", "lstm": "D"}
    colours = {"af-af": "#7b3294", "af-scf": "#0571b0", "iaf-scf": "#c05a00", "lstm": "#404040"}
    for axes, domain in zip(figure.subplots(1, len(domains), squeeze=False)[0], domains, strict=True):
        here = sorted((row for row in rows if row.domain == domain and row.batch == 1), key=lambda row: row.length)
        for model, variant, engine in sorted({(row.model, row.variant, row.engine) for row in here}):
            line = [row for row in here if (row.model, row.variant, row.engine) == (model, variant, engine)]
            axes.plot(
                [row.length for row in line],
                [row.ms_per_sequence for row in line],
                styles[engine],
                marker=markers.get(variant, "x"),
                color=colours.get(variant, "#888888"),
                label=f"{variant} {engine}",
                markersize=4,
            )
        axes.set(xscale="log", yscale="log", xlabel="length, steps", ylabel="ms a sequence, batch 1", title=domain)
        lengths = sorted({row.length for row in here})
        axes.set_xticks(lengths, [str(steps) for steps in lengths])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=7)
    figure.savefig(path, dpi=140)
