from __future__ import annotations

import math
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest
from answers import run
from gradio_client import Client
from gradio_client.exceptions import AppError

from benchmarks.load import Page, listen, press
from lnf_core.music import Performance


@pytest.fixture(scope="module")
def client(server: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def sample(client: Client, **values: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401 - values of any type are the point
    settings = {"checkpoint": "jsb/af-scf", "length": "12", "count": 2, "seed": "5", "draw": True, **values}
    done, roll, lines = client.predict(**settings, api_name="/sample")
    return done, roll, lines


def test_music_comes_with_its_files(client: Client) -> None:
    done, roll, _ = sample(client)
    assert done["seed"] == 5 and "seed=5" in done["query"]
    assert len(roll["samples"]) == 2
    for piece in roll["samples"]:
        assert Performance("jsb").read(Path(piece["midi"])).roll.shape == (12, 88)
        with wave.open(piece["audio"]) as sound:
            assert sound.getnframes() > 44100


def test_the_same_seed_gives_the_same_music(client: Client) -> None:
    notes = [[piece["notes"] for piece in sample(client)[1]["samples"]] for _ in range(2)]
    assert notes[0] == notes[1]


def test_the_crowd_of_the_benchmark_presses_and_listens_as_the_page_does(server: str) -> None:
    async def visit() -> dict[str, Any]:
        page = Page.read(server)
        async with httpx.AsyncClient(timeout=60) as visitor:
            roll = await press(page, visitor, "one of the crowd", "jsb/af-scf", 7, length=12)
            await listen(page, visitor, "one of the crowd", roll)
            return roll

    assert len(run(visit())["samples"]) == 3


@pytest.mark.parametrize("given", [{}, {"draw": None}, {"draw": False}])
def test_of_chorales_the_likeliest_keys_are_usual(client: Client, given: dict[str, Any]) -> None:
    done, *_ = client.predict(checkpoint="jsb/af-scf", length="12", count=1, **given, api_name="/sample")
    assert "draw" not in done["query"]


def test_the_progress_of_events_goes_to_nothing_that_holds_others(server: str) -> None:
    """A browser copies, at every event, all that is held by whatever progress has gone to so far."""
    config = httpx.get(f"{server}/config").json()
    shells = {
        part["id"] for part in config["components"] if part["type"] in ("tabs", "tabitem", "column", "row", "group")
    }
    events = [event for event in config["dependencies"] if event["backend_fn"] and event["targets"]]
    assert shells and any(shells & set(event["outputs"]) for event in events)
    seen = {event["api_name"]: shells & set(event["show_progress_on"] or event["outputs"]) for event in events}
    assert not any(seen.values()), seen


def test_every_model_answers_and_broken_ones_say_why(client: Client) -> None:
    models = client.predict(api_name="/models")
    assert {"jsb/af-scf", "ptb/lstm", "ptb/iaf-scf"} <= {model["name"] for model in models}
    for model in models:
        if model["problem"]:
            with pytest.raises(AppError, match="cannot be used"):
                sample(client, checkpoint=model["name"], length="5", count=1)


def test_a_beginning_of_the_other_kind_is_refused(client: Client) -> None:
    with pytest.raises(AppError, match="makes music; begin is for text"):
        sample(client, begin="hello")


def test_lines_come_with_their_probabilities(client: Client) -> None:
    _, _, lines = sample(client, checkpoint="ptb/lstm", length="9", count=3)
    assert [len(line["symbols"]) for line in lines["lines"]] == [9, 9, 9]
    assert all(0 <= value <= 100 for line in lines["lines"] for value in line["sure"])
    assert Path(lines["file"]).read_text("utf-8").count("\n") == 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": -1}, "The temperature is -1"),
        ({"temperature": "nan"}, "The temperature is nan"),
        ({"temperature": None}, "The temperature is empty"),
        ({"count": 0}, "The number of samples is 0"),
        ({"count": 10**6}, "The number of samples is 1000000"),
        ({"length": "0"}, "The length is 0"),
        ({"length": "13"}, "from 3 to 12"),
        ({"length": "999999999999"}, "The length is 999999999999"),
        ({"seed": "-1"}, "The seed is -1"),
        ({"tempo": 1e9}, "The tempo is"),
        ({"instrument": "<Kazoo> & co"}, "The instrument is '<Kazoo> & co'"),
        ({"checkpoint": "jsb/nothing"}, "There is no checkpoint 'jsb/nothing'"),
        ({"checkpoint": "../../etc"}, "There is no checkpoint"),
    ],
)
def test_bad_input_is_one_plain_sentence(client: Client, values: dict[str, Any], words: str) -> None:
    with pytest.raises(AppError) as caught:
        sample(client, **values)
    text = str(caught.value)
    assert words in text and "Traceback" not in text and "\n" not in text.strip() and text.strip().endswith(".")


def test_what_json_cannot_say_is_refused_as_well(client: Client) -> None:
    with pytest.raises((AppError, ValueError)):  # some clients refuse to send it at all
        sample(client, temperature=math.nan)
    assert sample(client)[0]["kind"] == "done"


def test_choosing_a_checkpoint_tells_its_longest_length(client: Client) -> None:
    length = client.predict("ptb/lstm", api_name="/choose")[0]
    assert "characters, 3 to 12" in length["label"]


def test_every_tab_answers_by_name(client: Client) -> None:
    cloud = client.predict("ptb/af-scf", 3, 4, "", api_name="/latent")
    assert cloud["step"] == 4 and cloud["draws"] == 4096 and sum(item["share"] for item in cloud["symbols"]) <= 1.0001
    inside = client.predict("ptb/af-scf", 3, "abba", api_name="/inside")
    assert inside["names"] == list("abba") and len(inside["kl"]) == len(inside["reconstruction"]) == 4
    way = client.predict("jsb/af-scf", 1, 2, "noise", api_name="/between")
    said = "the first is seed 1 and the second seed 2 as the model encodes and reads them, through the noise"
    assert len(way["samples"]) == 6 and way["details"] == f"{said}, likeliest keys"
    race = client.predict("jsb/af-scf", True, api_name="/race")
    assert {row["variant"] for row in race["rows"]} == {"af-af", "af-scf", "iaf-scf"} and not race["running"]
    tables = client.predict(api_name="/results")
    assert tables[0]["columns"][3]["label"] == "Test" and tables[0]["rows"]


@pytest.mark.parametrize(
    ("endpoint", "values", "words"),
    [
        ("/latent", ("ptb/lstm", 0, 1, ""), "no latent space"),
        ("/latent", ("ptb/af-scf", -1, 1, ""), "The seed is -1"),
        ("/latent", ("ptb/af-scf", 0, 0, ""), "The step is 0"),
        ("/inside", ("ptb/af-scf", 0, "Ω"), "character 1"),
        ("/inside", ("ptb/af-scf", 0, "a" * 100_000), "give at most"),
        ("/between", ("jsb/af-scf", 1, 2, "walls"), "choose one of: noise, vectors"),
        ("/latent", ("jsb/af-scf", 3, 4, "abba"), "makes music; leave text out"),
        ("/race", ("../../etc/passwd", False), "There is no checkpoint"),
    ],
)
def test_what_the_tabs_refuse_is_said_to_clients(
    client: Client, endpoint: str, values: tuple[object, ...], words: str
) -> None:
    with pytest.raises(AppError, match=words):
        client.predict(*values, api_name=endpoint)
