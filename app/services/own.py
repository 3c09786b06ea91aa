"""What a visitor brings along, typed text or a MIDI file, as the model at hand reads it."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

import lnf_core
from app.catalogue import Entry
from app.limits import LIMITS, FieldError
from lnf_core.analysis.keys import in_likeliest_key
from lnf_core.data import Vocabulary, sounding_shift
from lnf_core.errors import UnknownSymbolError
from lnf_core.models.base import ModelBase
from lnf_core.music import KEYS, Performance, note_name

_UNNAMED = {"\t": "tab", "\n": "line break", "\r": "line break"}
_STRAIGHT = str.maketrans("\u2018\u2019", "''")
"""A phone bends apostrophes by itself; no corpus here has bent ones."""
_MANY_MOVED = 0.1
"""Of the notes, off the model's grid, from which on a visitor should know."""


@dataclass(frozen=True)
class Own:
    """A sequence of the visitor's, and what was done to it so that the model can read it."""

    x: Tensor
    """``[T]`` or ``[T, V]``."""
    remark: str = ""
    """What was left out or moved, in sentences; empty when the model reads it as it came."""


def read_text(text: str, vocabulary: Vocabulary, model: ModelBase, field: str = "text") -> Own:
    """Typed text as the model reads it, ``[T]``: in small letters, if those are all it knows.

    Raises:
        FieldError: it is too long, or holds characters the model does not know; it names them and their places.
    """
    longest = min(model.config.max_length, LIMITS.typed)
    if len(text) > longest:
        raise FieldError(field, f"The text has {len(text)} characters; give at most {longest}.")
    straight = text.translate(_STRAIGHT)
    small = _in_small_letters(straight, set(vocabulary.symbols))
    try:
        x = vocabulary.encode(small)
    except UnknownSymbolError as error:
        unknown = {symbol: at + 1 for at, symbol in reversed(error.symbols)}  # each where it first stands
        named = ", ".join(f"{_readable(symbol)} (character {at})" for symbol, at in list(unknown.items())[-1:-6:-1])
        raise FieldError(
            field, f"This model does not know {named}; it knows {_known(vocabulary)}. Change that and try again."
        ) from error
    return Own(x, "Your text is read in small letters, the only ones this model knows." if small != straight else "")


def _readable(symbol: str) -> str:
    """A character in quotes; by its name where nothing would be seen of it."""
    if symbol.isprintable() and not symbol.isspace():
        return f"“{symbol}”"
    return _UNNAMED.get(symbol) or unicodedata.name(symbol, f"U+{ord(symbol):04X}").lower()


def _in_small_letters(text: str, known: Collection[str]) -> str:
    """Capitals the vocabulary lacks as small letters; within a word also ``N``, which alone stands for a number."""
    if "n" in known:
        text = re.sub(r"(?<=[^\W\d_])N|N(?=[^\W\d_])", "n", text)
    return "".join(c if c in known or c.lower() not in known else c.lower() for c in text)


def _known(vocabulary: Vocabulary) -> str:
    """The characters of a vocabulary in words."""
    known = {symbol for symbol in vocabulary.symbols if len(symbol) == 1}
    letters, digits = set(string.ascii_lowercase), set(string.digits)
    groups = [(letters, "small letters"), (digits, "digits"), ({" "}, "the space")]
    words = [name for group, name in groups if group <= known]
    rest = known - set().union(*(group for group, _ in groups if group <= known))
    return ", ".join(words) + (" and " if words and rest else "") + " ".join(sorted(rest))


def read_music(path: str, entry: Entry, model: ModelBase, longest: int, field: str = "midi") -> Own:
    """The beginning of a MIDI file, at most ``longest`` steps, on the model's grid and in the key it knows best.

    Raises:
        FieldError: it cannot be read, or holds no notes of the piano.
    """
    if not Path(path).is_file():
        raise FieldError(field, "The MIDI file was deleted, as everything is after an hour; choose it again.")
    try:
        found = Performance(entry.dataset).read(Path(path))
    except lnf_core.LNFError as error:
        raise FieldError(field, str(error)) from error
    sounding = found.roll.any(1).nonzero()
    roll = found.roll[int(sounding[0]) :]  # a rest before the first note would be read as part of the music
    remarks = []
    if len(roll) > longest:
        remarks.append(f"of its {len(roll)} {entry.unit} the first {longest} are used")
        roll = roll[:longest]
    if found.moved_notes > _MANY_MOVED * found.notes:
        remarks.append(
            f"{found.moved_notes} of its {found.notes} notes {'begins' if found.moved_notes == 1 else 'begin'} between "
            f"the {entry.unit} this model counts in and {'was' if found.moved_notes == 1 else 'were'} moved to the "
            "nearest, so some sound together"
        )
    lowest, highest = (note_name(key, sounding_shift(entry.dataset)) for key in (0, KEYS - 1))
    keys = f"the keys this model has, {lowest} to {highest},"
    left_out = [
        f"{count} {what if count == 1 else several}"
        for count, what, several in (
            (found.dropped_notes, f"note outside {keys}", f"notes outside {keys}"),
            (found.drum_notes, "drum note", "drum notes"),
        )
        if count
    ]
    if left_out:
        remarks.append(f"{' and '.join(left_out)} left out")
    x, shift = in_likeliest_key(model, roll)
    if shift:
        remarks.append(
            f"moved {'up' if shift > 0 else 'down'} by {abs(shift)} semitone{'s' if abs(shift) > 1 else ''} "
            "to the key this model finds likeliest"
        )
    said = "; ".join(remarks)
    return Own(x, f"Your music: {said}." if said else "")
