"""The settings of a sample, each spelled once: checks, links, the page's inputs and the API are made from this table."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.limits import LIMITS, empty, number, whole
from lnf_core.errors import InvalidInputError
from lnf_core.music import INSTRUMENTS

LENGTH_HINT = ", or leave it empty to draw it from p(T)"


class FieldError(InvalidInputError):
    """A value that is refused; the page puts the sentence beside the field."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Field:
    """One setting."""

    name: str
    """Of the attribute in ``Settings``, of the API's parameter and of the element on the page."""
    link: str
    """Query parameter."""
    parse: Callable[[object], Any]
    """A value that came over the network, judged; raises InvalidInputError."""
    default: Any
    """What the page starts with; an empty text where there is nothing to start with."""
    hint: str
    """What the API's documentation says about it."""
    domain: Literal["music", "text"] | None = None
    """The domain it has a meaning for; None for both."""
    write: Callable[[Any], str | None] = str
    """The value in a link; None leaves it out."""

    def check(self, value: object) -> Any:  # noqa: ANN401 - by field
        """The value as ``parse`` makes it.

        Raises:
            FieldError: refused.
        """
        try:
            return self.parse(value)
        except InvalidInputError as error:
            raise FieldError(self.name, str(error)) from None


def _length(value: object) -> int | None:
    return None if empty(value) else whole("The length", value, LIMITS.length, LENGTH_HINT)


def _count(value: object) -> int:
    return whole("The number of samples", value, LIMITS.count)


def _temperature(value: object) -> float:
    return number("The temperature", value, LIMITS.temperature, " (1 is the model as trained)")


def _seed(value: object) -> int:
    return secrets.randbelow(100_000) if empty(value) else whole("The seed", value, LIMITS.seed)


def _tempo(value: object) -> float:
    return number("The tempo", value, LIMITS.tempo, " (beats per minute)")


def _instrument(value: object) -> str:
    if value not in INSTRUMENTS:
        raise InvalidInputError(f"The instrument is {str(value)[:40]!r}; choose one of: {', '.join(INSTRUMENTS)}.")
    return str(value)


def _likeliest(value: object) -> bool:
    if value in (True, "1", "true"):
        return True
    if empty(value) or value in (False, "0", "false"):
        return False
    raise InvalidInputError(f"Likeliest symbols is {str(value)[:40]!r}; it is either on or off.")


def _short(value: float) -> str:
    return f"{value:g}"


FIELDS = (
    Field(
        "length",
        "length",
        _length,
        "",
        "steps; empty draws each from p(T)",
        write=lambda value: None if value is None else str(value),
    ),
    Field("count", "count", _count, 3, "how many"),
    Field("temperature", "temperature", _temperature, 1.0, "spread of the base noise; 1 is the model", write=_short),
    Field("seed", "seed", _seed, "", "empty picks a new one"),
    Field("tempo", "tempo", _tempo, 96, "beats a minute", "music", write=_short),
    Field("instrument", "instrument", _instrument, next(iter(INSTRUMENTS)), "one of the page's list", "music"),
    Field(
        "likeliest",
        "likeliest",
        _likeliest,
        False,
        "the likeliest x given z in place of a draw",
        write=lambda value: "1" if value else None,
    ),
)
NAMES = tuple(field.name for field in FIELDS)
CHECKPOINT_LINKS = ("dataset", "variant")
LINKS = (*CHECKPOINT_LINKS, *(field.link for field in FIELDS))
"""Every query parameter that asks for a sample."""


def check_all(values: Mapping[str, object]) -> dict[str, Any]:
    """Every field judged, with its default where ``values`` has none.

    Raises:
        FieldError: the first that is refused.
        InvalidInputError: a name that is not in the table.
    """
    unknown = set(values) - set(NAMES)
    if unknown:
        raise InvalidInputError(f"There is no setting {sorted(unknown)[0]!r}; choose from: {', '.join(NAMES)}.")
    return {field.name: field.check(values.get(field.name, field.default)) for field in FIELDS}


def to_link(values: Mapping[str, Any], domain: str) -> dict[str, str]:
    """The query parameters that say ``values``; those without a meaning for ``domain`` are left out."""
    written = {field.link: field.write(values[field.name]) for field in FIELDS if field.domain in (None, domain)}
    return {link: text for link, text in written.items() if text is not None}


def from_link(query: Mapping[str, str]) -> dict[str, str]:
    """The fields a query names, not yet judged."""
    return {field.name: query[field.link] for field in FIELDS if query.get(field.link)}
