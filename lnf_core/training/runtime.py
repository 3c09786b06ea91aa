"""Where a run computes: device, number format, processes; and how it is asked to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from lnf_core.errors import TrainingError
from lnf_core.training.config import Precision

if TYPE_CHECKING:
    from accelerate import Accelerator

DEVICES = ("auto", "cpu", "cuda")
_ROWS_FOR_BFLOAT16 = 16
# Of the processor's memory torch says it in a RuntimeError like any other.
_REFUSED = ("allocate memory", "not enough memory", "Storage size calculation overflowed")


def has_bfloat16(device_type: str) -> bool:
    """Whether the processor multiplies bfloat16 matrices itself; emulation is slower than float32."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def check_bfloat16(device_type: str) -> None:
    """Refuse bfloat16 where the networks cannot run in it at all: some processors have no such LSTM, even emulated.

    Raises:
        TrainingError: it names what to use in its place.
    """
    probe = torch.nn.LSTM(2, 2).to(device_type)
    try:
        with torch.no_grad(), torch.autocast(device_type, torch.bfloat16):
            probe(torch.zeros(1, 1, 2, device=device_type))
    except RuntimeError as error:
        raise TrainingError(
            f"this {device_type} runs no LSTM in bfloat16; use fp32, which auto chooses here."
        ) from error


def pays_bfloat16(device_type: str, rows: int) -> bool:
    """Whether ``auto`` trains batches of ``rows`` sequences in bfloat16.

    On processors its conversions cost more than its products save while a batch is small.
    """
    return has_bfloat16(device_type) and (device_type != "cpu" or rows >= _ROWS_FOR_BFLOAT16)


@contextmanager
def enough_memory(what: str, advice: str) -> Iterator[None]:
    """Say in one sentence that ``what`` does not fit into memory, and what to do about it.

    Raises:
        TrainingError: an allocation inside was refused. A system that promises memory it does not have ends the process
            without a word, which nothing in it can catch.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        out = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not out and not any(words in str(error) for words in _REFUSED):
            raise
        raise TrainingError(f"{what} needs more memory than there is: {advice}.") from error


def make_accelerator(device: str, precision: Precision, rows: int) -> Accelerator:
    """One process of an Accelerate run: alone, or one of those that ``accelerate launch`` started.

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
        precision: see :attr:`TrainConfig.precision`.
        rows: sequences in a step, over all processes; what ``auto`` takes depends on it.

    Raises:
        TrainingError: a device that is not there, or one that cannot run in the number format asked for.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    if device not in DEVICES:
        raise TrainingError(f"device is {device!r}; choose one of {', '.join(DEVICES)}.")
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device is 'cuda', but torch sees no CUDA device here; use 'cpu' or 'auto'.")
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    kind = "cpu" if on_cpu else "cuda"
    if precision == "auto":
        precision = "bf16" if pays_bfloat16(kind, rows) else "fp32"
    elif precision == "bf16":
        check_bfloat16(kind)
    if AcceleratorState._shared_state and PartialState().num_processes == 1:
        # Accelerate keeps the first run's device and precision for the whole process; this run has its own.
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no", cpu=on_cpu)


class StopRequest:
    """Set by SIGTERM or SIGINT, or by a caller in another thread; the trainer looks at every step."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def set(self, *_: Any) -> None:  # noqa: ANN401 - what a signal handler is given
        """Ask the run to save its state and end."""
        self._event.set()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Within the block the two signals set the request; elsewhere than in the main thread nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self.set) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


@contextmanager
def private_global_generator(device: torch.device) -> Iterator[None]:
    """Within the block the global generators are the run's own; the caller's come back afterwards.

    Dropout and the initial weights can draw from nowhere else, so the trainer seeds them from (seed, step). They are
    the process's: no other thread may draw from them meanwhile, or enter such a block.
    """
    with torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []):
        yield
