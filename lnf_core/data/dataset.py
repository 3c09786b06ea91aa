"""A data set in memory, and how to get it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lnf_core.config import Likelihood
from lnf_core.data.files import data_root, read_checked
from lnf_core.data.registry import DatasetInfo, Domain, dataset_info
from lnf_core.data.rolls import KEYS, add_dummy_key, read_rolls
from lnf_core.data.text import encode_sentences, read_sentences
from lnf_core.data.vocabulary import Vocabulary
from lnf_core.errors import InvalidInputError

SPLITS = ("train", "valid", "test")

# Music may be sampled somewhat longer than anything heard in training (Ziegler & Rush's public code does the same).
_MUSIC_STRETCH = 1.25


@dataclass(frozen=True, eq=False)
class Dataset:
    """Three splits of sequences, in file order, and the counts that ``p(T)`` normalises."""

    name: str
    title: str
    domain: Domain
    train: tuple[Tensor, ...]
    """Text: int64 ``[T]`` each. Music: float32 0/1 ``[T, 88]`` each, ``[T, 89]`` with the dummy key. All on the CPU."""
    valid: tuple[Tensor, ...]
    test: tuple[Tensor, ...]
    vocabulary: Vocabulary | None
    """The characters of the training split and two whole symbols; ``None`` for music."""
    max_length: int
    """Text: the longest sentence of train and valid. Music: 1.25 times that, rounded down. In steps."""
    length_counts: Tensor
    """float64 ``[max_length + 1]``: how many sequences of train and valid have each length; music adds one to each.

    One's own text does so as well, but for length 0.
    """
    sha256: dict[str, str]
    """The files this was read from and their sums; of a data set of one's own, its splits and theirs."""
    dummy_key: bool = False
    """Music: whether the rolls carry the paper's output that never sounds, at index 0."""

    @property
    def vocab_size(self) -> int:
        """Symbols of the text, or the 88 keys and the dummy where there is one."""
        return len(self.vocabulary) if self.vocabulary is not None else KEYS + self.dummy_key

    @property
    def likelihood(self) -> Likelihood:
        """What a model of this data emits: ``categorical`` (text) or ``bernoulli`` (music)."""
        return "categorical" if self.domain == "text" else "bernoulli"

    def split(self, name: str) -> tuple[Tensor, ...]:
        """The sequences of ``train``, ``valid`` or ``test``.

        Raises:
            InvalidInputError: no split of that name.
        """
        splits = {"train": self.train, "valid": self.valid, "test": self.test}
        if name not in splits:
            raise InvalidInputError(f"There is no split {name!r}; choose one of {', '.join(SPLITS)}.")
        return splits[name]

    def with_dummy_key(self) -> Dataset:
        """The same music in the paper's 89 outputs (:func:`~lnf_core.data.rolls.add_dummy_key`).

        Raises:
            InvalidInputError: the data is text.
        """
        if self.domain == "text":
            raise InvalidInputError(f"{self.title} is text; only music has keys to add one to.")
        if self.dummy_key:
            return self
        train, valid, test = (tuple(add_dummy_key(roll) for roll in self.split(name)) for name in SPLITS)
        return replace(self, train=train, valid=valid, test=test, dummy_key=True)

    def for_network(self, vocab_size: int) -> Dataset:
        """The data as a network of ``vocab_size`` outputs reads it: with the dummy key where it has 89, else as is."""
        return self.with_dummy_key() if self.domain == "music" and vocab_size == KEYS + 1 else self


def load_dataset(name: str, root: Path | None = None) -> Dataset:
    """Read a data set from disk after checking the SHA-256 of its files. Downloads nothing.

    Args:
        name: one of ``DATASETS``.
        root: the folder that holds ``ptb/`` and ``music/``; by default ``LNF_DATA_DIR``, else the user's cache.

    Raises:
        InvalidInputError: no data set of that name.
        DataError: a file is missing, unreadable, or not the published one.
    """
    return read_dataset(dataset_info(name), data_root(root))


def read_dataset(info: DatasetInfo, root: Path) -> Dataset:
    """As :func:`load_dataset`, for any description of a data set."""
    contents = [read_checked(info, file, root) for file in info.files]
    sums = dict(info.sha256)
    if info.domain == "text":
        sentences = {split: read_sentences(content) for split, content in zip(SPLITS, contents, strict=True)}
        return of_text(info.name, info.title, sentences, sums)
    (content,) = contents
    return of_music(info.name, info.title, read_rolls(content, info.title), sums)


def of_text(
    name: str, title: str, sentences: Mapping[str, list[str]], sums: dict[str, str], *, shortest: int | None = None
) -> Dataset:
    """Sentences as a data set whose files have these ``sums``; from length ``shortest`` on one more in every bin."""
    vocabulary = Vocabulary.from_texts(sentences["train"])
    splits = {split: encode_sentences(sentences[split], vocabulary) for split in SPLITS}
    counts = torch.bincount(_lengths((*splits["train"], *splits["valid"]))).to(torch.float64)
    if shortest is not None:
        counts[shortest:] += 1.0
    return _dataset(name, title, "text", splits, vocabulary, counts, sums)


def of_music(name: str, title: str, splits: dict[str, tuple[Tensor, ...]], sums: dict[str, str]) -> Dataset:
    """Rolls as a data set whose files have these ``sums``."""
    lengths = _lengths((*splits["train"], *splits["valid"]))
    max_length = int(_MUSIC_STRETCH * int(lengths.max()))
    # One more in every bin, so that no length up to max_length, bin 0 of the reference included, is impossible.
    counts = torch.bincount(lengths, minlength=max_length + 1).to(torch.float64) + 1.0
    return _dataset(name, title, "music", splits, None, counts, sums)


def _lengths(sequences: Sequence[Tensor]) -> Tensor:
    return torch.tensor([len(sequence) for sequence in sequences], dtype=torch.int64)


def _dataset(
    name: str,
    title: str,
    domain: Domain,
    splits: Mapping[str, tuple[Tensor, ...]],
    vocabulary: Vocabulary | None,
    counts: Tensor,
    sums: dict[str, str],
) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        domain=domain,
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        vocabulary=vocabulary,
        max_length=len(counts) - 1,
        length_counts=counts,
        sha256=sums,
    )
