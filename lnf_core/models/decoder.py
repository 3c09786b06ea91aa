"""p(x_t | z): a bidirectional LSTM over z, read one step away from z_t on either side."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lnf_core.config import LatentFlowConfig
from lnf_core.nets.lstm import BidirectionalLSTM
from lnf_core.nets.positions import step_mask


class Decoder(nn.Module):
    """Features for the logits of step t: ``[z_t, forward_{t-1}, backward_{t+1}]``.

    Under one fixed context the logits of many candidate ``z_t`` are a linear map of them. With one layer the
    context does not contain ``z_t`` at all. With more it does, at second hand: as in the reference
    implementation, every layer above the first reads both directions of the layer below.
    """

    def __init__(self, config: LatentFlowConfig, position_size: int) -> None:
        """``position_size`` is F."""
        super().__init__()
        self.lstm = BidirectionalLSTM(config.latent_size + position_size, config.hidden_size, config.decoder_layers)
        self.size = config.latent_size + 2 * config.hidden_size

    def context(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """``[T, B, 2H]`` from ``z`` ``[T, B, D]``: the forward output of t - 1 and the backward one of t + 1."""
        ahead, behind = self.lstm(torch.cat([z, positions.to(z.dtype)], -1), lengths)
        past_end = ~step_mask(lengths, len(z))[..., None]
        behind = behind.masked_fill(past_end, 0.0)  # the last step has nothing behind it to hear of
        nothing = torch.zeros_like(ahead[:1])
        return torch.cat([torch.cat([nothing, ahead[:-1]], 0), torch.cat([behind[1:], nothing], 0)], -1)

    def forward(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """Features ``[T, B, D + 2H]``."""
        return torch.cat([z, self.context(z, lengths, positions).to(z.dtype)], -1)
