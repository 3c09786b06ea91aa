"""Files that are never seen half written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def replace(path: Path, content: bytes, before: Callable[[], object] | None = None) -> None:
    """Write ``content`` to ``path`` so that a reader or a crash sees the old file or the new one, nothing between.

    ``before`` is called when the content is safe on the disk, just before it takes the old file's place.
    """
    # In the same folder, because os.replace is atomic only within one file system; a name of its own for every call.
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)  # mkstemp gives 0600; what is released must stay readable
        if before is not None:
            before()
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
