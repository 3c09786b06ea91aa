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
from lnf_core.analysis.openings import read_opening
from lnf_core.data import Vocabulary
from lnf_core.errors import UnknownSymbolError
from lnf_core.models.base import ModelBase

_UNNAMED = {"\t": "tab", "\n": "line break", "\r": "line break"}
_STRAIGHT = str.maketrans("\u2018\u2019", "''")
"""A phone bends apostrophes by itself; no corpus here has bent ones."""


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
        found = read_opening(Path(path), entry.dataset, model, longest, unit=entry.unit)
    except lnf_core.LNFError as error:
        raise FieldError(field, str(error)) from error
    return Own(found.x, f"Your music: {'; '.join(found.remarks)}." if found.remarks else "")
