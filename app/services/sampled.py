"""What the service hands to the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from app.catalogue import Entry
from app.fields import Settings
from lnf_core.analysis.statistics import MusicStatistics

Report = Callable[[float, str], None]
"""Told how far a request is, 0 to 1, and one line of words."""


@dataclass(frozen=True)
class Drawn:
    """What drawing took."""

    seconds: float
    engine: str
    steps: int
    """Of the longest, without what the visitor gave."""
    dependent_steps: int
    """How many had to wait for one another."""


@dataclass(frozen=True)
class Piece:
    """One sampled roll, its notes as ``(start, seconds, pitch)`` and the file made of it."""

    roll: Tensor
    """``[T, 88]``, 0/1."""
    notes: tuple[tuple[float, float, int], ...]
    seconds: float
    statistics: MusicStatistics
    midi: Path
    """The piece as a file; its sound is made from it when somebody wants to hear it."""


@dataclass(frozen=True)
class Music:
    """Sampled pieces."""

    settings: Settings
    entry: Entry
    pieces: tuple[Piece, ...]
    seconds_per_beat: float
    data: MusicStatistics | None
    """What the model's training data are like; None where nobody measured it."""
    note: str
    """What a visitor should know of it: what was done to music of their own, how to get real instruments."""
    drawn: Drawn | None
    """How it was drawn; None for a sample that came with the app."""
    given: float = 0.0
    """Seconds at the beginning that are the visitor's own."""


@dataclass(frozen=True)
class Line:
    """One sampled line: its symbols and the probability the model gave to each."""

    symbols: tuple[str, ...]
    sureness: tuple[float, ...]

    @property
    def text(self) -> str:
        """The line as it is read."""
        return "".join(self.symbols)


@dataclass(frozen=True)
class Text:
    """Sampled lines."""

    settings: Settings
    entry: Entry
    lines: tuple[Line, ...]
    file: Path
    drawn: Drawn | None
    given: int = 0
    """Symbols at the beginning that are the visitor's own."""


Result = Music | Text
