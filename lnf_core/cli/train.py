"""``train``: run a preset, with a progress bar drawn from the trainer's events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lnf_core.cli.common import Threads, path_argument, path_option
from lnf_core.errors import InvalidInputError

if TYPE_CHECKING:
    from lnf_core.training import Event, FinishedEvent


def train(
    out: Annotated[Path, path_option("The run's folder; created when missing.")],
    preset: Annotated[str, typer.Option(help="What to train: jsb/af-scf, ptb/lstm, paper/muse/af-af, ...")] = "",
    recipe: Annotated[
        Path | None, path_option("A recipe of several stages in place of a preset; always goes on with OUT.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT, if there is one.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: learning_rate=1e-3, model.hidden_size=256."),
    ] = None,
    threads: Threads = 0,
    max_minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop after so much training time from now on; 0: no limit.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Every stage of the recipe from scratch, with this seed.")
    ] = None,
) -> None:
    """Train a model. Start it by ``accelerate launch -m lnf_core train ...`` to use several GPUs or machines."""
    import torch

    from lnf_core.data import load_dataset
    from lnf_core.training import Trainer, preset_dataset
    from lnf_core.training import preset as preset_config
    from lnf_core.training.state import read_state

    if threads:
        torch.set_num_threads(threads)
    if bool(preset) is (recipe is not None) or (recipe is not None and settings):
        raise InvalidInputError("give --preset, with --set to change it, or --recipe, which has settings of its own.")
    if max_minutes is not None and any(given.partition("=")[0] == "max_minutes" for given in settings or ()):
        raise InvalidInputError("give --max-minutes or --set max_minutes=..., not both.")
    if seed is not None and recipe is None:
        raise InvalidInputError("--seed goes with --recipe; for a preset give --set seed=1.")
    if recipe is not None:
        _run_recipe(recipe, out, device, max_minutes or 0.0, seed)
        return
    dataset = load_dataset(preset_dataset(preset))
    config, limit = preset_config(preset, dataset), max_minutes or 0.0
    saved = read_state(out) if resume else None
    if saved is not None and saved.config.preset == preset:  # the trainer refuses another
        config = saved.config  # --set need not be repeated
        limit = saved.minutes + limit if limit else 0.0  # the one given earlier was for that time
    config = config.override([f"max_minutes={limit}", *(settings or [])])
    bar = ProgressBar()
    trainer = Trainer(config, dataset, out, device=device, resume=resume, callbacks=[bar])
    _watched(trainer.run, bar)


def train_queue(
    queue: Annotated[Path, path_argument("The queue file.")] = Path("recipes/queue.toml"),
    runs: Annotated[Path, path_option("Folder of the runs.")] = Path("runs"),
    processes: Annotated[int, typer.Option(min=1, help="Runs at a time, one thread each.")] = 1,
) -> None:
    """Run recipes one after the other at low priority; stop it with Ctrl-C and start it again at any time."""
    from lnf_core.training.queue import Queue, read_queue

    Queue(read_queue(queue), runs, processes=processes, say=typer.echo).run()


def _run_recipe(path: Path, out: Path, device: str, minutes: float, seed: int | None) -> None:
    from lnf_core.data import load_dataset
    from lnf_core.training import preset_dataset
    from lnf_core.training.recipe import read_recipe
    from lnf_core.training.stages import begins_released, run_recipe

    recipe = read_recipe(path)
    if seed is not None:
        recipe = recipe.seeded(seed)
    dataset = load_dataset(preset_dataset(recipe.preset))
    if begins_released(recipe, out):
        stage = recipe.released_stage
        typer.echo(f"goes on from the released {recipe.released} with stage {stage}; --seed 0 trains every stage.")
    bar = ProgressBar()
    if _watched(lambda: run_recipe(recipe, dataset, out, device=device, minutes=minutes, callbacks=[bar]), bar) is None:
        typer.echo(f"every stage in {out} is done.")


def _watched(run: Callable[[], FinishedEvent | None], bar: ProgressBar) -> FinishedEvent | None:
    try:
        finished = run()
    finally:
        bar.close()
        _leave_group()
    if finished is not None and finished.reason == "interrupted":
        raise typer.Exit(130)
    return finished


def _leave_group() -> None:
    """End the process group of a run with several processes, so that none waits for the others at exit."""
    import torch.distributed

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


class ProgressBar:
    """Callback that draws a bar on a terminal, and a line for each validation anywhere."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        """Draw one event."""
        from lnf_core.training import FinishedEvent, StepEvent, ValidEvent

        if isinstance(event, StepEvent):
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(total=event.total_steps, initial=event.step - 1, unit="step", disable=None)
            self._bar.update()
            self._bar.set_postfix(
                epoch=event.epoch, rec=f"{event.reconstruction:.3f}", kl=f"{event.kl:.3f}", w=f"{event.kl_weight:.2g}"
            )
        elif isinstance(event, ValidEvent):
            self._say(
                f"step {event.step} (epoch {event.epoch}, {event.minutes:.1f} min): valid negative ELBO "
                f"{event.negative_elbo:.4f} nats = reconstruction {event.reconstruction:.4f} + KL {event.kl:.4f} "
                f"+ length, KL weight {event.kl_weight:.3g}{', best' if event.best else ''}"
            )
        elif isinstance(event, FinishedEvent):
            self._say(_summary(event))
            self.close()
            self._bar = None  # the next stage has a bar of its own

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        typer.echo(line)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def _summary(event: FinishedEvent) -> str:
    reasons = {
        "completed": "Done",
        "early_stop": "Stopped, since validation no longer improves,",
        "max_minutes": "Out of time",
        "interrupted": "Interrupted (state saved, go on with --resume)",
    }
    best = "no weights selected yet"
    if event.best_negative_elbo is not None:
        where = f"at step {event.best_step}, in {event.best_path}"
        best = f"best valid negative ELBO {event.best_negative_elbo:.4f} nats {where}"
    steps = f"{event.step} step" + ("" if event.step == 1 else "s")
    return f"{reasons[event.reason]} after {steps} and {event.minutes:.1f} minutes; {best}."
