"""MIDI to sound."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lnf_core.errors import InvalidInputError, SynthesisError
from lnf_core.music.audio import SAMPLE_RATE, Audio, to_int16
from lnf_core.music.fluid import FluidSynth, bundled_soundfont, check_soundfont
from lnf_core.music.score import read_strikes
from lnf_core.music.sine import render_sine

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI

TAIL_SECONDS = 1.0
MAX_SECONDS = 3600.0


class Synthesizer:
    """Renders MIDI with real instruments, or with sine voices where libfluidsynth is missing.

    Make one and share it: threads take turns. Equal input gives equal samples, whatever was rendered before.

    Attributes:
        available: whether libfluidsynth is used.
        reason: one sentence on why it is not and how to get it; empty when it is used.
    """

    available: bool
    reason: str

    def __init__(self, soundfont: Path | None = None, *, kind: Literal["auto", "fluidsynth", "sine"] = "auto") -> None:
        """Load the soundfont (about 20 ms).

        Args:
            soundfont: an ``.sf2`` file; by default ``TimGM6mb.sf2``, which comes with ``pretty_midi``.
            kind: ``auto`` falls back to sine voices, ``fluidsynth`` raises instead, ``sine`` is always there.

        Raises:
            SynthesisError: a soundfont that cannot be loaded, or ``fluidsynth`` asked for and missing.
            InvalidInputError: an unknown kind.
        """
        if kind not in ("auto", "fluidsynth", "sine"):
            raise InvalidInputError(f"The synthesizer is {kind!r}; choose auto, fluidsynth or sine.")
        self._fluid: FluidSynth | None = None
        self.reason = "Notes play as sine voices, as asked." if kind == "sine" else ""
        if kind != "sine":
            path = Path(soundfont) if soundfont is not None else bundled_soundfont()
            check_soundfont(path)
            try:
                self._fluid = FluidSynth(path)
            except (ImportError, OSError, AttributeError) as error:
                self.reason = _how_to_install(error)
                if kind == "fluidsynth":
                    raise SynthesisError(self.reason) from error
        self.available = self._fluid is not None

    def render(self, midi: PrettyMIDI, *, seconds_limit: float = 120.0) -> Audio:
        """Play a MIDI from its beginning.

        The sound is as long as the music and a second for the last notes to die away, or ``seconds_limit`` if that is
        shorter. Without notes it is silent. Pedal, pitch bend and other controllers are ignored.

        Args:
            midi: what to play, for example from :func:`lnf_core.music.roll_to_midi`.
            seconds_limit: longest sound in seconds, above 0 and at most 3600.

        Raises:
            InvalidInputError: ``seconds_limit`` out of range, or a note no synthesizer can play.
        """
        if not (math.isfinite(seconds_limit) and 0.0 < seconds_limit <= MAX_SECONDS):
            raise InvalidInputError(
                f"seconds_limit is {seconds_limit!r}; give seconds above 0 and at most {MAX_SECONDS:g}."
            )
        strikes, music_end = read_strikes(midi, seconds_limit)
        length = math.ceil(min(music_end + TAIL_SECONDS, seconds_limit) * SAMPLE_RATE)
        if self._fluid is not None:
            return Audio(to_int16(self._fluid.render(strikes, length)), SAMPLE_RATE, "fluidsynth")
        return Audio(to_int16(render_sine(strikes, length)), SAMPLE_RATE, "sine")


def _how_to_install(error: Exception) -> str:
    # pyfluidsynth looks for the C library while it is imported, so a missing library looks like a missing package.
    if isinstance(error, ModuleNotFoundError):
        return (
            "Notes play as sine voices because pyfluidsynth is missing; for real instruments: pip install pyfluidsynth."
        )
    return (
        "Notes play as sine voices because libfluidsynth was not found; for real instruments install the system "
        "package fluidsynth (Debian and Ubuntu: sudo apt install fluidsynth)."
    )
