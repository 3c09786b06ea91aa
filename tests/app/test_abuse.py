"""What nobody should send, sent to the running page: each is answered in words, and the page goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from midi_fuzzer import KINDS, real


@pytest.fixture(scope="module")
def client(server: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_broken_file_is_gone_on_from_or_refused_in_words(
    client: Client, kind: Callable[[bytes, random.Random], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "sent.mid"
    path.write_bytes(kind(real(1), random.Random(f"sent {kind.__name__}")))
    sent = handle_file(str(path))
    try:
        _, roll, _ = client.predict("jsb/af-scf", "12", 1, seed="1", draw=True, midi=sent, api_name="/sample")
    except AppError as error:
        text = str(error)
        assert "MIDI" in text and text.endswith(".") and "\n" not in text and len(text) < 250
        assert "Traceback" not in text and "went wrong here" not in text and "/" not in text
    else:
        assert roll["given"] > 0
    assert client.predict(api_name="/models")


def test_a_file_over_the_limit_is_not_taken(client: Client, server: str) -> None:
    good = real(1)
    for content, status in ((good, 200), (good + bytes(3 * 2**20), 413)):
        answer = httpx.post(f"{server}/gradio_api/upload", files={"files": ("sent.mid", content)}, timeout=30)
        assert answer.status_code == status, answer.text
    assert client.predict(api_name="/models")


def test_a_hundred_thousand_characters_are_too_many(client: Client) -> None:
    with pytest.raises(AppError, match="give at most"):
        client.predict("ptb/af-scf", "12", 1, begin="a" * 100_000, api_name="/sample")
