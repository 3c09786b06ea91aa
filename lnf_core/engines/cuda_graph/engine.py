"""The ``cuda_graph`` engine: whether it can run. Imports Triton when it is first used."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lnf_core.engines.cuda_graph.sampler import GraphBaseline, GraphFlow
    from lnf_core.models.baseline import LSTMBaseline
    from lnf_core.models.build import SequenceModel
    from lnf_core.models.latent_flow import LatentFlow


class GraphEngine:
    """Float32 on a GPU: launches are recorded, so that a step of the loop over time costs what its kernels cost."""

    name = "cuda_graph"

    def __init__(self) -> None:
        self._works = False  # in this process: Triton has compiled and launched something

    def why_not(self, model: SequenceModel) -> str | None:
        """See :class:`~lnf_core.engines.contract.Engine`."""
        weight = model.emission.bias
        if weight.device.type != "cuda":
            return f"cuda_graph runs on CUDA and the model is on {weight.device}; use eager or numba_cpu there."
        if weight.device.index not in (None, torch.cuda.current_device()):
            return (
                f"cuda_graph runs on the current GPU, cuda:{torch.cuda.current_device()}, and the model is on "
                f"{weight.device}; call torch.cuda.set_device({weight.device.index}), or use eager."
            )
        if importlib.util.find_spec("triton") is None:
            return "cuda_graph needs Triton, which comes with PyTorch for CUDA on Linux; use eager or jacobi."
        if weight.dtype != torch.float32:
            return f"cuda_graph computes in float32 and the model is {weight.dtype}; use eager."
        if model.training:
            return "cuda_graph knows no dropout and the model is in training mode; call model.eval() first."
        return self._broken(weight.device)

    def _broken(self, device: torch.device) -> str | None:
        """Whether a kernel runs: Triton may be damaged, find no C compiler, or not know the GPU."""
        if self._works:
            return None
        try:
            from lnf_core.engines.cuda_graph.recurrence import try_out

            try_out(device)
        except Exception as error:  # Triton has no base class of its errors
            said = str(error).strip().partition("\n")[0] or type(error).__name__
            return f"cuda_graph cannot run its kernels here ({said}); use eager or jacobi."
        self._works = True
        return None

    def flow(self, model: LatentFlow) -> GraphFlow:
        """Pack the weights ``model`` has now; what is recorded is recorded at the first batch of each size."""
        from lnf_core.engines.cuda_graph.sampler import GraphFlow

        return GraphFlow(model)

    def baseline(self, model: LSTMBaseline) -> GraphBaseline:
        """Pack the weights ``model`` has now."""
        from lnf_core.engines.cuda_graph.sampler import GraphBaseline

        return GraphBaseline(model)
