"""What one training run does: a frozen :class:`TrainConfig`, plain values in and out, overrides by name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from lnf_core.config import ModelConfig, config_from_dict, config_to_dict, require_number
from lnf_core.data import Dataset
from lnf_core.errors import ConfigError, TrainingError

Schedule = Literal["constant", "cosine"]
Ramp = Literal["linear", "geometric"]
Precision = Literal["auto", "fp32", "bf16"]

# Fields that say how long and how safely to run, not what is computed: a resumed run may change them.
RUN_FIELDS = frozenset({"max_minutes", "checkpoint_minutes"})


@dataclass(frozen=True)
class TrainConfig:
    """Everything one run depends on, apart from the data itself. For optional numbers 0 means "off"."""

    preset: str
    """The name this configuration started from, for example ``jsb/af-scf``."""
    dataset: str
    """Key of ``lnf_core.data.DATASETS``, or the name of a data set of one's own."""
    model: ModelConfig
    """The network, sizes of the data set filled in."""

    start_from: str = ""
    """A checkpoint (name or folder) of the same network whose weights the run starts from; empty: fresh ones."""

    batch_size: int = 16
    """Sequences in one optimiser step, over all processes together."""
    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    grad_clip: float = 1.0
    """Largest gradient norm; 0 leaves gradients alone (the norm is still checked and logged)."""
    posterior_samples: int = 1
    """z drawn for each sequence in each step."""

    max_epochs: int = 100
    """Stop after this many passes over the training split; 0: only ``max_steps`` counts."""
    max_steps: int = 0
    """Stop after this many optimiser steps; 0: only ``max_epochs`` counts."""
    max_minutes: float = 0.0
    """Stop after this much training time, resumed runs added up. Schedules ignore it, so they stay deterministic."""

    warmup_steps: int = 0
    """Steps over which the learning rate rises linearly from 0."""
    schedule: Schedule = "constant"
    """``cosine`` falls from the peak to ``lr_floor`` over the whole planned run."""
    lr_floor: float = 0.0
    """Where the cosine ends, as a fraction of the peak."""
    stall_patience: int = 0
    """Quarter the learning rate after this many validations without a better ELBO (the paper's rule)."""

    kl_ramp: Ramp = "linear"
    """How the KL weight rises: ``linear`` (the paper) or ``geometric``, by the same factor in every step."""
    kl_floor: float = 1e-5
    """KL weight before the ramp."""
    kl_ceiling: float = 1.0
    """KL weight after it. Below 1 (a beta-VAE) validations, which measure the ELBO, select nothing: the last averaged
    weights are kept."""
    kl_zero_epochs: float = 0.0
    """Epochs before the ramp may start; give epochs or steps, not both."""
    kl_zero_steps: int = 0
    kl_wait_reconstruction: float = 0.0
    """The ramp also waits until the running training reconstruction is below this many nats a step."""
    kl_ramp_epochs: float = 0.0
    """Epochs over which the KL weight rises to its ceiling; give epochs or steps, not both."""
    kl_ramp_steps: int = 0

    ema_decay: float = 0.998
    """Decay of the averaged weights, which are the ones validated and released; 0 uses the raw weights."""
    crop_steps: int = 0
    """Cut each training sequence, at other places in every epoch, into passages of at most this many steps."""
    transpose_semitones: int = 0
    """Shift each training roll by up to this many semitones either way (music only)."""
    precision: Precision = "auto"
    """``bf16`` runs under autocast; ``auto`` picks it where the processor has bfloat16 instructions and
    the batch is large enough to gain by them."""

    valid_every: int = 0
    """Steps between validations; 0: once an epoch."""
    valid_batches: int = 0
    """Validate on this many batches, spread evenly over the lengths; 0: the whole split."""
    patience: int = 0
    """Stop after this many validations without a better ELBO, counted once the KL weight is 1 (never, below)."""
    checkpoint_minutes: float = 3.0
    """Minutes between saved states; 0: after every step."""
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            require_number(field.name, str(field.type), getattr(self, field.name))
        self._require(self.batch_size >= 1, "batch_size", "at least 1")
        # Each is a copy of the batch: far more than helps, and fewer than end a machine without a word.
        self._require(1 <= self.posterior_samples <= 1000, "posterior_samples", "from 1 to 1000")
        for name in _NOT_NEGATIVE:
            self._require(0 <= getattr(self, name) < math.inf, name, "0 (off) or more, and finite")
        self._require(self.crop_steps == 0 or self.crop_steps >= 4, "crop_steps", "0 (off) or at least 4")
        self._require(0 < self.learning_rate < math.inf, "learning_rate", "above 0 and finite")
        self._require(len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas), "betas", "two numbers in [0, 1)")
        self._require(0 <= self.ema_decay < 1, "ema_decay", "in [0, 1)")
        self._require(0 < self.kl_ceiling <= 1, "kl_ceiling", "above 0 and at most 1")
        self._require(0 <= self.kl_floor <= self.kl_ceiling, "kl_floor", "0 or more, and at most kl_ceiling")
        self._require(0 <= self.lr_floor <= 1, "lr_floor", "in [0, 1]")
        self._require(self.schedule in get_args(Schedule), "schedule", f"one of {', '.join(get_args(Schedule))}")
        self._require(self.kl_ramp in get_args(Ramp), "kl_ramp", f"one of {', '.join(get_args(Ramp))}")
        self._require(self.kl_ramp == "linear" or self.kl_floor > 0, "kl_floor", "above 0 for a geometric ramp")
        self._require(self.precision in get_args(Precision), "precision", f"one of {', '.join(get_args(Precision))}")
        self._require(self.max_epochs > 0 or self.max_steps > 0, "max_epochs", "above 0 when max_steps is 0")
        for phase in ("kl_zero", "kl_ramp"):
            both = getattr(self, f"{phase}_epochs") > 0 and getattr(self, f"{phase}_steps") > 0
            self._require(not both, f"{phase}_steps", f"0 when {phase}_epochs is given")

    def _require(self, condition: bool, name: str, accepted: str) -> None:
        if not condition:
            raise ConfigError(f"{name} is {getattr(self, name)!r}; it must be {accepted}.")

    def check_fit(self, dataset: Dataset) -> None:
        """Refuse data the configuration was not made for.

        Raises:
            TrainingError: another data set, other sizes, or an empty split.
        """
        if self.dataset != dataset.name:
            raise TrainingError(f"the configuration is for {self.dataset!r}, the data given is {dataset.name!r}.")
        for name in ("vocab_size", "max_length", "likelihood"):
            given, wanted = getattr(self.model, name), getattr(dataset, name)
            if given != wanted:
                raise TrainingError(f"the model does not fit {dataset.name}: {name} is {given} and should be {wanted}.")
        if not dataset.train or not dataset.valid:
            raise TrainingError(f"{dataset.name} needs at least one sequence to train on and one to validate on.")

    def total_steps(self, steps_per_epoch: int) -> int:
        """Optimiser steps of the whole planned run: the smaller of ``max_epochs`` and ``max_steps``."""
        limits = (self.max_epochs * steps_per_epoch, self.max_steps)
        return min(limit for limit in limits if limit > 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; the inverse of :meth:`from_dict`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "betas": list(self.betas), "model": config_to_dict(self.model)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Rebuild from plain values.

        Raises:
            ConfigError: an unknown or missing field, or a value out of range.
        """
        known = dict(values)
        try:
            known["model"] = config_from_dict(known["model"])
            known["betas"] = tuple(known["betas"])
            return cls(**known)
        except (KeyError, TypeError) as error:
            raise ConfigError(f"the training configuration does not fit: {error}.") from error

    def override(self, assignments: Iterable[str]) -> TrainConfig:
        """A copy with ``key=value`` assignments applied; ``model.hidden_size=256`` reaches into the model.

        Raises:
            ConfigError: no ``=``, an unknown key, or a value of the wrong kind or out of range.
        """
        own: dict[str, Any] = {}
        network: dict[str, Any] = {}
        for assignment in assignments:
            key, separator, text = assignment.partition("=")
            if not separator:
                raise ConfigError(f"{assignment!r} is no assignment; write key=value, for example batch_size=12.")
            if key.startswith("model."):
                name = key.removeprefix("model.")
                network[name] = _parse(key, text, asdict(self.model).get(name), self.model)
            else:
                own[key] = _parse(key, text, None if key in _FIXED else getattr(self, key, None), self.model)
        model = replace(self.model, **network) if network else self.model
        return replace(self, model=model, **own)

    def differences(self, other: TrainConfig) -> dict[str, tuple[Any, Any]]:
        """Fields that compute something else in ``other``: ``{name: (self's, other's)}``."""
        mine, theirs = _flat(self), _flat(other)
        names = sorted((set(mine) | set(theirs)) - RUN_FIELDS)
        return {n: (mine.get(n), theirs.get(n)) for n in names if mine.get(n) != theirs.get(n)}


def _flat(config: TrainConfig) -> dict[str, Any]:
    values = config.to_dict()
    return values | {f"model.{name}": value for name, value in values.pop("model").items()}


_FIXED = frozenset({"preset", "dataset", "model"})
_OF_THE_DATA = frozenset({"vocab_size", "likelihood", "max_length"})  # another value would be refused
_NOT_NEGATIVE = (
    "crop_steps",
    "weight_decay",
    "grad_clip",
    "max_epochs",
    "max_steps",
    "max_minutes",
    "warmup_steps",
    "stall_patience",
    "kl_zero_epochs",
    "kl_zero_steps",
    "kl_wait_reconstruction",
    "kl_ramp_epochs",
    "kl_ramp_steps",
    "transpose_semitones",
    "valid_every",
    "valid_batches",
    "patience",
    "checkpoint_minutes",
    "seed",
)


def _settable(key: str, model: ModelConfig) -> str:
    """What can be set in place of ``key``, which cannot."""
    network = [field.name for field in fields(model) if field.name not in _OF_THE_DATA]
    if key in network:
        return f"it belongs to the network: write model.{key}"
    if key.startswith("model."):
        return f"the network has {', '.join(f'model.{name}' for name in network)}"
    own = ", ".join(field.name for field in fields(TrainConfig) if field.name not in _FIXED)
    return f"choose one of {own}, or model.<field>"


def _parse(key: str, text: str, current: Any, model: ModelConfig) -> Any:  # noqa: ANN401 - a value of any field
    """``text`` as the kind of value that ``current`` is."""
    if current is None or callable(current):
        raise ConfigError(f"{key!r} cannot be set; {_settable(key, model)}.")
    try:
        if isinstance(current, tuple):
            return tuple(float(part) for part in text.strip("()[]").split(","))
        if isinstance(current, str):
            return text
        value = json.loads(text)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(text)
        if isinstance(current, int) and value != int(value):
            raise ValueError(text)
        return type(current)(value)
    except (ValueError, OverflowError) as error:
        kind = "a list of numbers" if isinstance(current, tuple) else f"of type {type(current).__name__}"
        raise ConfigError(f"{key} is {text!r}; it must be {kind}, like {current!r}.") from error
