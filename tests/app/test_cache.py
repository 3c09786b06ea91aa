"""Everything a visitor made is deleted after a while; what the opening page shows stays."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from answers import run
from gradio.ranged_response import RangedFileResponse

from app import build, cache
from app.fields import Settings
from app.services.sampled import Music
from app.services.sampling import Sampling
from app.services.sound import Sound
from app.tabs.sounds import sound_server


@pytest.fixture
def lying(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files of the samples lie."""
    assert here.is_dir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def drawn() -> Music:
    """A piece in a folder of its own."""
    result = Sampling().sample(Settings.check("jsb/af-scf", length=12, seed=1), cache.new_folder())
    assert isinstance(result, Music)
    return result


def folders(lying: Path) -> set[str]:
    return {folder.name for folder in lying.iterdir()}


def aged(folder: Path, seconds: float) -> None:
    """As if its files had been written that long ago."""
    for file in folder.iterdir():
        os.utime(file, (time.time() - seconds, time.time() - seconds))


def test_samples_go_with_their_sound_and_their_folder(lying: Path) -> None:
    old, young = (drawn().pieces[0].midi for _ in range(2))
    aged(old.parent, 3660)  # "everything is deleted after an hour"
    aged(young.parent, 3540)
    assert Sound().of(old, "wav").is_file()  # young, beside an old piece
    (lying / ("f" * 64)).mkdir()  # an upload of Gradio's, which it keeps account of
    cache.sweep(())
    assert folders(lying) == {young.parent.name, "f" * 64}
    asked = sound_server(Sound())({"piece": [old.parent.name, old.name], "kind": "wav"})
    assert "deleted" in run(asked)["error"]


def test_emptied_folders_go(lying: Path) -> None:
    folder = drawn().pieces[0].midi.parent
    for file in folder.iterdir():
        file.unlink()
    cache.sweep(())
    assert folders(lying) == {folder.name}  # in a moment it may hold files
    os.utime(folder, (time.time() - 3660, time.time() - 3660))
    cache.sweep(())
    assert not folders(lying)


def test_what_every_opening_page_shows_stays(lying: Path) -> None:
    page = build.build_app()
    kept = cache.kept_by(page)
    assert kept == folders(lying) and len(kept) == 2  # music and text
    for name in kept:
        aged(lying / name, 2 * cache.AGE)
    cache.sweep(kept)
    assert folders(lying) == kept
    cache.sweep(())  # another server's on the same cache
    assert folders(lying) == kept


def test_a_file_that_goes_meanwhile_ends_no_sweep(lying: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, other = (Path(drawn().pieces[0].midi).parent for _ in range(2))
    for folder in (kept, other):
        aged(folder, 2 * cache.AGE)
    first, real = next(iter(kept.iterdir())), os.utime

    def deleted_before(file: Path) -> None:
        first.unlink(missing_ok=True)
        real(file)

    with monkeypatch.context() as patched:
        patched.setattr(os, "utime", deleted_before)
        cache.sweep({kept.name})
    assert folders(lying) == {kept.name} and not first.exists()
    assert all(file.stat().st_mtime > time.time() - 60 for file in kept.iterdir())


def test_a_sweep_that_fails_is_not_the_last(lying: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed, swept = threading.Event(), threading.Event()

    def fails_once(_kept: object) -> None:
        if failed.is_set():
            swept.set()
        failed.set()
        raise OSError("no such disk")

    monkeypatch.setattr(cache, "sweep", fails_once)
    monkeypatch.setattr(cache, "_EVERY", 0.01)
    cache.sweep_always(())
    assert swept.wait(10)
    monkeypatch.setattr(cache, "_EVERY", cache.AGE)


def test_the_served_page_is_swept_and_sends_its_files_in_large_parts(
    lying: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[set[str]] = []
    monkeypatch.setattr(RangedFileResponse, "chunk_size", 4096)
    monkeypatch.setattr(build, "sweep_always", begun.append)
    monkeypatch.setattr(build, "share_heaps", lambda: None)
    monkeypatch.setattr(build, "_get_ready", lambda *_arguments: None)
    monkeypatch.setattr(build.gr.Blocks, "launch", lambda *_arguments, **_named: None)
    build.launch()
    assert begun == [folders(lying)]
    assert RangedFileResponse.chunk_size > 100_000
    assert RangedFileResponse.chunk_size > 100_000
