"""``results``: the tables of figures, made from the checkpoints' own ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from lnf_core.errors import InvalidInputError

# Test figures of Ziegler & Rush (2019) as reported, in bits a character (ptb) and nats a step divided by sum(T + 1).
REPORTED: dict[str, dict[str, float]] = {
    "lstm": {"ptb": 1.41, "nottingham": 3.43, "piano-midi": 7.77, "muse": 7.23, "jsb": 8.17},
    "af-af": {"ptb": 1.42, "nottingham": 2.39, "piano-midi": 8.19, "muse": 6.92, "jsb": 6.53},
    "af-scf": {"ptb": 1.46, "nottingham": 2.56, "piano-midi": 8.26, "muse": 6.95, "jsb": 6.64},
    "iaf-scf": {"ptb": 1.63, "nottingham": 2.54, "piano-midi": 8.25, "muse": 7.06, "jsb": 6.59},
    "af-only": {"ptb": 2.90},
}


def results(
    files: Annotated[list[Path] | None, typer.Argument(help="Markdown files, with --write.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Replace what stands between <!-- results --> and <!-- /results -->.")
    ] = False,
) -> None:
    """Print our figures beside the paper's, or write them into Markdown files.

    A file may also hold <!-- details --> and <!-- /details -->: every figure, with how it came about.
    """
    from lnf_core.storage.bundled import list_checkpoints
    from lnf_core.storage.files import read_config, read_metrics

    entries = [entry for entry in list_checkpoints() if entry.problem is None]
    measured = {
        entry.name: {"variant": read_config(entry.path)["variant"], **read_metrics(entry.path)} for entry in entries
    }
    tables = {"results": comparison(measured), "details": details(measured)}
    if bool(files) != write:
        raise InvalidInputError("files and --write go together: results --write README.md docs/results.md.")
    for path in files or []:
        write_sections(path, tables)
        typer.echo(f"wrote {path}")
    if not files:
        typer.echo("\n".join(tables.values()), nl=False)


def comparison(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a checkpoint: ours on valid and test beside the paper's test figure, in the paper's units.

    Args:
        measured: ``<dataset>/<variant>`` to the contents of ``metrics.json`` and the variant's name.
    """
    from lnf_core.storage.card import dataset_title, variant_title

    lines = [
        "| Data | Model | Unit | Valid | Test | Paper, test, as reported |",
        "|---|---|---|---:|---:|---:|",
    ]
    for name, metrics in measured.items():
        dataset, variant = name.split("/")[0], str(metrics["variant"])
        text = dataset == "ptb"
        figures = [_figure(metrics.get(split), "bpc" if text else "nll") for split in ("valid", "test")]
        paper = REPORTED.get(variant, {}).get(dataset)
        cells = [
            dataset_title(dataset),
            variant_title(variant),
            "bits/character" if text else "nats/step",
            *figures,
            "" if paper is None else f"{paper:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if not measured:
        lines.append("| none trained yet | | | | | |")
    return "\n".join(lines) + "\n"


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


def write_sections(path: Path, sections: Mapping[str, str]) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` in a Markdown file.

    Raises:
        InvalidInputError: none of the sections is there, or the file cannot be read and written.
    """
    from lnf_core.storage.files import replace

    try:
        text = path.read_text(encoding="utf-8")
        found = [name for name in sections if f"<!-- {name} -->" in text and f"<!-- /{name} -->" in text]
        if not found:
            first = next(iter(sections))
            raise InvalidInputError(f"{path} has no <!-- {first} --> ... <!-- /{first} --> to write between.")
        for name in found:
            before, _, rest = text.partition(f"<!-- {name} -->")
            text = f"{before}<!-- {name} -->\n{sections[name]}<!-- /{name} -->{rest.partition(f'<!-- /{name} -->')[2]}"
        replace(path, text.encode())
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read and written: {error.strerror or error}.") from error
