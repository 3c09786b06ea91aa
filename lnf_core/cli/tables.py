"""``results``: the tables of figures, made from the checkpoints' own ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import path_argument
from lnf_core.errors import InvalidInputError, reason_of

if TYPE_CHECKING:
    from lnf_core.comparison import Compared, Spread


def results(
    files: Annotated[list[Path] | None, path_argument("Markdown files, with --write.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Replace what stands between <!-- results --> and <!-- /results -->.")
    ] = False,
) -> None:
    """Print our figures beside the paper's, or write them into Markdown files.

    A file may also hold <!-- modes -->, <!-- seeds --> and <!-- details --> with their ends: how multimodal the priors
    are beside how well they fit, how much a seed decides, and every figure with how it came about.
    """
    from lnf_core.comparison import compare_bundled, compare_seeds

    rows = compare_bundled()
    tables = {
        "results": comparison(rows),
        "modes": multimodality(rows),
        "seeds": seeds(compare_seeds()),
        "details": details({row.name: row.metrics for row in rows}),
    }
    if bool(files) != write:
        raise InvalidInputError("files and --write go together: results --write README.md docs/results.md.")
    for path in files or []:
        write_sections(path, tables)
        typer.echo(f"wrote {path}")
    if not files:
        typer.echo("\n".join(tables.values()), nl=False)


def comparison(rows: Sequence[Compared]) -> str:
    """One row a checkpoint: ours on valid and test beside the paper's test figure, in the paper's units."""
    lines = [
        "| Data | Model | Unit | Valid | Test | Paper, test, as reported |",
        "|---|---|---|---:|---:|---:|",
    ]
    for row in rows:
        ours = ["" if figure is None else _short(figure) for figure in (row.valid, row.test)]
        paper = "" if row.reported is None else f"{row.reported:.2f}"
        lines.append(f"| {' | '.join([row.data, row.model, row.unit, *ours, paper])} |")
    if not rows:
        lines.append("| none trained yet | | | | | |")
    return "\n".join(lines) + "\n"


def multimodality(rows: Sequence[Compared]) -> str:
    """One row a flow whose modes were counted: the average number at a step, beside its validation likelihood."""
    lines = [
        "| Data | Model | Modes a step | More than one | Valid | Unit | Command |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for row in rows:
        if isinstance(found := row.metrics.get("modes"), Mapping):
            spread = "" if found["standard_error"] is None else f" ± {found['standard_error']:.2f}"
            counted = f"{found['mean']:.2f}{spread} | {found['multimodal']:.0%}"
            valid = "" if row.valid is None else _short(row.valid)
            lines.append(f"| {row.data} | {row.model} | {counted} | {valid} | {row.unit} | `{found['command']}` |")
    return "\n".join(lines) + "\n"


def seeds(spreads: Sequence[Spread]) -> str:
    """One row a recipe that was trained with several seeds."""
    lines = ["| Recipe | Valid, each seed | Mean | Standard deviation |", "|---|---|---:|---:|"]
    for row in spreads:
        each = ", ".join(map(_short, row.valid))
        lines.append(f"| {row.name} | {each} | {_short(row.mean)} | {_short(row.deviation)} |")
    commands = [f"- `{command}`" for row in spreads for command in row.commands]
    return "\n".join([*lines, "", *commands]) + "\n"


def details(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a checkpoint and split with every figure, then the circumstances of each checkpoint."""
    lines = [
        "| Checkpoint | Split | Sequences | K | NLL | NLL / sum(T) | Negative ELBO | Reconstruction | KL | bpc |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    keys = ("sequences", "samples", "nll", "nll_per_step", "negative_elbo", "reconstruction", "kl", "bpc")
    notes = []
    for name, metrics in measured.items():
        for split in ("valid", "test"):
            if isinstance(figures := metrics.get(split), Mapping):
                lines.append(f"| {name} | {split} | {' | '.join(_figure(figures, key) for key in keys)} |")
        about = {key: metrics[key] for key in ("parameters", "epochs", "steps", "minutes", "device") if key in metrics}
        about |= {key: metrics[key] for key in ("code_version", "date") if key in metrics}
        commands = [metrics.get("command"), *(_command(metrics, split) for split in ("valid", "test"))]
        said = ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in about.items())
        notes.append(
            f"- **{name}**: {said or 'not measured yet'}\n" + "".join(f"  - `{line}`\n" for line in commands if line)
        )
    return "\n".join(lines) + "\n\n" + "".join(notes)


def _command(metrics: Mapping[str, Any], split: str) -> str | None:
    figures = metrics.get(split)
    return figures.get("command") if isinstance(figures, Mapping) else None


def _figure(figures: object, key: str) -> str:
    value = figures.get(key) if isinstance(figures, Mapping) else None
    return "" if value is None else _short(value)


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def check_sections(path: Path, names: Sequence[str]) -> None:
    """Refuse, before minutes of measuring, a file that :func:`write_sections` would refuse.

    Raises:
        InvalidInputError: as there.
    """
    text = _read(path)
    _replaced(path, text, dict.fromkeys(names, ""))


def write_sections(path: Path, sections: Mapping[str, str]) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` in a Markdown file.

    Raises:
        InvalidInputError: none of the sections is there, one is not marked by one start and one end after it, or the
            file cannot be read and written. The file is as it was.
    """
    from lnf_core.atomic import replace

    text = _replaced(path, _read(path), sections)
    try:
        replace(path, text.encode())
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {reason_of(error)}.") from error


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")  # its line ends stay what they are
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InvalidInputError(f"{path} cannot be read: {why}.") from error


def _replaced(path: Path, text: str, sections: Mapping[str, str]) -> str:
    found = [name for name in sections if f"<!-- {name} -->" in text or f"<!-- /{name} -->" in text]
    if not found:
        first = next(iter(sections))
        raise InvalidInputError(f"{path} has no <!-- {first} --> ... <!-- /{first} --> to write between.")
    for name in found:
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        if text.count(start) != 1 or text.count(end) != 1 or end not in rest:
            raise InvalidInputError(f"{path} must hold {start} once and, after it, {end} once; nothing was written.")
        text = f"{before}{start}\n{sections[name]}{end}{rest.partition(end)[2]}"
    return text
