"""Two tiny models trained while people watch, one with KL annealing and one without; the same runs for everybody."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.limits import FieldError, whole
from lnf_core.training.collapse import STEPS, Moment, Walk, Watched

SEEDS = (1, 9)
"""Few, so that a class shares its runs and a server trains each of them once."""
_EVERY = 3  # steps between two points of a curve; each is the mean of as many batches
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WRITTEN = 4
_SOURCE = Walk()
_LOG = logging.getLogger("app")


@dataclass
class _Run:
    """What is known of one seed so far: ``[annealed, at once]``."""

    points: tuple[list[list[float]], list[list[float]]] = field(default_factory=lambda: ([], []))
    written: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    done: bool = False
    failed: bool = False


class Annealing:
    """Trains what is asked for, one seed after another, in one thread that ends when nothing is left to do."""

    def __init__(self, steps: int = STEPS) -> None:
        self._steps = steps
        self._lock = threading.Lock()
        self._runs: dict[int, _Run] = {}
        self._waiting: deque[int] = deque()
        self._busy = False

    def view(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The curves of ``seed`` from point ``after`` on; asking for a seed nobody asked for yet starts its training.

        A point is ``[step, KL weight, reconstruction, KL]``, nats a step. One whose training failed is trained anew for
        who wants to ``begin``, not for who asks how far it is.

        Raises:
            FieldError: a seed or a place that is none, or a training that failed.
        """
        seed = whole("seed", "The seed", asked.get("seed", 1), SEEDS)
        after = whole("after", "The place to go on from", asked.get("after", 0), (0, self._steps))
        with self._lock:
            run = self._runs.get(seed)
            if run is not None and run.failed and not asked.get("begin"):
                raise FieldError("seed", "The training broke off; press Train both to begin it again.")
            if run is None or run.failed:
                run = self._runs[seed] = _Run()
                self._waiting.append(seed)
                if not self._busy:
                    self._busy = True
                    threading.Thread(target=self._train, name="annealing", daemon=True).start()
            ahead = self._waiting.index(seed) + 1 if seed in self._waiting else 0
            return {
                "seed": seed,
                "points": [curve[after:] for curve in run.points],
                "written": [list(lines) for lines in run.written],
                "ahead": ahead,
                "done": run.done,
                "steps": self._steps,
                "entropy": round(_SOURCE.entropy, 4),
                "unconditional": round(_SOURCE.unconditional, 4),
            }

    def _train(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                seed = self._waiting.popleft()
            try:
                self._run(seed)
            except Exception:
                _LOG.exception("The lesson's training of seed %d failed", seed)
                with self._lock:
                    self._runs[seed].failed = True

    def _run(self, seed: int) -> None:
        runs = [Watched(annealed, seed, self._steps, _SOURCE) for annealed in (True, False)]
        moments: tuple[list[Moment], list[Moment]] = ([], [])
        for pair in zip(*(run.run() for run in runs), strict=True):
            for kept, moment in zip(moments, pair, strict=True):
                kept.append(moment)
            if len(moments[0]) == _EVERY:
                with self._lock:
                    for curve, kept in zip(self._runs[seed].points, moments, strict=True):
                        curve.append(_point(kept))
                        kept.clear()
        lines = [["".join(_LETTERS[i] for i in x.tolist()) for x in run.write(_WRITTEN).T] for run in runs]
        with self._lock:
            self._runs[seed].written = (lines[0], lines[1])
            self._runs[seed].done = True


def _point(moments: list[Moment]) -> list[float]:
    means = [sum(getattr(moment, name) for moment in moments) / len(moments) for name in ("reconstruction", "kl")]
    return [moments[-1].step, round(moments[-1].kl_weight, 4), *(round(mean, 4) for mean in means)]
