"""Every setting of a sample, once: its name in links and in the API, how it is judged, and what it is called.

The page's inputs, the checks, the links and the names its script knows are all made from :data:`FIELDS`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from app import catalogue
from app.limits import LIMITS, FieldError, empty, number, whole
from lnf_core.errors import InvalidInputError
from lnf_core.music import INSTRUMENTS

TABS = ("sample", "race", "latent", "inside", "learn", "results")
"""Names of the tabs, as ``tab`` in a link names them."""
Bounds = tuple[int, int]


@dataclass(frozen=True)
class Field:
    """One setting."""

    name: str
    """In links, in the API and as the element's id on the page."""
    label: str
    default: Any
    parse: Callable[[Any, Bounds], Any]
    """From what came over the network, and the lengths the model takes, to a checked value.

    Raises :class:`~app.limits.FieldError`.
    """
    hint: type | object = float
    """What the API says it takes."""
    domain: str | None = None
    """``music`` or ``text`` where it is for one of them alone."""
    shown: Callable[[Any], str] = str
    """A checked value as a link and a text field show it; an empty string is left out of a link."""
    usual: Callable[[str], Any] | None = None
    """What an empty value stands for, by the name of the data set; a link leaves that out."""
    linked: bool = True
    """Whether a link may carry it. A path must not come by one: the page would hand out the file it names."""


def _length(value: Any, bounds: Bounds) -> int | None:  # noqa: ANN401 - from the network
    hint = ", or leave it empty to draw it from the lengths of the training data"
    return None if empty(value) else whole("length", "The length", value, bounds, hint)


def _seed(value: Any, _bounds: Bounds) -> int:  # noqa: ANN401
    return secrets.randbelow(100_000) if empty(value) else whole("seed", "The seed", value, LIMITS.seed)


def _exactly(value: float) -> str:
    """The shortest text that is read as the same number: a link repeats a sample to the note."""
    return repr(value).removesuffix(".0")


def _instrument(value: Any, _bounds: Bounds) -> str:  # noqa: ANN401
    if not isinstance(value, str) or value not in INSTRUMENTS:
        said = f"The instrument is {str(value)[:40]!r}; choose one of: {', '.join(INSTRUMENTS)}."
        raise FieldError("instrument", said)
    return value


def _yes(value: Any, _bounds: Bounds) -> bool:  # noqa: ANN401
    if value in (True, "1", "true"):
        return True
    if empty(value) or value in (False, "0", "false"):
        return False
    raise FieldError("draw", f"Draw every key is {str(value)[:40]!r}; it is either on or off.")


def _typed(value: Any, _bounds: Bounds) -> str:  # noqa: ANN401
    text = "" if value is None else str(value)
    if len(text) >= LIMITS.typed:  # it is gone on from: there must be room for one more
        raise FieldError("begin", f"The beginning has {len(text)} characters; give at most {LIMITS.typed - 1}.")
    return text


def _file(value: Any, _bounds: Bounds) -> str:  # noqa: ANN401
    if value is not None and not isinstance(value, str):
        raise FieldError("midi", "The MIDI file did not arrive as a file; choose it again.")
    return value or ""


FIELDS = (
    Field("length", "Length", "", _length, str, shown=lambda value: "" if value is None else str(value)),
    Field("count", "How many", 3, lambda v, _: whole("count", "The number of samples", v, LIMITS.count)),
    Field(
        "temperature",
        "Temperature",
        1.0,
        lambda v, _: number("temperature", "The temperature", v, LIMITS.temperature, " (1 is the model as trained)"),
        shown=_exactly,
    ),
    Field("seed", "Seed", "", _seed, str),
    Field(
        "tempo",
        "Tempo (beats a minute)",
        96,
        lambda v, _: number("tempo", "The tempo", v, LIMITS.tempo, " (beats per minute)"),
        domain="music",
        shown=_exactly,
    ),
    Field("instrument", "Instrument", next(iter(INSTRUMENTS)), _instrument, str, "music"),
    # The likeliest keys of Piano-midi, whose decoder is unsure of each, are next to silence.
    Field(
        "draw",
        "Draw every key",
        None,
        _yes,
        bool | None,
        "music",
        lambda value: "1" if value else "0",
        lambda dataset: dataset == "piano-midi",
    ),
    Field("begin", "Go on from", "", _typed, str, "text"),
    Field("midi", "Go on from a MIDI file", None, _file, str | None, "music", linked=False),
)
LINK_NAMES = ("tab", "dataset", "variant", *(field.name for field in FIELDS if field.linked))
"""Every parameter a link may carry."""


@dataclass(frozen=True)
class Settings:
    """Checked settings of one sample; one attribute for each of :data:`FIELDS`."""

    checkpoint: str
    length: int | None
    """Steps; None draws each length from p(T)."""
    count: int
    temperature: float
    seed: int
    tempo: float
    instrument: str
    draw: bool = False
    """Every key of music by chance, a true sample; otherwise a flow plays the likeliest keys given z, which is cleaner
    and, since all choice lies in z, hardly less varied."""
    begin: str = ""
    """Text to go on from."""
    midi: str = ""
    """Path of a MIDI file to go on from."""

    @classmethod
    def check(cls, checkpoint: object, bounds: Bounds = LIMITS.length, **values: object) -> Settings:
        """Judge values that came over the network; what is not given has its default.

        Args:
            checkpoint: the name of one.
            bounds: the lengths its model takes.
            values: by the names of :data:`FIELDS`.

        Raises:
            CheckpointError: no such checkpoint, or one that cannot be used.
            FieldError: a value out of range; it says which field.
        """
        entry = catalogue.find(checkpoint)
        settings, problems = _judged(entry, bounds, values)
        for problem in problems:
            raise problem
        return settings

    def query(self) -> str:
        """The query string that restores these settings, without the question mark."""
        dataset, variant = self.checkpoint.split("/")
        values = {"tab": "sample", "dataset": dataset, "variant": variant}
        domain = catalogue.describe(self.checkpoint).domain
        for field in FIELDS:
            shown = field.shown(getattr(self, field.name))
            goes_without_saying = field.usual is not None and field.usual(dataset) == getattr(self, field.name)
            if field.linked and shown and field.domain in (None, domain) and not goes_without_saying:
                values[field.name] = shown
        return urlencode(values)


def _judged(entry: catalogue.Entry, bounds: Bounds, given: Mapping[str, object]) -> tuple[Settings, list[FieldError]]:
    """What can be had of ``given``, with what is usual in place of the rest, and what is wrong with the rest."""
    values, problems = {}, []
    for field in FIELDS:
        usual = field.usual(entry.dataset) if field.usual else field.default
        value = given.get(field.name, usual)
        try:
            values[field.name] = field.parse(usual if field.usual and empty(value) else value, bounds)
        except FieldError as error:
            problems.append(error)
            values[field.name] = field.parse(usual, bounds)
    return Settings(entry.name, **values), problems


def _of_others(entry: catalogue.Entry, given: Mapping[str, object]) -> list[FieldError]:
    """Why what a visitor brings along is not for ``entry``: text is not for music, nor notes for text."""
    return [
        FieldError(field.name, f"{entry.title} makes {entry.domain}; {field.name} is for {field.domain}.")
        for field in FIELDS
        if field.name in ("begin", "midi") and field.domain != entry.domain and not empty(given.get(field.name))
    ]


def check_own(entry: catalogue.Entry, given: Mapping[str, object]) -> None:
    """Judge what a visitor brings along, by the names of :data:`FIELDS`.

    Raises:
        FieldError: it is for the other kind of model.
    """
    for problem in _of_others(entry, given):
        raise problem


assert [field.name for field in FIELDS] == [field.name for field in fields(Settings)][1:]


@dataclass(frozen=True)
class Asked:
    """What a link asks for."""

    settings: Settings
    problems: tuple[FieldError, ...]
    """What cannot be had; the settings hold the usual value there."""
    seed_is_open: bool
    """Whether every press is another sample."""


def read_query(query: Mapping[str, str], checkpoint: str | None, bounds_of: Callable[[str], Bounds]) -> Asked | None:
    """What a link asks for, of ``checkpoint`` where it names none; None when it asks for nothing.

    Raises:
        LNFError: the link names a tab there is not, or a checkpoint that cannot be used.
    """
    given = {name: query[name] for name in LINK_NAMES if query.get(name)}
    tab = given.pop("tab", TABS[0])
    if tab not in TABS:
        raise InvalidInputError(f"There is no tab {tab[:40]!r} on this page; it has: {', '.join(TABS)}.")
    problems = []
    if tab != TABS[0]:  # the other tabs read their own settings; which model is everybody's
        given = {name: given[name] for name in ("dataset", "variant") if name in given}
    else:
        unlinked = [field.name for field in FIELDS if not field.linked and query.get(field.name)]
        problems = [FieldError(name, "No link can hold a file; choose the file itself.") for name in unlinked]
    if not given and not problems:
        return None
    dataset, variant = (checkpoint or "jsb/af-scf").split("/")
    entry = catalogue.find(f"{given.pop('dataset', dataset)}/{given.pop('variant', variant)}")
    problems += _of_others(entry, given)
    for problem in problems:
        given.pop(problem.field, None)
    settings, wrong = _judged(entry, bounds_of(entry.name), given)
    seed_is_open = "seed" not in given or "seed" in {problem.field for problem in wrong}
    return Asked(settings, (*problems, *wrong), seed_is_open)
