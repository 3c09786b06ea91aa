"""Rendered sound, how loud it is, and the WAV file it goes into."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44100
LOUDNESS = -16.0
"""LUFS (ITU-R BS.1770) that music is brought to: what streaming services use for mono and speech."""
_CEILING = 10.0 ** (-1.0 / 20.0)  # -1 dBFS
_MOST_LIMITING = 10.0 ** (8.0 / 20.0)
_REACH = int(0.004 * SAMPLE_RATE)
_OVERSAMPLING = 4
_FILTER_REACH = 10  # samples to either side that a value between two samples is made of
_BLOCK = 2048
_SHORTEST = int(0.4 * SAMPLE_RATE)  # one block of the loudness measure
_FADE = int(0.02 * SAMPLE_RATE)

SynthesizerName = Literal["fluidsynth", "sine"]


@dataclass(frozen=True)
class Audio:
    """One channel of sound."""

    samples: NDArray[np.int16]
    """``[N]``."""
    sample_rate: int
    """Samples a second."""
    synthesizer: SynthesizerName
    """What made it."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.sample_rate


def loudness(signal: NDArray[np.float32]) -> float:
    """Integrated loudness of one channel in LUFS; minus infinity for silence."""
    import pyloudnorm  # brings scipy.signal along

    padded = np.pad(signal, (0, max(0, _SHORTEST + 1 - len(signal)))).astype(np.float64)
    if not padded.any():
        return -np.inf
    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(padded))


@cache
def _between() -> tuple[NDArray[np.float64], float]:
    """The filter that fills in values between samples, and how far one may rise above the samples within its reach."""
    from scipy.signal import firwin

    taps = firwin(2 * _OVERSAMPLING * _FILTER_REACH + 1, 1 / _OVERSAMPLING, window=("kaiser", 5.0))
    rise = max(float(np.abs(taps[phase::_OVERSAMPLING]).sum()) for phase in range(_OVERSAMPLING)) * _OVERSAMPLING
    return taps, rise


def true_peak(signal: NDArray[np.float32]) -> float:
    """The largest value between the samples too, by fourfold oversampling.

    Only blocks whose samples are large enough for that are oversampled; the result is that of the whole signal.
    """
    from scipy.signal import resample_poly

    if not len(signal):
        return 0.0
    taps, rise = _between()
    heights = np.abs(np.pad(signal, (0, -len(signal) % _BLOCK))).reshape(-1, _BLOCK)
    peak = float(heights.max())
    near = heights.max(1)  # the largest sample that a value between samples of the block may depend on
    near[1:] = np.maximum(near[1:], heights[:-1, -_FILTER_REACH:].max(1))
    near[:-1] = np.maximum(near[:-1], heights[1:, :_FILTER_REACH].max(1))
    for block in np.flatnonzero(near * rise > peak):
        start = int(block) * _BLOCK
        stop = min(start + _BLOCK, len(signal))
        first = max(0, start - _FILTER_REACH)
        filled = resample_poly(signal[first : stop + _FILTER_REACH], _OVERSAMPLING, 1, window=taps)
        own = filled[(start - first) * _OVERSAMPLING : (stop - first) * _OVERSAMPLING]
        peak = max(peak, float(np.abs(own).max()))
    return peak


def limit(signal: NDArray[np.float32], ceiling: float) -> NDArray[np.float32]:
    """Turn down what is louder than ``ceiling`` for the few milliseconds it lasts, gliding in and out of it."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    allowed = np.minimum(1.0, ceiling / np.maximum(np.abs(signal), ceiling))
    # The smallest gain within reach, averaged twice over half of that reach: nowhere above what is allowed.
    gain = minimum_filter1d(allowed, 2 * _REACH + 1)
    gain = uniform_filter1d(uniform_filter1d(gain, _REACH), _REACH)
    limited: NDArray[np.float32] = (signal * gain).astype(np.float32)
    return limited


def to_int16(signal: NDArray[np.float32]) -> NDArray[np.int16]:
    """A signal as 16-bit samples at the loudness of :data:`LOUDNESS`, peaks kept below a true peak of -1 dBFS.

    One gain for the whole piece; only the attacks that it would bring above the ceiling are limited, by at most 8 dB,
    and a piece that would need more stays softer. Silence stays silent. The last 20 ms fade out: a cut note must not
    click.
    """
    signal = signal.copy()
    fade = min(_FADE, len(signal))
    if fade:
        signal[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    loud, peak = loudness(signal), true_peak(signal)
    if np.isfinite(loud):  # what the measure calls silence is a synthesizer's own noise: it stays where it is
        signal *= np.float32(min(10.0 ** ((LOUDNESS - loud) / 20.0), _MOST_LIMITING * _CEILING / peak))
        signal = limit(signal, _CEILING)
        signal *= np.float32(min(1.0, _CEILING / max(true_peak(signal), 1e-9)))
    samples: NDArray[np.int16] = np.rint(signal * 32767.0).astype(np.int16)
    return samples


def write_wav(path: str | Path, audio: Audio) -> None:
    """Write a mono 16-bit WAV file."""
    # Opened here: where it cannot be, the module's own writer would complain a second time as it is thrown away.
    with open(path, "wb") as place, wave.open(place, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.sample_rate)
        file.writeframes(audio.samples.astype("<i2").tobytes())


def write_compressed(path: str | Path, audio: Audio) -> None:
    """Write a FLAC file: the same samples in about a third of the size of a WAV file, played by every browser.

    An MP3 file would be a third of that again, and take longer to write than everything before it together.
    """
    import soundfile

    # Written here: of a file that it cannot write, soundfile does not say why.
    packed = io.BytesIO()
    soundfile.write(packed, audio.samples, audio.sample_rate, format="FLAC", subtype="PCM_16")
    Path(path).write_bytes(packed.getvalue())
