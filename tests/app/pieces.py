"""Pieces drawn for tests of what is made of them."""

from __future__ import annotations

from pathlib import Path

from app.fields import Settings
from app.services.sampled import Music
from app.services.sampling import Sampling


def music(sampling: Sampling, folder: Path, **values: object) -> Music:
    result = sampling.sample(
        Settings.check("jsb/af-scf", **{"seed": 3, "length": 12, "count": 2, "draw": True, **values}), folder
    )
    assert isinstance(result, Music)
    return result
