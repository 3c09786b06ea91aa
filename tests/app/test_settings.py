from __future__ import annotations

import math
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import save_tiny

from app.fields import FIELDS, LINK_NAMES, Asked, Settings, read_query
from app.limits import LIMITS, FieldError, number, whole
from app.services.sampling import Sampling
from app.tabs.settings import SettingsFold
from lnf_core.errors import CheckpointError, InvalidInputError, LNFError

NAME = "jsb/af-scf"


def link(query: dict[str, str], name: str) -> Asked | None:
    return read_query(query, name, lambda _: (1, 12))


def followed(query: dict[str, str], name: str = NAME) -> Settings:
    """The settings of a link in which nothing is wrong."""
    asked = link(query, name)
    assert asked is not None and not asked.problems
    return asked.settings


def test_one_table_says_it_all() -> None:
    """What a link may carry, what the API takes and what the page shows are the same names."""
    from app.build import build_app

    names = [field.name for field in FIELDS]
    assert list(LINK_NAMES) == ["tab", "dataset", "variant", *(name for name in names if name != "midi")]
    page = build_app()
    (sample,) = (f for f in page.fns.values() if f.api_name == "sample")
    seen = [component.elem_id for component in sample.inputs if component.visible]
    assert seen == ["model-bar", *(name for name in names if name != "draw")]  # which a program may leave open
    described = page.get_api_info()["named_endpoints"]["/sample"]["parameters"]
    assert [part["parameter_name"] for part in described] == ["checkpoint", *names]
    assert [part["parameter_default"] for part in described[1:]] == [field.default for field in FIELDS]


@pytest.mark.parametrize(
    ("field", "value"),
    [("length", 99), ("count", 0), ("temperature", None), ("seed", -1), ("tempo", 1e9), ("instrument", "Kazoo"),
     ("instrument", ["Harp"]),
     ("draw", "perhaps"), ("begin", "a" * 288), ("midi", 3)],
)  # fmt: skip
def test_a_refusal_knows_its_field(here: Path, field: str, value: object) -> None:
    with pytest.raises(FieldError) as caught:
        Settings.check(NAME, (1, 12), **{field: value})
    assert caught.value.field == field


def test_a_refusal_says_what_is_accepted_to_the_last_digit(here: Path) -> None:
    with pytest.raises(FieldError, match=r"^The seed is -1; give a whole number from 0 to 2147483647\.$"):
        Settings.check(NAME, seed=-1)
    assert Settings.check(NAME, seed=2147483647).seed == 2147483647  # both ends are
    with pytest.raises(FieldError, match="has 288 characters; give at most 287"):
        Settings.check("ptb/lstm", begin="a" * 288)
    assert len(Settings.check("ptb/lstm", begin="a" * 287).begin) == 287


def test_a_tab_there_is_not_is_said(here: Path) -> None:
    with pytest.raises(InvalidInputError, match="no tab 'nowhere'"):
        link({"tab": "nowhere"}, NAME)
    assert link({"tab": "sample"}, NAME) is None


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -1.0, 0.0, 99.0, None, "", "warm", True, [1], 10**400]
)
def test_a_wrong_temperature_is_one_sentence(here: Path, value: object) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Settings.check(NAME, temperature=value)
    text = str(caught.value)
    assert text.startswith("The temperature is ") and text.endswith(".") and "\n" not in text
    assert "0.1 to 2" in text and len(text) < 140  # however long the value is


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
        found = number("it", "It", value, (0.5, 2.0))
    except InvalidInputError:
        return
    assert 0.5 <= found <= 2.0


def test_whole_numbers_may_come_as_text() -> None:
    assert whole("it", "It", " 12 ", (1, 20)) == 12 and whole("it", "It", 12.0, (1, 20)) == 12


def test_blank_fields_draw_a_seed_and_leave_the_length_open(here: Path) -> None:
    drawn = [Settings.check(NAME, length="", seed=" ") for _ in range(20)]
    assert all(settings.length is None for settings in drawn)
    assert len({settings.seed for settings in drawn}) > 15
    assert all(LIMITS.seed[0] <= settings.seed <= LIMITS.seed[1] for settings in drawn)


def test_a_checkpoint_that_is_missing_or_broken_is_named(here: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"none'; of JSB Chorales there are jsb/af-af, jsb/af-scf, jsb/iaf-scf(?!, jsb/lstm)"
    ):
        Settings.check("jsb/none")
    with pytest.raises(CheckpointError, match="cannot be used"):
        Settings.check("ptb/iaf-scf")
    with pytest.raises(CheckpointError):
        Settings.check({"not": "a name"})
    with pytest.raises(CheckpointError) as caught:
        Settings.check("a" * 1000)
    assert len(str(caught.value)) < 160 and "the data sets here are jsb, " in str(caught.value)


@pytest.mark.parametrize("length", [None, 7])
def test_a_link_restores_its_settings(here: Path, length: int | None) -> None:
    asked = Settings.check(
        "jsb/iaf-scf", length=length, count=2, temperature=0.75, seed=11, tempo=120, instrument="Church organ"
    )
    assert followed(dict(parse_qsl(asked.query())), "ptb/lstm") == asked


@pytest.mark.parametrize("tempo", [50, 96.5, 400 / 3])
@pytest.mark.parametrize("temperature", [1, 0.1, 1 / 3])
def test_a_link_repeats_numbers_exactly(here: Path, temperature: float, tempo: float) -> None:
    asked = Settings.check("jsb/iaf-scf", temperature=temperature, seed=11, tempo=tempo)
    assert followed(dict(parse_qsl(asked.query())), "ptb/lstm") == asked
    assert ".0&" not in asked.query()


def test_a_link_without_settings_changes_nothing(here: Path) -> None:
    assert link({"__theme": "dark", "length": ""}, NAME) is None


def test_a_partial_link_keeps_the_rest(here: Path) -> None:
    found = followed({"variant": "af-af", "seed": "5"})
    assert (found.checkpoint, found.seed, found.temperature) == ("jsb/af-af", 5, 1.0)
    opened, chosen = read_query({"seed": "5"}, None, lambda _: (1, 12)), link({"variant": "af-af"}, NAME)
    assert opened is not None and opened.settings.checkpoint == NAME and not opened.seed_is_open
    assert chosen is not None and chosen.seed_is_open


def test_of_another_tab_s_link_the_model_alone_is_taken(here: Path) -> None:
    asked = link({"tab": "latent", "variant": "af-af", "seed": "5", "step": "3", "length": "99"}, NAME)
    assert asked is not None and not asked.problems and asked.seed_is_open
    assert (asked.settings.checkpoint, asked.settings.length) == ("jsb/af-af", None)


@pytest.mark.parametrize("query", [{"dataset": "zzz"}, {"variant": "lstm"}, {"tab": "no"}])
def test_a_link_to_what_is_not_there_is_refused(here: Path, query: dict[str, str]) -> None:
    with pytest.raises(LNFError):
        link(query, NAME)


def test_what_a_link_cannot_have_is_told_and_the_rest_is_followed(here: Path) -> None:
    asked = link({"variant": "af-af", "temperature": "9", "tempo": "120", "seed": "x", "length": "7"}, NAME)
    assert asked is not None and asked.seed_is_open
    assert [problem.field for problem in asked.problems] == ["temperature", "seed"]
    found = asked.settings
    assert (found.checkpoint, found.length, found.tempo, found.temperature) == ("jsb/af-af", 7, 120, 1.0)
    for name, value, words in (
        ("midi", "README.md", "No link can hold a file"),
        ("begin", "hello", "begin is for text"),
    ):
        asked = link({"variant": "af-af", "seed": "5", name: value}, NAME)
        assert asked is not None and not asked.seed_is_open
        assert (asked.settings.midi, asked.settings.begin, asked.settings.seed) == ("", "", 5)
        assert [problem.field for problem in asked.problems] == [name] and words in str(asked.problems[0])


@pytest.mark.parametrize(
    ("given", "expected"),
    [(True, True), ("1", True), ("true", True), (None, False), ("", False), ("0", False), ("false", False)],
)
def test_drawing_is_switched_by_page_and_link(here: Path, given: object, expected: bool) -> None:
    settings = Settings.check("jsb/af-scf", draw=given)
    assert settings.draw is expected
    assert ("draw=1" in settings.query()) is expected


def test_piano_music_is_drawn_key_by_key_unless_asked_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tiny(tmp_path / "piano-midi" / "af-scf", dataset="piano-midi")
    monkeypatch.setenv("LNF_CHECKPOINTS", str(tmp_path))
    for asked, expected in ((None, True), ("", True), (False, False), ("0", False), (True, True)):
        settings = Settings.check("piano-midi/af-scf", draw=asked)
        assert settings.draw is expected
        assert ("draw=0" in settings.query()) is not expected and "draw=1" not in settings.query()
        assert followed(dict(parse_qsl(settings.query()))) == settings


def test_another_data_set_brings_its_usual_way_of_drawing_keys_and_another_model_does_not() -> None:
    settings = SettingsFold(Sampling())
    asked, dataset = settings.for_dataset("piano-midi/af-scf", "jsb")
    assert (asked["value"], dataset) == (True, "piano-midi")
    assert "value" not in settings.for_dataset("piano-midi/af-af", dataset)[0]
    asked, dataset = settings.for_dataset("nottingham/af-af", dataset)
    assert (asked["value"], dataset) == (False, "nottingham")
    # Sample is pressed before that update has come: what the fields still show is not what is meant.
    usual = {field.name: field.default for field in FIELDS}
    shown = usual | {"draw": True}
    assert settings.meant("jsb/af-scf", shown, "jsb") == shown
    assert settings.meant("jsb/af-scf", shown, "piano-midi") == usual


def test_the_fields_show_what_is_asked_for_and_what_the_model_takes(here: Path) -> None:
    fold, names = SettingsFold(Sampling()), [field.name for field in FIELDS]
    settings = Settings.check(NAME, seed=0, tempo=120)
    asked, drawn = (dict(zip(names, fold.values(settings, drawn=drawn), strict=True)) for drawn in (False, True))
    assert (asked["length"], asked["seed"], asked["tempo"]) == ("", "0", 120)
    assert drawn == asked | {"seed": ""}  # the next press draws another
    length, music, text, hint = fold.for_checkpoint("jsb/af-scf")
    assert length["label"] == "Length in beats, 3 to 12" and "before the flow bends it" in hint
    assert (music["visible"], text["visible"]) == (True, "hidden")
    length, music, text, hint = fold.for_checkpoint("ptb/lstm")
    assert length["label"] == "Length in characters, 3 to 12" and "scores of the symbols" in hint
    assert (music["visible"], text["visible"]) == ("hidden", True)


def test_a_switch_is_on_or_off(here: Path) -> None:
    with pytest.raises(InvalidInputError, match="on or off"):
        Settings.check("jsb/af-scf", draw="perhaps")


def test_a_link_to_text_carries_its_settings_and_none_of_music_s(here: Path) -> None:
    asked = Settings.check("ptb/lstm", length=7, count=2, temperature=0.6, seed=11, tempo=120)
    assert "temperature=0.6" in asked.query()
    assert "tempo" not in asked.query()
    found = followed(dict(parse_qsl(asked.query())))
    assert (found.checkpoint, found.length, found.count, found.temperature, found.seed) == ("ptb/lstm", 7, 2, 0.6, 11)
