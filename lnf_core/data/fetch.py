"""Fetch the data files from their public copies. Nothing is written before its SHA-256 was checked."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath

from lnf_core.atomic import replace
from lnf_core.data.files import data_root, read_checked
from lnf_core.data.registry import DatasetInfo, dataset_info
from lnf_core.errors import DataError, DownloadError, reason_of

_SECONDS = 30.0
"""How long a server may stay silent."""

# The largest file is 5 MB. A server that keeps talking is not sending one of them.
_MOST_BYTES = 64 * 1024 * 1024


def download(
    name: str, root: Path | str | None = None, *, base_url: str | None = None, timeout: float = _SECONDS
) -> dict[str, Path]:
    """Fetch the files of a data set that are not on this machine yet, or not intact.

    Args:
        name: one of ``DATASETS``.
        root: the folder to hold ``ptb/`` and ``music/``; by default ``LNF_DATA_DIR``, else the user's cache.
        base_url: the folder to fetch from instead of the public one (a mirror). The same sums are demanded of it.
        timeout: seconds a server may stay silent.

    Returns:
        Each file's relative path and where it is on this machine.

    Raises:
        InvalidInputError: no data set of that name.
        DownloadError: no network, no such file, half a file, another file, or no room to write it. Files that
            were there before are as they were; a file is there whole or not at all.
    """
    return download_files(dataset_info(name), data_root(root), base_url=base_url, timeout=timeout)


def download_files(
    info: DatasetInfo, root: Path, *, base_url: str | None = None, timeout: float = _SECONDS
) -> dict[str, Path]:
    """As :func:`download`, for any description of a data set."""
    folder = (info.url if base_url is None else base_url).rstrip("/")
    for file in info.files:
        if not _is_intact(info, file, root):
            url = f"{folder}/{PurePosixPath(file).name}"
            content = _fetch(url, timeout)
            _check(content, info.sha256[file], url)
            _write(root / file, content)
    return {file: root / file for file in info.files}


def _is_intact(info: DatasetInfo, file: str, root: Path) -> bool:
    try:
        read_checked(info, file, root)
    except DataError:
        return False
    return True


def _fetch(url: str, timeout: float) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is no web address; give one that begins with https:// or http://.")
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            expected = response.headers.get("Content-Length")
            content: bytes = response.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise DownloadError(
            f"{url} could not be downloaded: the server answered {error.code} ({error.reason}); try again later."
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        # URLError and timeouts are OSErrors; ValueError is an address that cannot be parsed.
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"{url} could not be downloaded ({reason}): check the network connection and try again."
        ) from error
    # http.client does not complain about a short body when it is read with a limit.
    if expected is not None and expected.isdecimal() and len(content) < int(expected):
        raise DownloadError(
            f"The download of {url} broke off after {len(content)} of {expected} bytes; nothing was kept, try again."
        )
    return content


def _check(content: bytes, expected: str, url: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DownloadError(
            f"{url} is not the published file (its SHA-256 begins {found[:12]}, expected {expected[:12]}); "
            "nothing was kept: try again, or get the file from another copy."
        )


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
    except OSError as error:
        raise DownloadError(
            f"{path} cannot be written ({reason_of(error)}): free some room or choose another folder with LNF_DATA_DIR."
        ) from error
