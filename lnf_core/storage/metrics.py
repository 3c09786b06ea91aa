"""What ``metrics.json`` holds: every part may be missing, and none is half there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lnf_core.errors import CheckpointError

TRAINING_FACTS = ("epochs", "steps", "minutes", "device", "precision", "code_version", "date", "command")
"""Keys that tell how the weights were trained, as they also stand in ``config.json``."""
_NUMBER = (int, float)
_BITS = 1000  # of a whole number: more, and no float can hold it
_PARTS: dict[str, dict[str, tuple[type, ...]]] = {
    "valid": {"nll": _NUMBER},
    "test": {"nll": _NUMBER},
    "modes": {"mean": _NUMBER, "standard_error": (*_NUMBER, type(None)), "multimodal": _NUMBER, "command": (str,)},
    "statistics": {"samples": (dict,), "data": (dict,)},
}
_COPIES = {"passage": (int,), "longest": (int,)}


def check_metrics(values: Mapping[str, Any], path: Path) -> None:
    """Refuse figures that the cards, tables and pages made from them could not be made from.

    Parts and keys not known here are left alone: a newer lnf_core may have written them.

    Raises:
        CheckpointError: a part of another kind, or one that lacks what belongs to it.
    """
    for part, required in _PARTS.items():
        if values.get(part) is not None:
            _check(values[part], required, part, path)
    statistics = values.get("statistics") or {}
    for side in ("samples", "data"):
        for key, value in statistics.get(side, {}).items():
            if not (value is None or _is_one_of(value, _NUMBER)):
                raise _fault(f"statistics.{side}.{key}", "is no number", path)
    if statistics.get("copies") is not None:
        _check(statistics["copies"], {"samples": (dict,), "held_out": (dict,)}, "statistics.copies", path)
        for side, counted in statistics["copies"].items():
            _check(counted, _COPIES, f"statistics.copies.{side}", path)
            if not (counted.get("share") is None or _is_one_of(counted["share"], _NUMBER)):
                raise _fault(f"statistics.copies.{side}.share", "is no number", path)


def _check(part: object, required: Mapping[str, tuple[type, ...]], name: str, path: Path) -> None:
    if not isinstance(part, dict):
        raise _fault(name, "is no object", path)
    wrong = [key for key, kinds in required.items() if not _is_one_of(part.get(key), kinds)]
    if wrong:
        raise _fault(name, f"lacks {', '.join(wrong)}", path)


def _is_one_of(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, int) and value.bit_length() > _BITS:
        return False
    return isinstance(value, kinds) and not isinstance(value, bool)


def _fault(name: str, what: str, path: Path) -> CheckpointError:
    return CheckpointError(f"{name} in {path} {what}: measure the checkpoint again, or remove that part.")
