"""Steps 2 and 3: the models of the plan side by side on one card, gone on with at every call.

In full a run stays in the work folder, as long as the machine is the same. What comes back is a parcel of at most
:data:`SENT_BYTES`: of each model the whole run where it fits, so that another machine goes on to the last bit; else its
best weights in float16, and a later machine begins the stage they are of again with them; else figures alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.parcels import MIB, PART_BYTES, PARTS, join, split, tree_bytes
from benchmarks.gpu.plan import Run, read_plan, starting_from, write_recipe
from benchmarks.gpu.record import Call, PlanError, Record, utilisation
from benchmarks.gpu.service import share_card
from lnf_core.errors import TrainingError
from lnf_core.storage.bundle import read_checkpoint, save_checkpoint
from lnf_core.training.checkpoints import BEST_FOLDER
from lnf_core.training.events import read_events
from lnf_core.training.queue import Entry, Queue
from lnf_core.training.recipe import Recipe
from lnf_core.training.stages import DONE, first_stage, stage_folder
from lnf_core.training.trainer import METRICS_FILE

SENT_BYTES = 54 * MIB
"""Most of a parcel before it is compressed: four files of 15 MiB, which may travel again with code and data."""
_AROUND = 100.0  # seconds for starting, the last validation and the parcel
_STAGE, _START = "stage", "start"


def train(step: str, call: Call) -> bool:
    """One call of a step: unpack what came back earlier, train, evaluate what is finished, pack what goes back.

    Returns whether every model is trained and evaluated.

    Raises:
        ParcelError: what came back earlier is damaged.
        TrainingError: a run failed; the others were trained and packed all the same.
    """
    runs = [run for run in read_plan(small=call.small) if run.step == step and run.name in (call.only or (run.name,))]
    if not runs:
        raise PlanError(f"{step} trains none of {', '.join(call.only)}; the plan is benchmarks/gpu/plan.toml.")
    folders = {run.name: call.work / run.name for run in runs}
    record = Record(step, call)
    # Weights that stayed on another machine are not made again for figures that came back.
    to_train = [run for run in runs if not (run.figures_only and _has_figures(run, record.items.get(run.name, {})))]
    put_back(step, call, {run.name: folders[run.name] for run in runs if not run.figures_only})
    _stay_on(call.device)
    entries = []
    minutes = max((call.clock.seconds_left() - _AROUND) / 60, 1e-3)  # 0 would be no limit
    if call.train_minutes is not None:
        minutes = min(minutes, max(call.train_minutes, 1e-3))
    for run in to_train:
        path = call.work / "recipes" / f"{run.name}.toml"
        write_recipe(from_sent_weights(run, folders[run.name]), path)
        entries.append(Entry(path, minutes))
    before = {run.name: progress(run, folders[run.name]) for run in to_train}
    queue = Queue(entries, call.work, processes=len(entries), say=lambda line: print(line, flush=True))
    shared = share_card(call.device)
    busy = _Watch(call)
    stop = threading.Timer(max(call.clock.seconds_left() - _AROUND / 2, 1.0), queue.stop)
    kill = threading.Timer(max(call.clock.seconds_left() - _AROUND / 4, 2.0), end_children)
    stop.start()
    kill.start()
    failed: TrainingError | None = None
    try:
        if not call.send_only:
            queue.run()
    except TrainingError as error:
        failed = error
    finally:
        stop.cancel()
        kill.cancel()
        seen = busy.end()
    for run in to_train:
        found = progress(run, folders[run.name])
        item: dict[str, Any] = record.items.setdefault(run.name, {"calls": []})
        item["calls"].append(
            {
                **found,
                "from": before[run.name]["step"],
                "card": seen,
                "shared_by_service": shared,
                "date": record.about["date"],
            }
        )
        item["seconds_per_epoch"] = _epoch_seconds(run, folders[run.name]) or item.get("seconds_per_epoch")
    record.save()
    # What cannot be evaluated elsewhere first; a rehearsal evaluates one: the others are no different.
    evaluated = sorted(runs, key=lambda run: not run.figures_only)[: 1 if call.small else None]
    for run in evaluated:
        item = record.items[run.name]
        if item["calls"][-1]["done"] and not _has_figures(run, item):
            _evaluate(run, folders[run.name], item, call)
            record.save()
    send(step, call, runs, folders)
    if failed is not None:
        raise failed
    return all(_has_figures(run, record.items[run.name]) for run in evaluated)


def progress(run: Run, folder: Path) -> dict[str, Any]:
    """How far a run is: its stage, counted from 1, the step within it, and the best validation so far, in nats."""
    done = _stages_done(run, folder)
    stage = min(done, len(run.recipe.stages) - 1)
    valid = [e for e in _events(stage_folder(run.recipe, folder, stage)) if e["event"] in ("step", "valid")]
    steps = [event["step"] for event in valid]
    elbos = [event["negative_elbo"] for event in valid if event.get("best")]
    return {
        "stage": stage + 1,
        "step": max(steps, default=0),
        "best_negative_elbo": min(elbos, default=None),
        "done": done == len(run.recipe.stages),
    }


def _stages_done(run: Run, folder: Path) -> int:
    """How many stages need nothing more, those included that lie behind released weights."""
    stages = range(first_stage(run.recipe, folder), len(run.recipe.stages))
    return next((n for n in stages if not (stage_folder(run.recipe, folder, n) / DONE).exists()), stages.stop)


def _events(stage: Path) -> list[dict[str, Any]]:
    path = stage / METRICS_FILE
    return read_events(path) if path.is_file() else []


def _epoch_seconds(run: Run, folder: Path) -> float | None:
    """Seconds an epoch by the training clock, validations included, over whole epochs of the newest stage."""
    for number in reversed(range(len(run.recipe.stages))):
        found = [e for e in _events(stage_folder(run.recipe, folder, number)) if e["event"] == "valid"]
        if len(found) >= 2 and found[-1]["epoch"] > found[0]["epoch"]:
            first, last = found[0], found[-1]
            steps = last["step"] - first["step"]
            each = _steps_an_epoch(stage_folder(run.recipe, folder, number))
            return None if each is None else 60 * (last["minutes"] - first["minutes"]) * each / steps
    return None


def _steps_an_epoch(stage: Path) -> int | None:
    """The step at which epoch 1 begins, from the step events; None where it was not reached."""
    begun = [event["step"] - 1 for event in _events(stage) if event["event"] == "step" and event["epoch"] == 1]
    return min(begun, default=None)


def _stay_on(device: str) -> None:
    """``auto``, which the queue's processes take, is CUDA where a card is seen."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def end_children() -> None:
    """Kill what this process started and is still there: a run that hangs must not cost the others their parcel.

    Its last saved state is packed. Does nothing where there is no ``/proc``.
    """
    for listed in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        for child in listed.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)


class _Watch:
    """Asks the card every ten seconds how busy it is while the models train."""

    def __init__(self, call: Call) -> None:
        self._seen: list[dict[str, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        if call.device == "cuda":
            self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(10.0):
            if (now := utilisation()) is not None:
                self._seen.append(now)

    def end(self) -> dict[str, float] | None:
        """The average over all that was seen."""
        self._over.set()
        if not self._seen:
            return None
        return {key: round(sum(now[key] for now in self._seen) / len(self._seen), 1) for key in self._seen[0]}


def _splits(run: Run) -> tuple[str, ...]:
    """What a run is evaluated on: where the weights stay on the machine on test as well, as nobody can do it later."""
    return ("valid", "test") if run.figures_only else ("valid",)


def _has_figures(run: Run, item: dict[str, Any]) -> bool:
    """Whether nothing is left to evaluate."""
    return all(split_name in item for split_name in _splits(run))


def _evaluate(run: Run, folder: Path, item: dict[str, Any], call: Call) -> None:
    """The figures by the evaluation protocol, if the time left is enough for them."""
    best = stage_folder(run.recipe, folder, len(run.recipe.stages) - 1) / BEST_FOLDER
    for split_name in _splits(run):
        left = call.clock.seconds_left() - _AROUND / 4
        if split_name in item or left < 5 or not best.is_dir():
            continue
        command = [sys.executable, "-m", "lnf_core", "evaluate", str(best), "--split", split_name, "--json", "--write"]
        command += ["--device", call.device, "--batch-size", "64", *(("--samples", "1") if call.small else ())]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=left, check=True)
        except subprocess.TimeoutExpired:
            print(f"{run.name}: no time was left to evaluate it; the next call does", flush=True)
            return
        except subprocess.CalledProcessError as error:
            raise TrainingError(f"{run.name} cannot be evaluated: {error.stderr.strip()[-500:]}") from error
        figures = json.loads(done.stdout)
        item[split_name] = figures | {"checkpoint": run.name, "precision": "fp32, cuDNN free to take tf32"}
        print(f"{run.name}: {split_name} nll {figures['nll']:.4f}", flush=True)


# ------------------------------------------------------------------------------------------------------ what travels


def send(step: str, call: Call, runs: list[Run], folders: dict[str, Path], limit: int = SENT_BYTES) -> dict[str, str]:
    """Pack what fits into ``limit`` bytes, the models of ``call.first`` before the others.

    Returns what was sent of each model: ``whole``, ``weights`` or ``figures``.
    """
    order = sorted(runs, key=lambda run: run.name not in call.first)
    sent = {}
    call.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=call.work, prefix=".parcel-") as place:
        tree, left = Path(place), limit
        for run in order:
            ways = (("figures", _figures),) if run.figures_only else (("whole", _whole), ("weights", _weights))
            for how, fill in ways:
                target = tree / run.name
                if not fill(run, folders[run.name], target, left):
                    continue
                if (size := tree_bytes(target)) <= left:
                    left -= size
                    sent[run.name] = how
                    break
                shutil.rmtree(target)
            else:
                sent[run.name] = "figures"
            print(f"{run.name}: {sent[run.name]} sent", flush=True)
        # Each call's parcel has a name of its own: those of several calls lie side by side in one folder.
        name = f"{step}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        split(tree, name, call.out, part_bytes=tree_bytes(tree) // 3 + 1 if call.small else PART_BYTES)
    return sent


def _whole(_run: Run, folder: Path, target: Path, limit: int) -> bool:
    if not folder.is_dir() or tree_bytes(folder) > limit:
        return False
    shutil.copytree(folder, target)
    return True


def _figures(run: Run, folder: Path, target: Path, _limit: int) -> bool:
    """The configuration and the figures of the last stage's best weights, without the weights."""
    best = stage_folder(run.recipe, folder, len(run.recipe.stages) - 1) / BEST_FOLDER
    kept = [best / name for name in ("config.json", "metrics.json") if (best / name).is_file()]
    if not kept:
        return False
    target.mkdir(parents=True)
    for path in kept:
        shutil.copyfile(path, target / path.name)
    return True


def _weights(run: Run, folder: Path, target: Path, _limit: int) -> bool:
    """The newest best weights in float16: in their stage's own place where it is done, else to begin it again with."""
    done = _stages_done(run, folder)
    held = [n for n in range(len(run.recipe.stages)) if (stage_folder(run.recipe, folder, n) / BEST_FOLDER).is_dir()]
    newest = max([*held, -1])
    source = stage_folder(run.recipe, folder, newest) / BEST_FOLDER
    begun = int((folder / _STAGE).read_text()) if (folder / _STAGE).is_file() else -1
    if begun >= done and begun > newest:  # begun again with weights that came, and none better yet
        newest, source = begun, folder / _START
    if newest < 0:
        return False
    finished = newest < done
    for number in range(newest + 1 if finished else done):
        stage_folder(run.recipe, target, number).mkdir(parents=True)
        (stage_folder(run.recipe, target, number) / DONE).touch()
    best = read_checkpoint(source)
    save_checkpoint(
        stage_folder(run.recipe, target, newest) / BEST_FOLDER if finished else target / _START,
        best.model,
        dataset=best.dataset,
        vocabulary=best.vocabulary,
        training=best.training,
        dtype=torch.float16,
    )
    if not finished:
        (target / _STAGE).write_text(f"{newest}\n", encoding="utf-8")
    return True


def put_back(step: str, call: Call, folders: dict[str, Path]) -> list[str]:
    """Unpack the parcels of earlier calls, the newest of each run; one that is in the work folder is left alone.

    Returns the names of the runs that were unpacked.

    Raises:
        ParcelError: a part is missing or damaged.
    """
    call.work.mkdir(parents=True, exist_ok=True)
    arrived = []
    for parcel in sorted(call.back.glob(f"{step}-*{PARTS}"), reverse=True):
        with tempfile.TemporaryDirectory(dir=call.work, prefix=".parcel-") as place:
            join(call.back, parcel.name.removesuffix(PARTS), Path(place))
            for name, folder in folders.items():
                if (Path(place) / name).is_dir() and not folder.exists():
                    folder.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(Path(place) / name, folder)
                    arrived.append(name)
                    print(f"{name}: put back", flush=True)
    return arrived


def from_sent_weights(run: Run, folder: Path) -> Recipe:
    """The run's recipe; where weights alone came back, their stage begins with them."""
    if not (folder / _STAGE).is_file():
        return run.recipe
    return starting_from(run.recipe, int((folder / _STAGE).read_text()), folder / _START)
