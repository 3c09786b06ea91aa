"""Everything the page can ask for, in terms of ``lnf_core`` alone; it knows nothing of Gradio."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import Tensor

import lnf_core
from app import catalogue
from app.limits import LENGTH_HINT, LIMITS, whole
from app.models import ModelCache
from app.results import Line, Music, Piece, Report, Result, Text
from app.settings import Settings
from lnf_core.data import sounding_shift
from lnf_core.models.results import Sample
from lnf_core.music import INSTRUMENTS, Performance, Synthesizer, held_notes, piano_keys

_MODEL_SHARE = 0.8  # of the progress bar; the rest is writing files and rendering sound


def _silent(_fraction: float, _words: str) -> None:
    """For callers that want no progress."""


class Service:
    """Samples from bundled checkpoints and turns what came out into files."""

    def __init__(self) -> None:
        self._models = ModelCache()
        self._synthesizer = Synthesizer()

    def max_length(self, name: str) -> int:
        """Most steps the model takes; loads it, so that the first sample does not have to.

        Raises:
            CheckpointError: it cannot be loaded.
        """
        return self._models.get(name).model.config.max_length

    def check_length(self, settings: Settings) -> None:
        """Refuse a length the model does not take, before anything is drawn.

        Raises:
            InvalidInputError: too long for this model.
        """
        longest = min(self.max_length(settings.checkpoint), LIMITS.length[1])
        if settings.length is not None:
            whole("The length", settings.length, (LIMITS.length[0], longest), LENGTH_HINT)

    def sample(self, settings: Settings, folder: Path, report: Report = _silent) -> Result:
        """Draw what ``settings`` ask for and write its files into ``folder``.

        Raises:
            LNFError: the checkpoint cannot be loaded, or the model takes no such length.
        """
        entry = catalogue.find(settings.checkpoint)
        report(0.0, f"Loading {entry.title}")
        checkpoint = self._models.get(entry.name)
        generator = torch.Generator().manual_seed(settings.seed)
        started = time.perf_counter()

        def progress(done: int, total: int) -> None:
            report(_MODEL_SHARE * done / max(total, 1), _words(done, total, time.perf_counter() - started))

        with torch.no_grad():
            sample = checkpoint.model.sample(
                settings.count,
                settings.length,
                temperature=settings.temperature,
                argmax=settings.likeliest,
                generator=generator,
                progress=progress,
            )
        took = time.perf_counter() - started
        folder.mkdir(parents=True, exist_ok=True)
        if checkpoint.vocabulary is not None:
            return self._text(settings, sample, checkpoint.vocabulary, folder, took)
        return self.music(settings, [roll.cpu() for roll in sample], folder, took, report)

    def music(
        self,
        settings: Settings,
        rolls: list[Tensor],
        folder: Path,
        took: float | None = None,
        report: Report = _silent,
    ) -> Music:
        """Turn rolls ``[T, 88]`` into notes, MIDI files and sound."""
        entry = catalogue.describe(settings.checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        performance = Performance(entry.dataset, settings.tempo, INSTRUMENTS[settings.instrument])
        seconds, shift = performance.seconds_per_step, sounding_shift(entry.dataset)
        pieces: list[Piece] = []
        made_by = "sine"
        for index, roll in enumerate(map(piano_keys, rolls)):
            report(_MODEL_SHARE + (1 - _MODEL_SHARE) * index / len(rolls), f"Rendering sound {index + 1}/{len(rolls)}")
            stem = f"{entry.dataset}-{entry.variant.name}-seed{settings.seed}-{index + 1}"
            midi, wav = folder / f"{stem}.mid", folder / f"{stem}.wav"
            performance.write_midi(roll, midi)
            audio = performance.write_sound(roll, wav, self._synthesizer, seconds_limit=LIMITS.sound_seconds)
            made_by = audio.synthesizer
            notes = tuple(
                (note.start * seconds, (note.end - note.start) * seconds, note.pitch(shift))
                for note in held_notes(roll)
            )
            pieces.append(Piece(roll, notes, len(roll) * seconds, midi, wav))
        reason = "" if self._synthesizer.available else self._synthesizer.reason
        return Music(settings, entry, tuple(pieces), 60.0 / settings.tempo, made_by, reason, took)

    def _text(
        self, settings: Settings, sample: Sample, vocabulary: lnf_core.data.Vocabulary, folder: Path, took: float
    ) -> Text:
        lines = []
        for index, ids in enumerate(sample):
            chances = sample.probabilities[: len(ids), index].gather(-1, ids[:, None])[:, 0]
            lines.append(Line(tuple(vocabulary.symbols[i] for i in ids.tolist()), tuple(chances.tolist())))
        return self.text(settings, lines, folder, took)

    def text(self, settings: Settings, lines: list[Line], folder: Path, took: float | None = None) -> Text:
        """Write lines, one a row, and hand them back as a result."""
        entry = catalogue.describe(settings.checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{entry.dataset}-{entry.variant.name}-seed{settings.seed}.txt"
        file.write_text("".join(f"{line.text}\n" for line in lines), encoding="utf-8")
        return Text(settings, entry, tuple(lines), file, took)


def _words(done: int, total: int, elapsed: float) -> str:
    """How far the model is, with an estimate once there is something to base it on."""
    if done >= total:
        return "Decoding"
    words = f"Step {done} of {total}"
    if done and elapsed > 0.5:
        words += f", about {max(1, round(elapsed / done * (total - done)))} s left"
    return words
