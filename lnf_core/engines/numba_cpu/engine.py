"""The ``numba_cpu`` engine: whether it can run, and getting its kernels ready. Imports numba when it is first used."""

from __future__ import annotations

import importlib.util
import threading
from typing import TYPE_CHECKING, Any

import torch

from lnf_core.config import BaselineConfig, LatentFlowConfig
from lnf_core.errors import EngineError

if TYPE_CHECKING:
    from lnf_core.engines.numba_cpu.sampler import NumbaBaseline, NumbaFlow
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.build import SequenceModel
    from lnf_core.models.latent_flow import LatentFlow

_STAMP = "ready"


class NumbaEngine:
    """Compiled sampling in float32 on the CPU, on as many threads as torch uses."""

    name = "numba_cpu"

    def __init__(self) -> None:
        self._warming = threading.Lock()
        self._warm = False  # of this process: what is compiled is the same for everyone in it

    def why_not(self, model: SequenceModel) -> str | None:
        """See :class:`~lnf_core.engines.contract.Engine`."""
        if importlib.util.find_spec("numba") is None:
            return "numba_cpu needs numba, which is not installed (pip install numba); the eager engine needs nothing."
        weight = model.emission.bias
        if weight.device.type != "cpu":
            return f"numba_cpu runs on the CPU and the model is on {weight.device}; use eager or jacobi there."
        if weight.dtype != torch.float32:
            return f"numba_cpu computes in float32 and the model is {weight.dtype}; use eager."
        if model.training:
            return "numba_cpu knows no dropout and the model is in training mode; call model.eval() first."
        return None

    def flow(self, model: LatentFlow) -> NumbaFlow:
        """Pack the weights ``model`` has now."""
        from lnf_core.engines.numba_cpu.sampler import NumbaFlow

        return NumbaFlow(model)

    def baseline(self, model: LSTMBaseline) -> NumbaBaseline:
        """Pack the weights ``model`` has now."""
        from lnf_core.engines.numba_cpu.sampler import NumbaBaseline

        return NumbaBaseline(model)

    def ready(self) -> bool:
        """Whether the kernels are in memory or on disk, so that the first sample waits a moment at most."""
        if self._warm:
            return True
        if importlib.util.find_spec("numba") is None:
            return False
        from lnf_core.engines.numba_cpu.jit import FOLDER

        return FOLDER is not None and (FOLDER / _STAMP).exists()

    def warm_up(self) -> None:
        """Compile the kernels or load them from disk, by running each on the smallest models there are.

        Takes most of a minute the first time on a machine: call it in a thread and go on; until it is done ``auto``
        takes another engine. Does nothing when it has been done, and waits for another process that is at it.

        Raises:
            EngineError: there is no numba.
        """
        if importlib.util.find_spec("numba") is None:
            raise EngineError("there is no numba to compile kernels with; install it (pip install numba).")
        from lnf_core.engines.numba_cpu.jit import alone

        with self._warming:
            if not self._warm:
                with alone():
                    self._run_every_kernel()
                self._warm = True

    def _run_every_kernel(self) -> None:
        from lnf_core.engines.numba_cpu.jit import FOLDER
        from lnf_core.models.build import build_model

        with torch.random.fork_rng(devices=[]):
            sizes: dict[str, Any] = {
                "vocab_size": 2,
                "max_length": 2,
                "embedding_size": 2,
                "hidden_size": 2,
                "position_size": 1,
            }
            configs: list[LatentFlowConfig | BaselineConfig] = [
                # Which flow is over dimensions makes no difference to the compiler: one kernel holds them all.
                LatentFlowConfig(
                    **sizes,
                    likelihood="categorical",
                    latent_size=2,
                    time_flow=time_flow,
                    dimension_flow="scf",
                    flow_layers=1,
                    flow_hidden=2,
                )
                for time_flow in ("af", "iaf")
            ]
            configs += [BaselineConfig(**sizes, likelihood=likelihood) for likelihood in ("categorical", "bernoulli")]
            for config in configs:
                model = build_model(config, torch.tensor([0, 0, 1])).eval()
                model.sample(1, 2, engine=self.name, generator=torch.Generator().manual_seed(0))
        if FOLDER is not None:
            (FOLDER / _STAMP).touch()
