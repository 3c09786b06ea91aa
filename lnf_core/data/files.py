"""Where the data files live on this machine, and whether they are the published ones."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs

from lnf_core.data.registry import DatasetInfo, dataset_info
from lnf_core.errors import DataError, reason_of

ENVIRONMENT_VARIABLE = "LNF_DATA_DIR"


def data_root(root: Path | str | None = None) -> Path:
    """The folder that holds ``ptb/`` and ``music/``: ``root``, else ``LNF_DATA_DIR``, else the user's cache."""
    if root is not None:
        return Path(os.path.expanduser(root))  # the one of os leaves ~nobody as it stands
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(os.path.expanduser(named))
    return Path(platformdirs.user_cache_dir("lnf_core", appauthor=False)) / "data"


def read_checked(info: DatasetInfo, file: str, root: Path) -> bytes:
    """The bytes of one file, after its SHA-256 was checked, so what is parsed is what was verified.

    Raises:
        DataError: missing, unreadable, or not the published file.
    """
    path = root / file
    remedy = f"run `python -m lnf_core data download {info.name}`"
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"The {info.title} data is not on this machine ({path} is missing): {remedy}, "
            f"or set {ENVIRONMENT_VARIABLE} to the folder that holds {file}."
        ) from error
    except OSError as error:
        raise DataError(f"The data file {path} cannot be read ({reason_of(error)}): {remedy}.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != info.sha256[file]:
        raise DataError(
            f"The data file {path} is damaged or not the published one "
            f"(its SHA-256 begins {found[:12]}, expected {info.sha256[file][:12]}): {remedy}."
        )
    return content


def verify(name: str, root: Path | str | None = None) -> dict[str, Path]:
    """Check every file of a data set against its published SHA-256.

    Returns:
        Each file's relative path and where it is on this machine.

    Raises:
        InvalidInputError: no data set of that name.
        DataError: a file is missing, unreadable, or not the published one.
    """
    return verify_files(dataset_info(name), data_root(root))


def verify_files(info: DatasetInfo, root: Path) -> dict[str, Path]:
    """As :func:`verify`, for any description of a data set."""
    for file in info.files:
        read_checked(info, file, root)
    return {file: root / file for file in info.files}
