"""Piano rolls, MIDI and sound. ``docs/music.md`` tells how the pieces fit."""

from lnf_core.data.rolls import KEYS, piano_keys
from lnf_core.music.audio import Audio, write_compressed, write_wav
from lnf_core.music.instruments import INSTRUMENTS, check_program
from lnf_core.music.midi import midi_bytes, roll_to_midi, write_midi
from lnf_core.music.performance import Performance
from lnf_core.music.reader import MAX_BYTES, MidiRoll, midi_to_roll, read_midi
from lnf_core.music.roll import LOWEST_PITCH, HeldNote, held_notes, note_name, pitch_of
from lnf_core.music.synth import Synthesizer

__all__ = [
    "INSTRUMENTS",
    "KEYS",
    "LOWEST_PITCH",
    "MAX_BYTES",
    "Audio",
    "HeldNote",
    "MidiRoll",
    "Performance",
    "Synthesizer",
    "check_program",
    "held_notes",
    "midi_bytes",
    "midi_to_roll",
    "note_name",
    "piano_keys",
    "pitch_of",
    "read_midi",
    "roll_to_midi",
    "write_compressed",
    "write_midi",
    "write_wav",
]
