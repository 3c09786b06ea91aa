"""Reading MIDI files that somebody else wrote, or damaged."""

from __future__ import annotations

import io
import time
import tracemalloc
from pathlib import Path

import mido
import pretty_midi
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lnf_core.errors import InvalidInputError, MidiError
from lnf_core.music import MAX_BYTES, midi_bytes, midi_to_roll, read_midi, roll_to_midi


def smf(*tracks: bytes, division: int = 480) -> bytes:
    """A Standard MIDI File from raw track bytes."""
    head = b"MThd" + (6).to_bytes(4, "big") + (1).to_bytes(2, "big") + len(tracks).to_bytes(2, "big")
    body = b"".join(b"MTrk" + len(track).to_bytes(4, "big") + track for track in tracks)
    return head + division.to_bytes(2, "big", signed=division < 0) + body


def messages(*events: mido.Message | mido.MetaMessage, ticks_per_beat: int = 480) -> bytes:
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat, tracks=[mido.MidiTrack(events)])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def note(pitch: int, ticks: int, *, wait: int = 0, channel: int = 0) -> list[mido.Message]:
    return [
        mido.Message("note_on", note=pitch, velocity=64, time=wait, channel=channel),
        mido.Message("note_off", note=pitch, time=ticks, channel=channel),
    ]


def keys_by_step(roll: torch.Tensor) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in roll]


def check_refusal(error: MidiError) -> None:
    """One sentence, short enough to show to a visitor."""
    text = str(error)
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 200


def test_notes_go_to_the_nearest_step_and_keep_at_least_one() -> None:
    # 480 ticks a beat and 2 steps a beat: a step is 240 ticks.
    data = messages(*note(60, 230, wait=10), *note(62, 30, wait=140), *note(64, 500, wait=70))
    assert keys_by_step(midi_to_roll(data)) == [[39], [], [41, 43], [43]]


def test_the_grid_is_in_beats_whatever_the_tempo() -> None:
    slow_down = [mido.MetaMessage("set_tempo", tempo=tempo, time=0) for tempo in (300_000, 16_777_215)]
    data = messages(slow_down[0], *note(60, 480), slow_down[1], *note(62, 480), ticks_per_beat=480)
    expected = [[39], [39], [41], [41]]
    assert keys_by_step(midi_to_roll(data)) == expected
    assert keys_by_step(midi_to_roll(pretty_midi.PrettyMIDI(io.BytesIO(data)))) == expected


def test_tracks_are_laid_over_each_other() -> None:
    tracks = [mido.MidiTrack(note(pitch, 480)) for pitch in (60, 64)]
    buffer = io.BytesIO()
    mido.MidiFile(ticks_per_beat=480, tracks=tracks).save(file=buffer)
    assert keys_by_step(midi_to_roll(buffer.getvalue())) == [[39, 43], [39, 43]]


def test_a_note_struck_again_before_its_release_keeps_its_start() -> None:
    again = mido.Message("note_on", note=60, velocity=64, time=240)
    off = mido.Message("note_off", note=60, time=240)
    assert keys_by_step(midi_to_roll(messages(note(60, 0)[0], again, off))) == [[39], [39]]


def test_a_release_written_after_a_strike_of_the_same_tick_ends_the_note_before() -> None:
    strike, off = note(60, 240)
    late_off = mido.Message("note_off", note=60, time=0)
    restrike = mido.Message("note_on", note=60, velocity=64, time=240)
    data = messages(strike, restrike, late_off, off.copy(time=480))
    assert keys_by_step(midi_to_roll(data)) == [[39]] * 3
    assert keys_by_step(midi_to_roll(pretty_midi.PrettyMIDI(io.BytesIO(data)))) == [[39]] * 3


def test_notes_between_the_steps_are_counted() -> None:
    data = messages(*note(60, 240), *note(62, 240, wait=60), *note(64, 240, wait=1), *note(66, 120, wait=119))
    for steps, moved in ((2, 1), (1, 1)):  # they begin at 0, 300, 541 and 900 ticks; a beat has 480
        found = read_midi(data, steps_per_beat=steps)
        assert (found.notes, found.moved_notes) == (4, moved)


def test_drums_and_notes_outside_the_keys_are_left_out_and_counted() -> None:
    data = messages(*note(60, 240), *note(20, 240), *note(109, 240), *note(127, 240), *note(40, 240, channel=9))
    read = read_midi(data)
    assert keys_by_step(read.roll) == [[39]]
    assert (read.dropped_notes, read.drum_notes) == (3, 1)
    again = read_midi(pretty_midi.PrettyMIDI(io.BytesIO(data)))
    assert torch.equal(again.roll, read.roll)
    assert (again.dropped_notes, again.drum_notes) == (3, 1)


def test_a_path_is_read_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(messages(*note(60, 480)))
    assert torch.equal(midi_to_roll(path), midi_to_roll(path.read_bytes()))
    assert torch.equal(midi_to_roll(str(path)), midi_to_roll(path))


LONG_DELTA = b"\xff" * 4000 + b"\x7f"  # a wait of 28,007 bits
NOTE_ON, NOTE_OFF = b"\x90\x3c\x40", b"\x80\x3c\x40"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"hello", "not a MIDI file"),
        (b"RIFF" + bytes(40), "not a MIDI file"),
        (b"MThd", "damaged"),
        (messages(*note(60, 480))[:-6], "damaged"),
        (smf(b"\x00" + NOTE_ON + b"\x00\xf8\xff"), "damaged"),
        (smf(division=480), "no notes"),
        (smf(b"\x00\xff\x2f\x00"), "no notes"),
        (smf(b"\x00" + NOTE_ON + b"\x00\xff\x2f\x00"), "no notes"),  # never released
        (messages(*note(36, 480, channel=9)), "no notes but drums"),
        (messages(*note(20, 480), *note(110, 480)), "None of the 2 notes"),
        (messages(*note(60, 480), ticks_per_beat=480).replace(b"\x01\xe0", b"\xe7\x28", 1), "film frames"),
        (smf(b"\x00" + NOTE_ON + b"\x60" + NOTE_OFF, division=0), "film frames"),
        (messages(*note(60, 480, wait=480 * 2048)), "4098 steps long at 2 a beat; at most 4096"),
        (smf(b"\x00" + NOTE_ON + b"\xff\xff\xff\x7f" + NOTE_OFF, division=1), "536870910 steps"),
        (smf(b"\x00" + NOTE_ON + LONG_DELTA + NOTE_OFF), "over a billion steps"),
        (smf(b"\x00" + NOTE_ON + b"\xff" * 300_000 + b"\x7f" + NOTE_OFF), "damaged"),
        (b"MThd" + bytes(MAX_BYTES), "1 MiB"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(MidiError, match=said) as caught:
        midi_to_roll(data)
    check_refusal(caught.value)
    (tmp_path / "bad.mid").write_bytes(data)
    with pytest.raises(MidiError, match=said):
        midi_to_roll(tmp_path / "bad.mid")


def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.mid", Path("\0"), tmp_path / ("x" * 5000)):
        with pytest.raises(MidiError) as caught:
            midi_to_roll(path)
        assert str(caught.value).endswith(".")


def test_a_source_that_is_no_midi_is_refused() -> None:
    for source in (None, 3, [1, 2]):
        with pytest.raises(MidiError, match="is no MIDI"):
            midi_to_roll(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("time_of_note", [float("nan"), float("inf"), -1.0])
def test_impossible_times_of_a_pretty_midi_are_refused(time_of_note: float) -> None:
    midi = roll_to_midi(torch.ones(1, 88))
    midi.instruments[0].notes[5].start = time_of_note
    with pytest.raises(MidiError, match="time of"):
        midi_to_roll(midi)


def test_a_pretty_midi_that_never_ends_is_refused() -> None:
    midi = roll_to_midi(torch.ones(1, 88))
    midi.instruments[0].notes[5].end = 1e300
    with pytest.raises(MidiError, match="over a billion steps"):
        midi_to_roll(midi)


def test_the_length_limit_is_exact() -> None:
    roll = torch.ones(7, 88)
    assert len(midi_to_roll(roll_to_midi(roll), max_steps=7)) == 7
    with pytest.raises(MidiError, match="7 steps"):
        midi_to_roll(roll_to_midi(roll), max_steps=6)


@pytest.mark.parametrize("arguments", [{"max_steps": 0}, {"max_steps": 2.5}, {"steps_per_beat": 0}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError):
        midi_to_roll(messages(*note(60, 480)), **arguments)


def test_a_long_wait_costs_no_memory() -> None:
    data = smf(b"\x00" + NOTE_ON + b"\xff\xff\xff\x7f" + NOTE_OFF, division=1)
    with pytest.raises(MidiError):
        midi_to_roll(data)  # imports are not what is measured
    tracemalloc.start()
    with pytest.raises(MidiError):
        midi_to_roll(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_the_slowest_file_of_the_largest_size_is_read_in_seconds() -> None:
    pairs = (b"\x01\x3c\x00\x01\x3c\x40" * (MAX_BYTES // 6))[: MAX_BYTES - 40]
    dense = smf(b"\x00" + NOTE_ON + pairs[: len(pairs) // 6 * 6])
    chained = smf((b"\xff" * 4095 + b"\x01" + NOTE_ON) * 250)
    for data in (dense, chained):
        begun = time.process_time()
        with pytest.raises(MidiError):
            midi_to_roll(data, max_steps=16)
        assert time.process_time() - begun < 20.0


VALID = midi_bytes(roll_to_midi((torch.arange(12 * 88).reshape(12, 88) % 7 == 0).float()))


def read_or_refuse(data: bytes) -> None:
    try:
        roll = midi_to_roll(data, max_steps=512)
    except MidiError as error:
        check_refusal(error)
    else:
        assert roll.shape[1] == 88
        assert 1 <= len(roll) <= 512
        assert roll.dtype == torch.float32
        assert ((roll == 0) | (roll == 1)).all()
        assert roll.any()


@given(st.binary(max_size=400))
@example(b"MThd")
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    read_or_refuse(data)
    read_or_refuse(b"MThd\0\0\0\6" + data)
    read_or_refuse(smf(data))


@settings(max_examples=300)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(VALID)), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=6
    )
)
def test_mutated_files_never_raise_anything_else(edits: list[tuple[int, int, bytes]]) -> None:
    data = VALID
    for at, removed, added in edits:
        data = data[:at] + added + data[at + removed :]
    read_or_refuse(data)


@given(st.integers(0, len(VALID) - 1))
def test_truncated_files_never_raise_anything_else(length: int) -> None:
    read_or_refuse(VALID[:length])
