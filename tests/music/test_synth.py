"""From MIDI to sound, by both engines."""

from __future__ import annotations

import gc
import sys
import threading
import time
import warnings
import wave
from pathlib import Path
from typing import Literal

import numpy as np
import pretty_midi
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lnf_core.data import load_dataset
from lnf_core.errors import InvalidInputError, SynthesisError
from lnf_core.music import INSTRUMENTS, Audio, Synthesizer, roll_to_midi, write_compressed, write_wav
from lnf_core.music.audio import LOUDNESS, limit, loudness, to_int16, true_peak
from lnf_core.music.score import Strike, read_strikes
from lnf_core.music.sine import render_sine

Name = Literal["fluidsynth", "sine"]


@pytest.fixture(scope="module")
def fluid() -> Synthesizer:
    synth = Synthesizer()
    if not synth.available:
        pytest.skip(synth.reason)
    return synth


@pytest.fixture(scope="module", params=["fluidsynth", "sine"])
def synth(request: pytest.FixtureRequest) -> Synthesizer:
    try:
        return Synthesizer(kind=request.param)
    except SynthesisError as error:
        pytest.skip(str(error))


def one_note(pitch: int, *, steps: int = 8, program: int = 0) -> pretty_midi.PrettyMIDI:
    roll = torch.zeros(steps, 88)
    roll[:, pitch - 21] = 1.0
    return roll_to_midi(roll, tempo=120.0, program=program)


def chorale_like(seed: int, steps: int = 64) -> pretty_midi.PrettyMIDI:
    """Four voices that move every other step or so."""
    generator = torch.Generator().manual_seed(seed)
    roll = torch.zeros(steps, 88)
    for low in (20, 30, 38, 46):
        keys = low + torch.randint(0, 12, (steps // 2,), generator=generator).repeat_interleave(2)
        roll[torch.arange(steps), keys] = 1.0
    return roll_to_midi(roll, tempo=96.0)


def rms(samples: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(np.square(samples / 32768.0))))


def frequency(audio: Audio) -> float:
    """Pitch in Hz: the comb of five harmonics, a tenth of a semitone apart, that holds most of the spectrum."""
    heard = audio.samples[: 2 * audio.sample_rate].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 1 << 19))
    candidates = 440.0 * 2.0 ** (np.arange(-480, 400) / 120.0)
    bins = np.rint(candidates[:, None] * np.arange(1, 6) * (1 << 19) / audio.sample_rate).astype(int)
    weight = 0.8 ** np.arange(5)
    return float(candidates[np.argmax((np.sqrt(spectrum[bins]) * weight).sum(axis=1))])


@pytest.mark.parametrize("pitch", [45, 57, 60, 69, 76])
def test_the_pitch_heard_is_the_note_asked_for(synth: Synthesizer, pitch: int) -> None:
    asked = 440.0 * 2.0 ** ((pitch - 69) / 12.0)
    cents = 1200.0 * np.log2(frequency(synth.render(one_note(pitch))) / asked)
    assert abs(cents) < 20.0


def test_format_and_length(synth: Synthesizer) -> None:
    audio = synth.render(one_note(60, steps=8))  # 8 steps of a quarter of a second, and a second to die away
    assert audio.samples.dtype == np.int16
    assert audio.sample_rate == 44100
    assert audio.seconds == pytest.approx(3.0, abs=0.001)
    assert audio.synthesizer == ("fluidsynth" if synth.available else "sine")


def test_sound_starts_with_the_note_and_dies_away_after_it(synth: Synthesizer) -> None:
    roll = torch.zeros(12, 88)
    roll[4:8, 39] = 1.0  # sounds from 1 s to 2 s
    samples = synth.render(roll_to_midi(roll, tempo=120.0)).samples
    before, during, after = samples[:44000], samples[44100:88200], samples[-4410:]
    assert np.abs(before).max() <= 1
    assert rms(during) > 0.005
    assert rms(after) < 0.02 * rms(during)


def test_a_note_without_duration_does_not_hang(synth: Synthesizer) -> None:
    midi = one_note(60, steps=12, program=19)
    midi.instruments[0].notes[0].end = 0.0
    midi.instruments[0].notes += one_note(90, steps=12).instruments[0].notes[:1]  # keeps the music going
    strikes, end = read_strikes(midi, 60.0)
    length = int((end + 1.0) * 44100)
    heard = voices(synth, strikes, length) - voices(synth, [strikes[-1]], length)
    assert np.abs(heard[:4410]).max() > 100 / 32767
    assert np.abs(heard[88200:]).max() <= 8 / 32767


def test_a_note_that_sounds_beyond_the_limit_is_played_and_one_that_begins_there_is_not() -> None:
    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(0))
    midi.instruments[0].notes = [
        pretty_midi.Note(80, 60, start, end) for start, end in ((2.0, 3.0), (1.0, 5.0), (0.0, 1.0))
    ]
    strikes, end = read_strikes(midi, 2.0)
    assert [(strike.start, strike.end) for strike in strikes] == [(0.0, 1.0), (1.0, 5.0)]
    assert end == 5.0


def voices(synth: Synthesizer, strikes: list[Strike], length: int) -> NDArray[np.float32]:
    """What the synthesizer makes before its loudness is set."""
    return render_sine(strikes, length) if synth._fluid is None else synth._fluid.render(strikes, length)


@pytest.mark.parametrize("steps", [0, 1, 12])
def test_an_empty_roll_is_silence_of_its_length(synth: Synthesizer, steps: int) -> None:
    audio = synth.render(roll_to_midi(torch.zeros(steps, 88), tempo=120.0))
    assert audio.seconds == pytest.approx(steps * 0.25 + 1.0, abs=0.001)
    assert np.abs(audio.samples).max() <= 1


@pytest.mark.parametrize("limit", [0.001, 0.5, 2.0])
def test_the_limit_cuts_the_sound_without_a_click(synth: Synthesizer, limit: float) -> None:
    audio = synth.render(chorale_like(0), seconds_limit=limit)
    assert len(audio.samples) == pytest.approx(limit * 44100, abs=1)
    assert abs(int(audio.samples[-1])) <= 1


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), 0.0, -1.0, 3601.0])
def test_a_limit_out_of_range_is_refused(synth: Synthesizer, limit: float) -> None:
    with pytest.raises(InvalidInputError, match="seconds_limit"):
        synth.render(one_note(60), seconds_limit=limit)


def test_every_key_at_once_does_not_clip(synth: Synthesizer) -> None:
    midi = roll_to_midi(torch.ones(8, 88), tie=False)
    for note in midi.instruments[0].notes:
        note.velocity = 127
    peak = np.abs(synth.render(midi).samples.astype(int)).max()
    assert peak <= 10 ** (-1 / 20) * 32767 + 1  # turned down as a whole, to below full scale


def test_one_gain_for_a_whole_piece() -> None:
    """Nothing but attacks above the ceiling is touched: every other sample is turned up by the same factor."""
    time = np.arange(3 * 44100) / 44100
    signal = (0.02 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    plain = to_int16(signal).astype(float)
    signal[44100:44110] *= 8.0
    with_attack = to_int16(signal).astype(float)
    loud = np.abs(signal) > 1e-3
    loud[-44100:] = False  # the fade
    near = np.abs(np.arange(len(signal)) - 44105) < 1000
    ratio = with_attack[loud & ~near] / signal[loud & ~near]
    assert ratio.max() / ratio.min() < 1.01
    assert np.median(ratio) == pytest.approx(np.median(plain[loud] / signal[loud]), rel=0.1)
    assert np.abs(with_attack[near]).max() <= 10 ** (-1 / 20) * 32767 + 1


def test_a_limiter_lets_nothing_through_and_leaves_the_rest_alone() -> None:
    generator = np.random.default_rng(0)
    signal = generator.normal(0.0, 0.2, 20_000).astype(np.float32)
    signal[10_000] = 3.0
    limited = limit(signal, 0.9)
    assert np.abs(limited).max() <= 0.9 + 1e-6
    quiet = np.convolve(np.abs(signal) > 0.9, np.ones(1001), "same") == 0
    assert quiet.any()
    np.testing.assert_array_equal(limited[quiet], signal[quiet])


@pytest.mark.parametrize("gain", [1e-2, 0.1, 5.0])
def test_music_is_brought_to_one_loudness_and_its_peaks_are_kept_in(gain: float) -> None:
    time = np.arange(4 * 44100) / 44100
    steady = (gain * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    assert loudness(to_int16(steady).astype(np.float32) / 32767) == pytest.approx(LOUDNESS, abs=0.2)
    clicks = np.zeros_like(steady)
    clicks[::22050] = gain  # all peak, no loudness
    heard = to_int16(clicks).astype(np.float32) / 32767
    assert true_peak(heard) <= 10 ** (-1 / 20) + 1e-3
    assert loudness(heard) < LOUDNESS


@pytest.mark.parametrize("samples", [0, 1, 100, 20_000])
def test_what_is_too_short_to_measure_is_still_played(samples: int) -> None:
    tone = np.sin(np.arange(samples, dtype=np.float32))
    assert len(to_int16(tone)) == samples
    if samples == 20_000:
        assert np.abs(to_int16(tone)).max() > 1000
    assert not to_int16(np.zeros(samples, np.float32)).any()


def test_silence_has_no_loudness_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for samples in (0, 100, 44100):
            assert loudness(np.zeros(samples, np.float32)) == -np.inf


def test_a_piece_that_would_need_more_than_8_db_of_limiting_stays_softer() -> None:
    time = np.arange(3 * 44100) / 44100
    signal = (0.01 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    signal[66150] = 1.0  # 23 dB are missing to -16 LUFS, the peak leaves room for -1 + 8
    gain = rms(to_int16(signal)[:44100]) / (np.sqrt(np.mean(np.square(signal[:44100]))) * 32767 / 32768)
    assert 20 * np.log10(gain) == pytest.approx(7.0, abs=0.3)


def test_peaks_between_the_samples_count() -> None:
    """A tone at a quarter of the sampling rate, caught at 45 degrees, is 3 dB higher than any of its samples."""
    signal = np.sin(np.pi / 2 * np.arange(4410) + np.pi / 4).astype(np.float32)
    assert np.abs(signal).max() == pytest.approx(0.707, abs=1e-3)
    assert true_peak(signal) == pytest.approx(1.0, abs=0.05)


def test_the_bundled_chorales_are_as_loud_as_they_should_be(synth: Synthesizer) -> None:
    for path in sorted((Path(__file__).parents[2] / "assets" / "ready").glob("music-*.mid")):
        audio = synth.render(pretty_midi.PrettyMIDI(str(path)))
        signal = audio.samples.astype(np.float32) / 32767
        assert -17.0 < loudness(signal) < -15.7  # LUFS
        assert true_peak(signal) <= 10 ** (-1 / 20) + 1e-3


def test_chorales_are_neither_faint_nor_clipped(synth: Synthesizer) -> None:
    for program in INSTRUMENTS.values():
        midi = chorale_like(1)
        midi.instruments[0].program = program
        samples = synth.render(midi, seconds_limit=4.0).samples
        assert 0.02 < rms(samples) < 0.3
        assert np.abs(samples.astype(int)).max() < 32767


def test_the_instruments_differ(fluid: Synthesizer) -> None:
    sounds = {fluid.render(one_note(60, program=program)).samples.tobytes() for program in INSTRUMENTS.values()}
    assert len(sounds) == len(INSTRUMENTS) >= 10


def test_a_render_does_not_depend_on_the_ones_before(synth: Synthesizer) -> None:
    first = synth.render(chorale_like(2), seconds_limit=6.0).samples
    organ = chorale_like(3)
    organ.instruments[0].program = 19
    synth.render(organ, seconds_limit=3.0)  # cut while notes sound
    assert np.array_equal(synth.render(chorale_like(2), seconds_limit=6.0).samples, first)


def test_threads_do_not_hear_each_other(synth: Synthesizer) -> None:
    alone = [synth.render(chorale_like(seed), seconds_limit=3.0).samples for seed in range(4)]
    together: dict[int, NDArray[np.int16]] = {}

    def render(seed: int) -> None:
        together[seed] = synth.render(chorale_like(seed), seconds_limit=3.0).samples

    threads = [threading.Thread(target=render, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({samples.tobytes() for samples in alone}) == 4
    for seed in range(4):
        assert np.array_equal(together[seed], alone[seed])


def test_64_steps_take_well_under_a_second(synth: Synthesizer) -> None:
    begun = time.process_time()
    synth.render(chorale_like(4))
    assert time.process_time() - begun < 1.0


def test_a_real_chorale_sounds(synth: Synthesizer, data_root: Path, tmp_path: Path) -> None:
    roll = load_dataset("jsb", data_root).train[0]
    audio = synth.render(roll_to_midi(roll))
    seconds = len(roll) * 60.0 / 96.0 / 2.0 + 1.0
    assert audio.seconds == pytest.approx(seconds, abs=0.001)
    # Someone sings throughout: no second of the music is silent.
    for start in range(int(seconds) - 1):
        assert rms(audio.samples[start * 44100 : (start + 1) * 44100]) > 0.005


def test_wav_files_hold_the_samples(tmp_path: Path) -> None:
    samples = np.array([0, 1, -1, 32767, -32768], dtype=np.int16)
    write_wav(tmp_path / "x.wav", Audio(samples, 44100, "sine"))
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 44100)
        assert np.array_equal(np.frombuffer(file.readframes(10), "<i2"), samples)


def test_a_wav_file_that_cannot_be_made_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    with pytest.raises(FileNotFoundError):
        write_wav(tmp_path / "nowhere" / "x.wav", Audio(np.zeros(3, dtype=np.int16), 44100, "sine"))
    gc.collect()
    assert told == []


def test_a_compressed_file_that_cannot_be_made_is_told_as_any_other(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_compressed(tmp_path / "nowhere" / "x.flac", Audio(np.zeros(3, dtype=np.int16), 44100, "sine"))


def test_a_compressed_file_holds_the_same_samples_in_less_than_half(synth: Synthesizer, tmp_path: Path) -> None:
    audio = synth.render(chorale_like(5))
    write_compressed(tmp_path / "x.flac", audio)
    heard, rate = soundfile.read(tmp_path / "x.flac", dtype="int16")
    assert rate == 44100 and np.array_equal(heard, audio.samples)
    assert (tmp_path / "x.flac").stat().st_size < 0.45 * audio.samples.nbytes


@settings(max_examples=60)
@given(
    length=st.integers(1, 9000),
    seed=st.integers(0, 2**32 - 1),
    loud=st.lists(st.integers(0, 8999), max_size=4),
    rough=st.booleans(),
)
def test_the_true_peak_is_that_of_the_whole_signal(length: int, seed: int, loud: list[int], rough: bool) -> None:
    """Attacks anywhere, also where two blocks meet."""
    from scipy.signal import resample_poly  # a second to import, which not every process of the tests need spend

    noise = np.random.default_rng(seed).standard_normal(length)
    signal = (noise if rough else np.convolve(noise, np.ones(9) / 9, "same")).astype(np.float32) * 0.1
    for at in [*loud, 2047, 2048, 4095]:
        signal[min(at, length - 1)] += 0.5
    whole = max(float(np.abs(resample_poly(signal, 4, 1)).max()), float(np.abs(signal).max()))
    assert true_peak(signal) == pytest.approx(whole, rel=1e-5)


def test_a_block_is_loudest_where_the_next_one_begins_with_a_crash() -> None:
    from scipy.signal import resample_poly

    signal = np.zeros(5000, np.float32)
    signal[2048:] = 0.5 * (-1.0) ** np.arange(2952) * np.exp(-np.arange(2952) / 20)  # fades, so its first sample leads
    whole = np.abs(resample_poly(signal, 4, 1))
    assert whole.argmax() == 4 * 2048 - 1 and whole.max() > 1.1 * np.abs(signal).max()
    assert true_peak(signal) == pytest.approx(float(whole.max()), rel=1e-5)


@settings(max_examples=15)
@given(
    notes=st.lists(
        st.tuples(
            st.floats(0.0, 3.0), st.floats(0.0, 2.0), st.integers(0, 127), st.integers(0, 127), st.integers(0, 127)
        ),
        max_size=12,
    ),
    is_drum=st.booleans(),
)
def test_any_playable_midi_renders(
    synth: Synthesizer, notes: list[tuple[float, float, int, int, int]], is_drum: bool
) -> None:
    midi = pretty_midi.PrettyMIDI()
    for start, duration, pitch, velocity, program in notes:
        instrument = pretty_midi.Instrument(program, is_drum=is_drum)
        instrument.notes.append(pretty_midi.Note(velocity, pitch, start, start + duration))
        midi.instruments.append(instrument)
    end = max((start + duration for start, duration, *_ in notes), default=0.0)
    assert synth.render(midi).seconds == pytest.approx(end + 1.0, abs=0.001)


@pytest.mark.parametrize(
    ("field", "value"),
    [("start", float("nan")), ("end", float("inf")), ("start", -1.0), ("pitch", 128), ("velocity", -1), ("end", -0.5)],
)
def test_a_note_that_cannot_be_played_is_refused(synth: Synthesizer, field: str, value: float) -> None:
    midi = one_note(60)
    setattr(midi.instruments[0].notes[0], field, value)
    with pytest.raises(InvalidInputError, match="cannot be played"):
        synth.render(midi)


def test_a_bad_soundfont_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sf2"
    wrong.write_bytes(b"RIFF\0\0\0\0WAVE")
    with pytest.raises(SynthesisError, match="not a soundfont"):
        Synthesizer(wrong)
    with pytest.raises(SynthesisError, match="cannot be opened"):
        Synthesizer(tmp_path / "missing.sf2")


def test_a_truncated_soundfont_is_refused(fluid: Synthesizer, tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.sf2"
    truncated.write_bytes(b"RIFF\xff\0\0\0sfbk" + bytes(64))
    with pytest.raises(SynthesisError, match="damaged"):
        Synthesizer(truncated)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="choose auto, fluidsynth or sine"):
        Synthesizer(kind="piano")  # type: ignore[arg-type]


def test_the_library_writes_nothing_to_the_terminal(fluid: Synthesizer, capfd: pytest.CaptureFixture[str]) -> None:
    fluid.render(roll_to_midi(torch.ones(8, 88), program=48, tie=False))  # more voices than it has
    assert capfd.readouterr() == ("", "")
