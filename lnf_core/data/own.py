"""Data sets of one's own, from strings and rolls in memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from lnf_core.data.dataset import SPLITS, Dataset, of_music, of_text
from lnf_core.data.registry import DATASETS
from lnf_core.data.rolls import check_roll
from lnf_core.data.vocabulary import Vocabulary
from lnf_core.errors import InvalidInputError, UnknownSymbolError

_T = TypeVar("_T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # of a folder, of a checkpoint, of a tag on a card


def text_dataset(
    name: str,
    train: Iterable[str],
    valid: Iterable[str],
    test: Iterable[str] = (),
    *,
    title: str | None = None,
) -> Dataset:
    """A text data set of one's own: one string a sequence, one character a step.

    Its vocabulary is ``<unk>``, ``<pad>`` and the characters of ``train``. As for music, no length up to the longest of
    ``train`` and ``valid`` is impossible, whether one of them has it or not.

    Raises:
        InvalidInputError: a name that is none or taken, an empty train or valid, what is no text in a split, or what is
            longer in ``test`` than anything in the other two.
        UnknownSymbolError: a character of ``valid`` or ``test`` that ``train`` does not have.
    """
    sentences = _checked_splits(name, train, valid, test)
    found: dict[str, str] = {}
    for split, lines in sentences.items():
        content = hashlib.sha256()
        for number, line in enumerate(lines):
            if not isinstance(line, str) or not line:
                raise InvalidInputError(f"Sequence {number} of {split} is {line!r}; give strings that are not empty.")
            content.update(f"{len(line)}:".encode() + _utf8(line, split, number))
        found[split] = content.hexdigest()
    try:
        dataset = of_text(name, title or name, sentences, found, shortest=1)
    except UnknownSymbolError:
        vocabulary = Vocabulary.from_texts(sentences["train"])
        for split in SPLITS[1:]:
            for number, line in enumerate(sentences[split]):
                with _named(split, number):
                    vocabulary.encode(line)
        raise
    _check_test(dataset)
    return dataset


def music_dataset(
    name: str,
    train: Iterable[Tensor],
    valid: Iterable[Tensor],
    test: Iterable[Tensor] = (),
    *,
    title: str | None = None,
) -> Dataset:
    """A music data set of one's own: one piano roll ``[T, 88]`` of 0 and 1 a sequence, in eighth notes.

    Raises:
        InvalidInputError: a name that is none or taken, an empty train or valid, what is no roll in a split, or what is
            longer in ``test`` than 1.25 times the longest of the other two.
    """
    rolls = _checked_splits(name, train, valid, test)
    splits = {split: tuple(_own_roll(roll, split, at) for at, roll in enumerate(rolls[split])) for split in SPLITS}
    dataset = of_music(name, title or name, splits, {split: _sum(splits[split]) for split in SPLITS})
    _check_test(dataset)
    return dataset


def _checked_splits(name: object, *given: Iterable[_T]) -> dict[str, list[_T]]:
    """Each of ``given`` as a list, by the names of the splits."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in DATASETS:
        raise InvalidInputError(
            f"The name is {name!r}; give letters, digits, dots, dashes and underscores, and none of "
            f"{', '.join(DATASETS)}, which are published."
        )
    for split, sequences in zip(SPLITS, given, strict=True):
        if isinstance(sequences, str | bytes | Tensor):
            raise InvalidInputError(f"{split} is one {type(sequences).__name__}; give a list of sequences.")
    splits = {split: list(sequences) for split, sequences in zip(SPLITS, given, strict=True)}
    for split in SPLITS[:2]:
        if not splits[split]:
            raise InvalidInputError(f"There is nothing in {split}; give one sequence or more.")
    return splits


def _check_test(dataset: Dataset) -> None:
    """What no model of the data could score is told before one is trained."""
    for number, sequence in enumerate(dataset.test):
        if len(sequence) > dataset.max_length:
            raise InvalidInputError(
                f"Sequence {number} of test has {len(sequence)} steps; after train and valid a model takes at most "
                f"{dataset.max_length}: leave it out, or give train or valid one as long."
            )


@contextmanager
def _named(split: str, number: int) -> Iterator[None]:
    """What is wrong with a sequence says with which."""
    try:
        yield
    except UnknownSymbolError as error:
        raise UnknownSymbolError(f"Sequence {number} of {split}: {error}", error.symbols) from None
    except InvalidInputError as error:
        raise InvalidInputError(f"Sequence {number} of {split}: {error}") from None


def _utf8(line: str, split: str, number: int) -> bytes:
    try:
        return line.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"Sequence {number} of {split} holds half a character at position {error.start}; read the file as UTF-8."
        ) from error


def _own_roll(roll: Tensor, split: str, number: int) -> Tensor:
    with _named(split, number):
        sounding = check_roll(roll)
    if not len(sounding):
        raise InvalidInputError(f"Sequence {number} of {split} has no steps.")
    return torch.from_numpy(sounding.astype(np.float32))


def _sum(sequences: Iterable[Tensor]) -> str:
    found = hashlib.sha256()
    for sequence in sequences:
        found.update(f"{tuple(sequence.shape)}".encode() + sequence.numpy().tobytes())
    return found.hexdigest()
