from __future__ import annotations

import math
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import LIMITS, number, whole
from app.settings import Settings, read_query
from lnf_core.errors import CheckpointError, InvalidInputError, LNFError

NAME = "jsb/af-scf"


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -1.0, 0.0, 99.0, None, "", "warm", True, [1], 10**400]
)
def test_a_wrong_temperature_is_one_sentence(here: Path, value: object) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Settings.check(NAME, temperature=value)
    text = str(caught.value)
    assert text.startswith("The temperature is ") and text.endswith(".") and "\n" not in text
    assert "0.1 to 2" in text


@pytest.mark.parametrize("value", [0, -3, 9, 1e9, 2.5, "many", math.nan, None])
def test_a_wrong_count_is_refused(here: Path, value: object) -> None:
    with pytest.raises(InvalidInputError, match="number of samples"):
        Settings.check(NAME, count=value)


@pytest.mark.parametrize("value", [0, -1, 10**9, "nan", "a", 1.5, "1e3000"])
def test_a_wrong_length_is_refused(here: Path, value: object) -> None:
    with pytest.raises(InvalidInputError, match="The length"):
        Settings.check(NAME, length=value)


@pytest.mark.parametrize("field", ["seed", "tempo", "instrument"])
def test_other_fields_are_judged_too(here: Path, field: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        Settings.check(NAME, **{field: "-5"})


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=20), st.none(), st.booleans()))
def test_a_number_is_inside_its_bounds_or_refused(value: object) -> None:
    try:
        found = number("It", value, (0.5, 2.0))
    except InvalidInputError:
        return
    assert 0.5 <= found <= 2.0


def test_whole_numbers_may_come_as_text() -> None:
    assert whole("It", " 12 ", (1, 20)) == 12 and whole("It", 12.0, (1, 20)) == 12


def test_blank_fields_draw_a_seed_and_leave_the_length_open(here: Path) -> None:
    drawn = [Settings.check(NAME, length="", seed=" ") for _ in range(20)]
    assert all(settings.length is None for settings in drawn)
    assert len({settings.seed for settings in drawn}) > 1
    assert all(LIMITS.seed[0] <= settings.seed <= LIMITS.seed[1] for settings in drawn)


def test_a_checkpoint_that_is_missing_or_broken_is_named(here: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint 'jsb/none'"):
        Settings.check("jsb/none")
    with pytest.raises(CheckpointError, match="cannot be used"):
        Settings.check("ptb/iaf-scf")
    with pytest.raises(CheckpointError):
        Settings.check({"not": "a name"})


@pytest.mark.parametrize("length", [None, 7])
def test_a_link_restores_its_settings(here: Path, length: int | None) -> None:
    asked = Settings.check("jsb/iaf-scf", length, 2, 0.75, 11, 120, "Church organ")
    assert read_query(dict(parse_qsl(asked.query())), "ptb/lstm") == asked


def test_a_link_without_settings_changes_nothing(here: Path) -> None:
    assert read_query({"__theme": "dark", "length": ""}, NAME) is None


def test_a_partial_link_keeps_the_rest(here: Path) -> None:
    found = read_query({"variant": "af-af", "seed": "5"}, NAME)
    assert found is not None and (found.checkpoint, found.seed, found.temperature) == ("jsb/af-af", 5, 1.0)


@pytest.mark.parametrize("query", [{"seed": "x"}, {"temperature": "-1"}, {"dataset": "zzz"}, {"length": "99999"}])
def test_a_wrong_link_is_refused(here: Path, query: dict[str, str]) -> None:
    with pytest.raises(LNFError):
        read_query(query, NAME)


@pytest.mark.parametrize(("given", "expected"), [(True, True), ("1", True), (None, False), ("", False), ("0", False)])
def test_likeliest_symbols_are_switched_by_page_and_link(here: Path, given: object, expected: bool) -> None:
    settings = Settings.check("jsb/af-scf", likeliest=given)
    assert settings.likeliest is expected
    assert ("likeliest=1" in settings.query()) is expected


def test_a_switch_is_on_or_off(here: Path) -> None:
    with pytest.raises(InvalidInputError, match="on or off"):
        Settings.check("jsb/af-scf", likeliest="perhaps")
