"""Files as widgets receive them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def file_data(path: Path) -> dict[str, Any]:
    """The marker makes Gradio serve the file, and clients of the API download it."""
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
