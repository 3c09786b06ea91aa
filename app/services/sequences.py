"""Sequences to look into: sampled from a seed or typed, with what the model knows at each of their steps."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import torch
from torch import Tensor

from app import catalogue
from app.cache import uploaded
from app.limits import LIMITS, FieldError, whole
from app.services.models import LoadedModels
from app.services.own import read_music, read_text
from lnf_core.analysis.latents import Past, read_past
from lnf_core.data import Vocabulary, sounding_shift
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.music import KEYS, note_name

STEPS = {"music": 32, "text": 60}
"""How long a sampled sequence is."""
_KEPT = 32


@dataclass(frozen=True)
class Request:
    """A step of a sequence somebody wants to look at."""

    checkpoint: object
    """The name of one; judged when the sequence is made."""
    seed: int
    step: int
    """Counted from 1; more than the sequence has is its last one, since another model's may be shorter."""
    text: str = ""
    """Typed; empty for a sampled sequence."""
    midi: str = ""
    """Path of a visitor's MIDI file; empty for a sampled sequence."""

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> Request:
        """From what came over the network: ``checkpoint``; optional: ``seed``, ``step``, ``text``, ``midi``.

        Raises:
            FieldError: a seed or a step that is none, or a file that no visitor sent.
        """
        seed = whole("seed", "The seed", asked.get("seed", 0), LIMITS.seed)
        step = whole("step", "The step", asked.get("step", 10), LIMITS.length)
        return cls(asked.get("checkpoint"), seed, step, str(asked.get("text") or ""), uploaded(asked.get("midi")))


@dataclass(frozen=True)
class Studied:
    """A sequence of one model."""

    entry: catalogue.Entry
    model: LatentFlow
    vocabulary: Vocabulary | None
    x: Tensor
    """``[T]`` or ``[T, V]``."""
    past: Past
    sampler: Any
    """The fastest that was ready when the model was loaded."""
    remark: str = ""
    """What was done to a visitor's own music."""

    @property
    def names(self) -> list[str]:
        """What stands at each step: a character, or the notes that sound."""
        return [self.name(symbol) for symbol in self.x]

    def head(self, tab: str, asked: Request, **more: int) -> dict[str, Any]:
        """What every picture of the sequence says of it, and the link that restores it, with ``more`` in it."""
        dataset, variant = self.entry.name.split("/")
        step = min(asked.step, len(self.x))
        query = {"tab": tab, "dataset": dataset, "variant": variant, "seed": asked.seed, "step": step, **more}
        if asked.text and self.vocabulary is not None:
            query["text"] = asked.text
        return {
            "title": self.entry.title,
            "variant": self.entry.variant.name,
            "marker": self.entry.variant.marker,
            "domain": self.entry.domain,
            "seed": asked.seed,
            "remark": self.remark,
            "step": step,
            "names": self.names,
            "status": {"kind": "done", "text": "", "query": urlencode(query)},
        }

    def name(self, symbol: Tensor) -> str:
        """A character, or the names of the notes that sound, lowest first."""
        if self.vocabulary is not None:
            return self.vocabulary.symbols[int(symbol)]
        return chord(symbol, self.entry.dataset)


def chord(keys: Tensor, dataset: str) -> str:
    """The names of the notes that sound in one step ``[88]`` or ``[89]``, lowest first."""
    shift = sounding_shift(dataset)
    return " ".join(note_name(int(key), shift) for key in keys[-KEYS:].nonzero().flatten()) or "silence"


class Sequences:
    """The most recently studied sequences, shared by all visitors and never written to."""

    def __init__(self, models: LoadedModels) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Hashable, ...], Studied] = OrderedDict()

    def get(self, asked: Request) -> Studied:
        """The sequence asked for: of the seed, or the text or the music read by the model.

        Raises:
            CheckpointError: no such checkpoint, or one that cannot be used.
            FieldError: the model has no latents, or it cannot read the text or the file.
        """
        entry = catalogue.find(asked.checkpoint)
        misplaced = asked.text if entry.domain == "music" else asked.midi
        if misplaced:
            what = "text" if entry.domain == "music" else "midi"
            raise FieldError(what, f"{entry.title} makes {entry.domain}; leave {what} out, or choose another model.")
        own = asked.text if entry.domain == "text" else asked.midi
        return self._once((entry.name, asked.seed, own), lambda: self._study(entry, asked.seed, own))

    def beside(self, studied: Studied, asked: Request) -> Studied | None:
        """The same sequence read by the variant without bends; None where there is no such checkpoint."""
        name = f"{studied.entry.name}-affine"
        entry = next((entry for entry in catalogue.catalogue() if entry.name == name and entry.problem is None), None)
        if entry is None:
            return None
        key = (name, studied.entry.name, asked.seed, asked.text, asked.midi)
        return self._once(key, lambda: self._read(entry, studied.x))

    def _once(self, key: tuple[Hashable, ...], study: Callable[[], Studied]) -> Studied:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        studied = study()
        with self._lock:
            self._kept[key] = studied
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return studied

    def _study(self, entry: catalogue.Entry, seed: int, own: str) -> Studied:
        loaded = self._models.get(entry.name)
        model, vocabulary = loaded.checkpoint.model, loaded.checkpoint.vocabulary
        if not isinstance(model, LatentFlow):
            raise FieldError("model", f"{entry.title} has no latent space: it draws symbols directly. Choose a flow.")
        if own and vocabulary is not None:
            typed = read_text(own, vocabulary, model)
            return self._read(entry, typed.x, typed.remark)
        if own:
            music = read_music(own, entry, model, min(LIMITS.own_steps, model.config.max_length))
            return self._read(entry, music.x, music.remark)
        # A model that has seen no sequence as short as that would draw noise.
        longest = min(max(STEPS[entry.domain], model.length_prior.shortest_trained), model.config.max_length)
        drawn = model.sample(1, longest, generator=torch.Generator().manual_seed(seed), engine=loaded.sampler)
        assert drawn.z is not None and drawn.eps is not None
        past = read_past(model, drawn.z[:, 0], drawn.eps[:, 0])
        return Studied(entry, model, vocabulary, drawn.x[:, 0], past, loaded.sampler)

    def _read(self, entry: catalogue.Entry, x: Tensor, remark: str = "") -> Studied:
        """``x`` as a flow reads it: the middle of its posterior."""
        loaded = self._models.get(entry.name)
        model = loaded.checkpoint.model
        assert isinstance(model, LatentFlow)
        shown = model.reconstruct(x[:, None], torch.tensor([len(x)]))
        assert shown.z is not None and shown.eps is not None
        past = read_past(model, shown.z[:, 0], shown.eps[:, 0])
        return Studied(entry, model, loaded.checkpoint.vocabulary, x, past, loaded.sampler, remark)
