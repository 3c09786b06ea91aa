"""Which one is Bach? The opening of a chorale among openings that the model drew, and what everybody guessed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from app import catalogue
from app.fields import Settings
from app.limits import whole
from app.services.sampled import Music
from app.services.sampling import Sampling
from lnf_core.data import download, load_dataset
from lnf_core.errors import DataError, InvalidInputError, LNFError

ROUNDS = (1, 50)
CHOICES = 3
_STEPS = 24  # of each opening
_DRAWN = 64  # steps of the pieces whose openings are taken, so that none has to end
_MODEL = "jsb/af-scf"
_PATIENCE = 10.0  # seconds the chorales' server may stay silent


class Guess:
    """Rounds of one real opening and two drawn ones, the same for everybody, and their votes."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._lock = threading.Lock()
        self._votes: dict[int, Counter[int]] = {}

    def round(self, number: object, folder: Path) -> Music:
        """The three openings of a round, in an order that its number decides.

        Raises:
            LNFError: no such round, the model is not here, or the chorales are not at hand; says what to do.
        """
        at = whole("round", "The round", number, ROUNDS)
        model = self._sampling.models.get(catalogue.find(_MODEL).name).checkpoint.model
        length = min(_DRAWN, model.config.max_length)
        steps = min(_STEPS, length)
        drawn = model.sample(CHOICES - 1, length, argmax=True, generator=torch.Generator().manual_seed(at))
        openings = [roll[:steps].cpu() for roll in drawn]
        openings.insert(self.answer(at), _chorales()[at % len(_chorales())][:steps])
        music = self._sampling.music(Settings.check(_MODEL, count=CHOICES, seed=at), openings, folder)
        # Files of samples bear the model's name, which is not true of Bach's.
        named = (
            replace(piece, midi=piece.midi.rename(folder / f"which-is-bach-round{at}-{place}.mid"))
            for place, piece in enumerate(music.pieces, start=1)
        )
        return replace(music, pieces=tuple(named))

    def answer(self, number: int) -> int:
        """Which of the three was written by Bach, counted from 0."""
        return _order()[number - 1]

    def vote(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Count a guess and tell the answer and how all have guessed so far; ``asked``: ``round`` and ``choice``.

        Raises:
            FieldError: no such round or choice.
        """
        number = whole("round", "The round", asked.get("round"), ROUNDS)
        choice = whole("choice", "The choice", asked.get("choice"), (0, CHOICES - 1))
        with self._lock:
            self._votes.setdefault(number, Counter())[choice] += 1
        return {"answer": self.answer(number), **self.votes(asked)}

    def votes(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """How all have guessed so far in the ``round`` that is asked for, for who has; not which is right.

        Raises:
            FieldError: no such round.
        """
        number = whole("round", "The round", asked.get("round"), ROUNDS)
        with self._lock:
            votes = self._votes.get(number, Counter())
            return {"votes": [votes[at] for at in range(CHOICES)]}


@cache
def _order() -> list[int]:
    """The place of Bach's opening in each round: in every three rounds each of the three, in some order."""
    generator = torch.Generator().manual_seed(7919)
    blocks = [torch.randperm(CHOICES, generator=generator) for _ in range(ROUNDS[1] // CHOICES + 1)]
    return [int(place) for place in torch.cat(blocks)]


@cache
def _chorales() -> tuple[Tensor, ...]:
    """The test split of the chorales, pieces the models never saw; fetched when somebody first plays a round.

    Raises:
        InvalidInputError: it is not on this machine, and cannot be fetched.
    """
    try:
        pieces = load_dataset("jsb").test
    except DataError:
        try:
            download("jsb", timeout=_PATIENCE)
            pieces = load_dataset("jsb").test
        except LNFError as error:
            remedy = "Whoever runs this page can fetch them once: python -m lnf_core data download jsb."
            raise InvalidInputError(f"The chorales are not on this machine. {error} {remedy}") from error
    return tuple(piece for piece in pieces if len(piece) >= _STEPS)
