"""Data set and model, as two rows of choices."""

from __future__ import annotations

from typing import Any

from app.catalogue import catalogue


def payload() -> list[dict[str, Any]]:
    """The catalogue as ``picker.js`` takes it, with the reason where a model cannot be used."""
    return [
        {
            "name": entry.name,
            "dataset": entry.dataset,
            "dataset_title": entry.dataset_title,
            "domain": entry.domain,
            "variant": entry.variant.name,
            "title": entry.variant.title,
            "marker": entry.variant.marker,
            "blurb": entry.variant.blurb,
            "problem": entry.problem or "",
        }
        for entry in catalogue()
    ]
