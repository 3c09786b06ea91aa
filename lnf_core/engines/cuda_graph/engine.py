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

    def why_not(self, model: SequenceModel) -> str | None:
        """See :class:`~lnf_core.engines.contract.Engine`."""
        weight = model.emission.bias
        if weight.device.type != "cuda":
            return f"cuda_graph runs on CUDA and the model is on {weight.device}; use eager or numba_cpu there."
        if importlib.util.find_spec("triton") is None:
            return "cuda_graph needs Triton, which comes with PyTorch for CUDA on Linux; use eager or jacobi."
        if weight.dtype != torch.float32:
            return f"cuda_graph computes in float32 and the model is {weight.dtype}; use eager."
        if model.training:
            return "cuda_graph knows no dropout and the model is in training mode; call model.eval() first."
        return None

    def flow(self, model: LatentFlow) -> GraphFlow:
        """Pack the weights ``model`` has now; what is recorded is recorded at the first batch of each size."""
        from lnf_core.engines.cuda_graph.sampler import GraphFlow

        return GraphFlow(model)

    def baseline(self, model: LSTMBaseline) -> GraphBaseline:
        """Pack the weights ``model`` has now."""
        from lnf_core.engines.cuda_graph.sampler import GraphBaseline

        return GraphBaseline(model)
