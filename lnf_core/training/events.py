"""What the trainer tells its callbacks. It prints nothing itself: command line, log file and app listen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from lnf_core.errors import TrainingError, reason_of

METRICS_FILE = "metrics.jsonl"
"""Where a run keeps its events."""

StopReason = Literal["completed", "early_stop", "max_minutes", "interrupted"]


@dataclass(frozen=True)
class StepEvent:
    """One optimiser step. Nats are for each of the T + 1 symbols of a sequence, averaged over the batch."""

    step: int
    """Steps done, counting this one."""
    epoch: int
    """Counted from 0."""
    total_steps: int
    loss: float
    """``reconstruction + kl_weight * kl``."""
    reconstruction: float
    """``-log p(x | z)``."""
    kl: float
    kl_weight: float
    learning_rate: float
    grad_norm: float
    """Before clipping."""
    tokens_per_second: float
    """Time steps of training data per second of wall time."""


@dataclass(frozen=True)
class ValidEvent:
    """A validation of the averaged weights at KL weight 1, in nats for each of the T + 1 symbols."""

    step: int
    epoch: int
    negative_elbo: float
    """Negative ELBO, ``reconstruction + kl - log p(T)``: lower is better."""
    reconstruction: float
    kl: float
    kl_weight: float
    """The training's weight at that step."""
    best: bool
    """Whether ``best/`` holds these weights now: the best so far with the KL weight at 1, or the last of a run that has
    none of those."""
    learning_rate: float
    minutes: float
    """Training time so far, earlier parts of a resumed run included."""


@dataclass(frozen=True)
class CheckpointEvent:
    """The state of the run was written; it can be resumed from here."""

    step: int
    epoch: int
    path: Path
    minutes: float


@dataclass(frozen=True)
class FinishedEvent:
    """The run ended."""

    step: int
    epoch: int
    reason: StopReason
    best_negative_elbo: float | None
    """The released weights' negative ELBO on validation; None when nothing was selected."""
    best_step: int | None
    best_path: Path | None
    minutes: float


Event = StepEvent | ValidEvent | CheckpointEvent | FinishedEvent
Callback = Callable[[Event], None]

_NAMES: dict[type, str] = {
    StepEvent: "step",
    ValidEvent: "valid",
    CheckpointEvent: "checkpoint",
    FinishedEvent: "finished",
}


class MetricsWriter:
    """Callback that appends every event to a JSON-lines file as ``{"event": "step", ...}``.

    Args:
        path: The file, made when missing.
        resume_step: Steps already done. Lines of later steps, of the end of an earlier part and those that are no
            events go, so that no step is logged twice. 0 starts an empty file.

    Raises:
        TrainingError: the file cannot be read or written; from :meth:`__call__` too, where the disk is full.
    """

    def __init__(self, path: Path, resume_step: int = 0) -> None:
        self._path = path
        events = read_events(path) if resume_step and path.exists() else []
        kept = [event for event in events if event["event"] != "finished" and event["step"] <= resume_step]
        scratch = path.with_suffix(".tmp")
        with self._named():
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_text("".join(json.dumps(event) + "\n" for event in kept), encoding="utf-8")
            scratch.replace(path)
            # Line buffering: a killed run has lost no line that a saved state counts on.
            self._file: IO[str] = path.open("a", encoding="utf-8", buffering=1)

    def __call__(self, event: Event) -> None:
        """Write one line."""
        line = {"event": _NAMES[type(event)], **asdict(event)}
        with self._named():
            self._file.write(json.dumps(line, default=str) + "\n")

    def close(self) -> None:
        """Close the file."""
        with self._named():
            self._file.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrainingError(f"cannot write {self._path}: {reason_of(error)}.") from error


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events in a ``metrics.jsonl``, in order: each has an ``event`` of ours and a whole ``step``.

    Lines that are no events are passed over: foreign ones, and the last one of a run that was killed as it wrote.

    Raises:
        TrainingError: the file cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {reason_of(error)}.") from error
    return [event for event in map(_event, lines) if event is not None]


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):  # ValueError: no UTF-8, no JSON, or endless digits
        return None
    named = isinstance(values, dict) and values.get("event") in _NAMES.values()
    return values if named and type(values.get("step")) is int else None
