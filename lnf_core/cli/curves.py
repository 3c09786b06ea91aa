"""``curves``: draw the training curves of one run or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lnf_core.cli.common import path_argument, path_option
from lnf_core.errors import InvalidInputError, TrainingError, reason_of

_METRICS = "metrics.jsonl"
_PICTURES = (".png", ".svg", ".pdf")
_PANELS = (  # event, field, title
    ("valid", "negative_elbo", "validation: negative ELBO (nats a step)"),
    ("valid", "kl", "validation: KL (nats a step)"),
    ("step", "reconstruction", "training: reconstruction (nats a step)"),
    ("step", "kl_weight", "training: KL weight"),
)


def curves(
    runs: Annotated[list[Path], path_argument("Folders that train wrote, or metrics.jsonl.", "RUN...")],
    out: Annotated[Path, path_option("The picture: .png, .svg or .pdf.")],
) -> None:
    """Draw loss terms, KL weight and validation over the steps of each run."""
    # The Figure itself, not pyplot: no window system, no figures kept in module state.
    from matplotlib.figure import Figure

    if out.suffix.lower() not in _PICTURES:
        raise InvalidInputError(f"{out} is no name of a picture; let it end in {', '.join(_PICTURES)}.")
    histories = {label: _history(run) for label, run in zip(_labels(runs), runs, strict=True)}
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    for axis, (kind, key, title) in zip(axes.flat, _PANELS, strict=True):
        for label, history in histories.items():
            points = _points(history, kind, key)
            axis.plot([step for step, _ in points], [value for _, value in points], label=label, linewidth=1)
        axis.set_title(title, fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("optimiser steps")
    axes.flat[0].legend(fontsize=8)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=120)
    except OSError as error:
        raise TrainingError(f"cannot draw {out}: {reason_of(error)}; name another picture.") from error
    typer.echo(str(out))


def _history(run: Path) -> list[dict[str, Any]]:
    """The events of a run, in order.

    Raises:
        TrainingError: no ``metrics.jsonl``, or nothing in it that can be drawn.
    """
    from lnf_core.training.events import read_events

    path = run if run.is_file() else run / _METRICS
    if not path.is_file():
        stages = sorted(str(found.parent) for found in run.glob(f"*/{_METRICS}"))
        remedy = f"the stages of its recipe: {' '.join(stages)}" if stages else "a folder that train wrote"
        raise TrainingError(f"{run} has no {_METRICS}; give {remedy}.")
    events = read_events(path)
    if not any(_points(events, kind, key) for kind, key, _ in _PANELS):
        raise TrainingError(f"{path} holds no training events; give a folder that train wrote.")
    return events


def _points(events: Sequence[dict[str, Any]], kind: str, key: str) -> list[tuple[int, float]]:
    """``(step, value)`` of the events that have a number there."""
    return [(e["step"], e[key]) for e in events if e["event"] == kind and isinstance(e.get(key), int | float)]


def _labels(runs: Sequence[Path]) -> list[str]:
    places = [_place(run) for run in runs]
    return [_label(place, set(places) - {place}) for place in places]


def _place(run: Path) -> Path:
    """The folder; a file that is not named as train names it stands for itself."""
    folder = run.parent if run.is_file() else run
    named = run.is_file() and run.name != _METRICS
    return folder.resolve() / run.name if named else folder.resolve()


def _label(place: Path, others: set[Path]) -> str:
    """The end of a run's path, as short as tells it from the others."""
    ends = (place.parts[-size:] for size in range(1, len(place.parts) + 1))
    return str(Path(*next(end for end in ends if all(other.parts[-len(end) :] != end for other in others))))
