"""The small files of a checkpoint, read with a clear word when they are damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lnf_core.errors import CheckpointError, reason_of
from lnf_core.storage.metrics import check_metrics
from lnf_core.version import __version__

FORMAT_VERSION = 1
CHECKPOINTS_VARIABLE = "LNF_CHECKPOINTS"
WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"


def bundled_roots() -> list[Path]:
    """Folders searched for bundled names: ``$LNF_CHECKPOINTS`` when set, then ``checkpoints/`` of the checkout."""
    chosen = os.environ.get(CHECKPOINTS_VARIABLE)
    beside = Path(__file__).resolve().parent.parent.parent / "checkpoints"
    return [*([from_home(chosen)] if chosen else []), beside]


def from_home(path: str | Path) -> Path:
    """The path with its ``~`` written out; ``~nobody`` is left as it stands."""
    return Path(os.path.expanduser(path))


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Indented UTF-8 JSON with a final newline.

    Raises:
        TypeError, ValueError: values that JSON cannot hold, NaN and infinity among them.
    """
    return (json.dumps(dict(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``.

    Raises:
        CheckpointError: missing, unreadable, or not an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        run = [stage for stage in ("best", "*/best") if any(path.parent.glob(stage))]
        hint = f"; the checkpoints of this run are in {path.parent / run[0]}" if run else ""
        raise CheckpointError(f"{path.parent} has no {path.name}: it is not a complete checkpoint{hint}.") from error
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, or endless digits
        raise CheckpointError(f"{path} cannot be read as JSON ({error}): fetch or save it again.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds {type(values).__name__} instead of an object: it is not ours.")
    return values


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a checkpoint, checked for the keys of this format.

    Raises:
        CheckpointError: missing, unreadable, foreign or of a newer format.
    """
    values = read_json(folder / CONFIG)
    version = values.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise CheckpointError(f"{folder / CONFIG} has no format_version: it is not a checkpoint of lnf_core.")
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{folder} has checkpoint format {version}, this lnf_core {__version__} reads up to {FORMAT_VERSION}: "
            "upgrade lnf_core."
        )
    types = {"dataset": str, "variant": str, "model": dict, "training": dict}
    wrong = [key for key, kind in types.items() if not isinstance(values.get(key), kind)]
    if wrong:
        raise CheckpointError(f"{folder / CONFIG} lacks {', '.join(wrong)}: fetch or save the checkpoint again.")
    return values


def read_metrics(folder: Path) -> dict[str, Any]:
    """``metrics.json`` of a checkpoint, empty when there is none.

    Raises:
        CheckpointError: the file is there and unreadable, or holds something else.
    """
    path = folder / METRICS
    try:
        values = read_json(path) if path.exists() else {}
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({reason_of(error)}).") from error
    check_metrics(values, path)
    return values
