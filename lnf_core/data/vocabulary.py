"""The symbols of a text data set and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lnf_core.errors import InvalidInputError, UnknownSymbolError

UNKNOWN = "<unk>"
PADDING = "<pad>"

# A message that lists a whole pasted page of unknown characters helps nobody.
_MOST_NAMED = 5


def code_points(text: str) -> NDArray[np.uint32]:
    """The Unicode number of each character, ``[T]``: what is done to them all at once takes millions."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))


@dataclass(frozen=True)
class Vocabulary:
    """An ordered, immutable set of symbols.

    Characters are encoded one by one. The whole symbols ``<unk>`` and ``<pad>`` have numbers, as in the paper's
    model, but no text encodes to them: ``encode("<unk>")`` is the five characters it is spelled with.
    """

    symbols: tuple[str, ...]
    _numbers: NDArray[np.int64] = field(
        init=False, repr=False, compare=False
    )  # at a character's code its number, else -1

    def __post_init__(self) -> None:
        if not self.symbols or not all(isinstance(symbol, str) and symbol for symbol in self.symbols):
            raise InvalidInputError("A vocabulary needs one or more symbols, each a string that is not empty.")
        different = set(self.symbols)
        if len(different) != len(self.symbols):
            twice = sorted(symbol for symbol in different if self.symbols.count(symbol) > 1)
            raise InvalidInputError(f"A vocabulary holds each symbol once; {', '.join(map(repr, twice))} came twice.")
        codes = {ord(symbol): number for number, symbol in enumerate(self.symbols) if len(symbol) == 1}
        numbers = np.full(max(codes, default=0) + 2, -1)  # the last stands for all codes beyond
        numbers[list(codes)] = list(codes.values())
        object.__setattr__(self, "_numbers", numbers)

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Vocabulary:
        """``<unk>``, ``<pad>``, then every character of ``texts``, sorted."""
        characters = set[str]().union(*texts)
        return cls((UNKNOWN, PADDING, *sorted(characters)))

    @classmethod
    def from_list(cls, symbols: Sequence[str]) -> Vocabulary:
        """The inverse of :meth:`to_list`."""
        return cls(tuple(symbols))

    def to_list(self) -> list[str]:
        """The symbols in order, ready for JSON."""
        return list(self.symbols)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> Tensor:
        """The number of each character.

        Returns:
            int64 ``[T]``, on the CPU; ``T`` is 0 for an empty text.

        Raises:
            InvalidInputError: no string.
            UnknownSymbolError: characters outside the vocabulary; ``error.symbols`` has each with its position.
        """
        if not isinstance(text, str):
            raise InvalidInputError(f"The text is of type {type(text).__name__}; give a string.")
        numbers = self._numbers[np.minimum(code_points(text), len(self._numbers) - 1)]
        unknown = tuple((int(at), text[at]) for at in np.flatnonzero(numbers < 0))
        if unknown:
            named = ", ".join(f"{character!r} at position {at}" for at, character in unknown[:_MOST_NAMED])
            more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
            known = "".join(symbol for symbol in self.symbols if len(symbol) == 1)
            raise UnknownSymbolError(
                f"The text holds characters outside the vocabulary ({named}{more}); use only these: {known!r}.",
                unknown,
            )
        return torch.from_numpy(numbers)

    def decode(self, ids: Tensor | Sequence[int]) -> str:
        """The text that ``ids`` (integers ``[T]``) stand for; ``<unk>`` and ``<pad>`` are written out.

        Raises:
            InvalidInputError: not a flat list of integers, or a number outside the vocabulary.
        """
        try:
            numbers = ids.tolist() if isinstance(ids, Tensor) else list(ids)
            ends = min(numbers, default=0), max(numbers, default=0)
            outside = [number for number in ends if not 0 <= number < len(self.symbols)]
            text = "" if outside else "".join(map(self.symbols.__getitem__, numbers))
        except TypeError as error:
            raise InvalidInputError("decode takes one sequence of whole numbers, of shape [T].") from error
        if outside:
            raise InvalidInputError(
                f"There is no symbol number {outside[0]}; this vocabulary has the numbers 0 to {len(self.symbols) - 1}."
            )
        return text
