"""The folder of a run: one run at a time has it, and what an earlier one wrote is not thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from lnf_core.errors import TrainingError
from lnf_core.training.checkpoints import BEST_FOLDER
from lnf_core.training.events import METRICS_FILE, read_events
from lnf_core.training.state import no_folder, state_path

_LOCK = ".lock"


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Within the block no other run has the folder ``out``, of this process or another.

    The lock goes with the process, however that ends. Where the system or the disk has no locks, nothing is held.

    Raises:
        TrainingError: another run has the folder, or it cannot be written.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        file = (out / _LOCK).open("a")
    except OSError as error:
        raise no_folder(out, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(
                f"another run is at work in {out}; stop it, wait for its end, or choose another folder."
            ) from error
        except OSError:
            pass  # a network disk without locks is no reason not to train
        yield


def set_aside(out: Path) -> None:
    """Rename what a run left that was killed before its first state: ``metrics-1.jsonl`` and ``best-1``, and so on.

    Raises:
        TrainingError: the run they tell of had a state, which is gone: it was more than a start.
    """
    path = out / METRICS_FILE
    if not path.exists() or path.stat().st_size == 0:
        return
    if any(event["event"] == "checkpoint" for event in read_events(path)):
        raise TrainingError(
            f"{path} tells of a run whose {state_path(out).relative_to(out)} is gone; put that back, move the folder "
            "away, or choose another one."
        )
    number = next(number for number in count(1) if not (out / f"{path.stem}-{number}{path.suffix}").exists())
    path.rename(out / f"{path.stem}-{number}{path.suffix}")
    if (out / BEST_FOLDER).exists():  # nobody may take its weights for those of the run that begins now
        (out / BEST_FOLDER).rename(out / f"{BEST_FOLDER}-{number}")
