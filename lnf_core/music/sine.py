"""Additive voices: what a roll sounds like where libfluidsynth is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lnf_core.music.audio import SAMPLE_RATE
from lnf_core.music.score import Strike

_TABLE_SIZE = 1 << 14
_PHASE = 2.0 * np.pi * np.arange(_TABLE_SIZE) / _TABLE_SIZE
# The fundamental is by far the strongest, so the pitch stays clear; two overtones make it sound less like a test tone.
_TABLE = (np.sin(_PHASE) + 0.3 * np.sin(2.0 * _PHASE) + 0.1 * np.sin(3.0 * _PHASE)).astype(np.float32)
_GAIN = 0.1
_ATTACK = int(0.008 * SAMPLE_RATE)
_RELEASE = int(0.15 * SAMPLE_RATE)
_DECAY_SECONDS = 1.5


def render_sine(strikes: Sequence[Strike], length: int) -> NDArray[np.float32]:
    """Mix decaying tones into ``length`` samples. Drums are left out.

    Work and memory grow with the time the notes sound and with ``length``, never with their number alone.
    """
    mix = np.zeros(length, dtype=np.float32)
    for strike in strikes:
        start, release = round(strike.start * SAMPLE_RATE), round(strike.end * SAMPLE_RATE)
        stop = min(release + _RELEASE, length)
        if strike.is_drum or start >= stop:
            continue
        time = np.arange(stop - start)
        cycles_per_sample = 440.0 * 2.0 ** ((strike.pitch - 69) / 12.0) / SAMPLE_RATE
        tone = _TABLE[(time * (cycles_per_sample * _TABLE_SIZE)).astype(np.int64) & (_TABLE_SIZE - 1)]
        envelope = np.exp(time * np.float32(-1.0 / (_DECAY_SECONDS * SAMPLE_RATE))).astype(np.float32)
        attack = min(_ATTACK, len(time))
        envelope[:attack] *= np.linspace(0.0, 1.0, _ATTACK, dtype=np.float32)[:attack]
        falling = len(time) - (release - start)  # samples after the key is released; the mix may end sooner
        if falling > 0:
            envelope[-falling:] *= np.linspace(1.0, 0.0, _RELEASE, dtype=np.float32)[:falling]
        mix[start:stop] += tone * envelope * np.float32(_GAIN * strike.velocity / 127.0)
    return mix
