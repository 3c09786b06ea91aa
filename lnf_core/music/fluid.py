"""Real instruments through libfluidsynth."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lnf_core.errors import SynthesisError
from lnf_core.music.audio import SAMPLE_RATE
from lnf_core.music.score import Strike

if TYPE_CHECKING:
    from fluidsynth import Synth

_GAIN = 1.0
_BLOCK = 64
"""Samples the library computes at a time; events take effect at the start of a block (1.5 ms)."""
_CHANNELS = 256
_DRUM_CHANNEL = 9
_MELODIC = [channel for channel in range(_CHANNELS) if channel % 16 != _DRUM_CHANNEL]
_SETTINGS = {
    "synth.chorus.active": 0,  # it would blur four clear voices; the reverb stays
    "synth.polyphony": 96,  # enough for every key at once; more would only keep fading voices a little longer
}


def bundled_soundfont() -> Path:
    """``TimGM6mb.sf2``, which ``pretty_midi`` ships."""
    from importlib.resources import files

    return Path(str(files("pretty_midi") / "TimGM6mb.sf2"))


def check_soundfont(path: Path) -> None:
    """Refuse what is no SoundFont, before the library prints about it.

    Raises:
        SynthesisError: missing, unreadable or of another format.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise SynthesisError(f"The soundfont {path.name!r} cannot be opened; give the path of an .sf2 file.") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise SynthesisError(f"{path.name!r} is not a soundfont; give the path of an .sf2 file.")


def _quiet(fluidsynth: Any) -> None:  # noqa: ANN401 - a module without types
    """Stop the library from writing to stderr, for the whole process: what matters is raised."""
    set_log_function = fluidsynth.cfunc(
        "fluid_set_log_function",
        ctypes.c_void_p,
        ("level", ctypes.c_int, 1),
        ("fun", ctypes.c_void_p, 1),
        ("data", ctypes.c_void_p, 1),
    )
    for level in range(5):  # panic, error, warning, info, debug
        set_log_function(level, None, None)


class FluidSynth:
    """One synthesizer behind a lock.

    The soundfont stays in memory for the life of the object. Each render starts from untouched voices: the library's
    own reset leaves traces in its voices and its reverb, so the same notes would sound a little different after
    others. With the soundfont resident that costs about 10 ms.
    """

    def __init__(self, soundfont: Path) -> None:
        """Load the library and the soundfont.

        Raises:
            ImportError, OSError, AttributeError: no usable libfluidsynth 2 or no ``pyfluidsynth``.
            SynthesisError: the soundfont cannot be loaded.
        """
        import fluidsynth

        self._library: Any = fluidsynth
        integer, pointer = ctypes.c_int, ctypes.c_void_p
        # 32-bit floats, which the Python wrapper leaves out: no dither, and no clipping before the gain is known.
        self._write_float: Any = fluidsynth.cfunc(
            "fluid_synth_write_float",
            integer,
            ("synth", pointer, 1),
            ("len", integer, 1),
            ("lout", pointer, 1),
            ("loff", integer, 1),
            ("lincr", integer, 1),
            ("rout", pointer, 1),
            ("roff", integer, 1),
            ("rincr", integer, 1),
        )
        if self._write_float is None:
            raise ImportError("libfluidsynth is older than version 2")
        _quiet(fluidsynth)
        self._soundfont = soundfont
        self._lock = threading.Lock()
        # libfluidsynth shares sample data between synths of one process; this one is never played, it holds the data.
        resident, _ = self._open()
        weakref.finalize(self, resident.delete)

    def _open(self) -> tuple[Synth, int]:
        synth = self._library.Synth(gain=_GAIN, samplerate=SAMPLE_RATE, channels=_CHANNELS, **_SETTINGS)
        font: int = synth.sfload(str(self._soundfont))
        if font < 0:
            synth.delete()
            raise SynthesisError(f"The soundfont {self._soundfont.name!r} is damaged; give another .sf2 file.")
        return synth, font

    def render(self, strikes: Sequence[Strike], length: int) -> NDArray[np.float32]:
        """Play notes into ``length`` samples, both stereo channels mixed to one."""
        blocks = -(-length // _BLOCK)
        stereo = np.zeros((blocks * _BLOCK, 2), dtype=np.float32)
        with self._lock:  # the soundfont is shared, and one render at a time bounds memory and work
            synth, font = self._open()
            try:
                self._play(synth, font, strikes, stereo)
            finally:
                synth.delete()
        mono: NDArray[np.float32] = stereo[:length].mean(axis=1)
        return mono

    def _play(self, synth: Synth, font: int, strikes: Sequence[Strike], stereo: NDArray[np.float32]) -> None:
        events: list[tuple[int, int, int, Strike]] = []  # block, 0 for a release and 1 for a strike, channel
        selected: set[int] = set()
        for strike in strikes:
            channel = _DRUM_CHANNEL if strike.is_drum else _MELODIC[strike.instrument % len(_MELODIC)]
            if channel not in selected:
                selected.add(channel)
                bank = 128 if strike.is_drum else 0
                if synth.program_select(channel, font, bank, strike.program) != 0:
                    synth.program_select(channel, font, bank, 0)  # this soundfont lacks the instrument
            first = round(strike.start * SAMPLE_RATE / _BLOCK)
            last = max(round(strike.end * SAMPLE_RATE / _BLOCK), first + 1)
            events += [(first, 1, channel, strike), (last, 0, channel, strike)]
        events.sort(key=lambda event: event[:2])
        position, total = 0, len(stereo) // _BLOCK
        for block, kind, channel, strike in events:
            if block >= total:
                break
            self._write(synth, stereo, position, block)
            position = max(position, block)
            if kind:
                synth.noteon(channel, strike.pitch, strike.velocity)
            else:
                synth.noteoff(channel, strike.pitch)
        self._write(synth, stereo, position, total)

    def _write(self, synth: Synth, stereo: NDArray[np.float32], first: int, last: int) -> None:
        """Compute the blocks ``first`` up to ``last``."""
        if last > first:
            samples = stereo[first * _BLOCK :].ctypes.data
            self._write_float(synth.synth, (last - first) * _BLOCK, samples, 0, 2, samples, 1, 2)
