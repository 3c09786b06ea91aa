"""A roll of a data set as music: the one place that knows how its steps and keys become beats and pitches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from lnf_core.data.registry import sounding_shift, steps_per_beat
from lnf_core.data.rolls import piano_keys
from lnf_core.music.audio import Audio, write_wav
from lnf_core.music.instruments import check_program
from lnf_core.music.midi import check_tempo, roll_to_midi, write_midi
from lnf_core.music.reader import MidiRoll, read_midi
from lnf_core.music.synth import Synthesizer

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI


@dataclass(frozen=True)
class Performance:
    """How rolls of one data set are played.

    Raises:
        InvalidInputError: a tempo or program out of range.
    """

    dataset: str
    tempo: float = 96.0
    """Beats a minute."""
    program: int = 0
    """General MIDI program."""

    def __post_init__(self) -> None:
        check_tempo(self.tempo)
        check_program(self.program)

    @property
    def seconds_per_step(self) -> float:
        """How long a row of the roll sounds."""
        return 60.0 / self.tempo / steps_per_beat(self.dataset)

    def midi(self, roll: Tensor) -> PrettyMIDI:
        """A roll ``[T, 88]``, or ``[T, 89]`` with the paper's silent output first, at sounding pitch.

        Raises:
            InvalidInputError: a roll of another shape or with other values.
        """
        return roll_to_midi(
            piano_keys(roll),
            tempo=self.tempo,
            program=self.program,
            steps_per_beat=steps_per_beat(self.dataset),
            sounding_shift=sounding_shift(self.dataset),
        )

    def read(self, source: str | Path | bytes, max_steps: int = 4096) -> MidiRoll:
        """A MIDI file on this data set's grid and keys: the way back.

        Raises:
            MidiError: see :func:`~lnf_core.music.reader.read_midi`.
        """
        grid, shift = steps_per_beat(self.dataset), sounding_shift(self.dataset)
        return read_midi(source, steps_per_beat=grid, sounding_shift=shift, max_steps=max_steps)

    def write_midi(self, roll: Tensor, path: Path) -> None:
        """Write a ``.mid`` file."""
        write_midi(path, self.midi(roll))

    def write_sound(self, roll: Tensor, path: Path, synthesizer: Synthesizer, *, seconds_limit: float = 120.0) -> Audio:
        """Render a roll and write a ``.wav`` file; returns the sound."""
        audio = synthesizer.render(self.midi(roll), seconds_limit=seconds_limit)
        write_wav(path, audio)
        return audio
