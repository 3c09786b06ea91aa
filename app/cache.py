"""Gradio's cache: where samples are served from and uploads arrive; everything in it is deleted after an hour."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

from app.limits import FieldError

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
        known = found.is_relative_to(_cache().resolve()) and found.suffix.lower() in (".mid", ".midi")
    except (OSError, ValueError):  # no path at all
        known = False
    if not known:
        raise FieldError("midi", "This is no MIDI file that was sent here; choose one again.")
    return str(found)
