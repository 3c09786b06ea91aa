"""Roll to MIDI and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lnf_core.data import load_dataset, sounding_shift
from lnf_core.errors import InvalidInputError, MidiError
from lnf_core.music import (
    HeldNote,
    Performance,
    held_notes,
    midi_bytes,
    midi_to_roll,
    note_name,
    piano_keys,
    pitch_of,
    read_midi,
    roll_to_midi,
    write_midi,
)


def roll_of(*notes: tuple[int, int, int], steps: int) -> torch.Tensor:
    roll = torch.zeros(steps, 88)
    for key, start, end in notes:
        roll[start:end, key] = 1.0
    return roll


@st.composite
def rolls(draw: st.DrawFn) -> torch.Tensor:
    """Any roll with at least one note, sparse or dense, with silence anywhere."""
    shape = (draw(st.integers(1, 40)), 88)
    dense = draw(arrays(np.bool_, shape, elements=st.booleans(), fill=st.booleans()))
    roll = torch.from_numpy(dense.astype(np.float32))
    roll[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, 87))] = 1.0
    return roll


@settings(max_examples=50)
@given(
    roll=rolls(),
    tempo=st.floats(10.0, 400.0),
    program=st.integers(0, 127),
    steps_per_beat=st.integers(1, 48),
    tie=st.booleans(),
)
def test_a_roll_survives_the_file_exactly(
    roll: torch.Tensor, tempo: float, program: int, steps_per_beat: int, tie: bool
) -> None:
    midi = roll_to_midi(roll, tempo=tempo, program=program, steps_per_beat=steps_per_beat, tie=tie)
    back = midi_to_roll(midi_bytes(midi), steps_per_beat=steps_per_beat)
    assert back.dtype == torch.float32
    assert torch.equal(back, roll)
    assert torch.equal(midi_to_roll(midi, steps_per_beat=steps_per_beat), roll)


def test_real_chorales_survive_the_file_exactly(data_root: Path) -> None:
    for roll in load_dataset("jsb", data_root).valid[:20]:
        assert torch.equal(midi_to_roll(midi_bytes(roll_to_midi(roll))), roll)


def test_silence_at_both_ends_survives() -> None:
    roll = roll_of((40, 5, 7), steps=23)
    assert torch.equal(midi_to_roll(midi_bytes(roll_to_midi(roll))), roll)


def test_repeated_steps_are_one_held_note_or_struck_anew() -> None:
    roll = roll_of((0, 0, 3), (87, 1, 2), (0, 4, 5), steps=5)
    assert list(held_notes(roll)) == [HeldNote(0, 0, 3), HeldNote(0, 4, 5), HeldNote(87, 1, 2)]
    assert list(held_notes(roll, tie=False)) == [
        HeldNote(0, 0, 1),
        HeldNote(0, 1, 2),
        HeldNote(0, 2, 3),
        HeldNote(0, 4, 5),
        HeldNote(87, 1, 2),
    ]


def test_pitch_time_tempo_and_program_reach_the_file(tmp_path: Path) -> None:
    # Column 39 is middle C (MIDI 60); at 120 beats a minute and 2 steps a beat a step lasts a quarter of a second.
    path = tmp_path / "c.mid"
    write_midi(path, roll_to_midi(roll_of((39, 2, 4), steps=4), tempo=120.0, program=19))
    read = pretty_midi.PrettyMIDI(str(path))
    (instrument,) = read.instruments
    (note,) = instrument.notes
    assert (instrument.program, instrument.is_drum, note.pitch) == (19, False, 60)
    assert (note.start, note.end) == pytest.approx((0.5, 1.0), abs=1e-3)
    assert read.get_tempo_changes()[1] == pytest.approx([120.0], rel=1e-4)


@pytest.mark.parametrize("steps_per_beat", [1, 2, 7, 31, 48])
def test_every_step_starts_exactly_on_a_tick_of_the_grid(steps_per_beat: int) -> None:
    midi = roll_to_midi(roll_of((39, 1, 2), (40, 30, 31), steps=31), tempo=97.0, steps_per_beat=steps_per_beat)
    ticks_per_step, rest = divmod(midi.resolution, steps_per_beat)
    assert rest == 0
    assert [midi.time_to_tick(note.start) for note in midi.instruments[0].notes] == [
        ticks_per_step,
        30 * ticks_per_step,
    ]


def test_an_empty_roll_gives_a_file_without_notes() -> None:
    assert roll_to_midi(torch.zeros(0, 88)).instruments[0].notes == []
    assert roll_to_midi(torch.zeros(5, 88)).instruments[0].notes == []


def test_any_dtype_of_roll_is_taken() -> None:
    roll = roll_of((3, 0, 2), steps=2)
    for dtype in (torch.bool, torch.int64, torch.float64, torch.bfloat16):
        assert torch.equal(midi_to_roll(roll_to_midi(roll.to(dtype))), roll)


@pytest.mark.parametrize(
    "arguments",
    [
        {"tempo": float("nan")},
        {"tempo": float("inf")},
        {"tempo": 0.0},
        {"tempo": -96.0},
        {"tempo": 9.9},
        {"tempo": 401.0},
        {"tempo": "fast"},
        {"program": -1},
        {"program": 128},
        {"program": 1.5},
        {"steps_per_beat": 0},
        {"steps_per_beat": 49},
        {"steps_per_beat": 2.0},
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, object]) -> None:
    (value,) = arguments.values()
    with pytest.raises(InvalidInputError) as caught:
        roll_to_midi(torch.zeros(1, 88), **arguments)  # type: ignore[arg-type]
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    "roll",
    [
        torch.zeros(88),
        torch.zeros(4, 89),
        torch.zeros(2, 3, 88),
        torch.full((2, 88), 0.5),
        torch.full((2, 88), torch.nan),
    ],
)
def test_a_roll_that_is_none_is_refused(roll: torch.Tensor) -> None:
    with pytest.raises(InvalidInputError, match="roll"):
        roll_to_midi(roll)


@pytest.mark.parametrize("shift", [-19, -12, 0, 7, 19])
def test_a_shifted_roll_sounds_elsewhere_and_comes_back_as_it_was(shift: int) -> None:
    roll = (torch.rand(9, 88, generator=torch.Generator().manual_seed(1)) < 0.2).float()
    roll[:, [0, 87]] = 1.0
    midi = roll_to_midi(roll, sounding_shift=shift)
    pitches = {note.pitch for note in midi.instruments[0].notes}
    assert (min(pitches), max(pitches)) == (21 + shift, 108 + shift)
    assert torch.equal(midi_to_roll(midi_bytes(midi), sounding_shift=shift), roll)


def test_a_note_below_the_keys_of_a_shifted_roll_is_left_out_and_named() -> None:
    roll = torch.zeros(2, 88)
    roll[:, 0] = 1.0
    low = midi_bytes(roll_to_midi(roll, sounding_shift=-12))
    with pytest.raises(MidiError, match=r"A0 to C8"):
        read_midi(low)
    with pytest.raises(MidiError, match=r"A1 to C9"):
        read_midi(low, sounding_shift=12)
    assert read_midi(low, sounding_shift=-12).dropped_notes == 0


@pytest.mark.parametrize("shift", [-20, 20, 1.5, "octave", None])
def test_a_shift_out_of_range_is_refused(shift: object) -> None:
    with pytest.raises(InvalidInputError, match="sounding_shift"):
        roll_to_midi(torch.zeros(1, 88), sounding_shift=shift)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="sounding_shift"):
        read_midi(b"MThd", sounding_shift=shift)  # type: ignore[arg-type]


@pytest.mark.parametrize(("dataset", "seconds"), [("jsb", 0.5), ("nottingham", 0.25), ("piano-midi", 0.25)])
def test_a_step_is_a_quarter_of_the_chorales_and_an_eighth_elsewhere(dataset: str, seconds: float) -> None:
    performance, roll = Performance(dataset, tempo=120.0), torch.zeros(3, 88)
    roll[:, 40] = 1.0
    assert performance.seconds_per_step == pytest.approx(seconds)
    assert performance.midi(roll).get_end_time() == pytest.approx(3 * seconds)


def test_keys_have_the_names_of_what_sounds() -> None:
    assert [note_name(key) for key in (0, 39, 40, 87)] == ["A0", "C4", "C♯4", "C8"]
    assert note_name(39, -12) == "C3"
    assert pitch_of(39, -12) == 48


def test_the_chorales_sound_at_choir_pitch(data_root: Path) -> None:
    """The first training chord of the published rolls is C4 C5 G5 E6; a choir sings it an octave lower."""
    first = load_dataset("jsb", data_root).train[0]
    keys = first[0].nonzero()[:, 0].tolist()
    assert [note_name(key, sounding_shift("jsb")) for key in keys] == ["C3", "C4", "G4", "E5"]
    performance = Performance("jsb", tempo=60.0)
    midi = performance.midi(torch.nn.functional.pad(first, (1, 0)))  # the paper's 89 outputs sound the same
    assert sorted(note.pitch for note in midi.instruments[0].notes if note.start == 0.0) == [48, 60, 67, 76]
    assert performance.seconds_per_step == 1.0
    assert torch.equal(performance.read(midi_bytes(midi)).roll, first)
    assert torch.equal(performance.read(midi_bytes(midi), max_steps=len(first)).roll, first)
    with pytest.raises(MidiError, match=f"at most {len(first) - 1} are accepted"):
        performance.read(midi_bytes(midi), max_steps=len(first) - 1)


def test_a_data_set_of_ones_own_is_played_as_it_stands() -> None:
    midi = Performance("my-own", tempo=60.0).midi(roll_of((39, 0, 2), steps=2))
    (note,) = midi.instruments[0].notes
    assert (note.pitch, note.end) == (60, pytest.approx(1.0, abs=1e-3))


@pytest.mark.parametrize("wrong", [{"tempo": 0}, {"tempo": float("nan")}, {"program": 128}])
def test_a_performance_that_cannot_be_played_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        Performance("jsb", **wrong)  # type: ignore[arg-type]


def test_a_roll_of_another_width_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="88"):
        piano_keys(torch.zeros(3, 90))
