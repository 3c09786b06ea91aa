"""One request: what the visitor asked for, checked, and the link that asks for it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from app import catalogue
from app.fields import CHECKPOINT_LINKS, check_all, from_link, to_link
from lnf_core.errors import InvalidInputError

TAB = "sample"


@dataclass(frozen=True)
class Settings:
    """Checked settings of one sample: the checkpoint and the fields of ``fields.py``."""

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
    def check(cls, checkpoint: object, **values: object) -> Settings:
        """Judge values that came over the network; a field that is left out takes its default.

        Raises:
            CheckpointError: no such checkpoint, or one that cannot be used.
            InvalidInputError: a value out of range.
        """
        return cls(checkpoint=catalogue.find(checkpoint).name, **check_all(values))

    def query(self) -> str:
        """The query string that restores these settings, without the question mark."""
        where = dict(zip(CHECKPOINT_LINKS, self.checkpoint.split("/"), strict=True))
        domain = catalogue.describe(self.checkpoint).domain
        return urlencode({"tab": TAB, **where, **to_link(dataclasses.asdict(self), domain)})


def read_query(query: Mapping[str, str], checkpoint: str | None) -> Settings | None:
    """The settings a link asks for, ``checkpoint`` where it names none; None when it asks for nothing.

    Raises:
        LNFError: the link holds a value out of range, or names a checkpoint that cannot be used.
    """
    values = from_link(query)
    where = [query.get(link) for link in CHECKPOINT_LINKS]
    if not values and not any(where):
        return None
    usual = (checkpoint or "jsb/af-scf").split("/")
    name = "/".join(given or standard for given, standard in zip(where, usual, strict=True))
    return Settings.check(name, **values)


def check_tab(query: Mapping[str, str], tabs: tuple[str, ...]) -> str:
    """The tab a link opens, the first where it names none.

    Raises:
        InvalidInputError: there is no such tab.
    """
    asked = query.get("tab") or tabs[0]
    if asked not in tabs:
        raise InvalidInputError(f"There is no tab {asked[:40]!r}; choose one of: {', '.join(tabs)}.")
    return asked
