"""Samples from bundled checkpoints, and the files they are kept in."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import lnf_core
from app import catalogue
from app.fields import Bounds, Settings
from app.limits import LIMITS, FieldError
from app.services.models import LoadedModels
from app.services.own import Own, read_music, read_text
from app.services.sampled import Drawn, Line, Music, Piece, Report, Result, Text
from app.turns import Turns
from lnf_core.analysis.statistics import MusicStatistics, music_statistics
from lnf_core.data import Vocabulary, sounding_shift
from lnf_core.errors import InvalidInputError, MidiError
from lnf_core.models.base import ModelBase
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.models.results import Sample
from lnf_core.music import INSTRUMENTS, KEYS, Performance, held_notes, piano_keys
from lnf_core.storage.files import read_metrics

_FURTHER = {"music": 24, "text": 40}
"""Steps that are added at least to a visitor's beginning, where no length is asked for."""
_THIN = 0.6
"""Of the data's notes a step, where likeliest keys begin to sound empty: Piano-midi, not the chorales and tunes."""


def _silent(_fraction: float, _words: str) -> None:
    """For callers that want no progress."""


class Sampling:
    """Draws what settings ask for.

    Args:
        note: what to say beside music that cannot be played with real instruments; empty where it can.
        turns: told of what is being drawn.
    """

    def __init__(self, note: str = "", turns: Turns | None = None) -> None:
        self.models = LoadedModels()
        self._note = note
        self._turns = turns or Turns()

    def bounds(self, name: str) -> Bounds:
        """The shortest and the longest sequence to ask of a model; loads it, so that the first sample need not.

        Shorter than everything it was trained on, a model makes noise.

        Raises:
            CheckpointError: it cannot be loaded.
        """
        model = self.models.get(name).checkpoint.model
        return model.length_prior.shortest_trained, min(model.config.max_length, LIMITS.length[1])

    def sample(self, settings: Settings, folder: Path, report: Report = _silent) -> Result:
        """Draw what ``settings`` ask for and write its files into ``folder``.

        Raises:
            LNFError: the checkpoint cannot be loaded, or the model takes no such length.
        """
        with self._turns.drawing():
            return self._sample(settings, folder, report)

    def _sample(self, settings: Settings, folder: Path, report: Report) -> Result:
        entry = catalogue.find(settings.checkpoint)
        report(0.0, f"Loading {entry.title}")
        loaded = self.models.get(entry.name)
        checkpoint, model = loaded.checkpoint, loaded.checkpoint.model
        own = self._own(settings, entry, checkpoint)
        started = time.perf_counter()

        def progress(done: int, total: int) -> None:
            report(done / max(total, 1), _words(done, total, time.perf_counter() - started))

        how: dict[str, Any] = {
            "temperature": settings.temperature,
            # All choice of a flow lies in its hidden vectors; the baseline has nothing else to choose by.
            "argmax": entry.domain == "music" and isinstance(model, LatentFlow) and not settings.draw,
            "generator": torch.Generator().manual_seed(settings.seed),
            "progress": progress,
            "engine": loaded.sampler,
        }
        if own is None:
            least = model.length_prior.shortest_trained
            lengths = settings.length or _lengths(model, settings.count, settings.seed, least)
            sample = model.sample(settings.count, lengths, **how)
        else:
            sample = model.continue_from(own.x, _total(model, settings, entry, own), settings.count, **how)
        given = 0 if own is None else len(own.x)
        seconds = time.perf_counter() - started
        drawn = Drawn(seconds, sample.engine, len(sample.x) - given, sample.dependent_steps)
        remark = "" if own is None else own.remark
        if checkpoint.vocabulary is not None:
            return self.text(settings, lines_of(sample, checkpoint.vocabulary), folder, drawn, given)
        return self.music(settings, [roll.cpu() for roll in sample], folder, drawn, given, remark)

    def _own(self, settings: Settings, entry: catalogue.Entry, checkpoint: lnf_core.Checkpoint) -> Own | None:
        """What the visitor wants the model to go on from."""
        if checkpoint.vocabulary is not None:
            if not settings.begin:
                return None
            return read_text(settings.begin, checkpoint.vocabulary, checkpoint.model, "begin")
        if not settings.midi:
            return None
        longest = min(LIMITS.own_steps, (settings.length or checkpoint.model.config.max_length) // 2)
        return read_music(settings.midi, entry, checkpoint.model, max(1, longest))

    def music(
        self,
        settings: Settings,
        rolls: list[Tensor],
        folder: Path,
        drawn: Drawn | None = None,
        given: int = 0,
        remark: str = "",
        named: str = "",
    ) -> Music:
        """Turn rolls of 88 or 89 keys into notes and MIDI files, which bear the seed or what they are ``named``."""
        entry = catalogue.describe(settings.checkpoint)
        stem = _stem(entry, settings, named)
        files = [folder / f"{stem}-{index + 1}.mid" for index in range(len(rolls))]
        pieces = _pieces(settings, map(piano_keys, rolls), files)
        data = _data_statistics(settings.checkpoint)
        thin = "" if settings.draw or named else _thin(pieces, data)  # only a sample can be asked for otherwise
        notes_to_visitor = " ".join(part for part in (remark, thin, self._note) if part)
        seconds_given = given * Performance(entry.dataset, settings.tempo).seconds_per_step
        return Music(
            settings, entry, tuple(pieces), 60.0 / settings.tempo, data, notes_to_visitor, drawn, seconds_given
        )

    async def tuned_in_turn(self, *given: Any) -> list[Piece]:  # noqa: ANN401 - those of tuned
        """:meth:`tuned`, after what others are drawing, for a page that shows its picture already."""
        return await self._turns.after_drawing(lambda: self.tuned(*given))

    def tuned(self, settings: Settings, drawn: Sequence[tuple[Path, int]], folder: Path) -> list[Piece]:
        """Pieces that were drawn before at the tempo and on the instrument of ``settings``, in files of their own.

        Args:
            settings: of the model they are from.
            drawn: the MIDI file of each and its steps.
            folder: where the new files go.

        Raises:
            LNFError: a file that is gone.
        """
        if not all(midi.is_file() for midi, _ in drawn):
            raise InvalidInputError("This piece was deleted, as everything is after an hour; sample it again.")
        rolls = [_read_back(settings.checkpoint.split("/")[0], midi, steps) for midi, steps in drawn]
        return _pieces(settings, rolls, [folder / midi.name for midi, _ in drawn])

    def text(
        self,
        settings: Settings,
        lines: list[Line],
        folder: Path,
        drawn: Drawn | None = None,
        given: int = 0,
        named: str = "",
    ) -> Text:
        """Write lines, one a row, and hand them back as a result; the file's name is made as that of music is."""
        entry = catalogue.describe(settings.checkpoint)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{_stem(entry, settings, named)}.txt"
        file.write_text("".join(f"{line.text}\n" for line in lines), encoding="utf-8")
        return Text(settings, entry, tuple(lines), file, drawn, given)


def _stem(entry: catalogue.Entry, settings: Settings, named: str) -> str:
    return f"{entry.dataset}-{entry.variant.name}-{named or f'seed{settings.seed}'}"


def _pieces(settings: Settings, rolls: Iterable[Tensor], files: Sequence[Path]) -> list[Piece]:
    """Rolls of 88 keys as notes and MIDI files."""
    dataset = settings.checkpoint.split("/")[0]
    performance = Performance(dataset, settings.tempo, INSTRUMENTS[settings.instrument])
    seconds, shift = performance.seconds_per_step, sounding_shift(dataset)
    pieces = []
    for roll, midi in zip(rolls, files, strict=True):
        midi.parent.mkdir(parents=True, exist_ok=True)
        performance.write_midi(roll, midi)
        notes = tuple(
            (note.start * seconds, (note.end - note.start) * seconds, note.pitch(shift)) for note in held_notes(roll)
        )
        pieces.append(Piece(roll, notes, len(roll) * seconds, music_statistics([roll]), midi))
    return pieces


def _read_back(dataset: str, midi: Path, steps: int) -> Tensor:
    """The roll of a file that was written here; one without a note, which no stranger's file may be, is silence."""
    try:
        return Performance(dataset).read(midi).roll
    except MidiError:
        return torch.zeros(steps, KEYS)


def _lengths(model: ModelBase, count: int, seed: int, least: int) -> Tensor:
    """Drawn from p(T) among the lengths from ``least`` that a visitor may ask for.

    For music p(T) gives every length some chance, also those too short to be more than noise, and piano pieces last up
    to twenty minutes, which nobody waits for.
    """
    return model.length_prior.sample(count, torch.Generator().manual_seed(seed), least, LIMITS.length[1])


def _thin(pieces: list[Piece], data: MusicStatistics | None) -> str:
    """What to do about music with far fewer notes than the data has.

    A model unsure of each key finds none of them likely, however many it expects.
    """
    steps = sum(piece.statistics.steps for piece in pieces)
    notes = sum(piece.statistics.notes * piece.statistics.steps for piece in pieces) / max(steps, 1)
    if data is None or notes >= _THIN * data.notes:
        return ""
    return "Thin? Only the likeliest keys are played; tick Draw every key, under More, for the ones it is less sure of."


def _total(model: ModelBase, settings: Settings, entry: catalogue.Entry, own: Own) -> int:
    """How long a beginning becomes: as asked for, or drawn from p(T) among lengths that leave room to go on.

    Raises:
        FieldError: there is no room.
    """
    given, longest, unit = len(own.x), model.config.max_length, entry.unit
    if given >= longest:
        said = f"The beginning has {given} {unit}, and {longest} are all this model takes: give {longest - 1} at most."
        raise FieldError("begin", said)
    if settings.length is not None:
        if settings.length <= given:
            said = f"The length is {settings.length} and the beginning already has {given} {unit}; ask for more."
            raise FieldError("length", said)
        return settings.length
    least = min(longest, max(model.length_prior.shortest_trained, given + _FURTHER[entry.domain]))
    return int(_lengths(model, 1, settings.seed, least))


def lines_of(sample: Sample, vocabulary: Vocabulary) -> list[Line]:
    """Every sequence of a sample of text, with the probability of each of its symbols."""
    lines = []
    for index, ids in enumerate(sample):
        chances = sample.probabilities[: len(ids), index].gather(-1, ids[:, None])[:, 0]
        lines.append(Line(tuple(vocabulary.symbols[i] for i in ids.tolist()), tuple(chances.tolist())))
    return lines


def _data_statistics(name: str) -> MusicStatistics | None:
    """From the checkpoint's own file."""
    listed = next((entry for entry in lnf_core.list_checkpoints() if entry.name == name), None)
    if listed is None or listed.problem is not None:
        return None
    try:
        return MusicStatistics.from_dict(read_metrics(listed.path).get("statistics", {}).get("data", {}))
    except lnf_core.LNFError:
        return None  # not measured, or not all of it


def _words(done: int, total: int, elapsed: float) -> str:
    """How far the model is, with an estimate once there is something to base it on."""
    if done >= total:
        return "Decoding"
    words = f"Step {done} of {total}"
    if done and elapsed > 0.5:
        words += f", about {max(1, round(elapsed / done * (total - done)))} s left"
    return words
