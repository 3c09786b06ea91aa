"""Which checkpoints are on this machine by name: those of ``$LNF_CHECKPOINTS`` and those beside the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lnf_core.storage.bundle import look_at
from lnf_core.storage.files import CONFIG, WEIGHTS, bundled_roots

if TYPE_CHECKING:
    from lnf_core.data import Domain


@dataclass(frozen=True)
class CheckpointEntry:
    """One bundled checkpoint, loadable or not."""

    name: str
    """``<dataset>/<variant>``, as :func:`load` takes it."""
    path: Path
    domain: Domain | None = None
    """What it emits; None where its configuration cannot be read."""
    problem: str | None = None
    """Why it cannot be loaded, in one sentence; None when its files are in order."""


def list_checkpoints() -> list[CheckpointEntry]:
    """Every bundled checkpoint by name; a broken one is listed with its problem instead of raising.

    Checks the configuration and the header of the weights, without reading the weights themselves.
    """
    entries: dict[str, CheckpointEntry] = {}
    for root in bundled_roots():
        for folder in sorted(root.glob("*/*/")):
            name = "/".join(folder.parts[-2:])
            if not name.startswith(".") and (name not in entries or not _holds_something(entries[name].path)):
                entries[name] = CheckpointEntry(name, folder, *look_at(folder))
    return [entries[name] for name in sorted(entries)]


def bundled(name: str) -> Path | None:
    """Folder of the bundled checkpoint ``<dataset>/<variant>``, the one that is listed; None where there is none."""
    folders = [root / name for root in bundled_roots() if (root / name).is_dir()]
    return next(filter(_holds_something, folders), folders[0] if folders else None)


def _holds_something(folder: Path) -> bool:
    """Whether there is a checkpoint, if a broken one; the folder of a run, say, hides none of its name elsewhere."""
    return (folder / CONFIG).exists() or (folder / WEIGHTS).exists()
