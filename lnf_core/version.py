"""Which code produced a figure: the release and, in a checkout, the commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

__version__ = "0.1.0"
VERSION_FILE = "CODE_VERSION"
"""Beside the package where it was copied out of a checkout: the version it had there."""


def code_version() -> str:
    """``0.1.0`` when installed, ``0.1.0+1a2b3c4d`` in a git checkout, with ``.dirty`` after uncommitted changes."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        sent = root / VERSION_FILE
        return sent.read_text(encoding="utf-8").strip() if sent.is_file() else __version__
    try:
        commit = _git(root, "rev-parse", "--short=8", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "lnf_core")
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__}+{commit}" + (".dirty" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
