"""The browser that tests, measurements and pictures of the page use."""

from __future__ import annotations

import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The first is the same browser without its window's frame: an eighth less work for the same pages."""


def find_chromium() -> str | None:
    """The path of the first of :data:`NAMES` that is installed; None where none is."""
    return next(filter(None, map(shutil.which, NAMES)), None)
