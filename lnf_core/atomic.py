"""Files that are never seen half written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that a reader or a crash sees the old file or the new one, nothing between."""
    # In the same folder, because os.replace is atomic only within one file system; a name of its own for every call.
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, 0o644)  # mkstemp gives 0600; what is released must stay readable
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
