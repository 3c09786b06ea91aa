"""Did it learn or memorise: how much of what a model samples already stands, step for step, in its training split."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lnf_core.data.vocabulary import code_points
from lnf_core.errors import InvalidInputError

_BETWEEN = "\0"  # stands between two training sequences, and for no step


@dataclass(frozen=True)
class Copies:
    """What a set of sequences shares with the training split. Held-out data shares something too: compare with it.

    Passages in which one step is repeated throughout, silence or a held chord, do not count.
    """

    passage: int
    """Steps (characters) of the passages that ``share`` counts."""
    share: float | None
    """Of all passages of that many steps, overlapping ones too, those that stand in the training split; None where
    there is none."""
    longest: int
    """Steps of the longest passage of any length that stands there."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def copies(sequences: Sequence[Sequence[Hashable]], training: Iterable[Sequence[Hashable]], passage: int) -> Copies:
    """Look up the passages of ``sequences`` in ``training``. Only exact matches count, in one key and at one place.

    Args:
        sequences: samples or held-out data; the steps of each may be anything hashable: the characters of a string, the
            rows of a roll as bytes. A string holds no NUL.
        training: the sequences a model learnt from, steps of the same kind.
        passage: steps of a passage, at least 2.

    Raises:
        InvalidInputError: a passage too short for something to happen in it.
    """
    if passage < 2:
        raise InvalidInputError(f"passage is {passage}; it must be at least 2 steps.")
    letters: dict[Hashable, str] = {}  # one character a distinct step, so that Python's own string search can be used

    def written(sequence: Sequence[Hashable]) -> str:
        if isinstance(sequence, str):  # one character a step as it is
            return sequence
        return "".join(letters.setdefault(step, chr(len(letters) + 1)) for step in sequence)

    pieces = [written(sequence) for sequence in sequences]
    learnt = _BETWEEN.join(map(written, training))
    everywhere = (piece[at : at + passage] for piece in pieces for at in range(len(piece) - passage + 1))
    passages = [text for text in everywhere if _moves(text)]
    found = _standing(set(passages), learnt, passage)
    return Copies(
        passage=passage,
        share=sum(text in found for text in passages) / len(passages) if passages else None,
        longest=max((_longest(piece, learnt) for piece in pieces), default=0),
    )


def _standing(sought: set[str], learnt: str, passage: int) -> set[str]:
    """Those of the texts of ``passage`` characters that stand in ``learnt``, which may have millions."""
    wanted = np.sort(_hashes("".join(sought), passage)[::passage])
    if not wanted.size:
        return set()
    hashes = _hashes(learnt, passage)
    near = wanted[np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)]
    return sought & {learnt[at : at + passage] for at in np.flatnonzero(near == hashes)}


def _hashes(text: str, passage: int) -> NDArray[np.uint64]:
    """A number for each passage of ``text``, equal where two are equal, and else hardly ever (Karp & Rabin 1987)."""
    codes = code_points(text).astype(np.uint64)
    count = max(len(codes) - passage + 1, 0)
    hashes = np.zeros(count, dtype=np.uint64)
    for at in range(passage):
        hashes *= np.uint64(6364136223846793005)  # modulo 2^64
        hashes += codes[at : at + count]
    return hashes


def _longest(piece: str, learnt: str) -> int:
    """Length of the longest passage of ``piece`` in ``learnt``: for each end the earliest start."""
    longest = start = 0
    for end in range(1, len(piece) + 1):
        while piece[start:end] not in learnt:
            start += 1
        if end - start > longest and _moves(piece[start:end]):
            longest = end - start
    return longest


def _moves(text: str) -> bool:
    return len(set(text)) > 1
