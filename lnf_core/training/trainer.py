"""The training loop: maximise the ELBO under a KL schedule, validate averaged weights, emit events.

It prints nothing and draws nothing: callbacks do. A run is a function of its configuration and the data, so one that
was killed and resumed repeats the losses of one that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lnf_core.data import Dataset
from lnf_core.errors import TrainingError
from lnf_core.models.build import SequenceModel, build_model
from lnf_core.storage.files import from_home
from lnf_core.training.batches import BatchPlan, derive_generator, derive_seed, shard, symbol_count
from lnf_core.training.checkpoints import BEST_FOLDER, describe, save_best, take_up
from lnf_core.training.config import TrainConfig
from lnf_core.training.ema import WeightAverage
from lnf_core.training.events import (
    METRICS_FILE,
    Callback,
    CheckpointEvent,
    Event,
    FinishedEvent,
    MetricsWriter,
    StepEvent,
    StopReason,
    ValidEvent,
)
from lnf_core.training.finite import require_finite
from lnf_core.training.folder import held, set_aside
from lnf_core.training.runtime import StopRequest, enough_memory, make_accelerator, private_global_generator
from lnf_core.training.schedule import KLPlan, learning_rate, running_average
from lnf_core.training.state import Counters, no_folder, read_state, restore, save_state, state_path, state_stamp
from lnf_core.training.validation import Validator
from lnf_core.version import code_version


class Trainer:
    """One run in one folder.

    The folder gets ``metrics.jsonl`` (every event), ``state/`` (to resume from) and ``best/`` (a checkpoint of the
    averaged weights with the best validation ELBO).

    A process trains one run at a time. The initial weights and dropout draw from PyTorch's global generators, and
    Accelerate keeps device and precision for the whole process: of two runs in threads neither can be repeated, nor of
    one beside which another thread draws from those generators, builds a model or loads one.

    Args:
        config: What to do.
        dataset: The data ``config.dataset`` names.
        out: The run's folder. With several machines it must be shared by all.
        device: ``auto``, ``cpu`` or ``cuda``.
        resume: Go on from the state in ``out``; from the start where there is none yet.
        callbacks: Called with every event, in the main process only.

    Raises:
        TrainingError: ``out`` holds another run, or the configuration does not fit the data or the machine.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        out: Path,
        *,
        device: str = "auto",
        resume: bool = False,
        callbacks: Iterable[Callback] = (),
    ) -> None:
        dataset, out = dataset.for_network(config.model.vocab_size), from_home(out)
        config.check_fit(dataset)
        self.config, self.dataset, self.out = config, dataset, out
        self.stop = StopRequest()
        """Set it to end the run within the next step, state saved; SIGTERM and SIGINT do the same."""
        self._state_stamp = state_stamp(out)
        if self._state_stamp is not None and not resume:
            raise TrainingError(f"{out} already holds a run; go on with it (--resume) or choose another folder.")
        if (saved := read_state(out)) is not None:
            saved.check_goes_on(out, config, dataset)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise no_folder(out, error) from error

        self._accelerator = make_accelerator(device, config.precision, config.batch_size * config.posterior_samples)
        if config.batch_size < self._accelerator.num_processes:
            raise TrainingError(
                f"batch_size is {config.batch_size} for {self._accelerator.num_processes} processes; "
                "each needs at least one sequence."
            )
        self.device = self._accelerator.device
        with private_global_generator(self.device), enough_memory("the model", "give it smaller sizes"):
            torch.manual_seed(derive_seed(config.seed, "init"))
            self.model: SequenceModel = build_model(config.model, dataset.length_counts).to(self.device)
            """The network that is trained, not wrapped."""
        self._progress = Counters()
        if config.start_from and saved is None:
            self._progress.started_from = take_up(self.model, config.start_from, dataset)
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._wrapped, self._stepper = self._accelerator.prepare(self.model, self._optimizer)
        self.average = WeightAverage(self.model, config.ema_decay)
        """Its averaged weights, the ones that are validated and released."""
        if saved is not None:
            restore(out, saved, model=self.model, average=self.average, optimizer=self._optimizer)
            self._progress = saved.progress

        self._plan = BatchPlan(
            dataset.train,
            config.batch_size,
            seed=config.seed,
            transpose_semitones=config.transpose_semitones if dataset.domain == "music" else 0,
            crop_steps=config.crop_steps,
        )
        self.total_steps = config.total_steps(self._plan.steps_per_epoch)
        self._kl = KLPlan.of(config, self._plan.steps_per_epoch)
        self._validator = Validator(dataset.valid, config.batch_size, batches=config.valid_batches, seed=config.seed)
        self._callbacks = list(callbacks)
        self._code = code_version()

    # ------------------------------------------------------------------------------------------------------- the loop

    def run(self) -> FinishedEvent:
        """Train until the planned end, an early stop, the time limit or a stop request.

        Raises:
            TrainingError: another run has the folder, or the state that belongs to its events is gone; a loss,
                gradient or validation that is not finite, or a state that cannot be written.
        """
        with self._folder():
            finished = self._run()
        self._accelerator.wait_for_everyone()
        return finished

    @contextmanager
    def _folder(self) -> Iterator[None]:
        """Within the block the folder is this run's own, and as it was when the run was prepared."""
        if not self._accelerator.is_main_process:
            yield
            return
        with held(self.out):
            if state_stamp(self.out) != self._state_stamp:
                raise TrainingError(
                    f"another run has saved its state in {self.out} since this one was prepared; go on with it "
                    "(--resume) or choose another folder."
                )
            if self._state_stamp is None:
                set_aside(self.out)
            yield

    def asked_to_stop(self) -> bool:
        """Whether any process was asked to, in time or not; every process of the run must ask."""
        asked = torch.tensor(float(bool(self.stop)), device=self.device)
        return bool(self._accelerator.reduce(asked) > 0)

    def _run(self) -> FinishedEvent:
        writer = self._metrics_writer()
        self._clock = time.monotonic() - self._progress.seconds
        self._saved_at = time.monotonic()
        try:
            smaller = "give a smaller batch_size, posterior_samples or model, or crop_steps"
            with private_global_generator(self.device), self.stop.on_signals(), enough_memory("a step", smaller):
                finished = self._finish(self._loop())
                self._emit(finished)
        finally:
            if writer is not None:
                self._callbacks.remove(writer)
                writer.close()
        return finished

    def _metrics_writer(self) -> MetricsWriter | None:
        if not self._accelerator.is_main_process:
            return None
        writer = MetricsWriter(self.out / METRICS_FILE, self._progress.step)
        self._callbacks.insert(0, writer)  # the record first: another callback may raise
        return writer

    def _loop(self) -> StopReason:
        config, progress = self.config, self._progress
        valid_every = config.valid_every or self._plan.steps_per_epoch
        while progress.step < self.total_steps:
            if self._stalled:  # a run that had ended so is not trained on
                return "early_stop"
            out_of_time, interrupted = self._train_step()
            last = progress.step == self.total_steps
            if progress.step % valid_every == 0 or last:
                self._validate(last=last)
            ended = self._stalled or out_of_time or interrupted
            due = time.monotonic() - self._saved_at >= 60 * config.checkpoint_minutes
            if ended or due or last:
                self._save_state()
            if ended and not last:
                return "early_stop" if self._stalled else "interrupted" if interrupted else "max_minutes"
        return "completed"

    def _finish(self, reason: StopReason) -> FinishedEvent:
        progress = self._progress
        if reason == "max_minutes":
            # The newest weights may be the best. The state is safe already, and learns no more than what ``best/``
            # holds: patience and learning rate of a resumed run are those of one that never stopped.
            self._validate(last=True, counts=False)
            self._save_state()
        return FinishedEvent(
            step=progress.step,
            epoch=self._epoch,
            reason=reason,
            best_negative_elbo=progress.kept_negative_elbo,
            best_step=progress.kept_step,
            best_path=self.out / BEST_FOLDER if progress.kept_step is not None else None,
            minutes=self._minutes,
        )

    # ------------------------------------------------------------------------------------------------------- one step

    def _train_step(self) -> tuple[bool, bool]:
        """One optimiser step. Returns whether time is up and whether a stop was asked for, on any process."""
        started = time.monotonic()
        config, progress, accelerator = self.config, self._progress, self._accelerator
        step, rank = progress.step, accelerator.process_index
        if progress.ramp_start is None and self._kl.may_start(step, progress.running_reconstruction):
            progress.ramp_start = step
        weight = self._kl.weight(step, progress.ramp_start)
        rate = self._set_learning_rate(step)

        passages = self._plan.batch(step)
        batch, place, share = shard(passages, rank, accelerator.num_processes)
        batch = batch.to(self.device)
        torch.manual_seed(derive_seed(config.seed, "dropout", step, rank))
        noise = derive_generator(config.seed, "posterior", step, rank, device=self.device)
        self._wrapped.train()
        elbo = self._wrapped(
            batch.x,
            batch.lengths,
            config.posterior_samples,
            noise,
            place.to(self.device),
        )
        # sum over T and B, mean over K; every process divides by the symbols of the whole batch
        scale = share / symbol_count(passages)
        reconstruction = -scale * elbo.log_px.float().mean(-1).sum()
        kl = scale * elbo.kl.float().mean(-1).sum()
        loss = reconstruction + weight * kl

        out_of_time = 0 < config.max_minutes <= self._minutes and accelerator.is_main_process
        local = [reconstruction.detach(), kl.detach(), kl.new_tensor(out_of_time), kl.new_tensor(bool(self.stop))]
        shared = accelerator.reduce(torch.stack(local).double()).tolist()
        terms = {"reconstruction": shared[0], "kl": shared[1], "loss": shared[0] + weight * shared[1]}
        require_finite(terms, step, self.model)
        # Gradients are averaged over the processes, but the loss is a sum over them.
        accelerator.backward(loss * accelerator.num_processes)
        norm = float(accelerator.clip_grad_norm_(self.model.parameters(), config.grad_clip or math.inf))
        require_finite({**terms, "gradient norm": norm}, step, self.model)
        self._stepper.step()
        self._stepper.zero_grad()
        self.average.update()

        progress.running_reconstruction = running_average(progress.running_reconstruction, shared[0])
        epoch = self._epoch
        progress.step += 1
        steps = sum(len(passage.x) for passage in passages)
        self._emit(
            StepEvent(
                step=progress.step,
                epoch=epoch,
                total_steps=self.total_steps,
                loss=terms["loss"],
                reconstruction=shared[0],
                kl=shared[1],
                kl_weight=weight,
                learning_rate=rate,
                grad_norm=norm,
                tokens_per_second=steps / max(time.monotonic() - started, 1e-9),
            )
        )
        return bool(shared[2]), bool(shared[3])

    def _set_learning_rate(self, step: int) -> float:
        config = self.config
        rate = self._progress.learning_rate_scale * learning_rate(
            step,
            self.total_steps,
            peak=config.learning_rate,
            warmup=config.warmup_steps,
            schedule=config.schedule,
            floor=config.lr_floor,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        return rate

    # --------------------------------------------------------------------------------- validation, best weights, state

    def _validate(self, *, last: bool = False, counts: bool = True) -> None:
        progress = self._progress
        weight = self._kl.weight(progress.step - 1, progress.ramp_start)
        with self.average.applied():
            result = self._validator(self.model, self._accelerator)
            best = self._is_best(result.negative_elbo, weight, last=last)
            if best:
                progress.kept_negative_elbo, progress.kept_step = result.negative_elbo, progress.step
            if counts and weight == 1.0:
                progress.count_validation(result.negative_elbo, self.config.stall_patience)
            if best and self._accelerator.is_main_process:
                description = describe(
                    self.config,
                    self.dataset,
                    progress,
                    self._accelerator,
                    steps_per_epoch=self._plan.steps_per_epoch,
                    minutes=self._minutes,
                    code_version=self._code,
                )
                save_best(self.out, self.model, self.dataset, description)
        self._emit(
            ValidEvent(
                step=progress.step,
                epoch=self._epoch,
                negative_elbo=result.negative_elbo,
                reconstruction=result.reconstruction,
                kl=result.kl,
                kl_weight=weight,
                best=best,
                learning_rate=self._optimizer.param_groups[0]["lr"],
                minutes=self._minutes,
            )
        )

    def _is_best(self, negative_elbo: float, weight: float, *, last: bool) -> bool:
        """Whether the weights of now belong in ``best/``.

        Before the KL weight is 1 a low ELBO says little about the model the run is after; at the end there is nothing
        else left to choose.
        """
        kept, step = self._progress.kept_negative_elbo, self._progress.kept_step
        if kept is None or step is None or self._kl.weight(step - 1, self._progress.ramp_start) < 1.0:
            return weight == 1.0 or last
        return weight == 1.0 and negative_elbo < kept

    def _save_state(self) -> None:
        self._progress.seconds = 60 * self._minutes
        self._saved_at = time.monotonic()
        if not self._accelerator.is_main_process:
            return
        save_state(
            self.out,
            config=self.config,
            progress=self._progress,
            data_sums=self.dataset.sha256,
            model=self.model,
            average=self.average,
            optimizer=self._optimizer,
        )
        self._state_stamp = state_stamp(self.out)
        self._emit(CheckpointEvent(self._progress.step, self._epoch, state_path(self.out), self._minutes))

    @property
    def _stalled(self) -> bool:
        return 0 < self.config.patience <= self._progress.since_best

    @property
    def _epoch(self) -> int:
        return self._progress.step // self._plan.steps_per_epoch

    @property
    def _minutes(self) -> float:
        return (time.monotonic() - self._clock) / 60

    def _emit(self, event: Event) -> None:
        if self._accelerator.is_main_process:
            for callback in self._callbacks:
                callback(event)
