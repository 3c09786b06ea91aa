"""Position features: every recurrent net is told how far both ends of the sequence are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lnf_core.config import Positions


def step_mask(lengths: Tensor, steps: int) -> Tensor:
    """``[T, B]`` bool, true where step ``t`` belongs to sequence ``b``."""
    return torch.arange(steps, device=lengths.device)[:, None] < lengths[None, :]


@dataclass(frozen=True)
class Place:
    """Where passages stand in the sequences they were cut from."""

    starts: Tensor
    """int64 ``[B]``: the step of the sequence that is step 0 of the passage."""
    totals: Tensor
    """int64 ``[B]``: the length of the whole sequence."""

    def repeat(self, times: int) -> Place:
        """Each passage ``times`` times in a row."""
        return Place(self.starts.repeat_interleave(times), self.totals.repeat_interleave(times))

    def to(self, device: torch.device | str) -> Place:
        """The same with both tensors on ``device``."""
        return Place(self.starts.to(device), self.totals.to(device))


class PositionFeatures(nn.Module):
    """A feature of ``t`` beside a feature of ``T - 1 - t``: ``[T, B, F]``.

    ``onehot`` (the paper) uses two one-hot vectors of size ``max_length``; ``learned`` two small tables.
    Steps of padding get the features of the last step: no number that is returned depends on them.
    """

    one: Tensor

    def __init__(self, kind: Positions, max_length: int, size: int) -> None:
        """``size`` is the width of each learned table."""
        super().__init__()
        self.kind, self.max_length = kind, max_length
        self.size = 2 * max_length if kind == "onehot" else 2 * size
        # One-hot features have no parameter to tell them the model's dtype.
        self.register_buffer("one", torch.ones(()), persistent=False)
        if kind == "learned":
            self.from_start = nn.Embedding(max_length, size)
            self.from_end = nn.Embedding(max_length, size)
            nn.init.normal_(self.from_start.weight, std=0.3)
            nn.init.normal_(self.from_end.weight, std=0.3)

    def forward(self, lengths: Tensor, steps: int, starts: Tensor | None = None) -> Tensor:
        """Features of ``steps`` steps of sequences of the given ``lengths`` ``[B]``, from step 0 or ``starts`` on."""
        t = torch.arange(steps, device=lengths.device)[:, None].expand(steps, len(lengths))
        if starts is not None:
            t = t + starts
        left = (lengths[None, :] - 1 - t).clamp_min(0)
        t = t.clamp_max(self.max_length - 1)
        if self.kind == "learned":
            return torch.cat([self.from_start(t), self.from_end(left)], -1)
        pair = [functional.one_hot(t, self.max_length), functional.one_hot(left, self.max_length)]
        return torch.cat(pair, -1).to(self.one.dtype)
