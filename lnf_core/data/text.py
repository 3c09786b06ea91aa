"""Text files to sequences: one sentence a sequence, one character a step."""

from __future__ import annotations

import torch
from torch import Tensor

from lnf_core.data.vocabulary import Vocabulary

MAX_CHARACTERS = 288
"""Longer sentences are dropped (Ziegler & Rush 2019, section 6.1)."""


def read_sentences(content: bytes) -> list[str]:
    """The stripped lines of a UTF-8 file, without those that are empty or longer than 288 characters.

    ``<unk>`` counts as the five characters it is spelled with.
    """
    lines = (line.strip() for line in content.decode("utf-8").split("\n"))
    return [line for line in lines if 0 < len(line) <= MAX_CHARACTERS]


def encode_sentences(sentences: list[str], vocabulary: Vocabulary) -> tuple[Tensor, ...]:
    """Each sentence as int64 ``[T]``, in file order.

    The sentences share one storage: a data set is tens of thousands of them, and one encoding of the whole is
    many times quicker to make than as many small ones.
    """
    whole = vocabulary.encode("".join(sentences))
    return tuple(torch.split(whole, [len(sentence) for sentence in sentences]))
