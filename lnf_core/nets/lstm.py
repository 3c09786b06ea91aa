"""LSTMs over padded batches: no packing, so the fused kernels of every back end can run them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LSTMState = tuple[Tensor, Tensor]
"""Hidden and cell state, each ``[layers, B, H]``."""


def reverse_within_lengths(sequence: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence of ``[T, B, F]`` inside its own length; padding stays where it is."""
    t = torch.arange(sequence.shape[0], device=sequence.device)[:, None]
    index = torch.where(t < lengths, lengths - 1 - t, t)
    return sequence.gather(0, index[..., None].expand_as(sequence))


class BidirectionalLSTM(nn.Module):
    """A stack of bidirectional LSTM layers that never reads padding.

    The backward direction is a forward LSTM over the sequence reversed inside its length: padding comes
    after the last real step in both directions, where it can reach no real output.
    """

    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        """``hidden`` units in each direction of each layer."""
        super().__init__()
        sizes = [inputs] + [2 * hidden] * (layers - 1)
        self.forward_layers = nn.ModuleList(nn.LSTM(size, hidden) for size in sizes)
        self.backward_layers = nn.ModuleList(nn.LSTM(size, hidden) for size in sizes)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """``[T, B, F]`` to the forward and the backward outputs of the last layer, each ``[T, B, H]``."""
        ahead = behind = inputs
        for forward_layer, backward_layer in zip(self.forward_layers, self.backward_layers, strict=True):
            ahead, _ = forward_layer(inputs)
            behind, _ = backward_layer(reverse_within_lengths(inputs, lengths))
            behind = reverse_within_lengths(behind, lengths)
            inputs = torch.cat([ahead, behind], -1)
        return ahead, behind
