"""What models and their samples are like, measured: dataclasses out, nothing drawn."""

from __future__ import annotations

from lnf_core.analysis.memorisation import Copies, copies
from lnf_core.analysis.statistics import (
    MusicStatistics,
    TextStatistics,
    music_statistics,
    text_statistics,
    unlikeness,
    words_of,
)

__all__ = [
    "Copies",
    "MusicStatistics",
    "TextStatistics",
    "copies",
    "music_statistics",
    "text_statistics",
    "unlikeness",
    "words_of",
]
