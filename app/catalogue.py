"""Which models there are to choose from, and how each variant is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import lnf_core
from lnf_core.data import DATASETS, steps_per_beat
from lnf_core.storage.card import dataset_title


@dataclass(frozen=True)
class Variant:
    """One kind of model; its colour is ``--lnf-<name>`` in theme.css, its marker is here."""

    name: str
    title: str
    """The paper's name."""
    marker: str
    plain: str
    """How it draws, in plain words."""
    blurb: str
    temperature: str = (
        "Temperature: how far the noise spreads before the flow bends it; 1 is the model as trained. Lower is plainer "
        "and cleaner, towards 2 harmonies and words fray."
    )


VARIANTS = {
    item.name: item
    for item in (
        Variant(
            "af-af",
            "AF/AF",
            "●",
            "Number by number",
            "each step waits for the one before, and in it each hidden number for the last (autoregressive in both)",
        ),
        Variant(
            "af-scf",
            "AF/SCF",
            "■",
            "Step by step",
            "each step waits for the one before; its hidden numbers come in halves (autoregressive, split coupling)",
        ),
        Variant(
            "iaf-scf",
            "IAF/SCF",
            "▲",
            "All at once",
            "no step waits for another: the whole sample in one pass (inverse autoregressive, split coupling)",
        ),
        Variant(
            "lstm",
            "LSTM",
            "◆",
            "Symbol by symbol",
            "no flow and no hidden vectors: each symbol is drawn given those before it (the baseline)",
            "Temperature: what the scores of the symbols are divided by; 1 is the model as trained. Lower repeats "
            "itself, and music much above 1 falls into clusters of notes.",
        ),
    )
}
# Listed where there is one: what a part of the model, or of how it was trained, is worth is seen by taking it away.
ABLATIONS = {
    item.name: item
    for item in (
        Variant(
            "af-scf-affine",
            "affine",
            "□",
            "Without bends",
            "as step by step, but its flow only shifts and stretches (AF/SCF with affine transforms in place of NLSq)",
        ),
        Variant(
            "af-scf-beta",
            "beta",
            "◇",
            "Clear voices",
            "as step by step, but its hidden vectors cost little in training: they say more of each chord, which "
            "sounds cleaner and has a worse likelihood",
        ),
    )
}
_PREFERRED = "/af-scf"  # quick and good: the one to start with


@dataclass(frozen=True)
class Entry:
    """One checkpoint as the page lists it."""

    name: str
    dataset: str
    dataset_title: str
    domain: str
    variant: Variant
    problem: str | None

    @property
    def title(self) -> str:
        """For example ``AF/SCF · JSB Chorales``, of an ablation ``AF/SCF, affine · JSB Chorales``."""
        model = f"AF/SCF, {self.variant.title}" if self.variant.name in ABLATIONS else self.variant.title
        return f"{model} · {self.dataset_title}"

    @property
    def unit(self) -> str:
        """What one step of its sequences is called: a length is a number of these."""
        if self.domain == "text":
            return "characters"
        return "beats" if steps_per_beat(self.dataset) == 1 else "half beats"


def catalogue() -> list[Entry]:
    """Every data set with a checkpoint and all four variants of it, in the order of the page.

    A variant without files is listed too, with that as its problem, so that the page can grey it out. Data of one's own
    comes after the published sets.
    """
    found: dict[str, dict[str, lnf_core.CheckpointEntry]] = {}
    for listed in lnf_core.list_checkpoints():
        dataset, name = listed.name.split("/")
        found.setdefault(dataset, {})[name] = listed
    entries: list[Entry] = []
    for dataset in [*DATASETS, *sorted(set(found) - set(DATASETS))]:
        here = found.get(dataset, {})
        domain = _domain(dataset, here.values())
        if not here or domain is None:
            continue
        for name in [*VARIANTS, *sorted(set(here) - set(VARIANTS))]:
            problem = _problem(here[name]) if name in here else "not bundled here; train it or fetch it."
            title = dataset_title(dataset)
            entries.append(Entry(f"{dataset}/{name}", dataset, title, domain, _variant(name), problem))
    return sorted(entries, key=lambda entry: entry.domain != "music")  # stable: music first


def _domain(dataset: str, listed: Iterable[lnf_core.CheckpointEntry]) -> str | None:
    """Of data of one's own: what its checkpoints emit, as far as they can be read."""
    if dataset in DATASETS:
        return DATASETS[dataset].domain
    return next((entry.domain for entry in listed if entry.domain is not None), None)


def _problem(entry: lnf_core.CheckpointEntry) -> str | None:
    """Without the folders of this machine, which are nobody's business."""
    return entry.problem and entry.problem.replace(f"{entry.path.parent.parent}/", "")


def find(name: object) -> Entry:
    """The entry called ``name``.

    Raises:
        CheckpointError: there is none, or it cannot be used; the reason is in the message.
    """
    entries = catalogue()
    entry = next((entry for entry in entries if entry.name == name), None)
    if entry is None:
        raise lnf_core.CheckpointError(f"There is no checkpoint {str(name)[:60]!r}; {_instead(name, entries)}.")
    if entry.problem is not None:
        raise lnf_core.CheckpointError(f"{entry.title} cannot be used: {entry.problem}")
    return entry


def _instead(name: object, entries: list[Entry]) -> str:
    """What there is instead: the variants of its data set, or the data sets: all names are a page full."""
    usable = [entry for entry in entries if entry.problem is None]
    dataset = str(name).partition("/")[0]
    here = [entry for entry in usable if entry.dataset == dataset]
    if here:
        return f"of {here[0].dataset_title} there are {', '.join(entry.name for entry in here)}"
    sets = ", ".join(dict.fromkeys(entry.dataset for entry in usable))
    return f"the data sets here are {sets}" if sets else "none is here"


def describe(name: str) -> Entry:
    """Like :func:`find`, but also for a checkpoint that is not here: a ready-made sample outlives its model."""
    entry = next((entry for entry in catalogue() if entry.name == name), None)
    if entry is not None:
        return entry
    dataset, variant = name.split("/")
    domain = DATASETS[dataset].domain if dataset in DATASETS else "music"
    return Entry(name, dataset, dataset_title(dataset), domain, _variant(variant), "not bundled here.")


def _variant(name: str) -> Variant:
    return VARIANTS.get(name) or ABLATIONS.get(name) or Variant(name, name, "✦", "Another way", "another variant")


def first(domain: str | None = None) -> Entry | None:
    """The entry chosen when the page opens: the first that works, preferably AF/SCF, of ``domain`` if given."""
    working = [entry for entry in catalogue() if entry.problem is None and domain in (None, entry.domain)]
    return next((entry for entry in working if entry.name.endswith(_PREFERRED)), working[0] if working else None)


def options() -> list[dict[str, Any]]:
    """Every data set and variant, with the reason where one cannot be used."""
    return [
        {
            "name": entry.name,
            "dataset": entry.dataset,
            "dataset_title": entry.dataset_title,
            "domain": entry.domain,
            "variant": entry.variant.name,
            "title": entry.variant.title,
            "plain": entry.variant.plain,
            "marker": entry.variant.marker,
            "blurb": entry.variant.blurb,
            "problem": entry.problem or "",
            "preferred": entry.name.endswith(_PREFERRED),
        }
        for entry in catalogue()
    ]
