"""Rendered sound and the WAV file it goes into."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 44100
_CEILING = 0.97
_FADE = int(0.02 * SAMPLE_RATE)

Engine = Literal["fluidsynth", "sine"]


@dataclass(frozen=True)
class Audio:
    """One channel of sound."""

    samples: NDArray[np.int16]
    """``[N]``."""
    sample_rate: int
    """Samples a second."""
    engine: Engine
    """What made it."""

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.sample_rate


def to_int16(signal: NDArray[np.float32]) -> NDArray[np.int16]:
    """A signal in -1..1 as 16-bit samples.

    The gain is the same for every render, so that a soft chorale sounds soft. Only a signal that would clip is turned
    down, as a whole, which distorts nothing. The last 20 ms fade out: a cut note must not click.
    """
    signal = signal.copy()
    fade = min(_FADE, len(signal))
    if fade:
        signal[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    peak = float(np.abs(signal).max(initial=0.0))
    if peak > _CEILING:
        signal *= _CEILING / peak
    samples: NDArray[np.int16] = np.rint(signal * 32767.0).astype(np.int16)
    return samples


def write_wav(path: str | Path, audio: Audio) -> None:
    """Write a mono 16-bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.sample_rate)
        file.writeframes(audio.samples.astype("<i2").tobytes())
