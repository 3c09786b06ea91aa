"""Ways to run the same model from noise to symbols: they differ in speed, not in what they compute.

``eager`` is the definition, on any device; ``numba_cpu`` is compiled for the processor at hand; ``jacobi`` solves all
steps of an autoregressive prior at once; ``cuda_graph`` records the loop over time on a GPU.
:func:`~lnf_core.engines.registry.prepare` makes a sampler of a model once, to be passed as ``engine`` to any number of
``sample`` calls.
"""

from lnf_core.engines.contract import BaselineSampler, Engine, FlowSampler, Pushed
from lnf_core.engines.registry import ENGINES, choose, prepare, ready, warm_up, why_not

__all__ = [
    "ENGINES",
    "BaselineSampler",
    "Engine",
    "FlowSampler",
    "Pushed",
    "choose",
    "prepare",
    "ready",
    "warm_up",
    "why_not",
]
