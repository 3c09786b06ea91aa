"""Nearly two hundred broken or extreme MIDI files: each is a roll or one sentence, soon and in little memory."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from midi_fuzzer import KINDS, many_notes, many_tracks, real

from lnf_core.errors import MidiError
from lnf_core.music import Performance, read_midi

SEEDS = range(10)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_broken_file_is_a_roll_or_a_sentence(kind: Callable[[bytes, random.Random], bytes]) -> None:
    for seed in SEEDS if kind is not many_tracks else SEEDS[::4]:  # of these all are as slow as they can be
        data = kind(real(seed), random.Random(f"{kind.__name__} {seed}"))
        began = time.thread_time()
        try:
            found = read_midi(data, steps_per_beat=2)
        except MidiError as error:
            text = str(error)
            assert text.endswith(".") and "\n" not in text and len(text) < 200
        else:
            assert found.roll.shape[1] == 88 and 1 <= len(found.roll) <= 4096
            assert bool(((found.roll == 0) | (found.roll == 1)).all()) and bool(found.roll.any())
        assert time.thread_time() - began < 8.0  # a megabyte of notes takes a second or two


def test_none_of_them_takes_much_memory_or_leaves_a_file(tmp_path: Path) -> None:
    kinds = [kind for kind in KINDS if kind not in (many_tracks, many_notes)]  # slow when every allocation is traced
    for kind in kinds:
        path = tmp_path / "sent.mid"
        path.write_bytes(kind(real(0), random.Random(kind.__name__)))
        tracemalloc.start()
        try:
            Performance("nottingham").read(path)
        except MidiError:
            pass
        finally:
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert most < 100 * 2**20, kind.__name__
    assert [path.name for path in tmp_path.iterdir()] == ["sent.mid"]
