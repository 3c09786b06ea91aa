"""What a visit carries and costs: a compressed page, scripts to keep, sound in large parts, a server that rests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from answers import run
from gradio import Blocks
from gradio.ranged_response import OpenRange, RangedFileResponse
from pages import Open, ready, until

from app.build import build_app
from app.sent import Script, in_large_parts


def test_the_page_is_sent_compressed_to_who_can_read_that(server: str) -> None:
    page = httpx.get(server, headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip" and "gradio_config" in page.text
    assert int(page.headers["Content-Length"]) < len(page.content) / 4
    plain = httpx.get(server, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers and len(plain.content) == int(plain.headers["Content-Length"])
    assert plain.text.count("The page is on its way.") == 1 and plain.text.rstrip().endswith("</html>")


def test_scripts_of_widgets_are_a_file_to_keep(server: str) -> None:
    page = httpx.get(server).text
    # What it defines is there when the modules of Gradio's run, which wait for the end of the page.
    tag = re.search(r'<script src="\./(widgets\.js\?v=\w+)"></script>', page)
    assert tag and page.index("The page is on its way.") < tag.start() < page.index("<gradio-app")
    answer = httpx.get(f"{server}/{tag[1]}", headers={"Accept-Encoding": "br"})
    assert "immutable" in answer.headers["Cache-Control"] and answer.headers["Content-Encoding"] == "br"
    assert answer.headers["Content-Type"].startswith("text/javascript")
    called = [re.match(r'lnfWidget\("(.*?)"', script) for script in _scripts(server)]
    kinds = {call[1] for call in called if call}
    assert len(kinds) > 15 and len([call for call in called if call]) > len(kinds)
    assert all(answer.text.count(f'"{kind}": () => {{') == 1 for kind in kinds)
    assert answer.text.count("const find = ") == 1  # of common.js


def _scripts(server: str) -> list[str]:
    parts = httpx.get(f"{server}/config").json()["components"]
    return [part["props"].get("js_on_load") or "" for part in parts if part["type"] == "html"]


@pytest.mark.browser
def test_a_page_in_sight_asks_for_no_frames(open_page: Open) -> None:
    page = open_page()
    ready(page)
    until(page, "() => String(window.requestAnimationFrame).includes('[native code]')")  # it has been needed
    page.evaluate(
        """() => {
          const request = window.requestAnimationFrame;
          window.asked = 1;
          window.requestAnimationFrame = (callback) => { window.asked += 1; return request.call(window, callback); };
        }"""
    )
    # What the sign moves in swings to its end; then no frame is asked for.
    page.wait_for_function("() => { const { asked } = window; window.asked = 0; return asked === 0; }", polling=300)


def test_another_script_has_another_address() -> None:
    assert Script("a").tag == Script("a").tag != Script("b").tag


def test_a_sound_is_read_in_large_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RangedFileResponse, "chunk_size", RangedFileResponse.chunk_size)
    in_large_parts()
    sound = tmp_path / "sound.flac"
    sound.write_bytes(bytes(range(256)) * 2000)
    parts: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    answer = RangedFileResponse(sound, OpenRange(100), stat_result=sound.stat())
    run(answer({"type": "http"}, None, send))  # type: ignore[arg-type]
    assert b"".join(parts) == sound.read_bytes()[100:]
    assert len(parts) <= 4  # the start, two parts and perhaps an empty end


def test_the_server_looks_seldom_for_something_to_do() -> None:
    """By names of Gradio's own: a release that has others wakes a thousand times a second again."""
    with Blocks() as plain:
        plain.queue()
    usual, ours = plain._queue, build_app()._queue
    assert 0 < usual.sleep_when_free < ours.sleep_when_free == 0.01
    assert 0 < usual.progress_update_sleep_when_free < ours.progress_update_sleep_when_free == 0.1
    # Nor does it keep accounts of what it did: app.py has said so before Gradio was imported.
    assert (ours.ANALYTICS_MAX_EVENTS, ours.ANAYLTICS_CACHE_FREQUENCY) == (1, 10**9)


def test_nobody_reads_the_accounts_of_others(server: str) -> None:
    assert httpx.get(f"{server}/monitoring/summary").status_code == 403
