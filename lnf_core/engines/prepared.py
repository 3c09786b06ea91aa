"""What samplers have in common that copy a model's weights when they are made."""

from __future__ import annotations

import torch
from torch import nn

from lnf_core.errors import EngineError

_LOOKED_AT = 16  # elements of a parameter, for a third of a millisecond in all


class Weights:
    """Remembers which weights were copied, and refuses to go on with others."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._stamp = _stamp(model)

    def check(self) -> None:
        """Raise where the model has changed.

        Raises:
            EngineError: the weights are not those that were copied.
        """
        if _stamp(self._model) != self._stamp:
            raise EngineError(
                "the model's weights have changed since this sampler was prepared; prepare it again to use them."
            )


def _stamp(model: nn.Module) -> tuple[object, ...]:
    """Changes whenever parameters are replaced or trained on.

    What torch counts as writing is not all of it: a fused optimiser, ``tensor.data`` and NumPy views write without its
    knowing. So a few elements of each parameter are looked at as well, which an optimiser's step changes all.
    """
    parameters = list(model.parameters())
    few = [tensor.detach().flatten()[:: max(1, tensor.numel() // _LOOKED_AT)] for tensor in parameters]
    written = tuple((tensor.data_ptr(), tensor._version) for tensor in parameters)
    return *written, torch.cat(few).cpu().numpy().tobytes()
