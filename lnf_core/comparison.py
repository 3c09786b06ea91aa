"""Our figures beside the paper's, from the ``metrics.json`` of checkpoints and of models without released weights.

``figures/<dataset>/<variant>`` holds ``config.json`` and ``metrics.json`` of a model whose weights are not passed on;
``figures/<dataset>/<variant>.seed<n>`` those of a released recipe trained with another seed; ``.seed0`` those of the
release that the others were trained beside, where it has gone on since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

_FIGURES = Path(__file__).resolve().parent.parent / "figures"
_SEED = ".seed"

# Test figures of Ziegler & Rush (2019) as reported, in bits a character (ptb) and nats a step divided by sum(T + 1).
REPORTED: dict[str, dict[str, float]] = {
    "lstm": {"ptb": 1.41, "nottingham": 3.43, "piano-midi": 7.77, "muse": 7.23, "jsb": 8.17},
    "af-af": {"ptb": 1.42, "nottingham": 2.39, "piano-midi": 8.19, "muse": 6.92, "jsb": 6.53},
    "af-scf": {"ptb": 1.46, "nottingham": 2.56, "piano-midi": 8.26, "muse": 6.95, "jsb": 6.64},
    "iaf-scf": {"ptb": 1.63, "nottingham": 2.54, "piano-midi": 8.25, "muse": 7.06, "jsb": 6.59},
    "af-only": {"ptb": 2.90},
}


@dataclass(frozen=True)
class Compared:
    """One checkpoint: what was measured of it, in the paper's units, beside what the paper reports."""

    name: str
    """``<dataset>/<variant>``."""
    data: str
    """The data set's title."""
    model: str
    """The variant's title."""
    unit: str
    """``bits/character`` or ``nats/step``."""
    valid: float | None
    test: float | None
    reported: float | None
    """The paper's test figure."""
    metrics: Mapping[str, Any]
    """Everything in ``metrics.json``."""


def compare(measured: Mapping[str, Mapping[str, Any]]) -> list[Compared]:
    """One row a checkpoint.

    Args:
        measured: ``<dataset>/<variant>`` to the contents of ``metrics.json``, with ``dataset`` and ``variant`` as they
            are in ``config.json``, which need not be those of the folder.
    """
    from lnf_core.data import DATASETS
    from lnf_core.storage.card import dataset_title, model_title

    rows = []
    for name, metrics in measured.items():
        dataset, variant, folder = str(metrics["dataset"]), str(metrics["variant"]), name.split("/")[1]
        text = any(_figure(metrics.get(split), "bpc") is not None for split in ("valid", "test"))
        text = text or (dataset in DATASETS and DATASETS[dataset].domain == "text")
        valid, test = (_figure(metrics.get(split), "bpc" if text else "nll") for split in ("valid", "test"))
        rows.append(
            Compared(
                name=name,
                data=dataset_title(dataset),
                model=model_title(folder, variant),
                unit="bits/character" if text else "nats/step",
                valid=valid,
                test=test,
                # Of the same objective alone: a folder may be named for another.
                reported=REPORTED.get(variant, {}).get(dataset) if folder == variant else None,
                metrics=metrics,
            )
        )
    return rows


def compare_bundled() -> list[Compared]:
    """The same for every checkpoint at hand that can be used, and every model whose figures alone are here."""
    return compare({name: figures for name, figures in _measured().items() if _SEED not in name})


@dataclass(frozen=True)
class Spread:
    """One recipe trained with several seeds; NLL on valid, in nats a step (bits a character for text)."""

    name: str
    """``<dataset>/<variant>``."""
    valid: tuple[float, ...]
    """By seed; the first is the release."""
    commands: tuple[str, ...]
    """What measured each, as far as it is known."""

    @property
    def mean(self) -> float:
        """Over all seeds."""
        return mean(self.valid)

    @property
    def deviation(self) -> float:
        """Standard deviation over seeds, with one degree of freedom less than seeds."""
        return stdev(self.valid)


def compare_seeds() -> list[Spread]:
    """Every recipe of which more than one seed was trained and measured."""
    measured = _measured()
    found = []
    for name in measured:
        group = {key: metrics for key, metrics in measured.items() if key.startswith(f"{name}{_SEED}")}
        if f"{name}{_SEED}0" not in group:
            group = {name: measured[name], **group}
        rows = [row for row in compare(group) if row.valid is not None]
        if len(rows) > 1:
            values = tuple(row.valid for row in rows if row.valid is not None)
            commands = (row.metrics["valid"].get("command") for row in rows)
            found.append(Spread(name, values, tuple(command for command in commands if command)))
    return found


def _measured() -> dict[str, dict[str, Any]]:
    """By name, the contents of ``metrics.json``, and data set and variant as ``config.json`` has them."""
    from lnf_core.storage.bundled import list_checkpoints
    from lnf_core.storage.files import read_config, read_metrics

    folders = {entry.name: entry.path for entry in list_checkpoints() if entry.problem is None}
    for folder in sorted(_FIGURES.glob("*/*/")):
        folders.setdefault("/".join(folder.parts[-2:]), folder)
    return {
        name: {**read_metrics(folder), **{key: read_config(folder)[key] for key in ("dataset", "variant")}}
        for name, folder in sorted(folders.items())
    }


def _figure(figures: object, key: str) -> float | None:
    value = figures.get(key) if isinstance(figures, Mapping) else None
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:  # a whole number of hundreds of digits is no figure
        return None
