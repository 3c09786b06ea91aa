"""One request: what the visitor asked for, checked, and the link that asks for it again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from app import catalogue
from app.limits import LENGTH_HINT, LIMITS, empty, number, whole
from lnf_core.errors import InvalidInputError
from lnf_core.music import INSTRUMENTS

DEFAULT_COUNT = 3
DEFAULT_TEMPO = 96
DEFAULT_INSTRUMENT = next(iter(INSTRUMENTS))


@dataclass(frozen=True)
class Settings:
    """Checked settings of one sample."""

    checkpoint: str
    length: int | None
    """Steps; None draws each length from p(T)."""
    count: int
    temperature: float
    seed: int
    tempo: float
    instrument: str
    likeliest: bool = False
    """The likeliest x given z in place of a draw: cleaner, but no longer a sample of the model."""

    @classmethod
    def check(
        cls,
        checkpoint: object,
        length: object = None,
        count: object = DEFAULT_COUNT,
        temperature: object = 1.0,
        seed: object = None,
        tempo: object = DEFAULT_TEMPO,
        instrument: object = DEFAULT_INSTRUMENT,
        likeliest: object = False,
    ) -> Settings:
        """Judge values that came over the network.

        An empty ``length`` draws from p(T), an empty ``seed`` picks a new one.

        Raises:
            CheckpointError: no such checkpoint, or one that cannot be used.
            InvalidInputError: a value out of range.
        """
        entry = catalogue.find(checkpoint)
        if instrument not in INSTRUMENTS:
            raise InvalidInputError(
                f"The instrument is {str(instrument)[:40]!r}; choose one of: {', '.join(INSTRUMENTS)}."
            )
        return cls(
            checkpoint=entry.name,
            length=None if empty(length) else whole("The length", length, LIMITS.length, LENGTH_HINT),
            count=whole("The number of samples", count, LIMITS.count),
            temperature=number("The temperature", temperature, LIMITS.temperature, " (1 is the model as trained)"),
            seed=secrets.randbelow(100_000) if empty(seed) else whole("The seed", seed, LIMITS.seed),
            tempo=number("The tempo", tempo, LIMITS.tempo, " (beats per minute)"),
            instrument=str(instrument),
            likeliest=_yes("Likeliest symbols", likeliest),
        )

    def query(self) -> str:
        """The query string that restores these settings, without the question mark."""
        dataset, variant = self.checkpoint.split("/")
        values: dict[str, object] = {"dataset": dataset, "variant": variant, "seed": self.seed}
        if self.length is not None:
            values["length"] = self.length
        values["temperature"] = f"{self.temperature:g}"
        values["count"] = self.count
        if catalogue.describe(self.checkpoint).domain == "music":
            values |= {"tempo": f"{self.tempo:g}", "instrument": self.instrument}
        if self.likeliest:
            values["likeliest"] = 1
        return urlencode(values)


def _yes(name: str, value: object) -> bool:
    """A switch that may have come through a link.

    Raises:
        InvalidInputError: neither on nor off.
    """
    if value in (True, "1", "true"):
        return True
    if empty(value) or value in (False, "0", "false"):
        return False
    raise InvalidInputError(f"{name} is {str(value)[:40]!r}; it is either on or off.")


def read_query(query: Mapping[str, str], checkpoint: str | None) -> Settings | None:
    """The settings a link asks for, ``checkpoint`` where it names none; None when it asks for nothing.

    Raises:
        LNFError: the link holds a value out of range, or names a checkpoint that cannot be used.
    """
    known = ("dataset", "variant", "seed", "length", "temperature", "count", "tempo", "instrument", "likeliest")
    given = {name: query[name] for name in known if query.get(name)}
    if not given:
        return None
    dataset, variant = (checkpoint or "jsb/af-scf").split("/")
    name = f"{given.pop('dataset', dataset)}/{given.pop('variant', variant)}"
    return Settings.check(name, **given)
