"""The contract of a conditional flow over the D dimensions of one time step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn


class ConditionalFlow(nn.Module, ABC):
    """An invertible map of ``[..., D]``, conditioned on a context ``[..., H]``.

    ``forward`` is z -> eps, ``inverse`` is eps -> z. Both return ``(tensor, log_abs_det)`` with the
    log-determinant of that direction, summed over D: ``[...]``.
    """

    @abstractmethod
    def forward(self, value: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Z -> eps: the direction in which densities are computed."""

    @abstractmethod
    def inverse(self, value: Tensor, context: Tensor, weights: Any = None) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Eps -> z: the direction in which samples are drawn. ``weights`` is what :meth:`constants` returned."""

    def constants(self) -> Any:  # noqa: ANN401 - each flow has its own
        """What ``inverse`` computes of the weights alone: made once, it serves every step of a loop over time."""
        return None
