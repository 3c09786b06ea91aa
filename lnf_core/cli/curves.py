"""``curves``: draw the training curves of one run or several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lnf_core.errors import TrainingError


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that train wrote, or metrics.jsonl.")],
    out: Annotated[Path, typer.Option(help="The picture: .png, .svg or .pdf.")],
) -> None:
    """Draw loss terms, KL weight and validation over the steps of each run."""
    # The Figure itself, not pyplot: no window system, no figures kept in module state.
    from matplotlib.figure import Figure

    histories = {label: read_metrics(run) for label, run in zip(_labels(runs), runs, strict=True)}
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    panels = (
        ("valid", "negative_elbo", "validation: negative ELBO (nats a step)"),
        ("valid", "kl", "validation: KL (nats a step)"),
        ("step", "reconstruction", "training: reconstruction (nats a step)"),
        ("step", "kl_weight", "training: KL weight"),
    )
    for axis, (event, key, title) in zip(axes.flat, panels, strict=True):
        for label, history in histories.items():
            lines = [line for line in history if line["event"] == event]
            axis.plot([line["step"] for line in lines], [line[key] for line in lines], label=label, linewidth=1)
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("optimiser steps")
    axes.flat[0].legend(fontsize=8)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=120)
    except (OSError, ValueError) as error:
        raise TrainingError(f"cannot draw {out}: {error}.") from error
    typer.echo(str(out))


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The events of a run, in order; a last line cut off by a kill is left out.

    Raises:
        TrainingError: no ``metrics.jsonl``, or nothing of ours in it.
    """
    path = run if run.is_file() else run / "metrics.jsonl"
    if not path.is_file():
        raise TrainingError(f"{run} has no metrics.jsonl; give a folder that train wrote.")
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(event, dict) and "event" in event and "step" in event:
            events.append(event)
    if not events:
        raise TrainingError(f"{path} holds no training events.")
    return events


def _labels(runs: Sequence[Path]) -> list[str]:
    places = [_place(run) for run in runs]
    return [_label(place, set(places) - {place}) for place in places]


def _place(run: Path) -> Path:
    """The folder; a file that is not named as train names it stands for itself."""
    folder = run.parent if run.is_file() else run
    named = run.is_file() and run.name != "metrics.jsonl"
    return folder.resolve() / run.name if named else folder.resolve()


def _label(place: Path, others: set[Path]) -> str:
    """The end of a run's path, as short as tells it from the others."""
    ends = (place.parts[-size:] for size in range(1, len(place.parts) + 1))
    return str(Path(*next(end for end in ends if all(other.parts[-len(end) :] != end for other in others))))
