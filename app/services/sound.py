"""Sound, made of a piece's MIDI file when somebody wants to hear it, and kept beside it."""

from __future__ import annotations

import mimetypes
import threading
from pathlib import Path

import pretty_midi

from app.limits import LIMITS
from app.turns import Turns
from lnf_core.errors import InvalidInputError
from lnf_core.music import Synthesizer, write_compressed, write_wav

FORMATS = ("flac", "wav")
_LOCKS = 16
# Not every system knows the first, and a browser plays nothing of a kind it was not told.
mimetypes.add_type("audio/flac", ".flac")


class Sound:
    """Renders pieces that this server drew; each at most once in each format."""

    def __init__(self, turns: Turns | None = None) -> None:
        self._synthesizer = Synthesizer()
        self._turns = turns or Turns()
        self._at_once = threading.BoundedSemaphore(LIMITS.sounds_at_once)
        # A file has one of these: who asks for what is being made waits for it. Files that share one only wait.
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    @property
    def note(self) -> str:
        """How to get real instruments, where there are none; otherwise empty."""
        return "" if self._synthesizer.available else self._synthesizer.reason

    def warm_up(self) -> None:
        """Play a note to nobody, so that whoever listens first does not wait for libraries and soundfont."""
        note = pretty_midi.Instrument(0)
        note.notes.append(pretty_midi.Note(velocity=64, pitch=60, start=0.0, end=0.1))
        midi = pretty_midi.PrettyMIDI()
        midi.instruments.append(note)
        self._synthesizer.render(midi)

    async def in_turn(self, midi: Path, kind: str) -> Path:
        """:meth:`of`, after what others are drawing, for a page that shows its picture already."""
        return await self._turns.after_drawing(lambda: self.of(midi, kind))

    def of(self, midi: Path, kind: str) -> Path:
        """The sound of a MIDI file as a ``flac`` or a ``wav`` file beside it.

        Raises:
            InvalidInputError: another kind, or a file that is gone.
        """
        if kind not in FORMATS:
            raise InvalidInputError(f"Sound comes as {' or '.join(FORMATS)}, not as {kind[:20]!r}.")
        made = midi.with_suffix(f".{kind}")
        with self._locks[hash(made) % _LOCKS], self._at_once:
            if made.is_file():
                return made
            if not midi.is_file():
                raise InvalidInputError("This piece was deleted, as everything is after an hour; sample it again.")
            audio = self._synthesizer.render(pretty_midi.PrettyMIDI(str(midi)), seconds_limit=LIMITS.sound_seconds)
            partial = made.with_name(f".{made.name}.{threading.get_ident()}")
            try:
                (write_compressed if kind == "flac" else write_wav)(partial, audio)
                partial.replace(made)
            finally:
                partial.unlink(missing_ok=True)
        return made
