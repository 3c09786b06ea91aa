"""The contract of an elementwise transform."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class ElementwiseTransform(Protocol):
    """A strictly increasing scalar map ``g``, applied to each element with parameters of its own.

    ``forward`` evaluates ``g`` (z -> eps), ``inverse`` its inverse (eps -> z). Both return the image
    and the logarithm of *that direction's own* slope, elementwise; a flow sums it over dimensions.
    """

    num_parameters: int
    """P, the size of the last axis of ``parameters``."""

    def forward(self, value: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``value`` ``[..., D]`` with ``parameters`` ``[..., D, P]`` to image and log-slope ``[..., D]``."""
        ...

    def inverse(self, value: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Undo :meth:`forward`; same shapes."""
        ...
