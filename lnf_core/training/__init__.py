"""Training: presets, schedules, averaged weights, and a trainer that emits events."""

from lnf_core.training.config import TrainConfig
from lnf_core.training.events import CheckpointEvent, Event, FinishedEvent, StepEvent, ValidEvent
from lnf_core.training.presets import preset, preset_dataset, preset_names
from lnf_core.training.trainer import Trainer

__all__ = [
    "CheckpointEvent",
    "Event",
    "FinishedEvent",
    "StepEvent",
    "TrainConfig",
    "Trainer",
    "ValidEvent",
    "preset",
    "preset_dataset",
    "preset_names",
]
