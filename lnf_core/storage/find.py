"""From a name to a checkpoint: bundled, in a folder, or on the Hub."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from pathlib import Path

import torch

from lnf_core.checks import check_device
from lnf_core.data import DATASETS
from lnf_core.errors import CheckpointError, reason_of
from lnf_core.storage.bundle import Checkpoint, read_checkpoint
from lnf_core.storage.bundled import bundled, list_checkpoints
from lnf_core.storage.files import CONFIG, WEIGHTS, from_home
from lnf_core.storage.hub import download

_LIKE = 0.8  # a letter or two apart
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def load(name_or_path: str | Path, *, revision: str | None = None, device: str | torch.device = "cpu") -> Checkpoint:
    """Load a checkpoint.

    Args:
        name_or_path: a bundled name (``jsb/af-scf``), a folder, or a Hugging Face Hub id (``user/repository``).
        revision: branch, tag or commit of a Hub repository; pin a commit to be sure of what you get.
        device: where the model goes.

    Returns:
        A :class:`Checkpoint`; its weights are float32 whatever they were stored as.

    Raises:
        CheckpointError: nothing there, or a checkpoint that is incomplete, foreign or of a newer format.
        InvalidInputError: a device this machine or torch does not have.
    """
    place = check_device(device)
    folder, commit = locate(name_or_path, revision=revision)
    return replace(read_checkpoint(folder, device=place), commit=commit)


def find_checkpoint(name_or_path: str | Path, *, revision: str | None = None) -> Path:
    """Folder of a bundled name, a path or a Hub id (downloaded when it is not cached).

    Raises:
        CheckpointError: nothing of that name.
    """
    return locate(name_or_path, revision=revision)[0]


def locate(name_or_path: str | Path, *, revision: str | None = None) -> tuple[Path, str | None]:
    """As :func:`find_checkpoint`: the folder, and the commit where it came from the Hub.

    Raises:
        CheckpointError: nothing of that name.
    """
    text = str(name_or_path)
    try:
        near = bundled(text) if _HUB_ID.fullmatch(text) else None
        folder = near or from_home(name_or_path)
        is_here, is_file = folder.is_dir(), folder.is_file()
    except OSError as error:  # a folder that may not be looked into, a name that is too long
        raise CheckpointError(f"{text} cannot be looked up here ({reason_of(error)}); {_what_there_is()}") from error
    if is_here:
        if revision is not None:
            raise CheckpointError(f"{text} is a local checkpoint; revision={revision!r} is for Hub ids: leave it out.")
        return folder, None
    if is_file:
        inside = f": give {folder.parent}" if (folder.parent / CONFIG).is_file() else ""
        raise CheckpointError(f"{text} is a file; a checkpoint is a folder with {CONFIG} and {WEIGHTS} in it{inside}.")
    first = text.split("/")[0]
    if isinstance(name_or_path, Path) or not _HUB_ID.fullmatch(text) or first in DATASETS:
        raise CheckpointError(f"there is no checkpoint {text}; {_what_there_is()}")
    try:
        fetched = download(text, revision=revision)
    except CheckpointError as error:
        alike = difflib.get_close_matches(text, _names(), 1, _LIKE)
        meant = f" (did you mean {alike[0]}?)" if alike else ""
        raise CheckpointError(f"there is no folder {text} here{meant}, and as a Hub id: {error}") from error
    return fetched, fetched.name


def _names() -> list[str]:
    return [entry.name for entry in list_checkpoints() if entry.problem is None]


def _what_there_is() -> str:
    names = _names()
    bundled = f"bundled are {', '.join(names)}" if names else "none is bundled here"
    return f"{bundled}; otherwise give a folder or a Hugging Face Hub id (user/repository)."
