"""Pieces or lines on the way from one sequence to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from app.fields import Settings
from app.limits import LIMITS, FieldError, whole
from app.services.sampled import Result
from app.services.sampling import Sampling, lines_of
from app.services.sequences import Request, Sequences
from lnf_core.analysis.interpolation import interpolate

STOPS = 6
SPACES = {"noise": "eps", "vectors": "z"}


@dataclass(frozen=True)
class Way:
    """The sequences of two seeds and those between them."""

    result: Result
    first: int
    second: int
    through: str
    """One of :data:`SPACES`."""
    link: str
    """The query string that restores it."""


class Between:
    """Mixes two sampled sequences, in the base noise or in the hidden vectors."""

    def __init__(self, sampling: Sampling, sequences: Sequences) -> None:
        self._sampling, self._sequences = sampling, sequences

    def way(self, name: object, first: object, second: object, through: object, folder: Path) -> Way:
        """From the sequence of seed ``first`` to that of ``second``.

        Raises:
            LNFError: a value that cannot be used; says which.
        """
        seeds = [
            whole(field, f"The {field} seed", value, LIMITS.seed)
            for field, value in (("first", first), ("second", second))
        ]
        if not isinstance(through, str) or through not in SPACES:
            raise no_such_way(through)
        ends = [self._sequences.get(Request(name, seed, 1)) for seed in seeds]
        found = interpolate(ends[0].model, ends[0].x, ends[1].x, STOPS, space=SPACES[through], engine=ends[0].sampler)
        settings = Settings.check(ends[0].entry.name, count=STOPS, seed=seeds[0], length=len(ends[0].x))
        dataset, variant = ends[0].entry.name.split("/")
        link = urlencode(
            {"tab": "inside", "dataset": dataset, "variant": variant}
            | {"first": seeds[0], "second": seeds[1], "through": through}
        )
        # Files of samples bear one seed, and all but the first stop are not of it.
        named = f"seed{seeds[0]}-to-seed{seeds[1]}-{through}"
        if ends[0].vocabulary is None:
            rolls = [sample.sequence(0) for sample in found]
            return Way(self._sampling.music(settings, rolls, folder, named=named), *seeds, through, link)
        lines = [line for sample in found for line in lines_of(sample, ends[0].vocabulary)]
        return Way(self._sampling.text(settings, lines, folder, named=named), *seeds, through, link)


def no_such_way(through: object) -> FieldError:
    """The refusal of a way that is none of :data:`SPACES`."""
    return FieldError("through", f"The way is {str(through)[:40]!r}; choose one of: {', '.join(SPACES)}.")
