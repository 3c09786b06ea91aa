"""What a visitor may ask for, judged on the server. Every refusal is one sentence saying what is accepted.

Numbers may arrive as text: two fields of the page are text fields, because those can be left empty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lnf_core.errors import InvalidInputError


@dataclass(frozen=True)
class Limits:
    """Bounds of one request; both ends are allowed."""

    count: tuple[int, int] = (1, 6)
    length: tuple[int, int] = (1, 1024)
    """Steps; a model's own ``max_length`` may be lower."""
    temperature: tuple[float, float] = (0.1, 2.0)
    seed: tuple[int, int] = (0, 2**31 - 1)
    tempo: tuple[float, float] = (50.0, 200.0)
    """Beats per minute."""
    sounds_at_once: int = 2
    """Pieces rendered at the same time."""
    sound_waits: float = 3.0
    """Seconds that sound waits at most for what others are drawing."""
    sound_seconds: float = 600.0
    """Longest sound rendered for one sample."""
    queue: int = 40
    """Requests that may wait, a class and some more; the next one is told that the queue is full."""
    at_once: int = 2
    """Model calls at the same time."""
    typed: int = 288
    """Characters of typed text."""
    own_steps: int = 32
    """Steps of a visitor's own music that are gone on from."""
    models: int = 24
    """Models kept in memory: all 19 that come with the app, 0.9 GB, and a few more; a visitor who meets one that has to
    be loaded waits up to two seconds, and everybody with them."""


LIMITS = Limits()


class FieldError(InvalidInputError):
    """A setting that cannot be used, and which one."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def empty(value: object) -> bool:
    """Whether a field was left blank."""
    return value is None or (isinstance(value, str) and not value.strip())


def whole(field: str, name: str, value: object, bounds: tuple[int, int], hint: str = "") -> int:
    """``value`` as an ``int`` inside ``bounds``.

    Raises:
        FieldError: not a number, not whole, or out of range.
    """
    found = number(field, name, value, bounds, hint, kind="a whole number")
    if found != int(found):
        raise FieldError(field, _sentence(name, value, bounds, hint, "a whole number"))
    return int(found)


def number(
    field: str, name: str, value: object, bounds: tuple[float, float], hint: str = "", kind: str = "a number"
) -> float:
    """``value`` as a finite ``float`` inside ``bounds``.

    Raises:
        FieldError: not a number, not finite, or out of range.
    """
    found = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):  # no number, or a whole number too large for a float
            found = math.nan
    if not bounds[0] <= found <= bounds[1]:  # false for NaN as well
        raise FieldError(field, _sentence(name, value, bounds, hint, kind))
    return found


def _sentence(name: str, value: object, bounds: tuple[float, float], hint: str, kind: str) -> str:
    given = "empty" if empty(value) else str(value)[:40]
    return f"{name} is {given}; give {kind} from {bounds[0]:g} to {bounds[1]:.10g}{hint}."
