"""Tiny data sets and runs, in this process or in others that a test starts, kills and resumes."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lnf_core.config import VARIANTS, BaselineConfig, LatentFlowConfig, ModelConfig
from lnf_core.data import Dataset, Vocabulary
from lnf_core.training import Event, StepEvent, TrainConfig, Trainer, ValidEvent

SYMBOLS = Vocabulary.from_list(["<pad>", "<unk>", *"abcdef"])
MAX_LENGTH = 12


def text_data(train: int = 64, valid: int = 16) -> Dataset:
    """Sentences that walk round the alphabet: after the first letter everything can be predicted."""
    generator = torch.Generator().manual_seed(5)

    def sentence() -> torch.Tensor:
        length = int(torch.randint(4, MAX_LENGTH + 1, (), generator=generator))
        start = int(torch.randint(6, (), generator=generator))
        return (torch.arange(length) + start) % 6 + 2

    return _data("ptb", "text", SYMBOLS, [sentence() for _ in range(train)], [sentence() for _ in range(valid)])


def music_data(train: int = 24, valid: int = 6) -> Dataset:
    """Parallel thirds that climb one key a step."""
    generator = torch.Generator().manual_seed(6)

    def piece() -> torch.Tensor:
        length = int(torch.randint(4, MAX_LENGTH + 1, (), generator=generator))
        start = int(torch.randint(20, 50, (), generator=generator))
        roll = torch.zeros(length, 88)
        for step in range(length):
            roll[step, [start + step, start + step + 4]] = 1.0
        return roll

    return _data("jsb", "music", None, [piece() for _ in range(train)], [piece() for _ in range(valid)])


def _data(name: str, domain: Any, vocabulary: Vocabulary | None, train: list, valid: list) -> Dataset:  # noqa: ANN401
    lengths = torch.tensor([len(sequence) for sequence in (*train, *valid)])
    return Dataset(
        name=name,
        title="Tiny",
        domain=domain,
        train=tuple(train),
        valid=tuple(valid),
        test=tuple(valid),
        vocabulary=vocabulary,
        max_length=MAX_LENGTH,
        length_counts=torch.bincount(lengths, minlength=MAX_LENGTH + 1).double() + 1,
        sha256={"tiny": domain},
    )


def tiny_model_config(variant: str, data: Dataset, **sizes: Any) -> ModelConfig:  # noqa: ANN401
    common: dict[str, Any] = {
        "vocab_size": data.vocab_size,
        "likelihood": data.likelihood,
        "max_length": data.max_length,
        "embedding_size": 16,
        "hidden_size": 16,
        "position_size": 4,
        "dropout": 0.1,
    } | sizes
    if variant == "lstm":
        return BaselineConfig(**common)
    time_flow, dimension_flow = VARIANTS[variant]
    return LatentFlowConfig(
        **common, latent_size=4, time_flow=time_flow, dimension_flow=dimension_flow, flow_layers=2, flow_hidden=8
    )


def tiny_config(variant: str, data: Dataset, **settings: Any) -> TrainConfig:  # noqa: ANN401
    """Eight sequences a step, fp32, one KL ramp of ten steps after five."""
    values: dict[str, Any] = {
        "preset": f"{data.name}/{variant}",
        "dataset": data.name,
        "model": tiny_model_config(variant, data),
        "batch_size": 8,
        "learning_rate": 2e-2,
        "max_epochs": 3,
        "warmup_steps": 3,
        "schedule": "cosine",
        "precision": "fp32",
        "checkpoint_minutes": 60.0,
    }
    if variant != "lstm":
        values |= {"kl_zero_steps": 5, "kl_ramp_steps": 10}
    return TrainConfig(**(values | settings))


def run(trainer_out: Path, variant: str = "af-scf", *, text: bool = True, **settings: object) -> list[Event]:
    """All that a run in this process tells."""
    events: list[Event] = []
    data = text_data() if text else music_data()
    Trainer(tiny_config(variant, data, **settings), data, trainer_out, device="cpu", callbacks=[events.append]).run()
    return events


def steps(events: list[Event]) -> list[StepEvent]:
    return [event for event in events if isinstance(event, StepEvent)]


def valids(events: list[Event]) -> list[ValidEvent]:
    return [event for event in events if isinstance(event, ValidEvent)]


def events_of(out: Path, kind: str = "step") -> list[dict[str, Any]]:
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def without_time(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What two equal runs agree on to the last bit."""
    return [{k: v for k, v in event.items() if k not in ("tokens_per_second", "minutes")} for event in events]


class KillAt:
    """Callback: the process dies after step ``step``, as by ``kill -9`` or a power cut."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepEvent) and event.step == self.step:
            os.kill(os.getpid(), self.number)


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    returncode: int
    stdout: str
    stderr: str


def run_processes(folder: Path, arguments: Sequence[str], count: int = 1) -> list[Ended]:
    """``main(arguments)`` in ``count`` processes that share each batch, as ``torchrun`` would start them.

    They are forked from a process that has imported PyTorch and nothing else has happened in: a start takes a moment,
    not seconds.
    """
    context = _forkserver()
    folder.mkdir(parents=True, exist_ok=True)
    shared: dict[str, str] = {"OMP_NUM_THREADS": "1"}
    if count > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    started = []
    for rank in range(count):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank)} if count > 1 else {}
        said = folder / f"said-{rank}"
        process = context.Process(target=_child, args=(list(arguments), shared | own, str(said)))
        process.start()
        started.append((process, said))
    ended = []
    for process, said in started:
        process.join(300)
        assert process.exitcode is not None, "it goes on after five minutes"
        ended.append(Ended(process.exitcode, Path(f"{said}.out").read_text(), Path(f"{said}.err").read_text()))
    return ended


def run_elastic(folder: Path, arguments: Sequence[str], count: int) -> list[Ended]:
    """``main(arguments)`` in ``count`` processes that the agent behind ``torchrun`` starts, forked as above.

    The agent has a process of its own as well, since it takes over the signals.
    """
    agent = _forkserver().Process(target=_agent, args=(folder, list(arguments), count))
    folder.mkdir(parents=True, exist_ok=True)
    agent.start()
    agent.join(300)
    assert agent.exitcode is not None, "it goes on after five minutes"
    said = [folder / f"said-{rank}" for rank in range(count)]
    return [Ended(agent.exitcode, Path(f"{at}.out").read_text(), Path(f"{at}.err").read_text()) for at in said]


def _agent(folder: Path, arguments: list[str], count: int) -> None:
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    _forkserver()  # its children are forked from a server of its own, which imports once for all of them
    one_machine = {"min_nodes": 1, "max_nodes": 1, "rdzv_backend": "c10d", "rdzv_endpoint": "127.0.0.1:0"}
    config = LaunchConfig(**one_machine, nproc_per_node=count, start_method="forkserver", max_restarts=0)
    elastic_launch(config, _of_agent)(folder, arguments)


def _of_agent(folder: Path, arguments: list[str]) -> None:
    _child(arguments, {"OMP_NUM_THREADS": "1"}, str(folder / f"said-{os.environ['RANK']}"))


def _forkserver() -> Any:  # noqa: ANN401 - a context of multiprocessing
    context = multiprocessing.get_context("forkserver")
    # The last is what an optimizer asks for when it is made: a second that no child needs to spend.
    context.set_forkserver_preload(["accelerate", "lnf_core.training", "torch._dynamo"])
    return context


def _child(arguments: list[str], environment: dict[str, str], said: str) -> None:
    os.environ.update(environment)
    for stream, name in ((1, "out"), (2, "err")):
        file = os.open(f"{said}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
    main(arguments)
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("variant")
    parser.add_argument("out", type=Path)
    parser.add_argument("--text", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--kill-at", type=int, default=0)
    parser.add_argument("--how", default="SIGKILL")
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--dump", type=Path, help="Write each process's final weights and average here.")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    data = text_data() if given.text else music_data()
    settings = dict(given.settings)
    if "dropout" in settings:
        settings["model"] = tiny_model_config(given.variant, data, dropout=settings.pop("dropout"))
    callbacks = [KillAt(given.kill_at, getattr(signal, given.how))] if given.kill_at else []
    config = tiny_config(given.variant, data, **settings)
    trainer = Trainer(config, data, given.out, device="cpu", resume=given.resume, callbacks=callbacks)
    finished = trainer.run()
    print(finished.reason)
    if given.dump:
        from safetensors.torch import save_file

        weights = {f"model/{n}": p.detach().clone() for n, p in trainer.model.named_parameters()}
        weights |= {f"average/{n}": v.clone() for n, v in trainer.average.values.items()}
        given.dump.mkdir(parents=True, exist_ok=True)
        save_file(weights, given.dump / f"rank{os.environ.get('RANK', '0')}.safetensors")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
