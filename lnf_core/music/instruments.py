"""A short list of General MIDI programs that suit chorales, folk tunes and piano music."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from lnf_core.errors import InvalidInputError

# Program numbers count from 0, as they are stored in a file.
INSTRUMENTS: dict[str, int] = {
    "Grand piano": 0,
    "Electric piano": 4,
    "Harpsichord": 6,
    "Celesta": 8,
    "Vibraphone": 11,
    "Church organ": 19,
    "Nylon guitar": 24,
    "Harp": 46,
    "Strings": 48,
    "Choir": 52,
    "Brass section": 61,
    "Flute": 73,
}


def check_program(program: SupportsIndex) -> int:
    """The General MIDI program as a plain ``int``.

    Raises:
        InvalidInputError: not a whole number in 0..127.
    """
    try:
        number = operator.index(program)
    except TypeError:
        number = -1
    if not 0 <= number <= 127:
        raise InvalidInputError(
            f"The instrument is program {program!r}; give a whole number from 0 to 127 (General MIDI, counted from 0)."
        )
    return number
