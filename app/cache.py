"""Gradio's cache: where samples are served from and uploads arrive; everything in it is deleted after an hour."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.limits import FieldError
from lnf_core.music.reader import ENDINGS, NOT_MIDI

AGE = 3600.0
"""Seconds that files are kept."""
_EVERY = 60.0
_LOG = logging.getLogger("app")
_FOLDER, _FILE = re.compile(r"[0-9a-f]{32}"), re.compile(r"[\w-]+\.mid")


def _cache() -> Path:
    from gradio.utils import get_upload_folder

    return Path(get_upload_folder())


def new_folder() -> Path:
    """A new folder for the files of one sample."""
    return _cache() / uuid.uuid4().hex


def drawn_piece(folder: str, file: str) -> Path:
    """A MIDI file that was drawn here, by the names its folder and itself were given.

    Raises:
        ValueError: no such names.
    """
    if not (_FOLDER.fullmatch(folder) and _FILE.fullmatch(file)):
        raise ValueError(f"{folder}/{file}")
    return _cache() / folder / file


def uploaded(path: object) -> str:
    """The path of a MIDI file that a visitor's browser sent, as it was told on arrival; empty for none.

    Raises:
        FieldError: any other file.
    """
    if path is None or path == "":
        return ""
    try:
        found = Path(str(path)).resolve()
        known = found.is_relative_to(_cache().resolve())
    except (OSError, ValueError):  # no path at all
        known = False
    if not known:
        raise FieldError("midi", "This is no MIDI file that was sent here; choose one again.")
    if found.suffix.lower() not in ENDINGS:
        raise FieldError("midi", NOT_MIDI)
    return str(found)


def kept_by(page: Any) -> set[str]:  # noqa: ANN401 - Gradio's Blocks, which this file needs nothing else of
    """Names of the folders of ready-made samples, which every opening page shows."""
    files = (file for block in page.blocks.values() for file in getattr(block, "keep_in_cache", ()))
    return {Path(file).parent.name for file in files}


def sweep_always(kept: Collection[str]) -> None:
    """:func:`sweep` in the background, for as long as the process runs."""

    def sweeping() -> None:
        while True:
            try:
                sweep(kept)
            except Exception as error:  # the next sweep may do better, and nobody else would delete anything
                _LOG.error("The cache could not be swept", exc_info=error)
            time.sleep(_EVERY)

    threading.Thread(target=sweeping, name="sweep", daemon=True).start()


def sweep(kept: Collection[str], age: float = AGE) -> None:
    """Delete the folders of samples that are ``age`` seconds old, except those ``kept`` by name.

    Gradio deletes by itself only what passed through a component, file by file: not the sound of a piece, nor a piece
    at another tempo, nor a folder.
    """
    now = time.time()
    for folder in _cache().glob("*"):
        if not _FOLDER.fullmatch(folder.name):
            continue
        if folder.name in kept:
            _touch(folder)
        elif _born(folder, now) < now - age:
            shutil.rmtree(folder, ignore_errors=True)


def _born(folder: Path, otherwise: float) -> float:
    """When its first file was written: its sound may be much younger, and so is the folder by that."""
    try:
        return min((file.lstat().st_mtime for file in folder.iterdir()), default=folder.lstat().st_mtime)
    except OSError:  # Gradio is deleting it, or it is no folder
        return otherwise


def _touch(folder: Path) -> None:
    """Keeps it young for the sweeps of other servers that share the cache."""
    for file in folder.glob("*"):
        with suppress(FileNotFoundError):  # one of them deletes it
            os.utime(file)
