"""What the checkpoints' own files say of them, as tables of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import catalogue
from lnf_core.comparison import Compared, compare_bundled

_FIGURES = (
    ("Data set, model", False),
    ("Unit", False),
    ("Valid", True),
    ("Test", True),
    ("Paper, test", True),
    ("Draws (K)", True),
    ("Parameters", True),
    ("Measured", False),
)
_MUSIC = {
    "notes": "Notes a step",
    "three_or_four_notes": "3 or 4 notes",
    "triads": "Triads or sevenths",
    "clashes": "Semitone clashes",
    "wide_leaps": "Wide leaps",
}
_SHARES = ("three_or_four_notes", "triads", "wide_leaps", "known_words")
_TEXT = {"known_words": "Words known", "word_length": "Characters a word"}
_MUSIC_SAID = (
    "Notes and clashes a step; the share of steps with 3 or 4 notes; of chords that are triads or sevenths; of moves "
    "of the top note that are wider than 7 semitones. Keys are drawn by chance here; the likeliest keys, which the "
    "page plays of chorales and folk tunes, are cleaner. Copied: the share of passages of 8 steps that stand note for "
    "note in the training data;"
)
_TEXT_SAID = (
    "Words known: the share that occurs in the training data. Copied: the share of passages of 20 characters that "
    "stand letter for letter in it;"
)


def figures() -> dict[str, Any]:
    """Likelihoods beside the paper's."""
    rows = []
    compared = _in_order(compare_bundled())
    for at, row in enumerate(compared):
        measured = row.metrics.get("valid") or {}
        parameters = row.metrics.get("parameters")
        reached = row.test is not None and row.reported is not None and row.test < row.reported
        rows.append(
            _row(
                row,
                at == 0 or compared[at - 1].data != row.data,
                [
                    row.unit,
                    *(_number(figure, 3) for figure in (row.valid, row.test)),
                    _number(row.reported, 2),
                    str(measured.get("samples", "")),
                    f"{parameters / 1e6:.1f} M" if parameters else "",
                    str(measured.get("date", "")),
                ],
                best=[3] if reached else [],
            )
        )
    return {
        "title": "How well each model fits data it has not seen",
        "file": "lnf-likelihoods.csv",
        "columns": _columns(_FIGURES),
        "rows": rows,
        "caption": (
            "Lower is better. Each figure bounds the negative log-likelihood from above: an importance-sampled "
            "estimate with K draws of the latents for each piece or line, divided by all steps and the choice of where "
            "to stop, in nats a step of music or bits a character; the LSTM's is exact. Models were chosen on the "
            "validation split; test was looked at once. The paper's figures are as reported, for larger models. Bold: "
            "below the paper's. AF-only has a flow over time alone, hidden flow only has one over the hidden numbers, "
            "to see what each part is worth. To repeat one: python -m lnf_core evaluate jsb/af-scf --split test; "
            "each model's metrics.json, below checkpoints/ or figures/, has its own command."
        ),
        "status": {"kind": "done", "text": "", "query": "tab=results"},
    }


def habits() -> list[dict[str, Any]]:
    """What samples are like beside the data, a table for music and one for text."""
    compared = [row for row in _in_order(compare_bundled()) if isinstance(row.metrics.get("statistics"), dict)]
    tables = []
    for title, keys, file, said in (
        ("What sampled music is like", _MUSIC, "lnf-music-statistics.csv", _MUSIC_SAID),
        ("What sampled text is like", _TEXT, "lnf-text-statistics.csv", _TEXT_SAID),
    ):
        rows: list[dict[str, Any]] = []
        seen = ""
        for row in compared:
            statistics = row.metrics["statistics"]
            if not set(keys) <= set(statistics["samples"]):
                continue
            if row.data != seen:
                data = [*(_habit(statistics["data"], key) for key in keys), _copied(statistics, "held_out")]
                rows.append({"variant": "ink", "marker": "", "group": True, "cells": [f"{row.data}: the data", *data]})
                seen = row.data
            own = [*(_habit(statistics["samples"], key) for key in keys), _copied(statistics, "samples")]
            rows.append(_row(row, False, own))
        if rows:
            tables.append(
                {
                    "title": title,
                    "file": file,
                    "columns": _columns([("", False), *((label, True) for label in (*keys.values(), "Copied"))]),
                    "rows": rows,
                    "caption": (
                        f"Of samples at temperature 1; the nearer to the data's line the better. {said} "
                        "in the data's line it is the share for pieces or lines that the models never saw. "
                        "To repeat: python -m lnf_core statistics NAME, NAME being jsb/af-scf or another."
                    ),
                }
            )
    return tables


def _copied(statistics: Mapping[str, Any], side: str) -> str:
    return _percent(statistics.get("copies", {}).get(side, {}).get("share"), 1)


def _habit(measured: Mapping[str, Any], key: str) -> str:
    return _percent(measured.get(key), 0) if key in _SHARES else _number(measured.get(key), 2)


def _percent(share: object, digits: int) -> str:
    return f"{share:.{digits}%}" if isinstance(share, int | float) else "—"


def _in_order(rows: list[Compared]) -> list[Compared]:
    """In the order of the page; what has no card there stands last among the models of its data set."""
    names = [entry.name for entry in catalogue.catalogue()]
    sets = [name.split("/")[0] for name in names]

    def place(row: Compared) -> tuple[int, int]:
        dataset = row.name.split("/")[0]
        return (
            sets.index(dataset) if dataset in sets else len(sets),
            names.index(row.name) if row.name in names else len(names),
        )

    return sorted(rows, key=place)


def _row(row: Compared, group: bool, cells: list[str], best: list[int] | None = None) -> dict[str, Any]:
    entry = catalogue.describe(row.name)
    return {
        "variant": entry.variant.name,
        "marker": entry.variant.marker,
        "group": group,
        "best": best or [],
        "cells": [f"{row.data}, {row.model}", *cells],
    }


def _columns(columns: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - pairs
    return [{"label": label, "number": number} for label, number in columns]


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "—"
