"""From a configuration to the model it describes."""

from __future__ import annotations

from torch import Tensor

from lnf_core.config import LatentFlowConfig, ModelConfig
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.latent_flow import LatentFlow

SequenceModel = LatentFlow | LSTMBaseline


def build_model(config: ModelConfig, length_counts: Tensor) -> SequenceModel:
    """The model a configuration describes, freshly initialised."""
    if isinstance(config, LatentFlowConfig):
        return LatentFlow(config, length_counts)
    return LSTMBaseline(config, length_counts)
