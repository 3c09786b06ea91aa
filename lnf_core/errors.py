"""Every error the package raises on purpose.

Each message says what was given, what is accepted and what to do. The classes also derive from the
built-in exception a caller would expect, so ``except ValueError`` keeps working.
"""

from __future__ import annotations


def reason_of(error: OSError) -> str:
    """What went wrong with a file or folder, in words: the system says of a file in a folder's place that it exists."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file is in the way"
    return error.strerror or str(error)


class LNFError(Exception):
    """Base class: catch this to catch everything ``lnf_core`` raises deliberately."""


class ConfigError(LNFError, ValueError):
    """A configuration that describes no valid model or training run."""


class InvalidInputError(LNFError, ValueError):
    """An argument out of range: temperature, length, count, shape or symbol."""


class UnknownSymbolError(InvalidInputError):
    """Text holds characters outside the vocabulary.

    Attributes:
        symbols: ``(position, character)`` for each unknown character, in order.
    """

    def __init__(self, message: str, symbols: tuple[tuple[int, str], ...]) -> None:
        super().__init__(message)
        self.symbols = symbols


class MidiError(InvalidInputError):
    """A MIDI file that cannot be read, is empty, too long or too large."""


class SynthesisError(LNFError, RuntimeError):
    """Sound could not be rendered (for example, no libfluidsynth when it was asked for by name)."""


class DataError(LNFError):
    """A data set is missing, incomplete, or does not match its checksum."""


class DownloadError(DataError):
    """A data file could not be fetched; nothing was left half-written."""


class CheckpointError(LNFError):
    """A checkpoint is missing, truncated, foreign, or of a newer format."""


class EngineError(LNFError, RuntimeError):
    """A sampling engine was asked for by name that does not exist or cannot run this model here."""


class TrainingError(LNFError, RuntimeError):
    """Training cannot start, resume or go on (for example, a loss that is not finite)."""
