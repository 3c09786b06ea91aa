"""A queue of recipes: one process each, low priority, each resumed where it stood and each with a time budget."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from lnf_core.errors import ConfigError, TrainingError
from lnf_core.training.recipe import read_recipe

Say = Callable[[str], None]
_PRIORITY = 10


@dataclass(frozen=True)
class Entry:
    """One line of the queue."""

    recipe: Path
    minutes: float
    """Training time of one turn, 0 for no limit; the next start of the queue gives it another."""

    @property
    def name(self) -> str:
        """For example ``jsb/af-scf``: the recipe's folder and file."""
        recipe = self.recipe.resolve()  # beside the queue's file it has no folder in its name, or ".." for one
        return f"{recipe.parent.name}/{recipe.stem}".lstrip("/")


def read_queue(path: Path) -> list[Entry]:
    """The entries of a queue file: ``[[run]]`` with ``recipe`` (relative to the file) and ``minutes``.

    Raises:
        ConfigError: missing, not TOML, an entry without recipe or with minutes that are none, a recipe that cannot be
            read, or two that would share the folder of a run.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = [Entry(path.parent / run["recipe"], float(run["minutes"])) for run in values["run"]]
    except FileNotFoundError as error:
        raise ConfigError(f"there is no queue {path}; that of the repository is recipes/queue.toml.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a queue: {error}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} is no queue of [[run]] entries, each with a recipe and a number of minutes."
        ) from error
    recipes: dict[str, Path] = {}
    for entry in entries:
        if not 0 <= entry.minutes < math.inf:  # false for NaN as well
            raise ConfigError(f"{path} gives {entry.name} {entry.minutes:g} minutes; give 0 (no limit) or more.")
        read_recipe(entry.recipe)
        if (other := recipes.setdefault(entry.name, entry.recipe)).resolve() != entry.recipe.resolve():
            raise ConfigError(f"{path}: {other} and {entry.recipe} are both run as {entry.name}; rename one.")
    return entries


class Queue:
    """Runs entries one after the other, ``processes`` at a time, each on one thread.

    SIGTERM and SIGINT reach every run, which saves its state and ends within a step.
    """

    def __init__(self, entries: list[Entry], runs: Path, *, processes: int = 1, say: Say = print) -> None:
        self._waiting, self._runs, self._processes, self._say = list(entries), runs, processes, say
        self._lock = threading.Lock()
        self._active: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._failed: list[str] = []
        self._broken: list[Exception] = []

    def run(self) -> None:
        """Until the queue is empty or stopped.

        Raises:
            TrainingError: a run failed; the others were run all the same.
            Exception: what ended the queue itself, such as a run that cannot be started or ``say`` without a reader.
        """
        workers = [threading.Thread(target=self._work) for _ in range(self._processes)]
        with self._on_signals():
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        if self._broken:
            raise self._broken[0]
        if self._failed:
            raise TrainingError(f"these runs of the queue failed: {', '.join(self._failed)}; their lines say why.")

    def _work(self) -> None:
        try:
            while (entry := self._next()) is not None:
                self._one(entry)
        except Exception as error:  # a thread that dies by it would say nothing to who waits
            self._broken.append(error)
            self.stop()

    def _next(self) -> Entry | None:
        with self._lock:
            return None if self._stopped or not self._waiting else self._waiting.pop(0)

    def _one(self, entry: Entry) -> None:
        arguments = ["--recipe", str(entry.recipe), "--out", str(self._runs / entry.name), "--threads", "1"]
        command = [sys.executable, "-u", "-m", "lnf_core", "train", *arguments, "--max-minutes", str(entry.minutes)]
        with self._lock:
            if self._stopped:
                return
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # the terminal's Ctrl-C comes through us, once
                preexec_fn=(lambda: os.nice(_PRIORITY)) if hasattr(os, "nice") else None,
            )
            self._active.add(process)
        if self._stopped:  # meanwhile: stop() may have looked before there was anything to ask
            process.terminate()
        assert process.stdout is not None
        for line in process.stdout:
            self._say(f"{entry.name}: {line.rstrip()}")
        status = process.wait()
        with self._lock:
            self._active.discard(process)
        # A run that is asked before it listens, while it still loads, ends by the signal: it had nothing to save.
        asked = self._stopped and status == -signal.SIGTERM
        if status not in (0, 130) and not asked:
            self._say(f"{entry.name}: ended with {f'status {status}' if status > 0 else f'signal {-status}'}")
            self._failed.append(entry.name)

    def stop(self) -> None:
        """Start nothing more and ask what runs to save its state."""
        self._stopped = True
        for process in list(self._active):
            process.terminate()

    @contextmanager
    def _on_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        previous: dict[int, Any] = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
