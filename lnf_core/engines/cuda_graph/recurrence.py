"""An LSTM one step at a time, in memory of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor, nn

from lnf_core.engines.cuda_graph.kernels import cell_kernel

_BLOCK = 128


@dataclass(frozen=True)
class CellWeights:
    """An LSTM's weights: each layer reads its input and its own last output side by side."""

    layers: tuple[Tensor, ...]
    """``[4H, I + H]`` each; the first layer's I is without the positions."""
    biases: tuple[Tensor, ...]
    """``[4H]`` each, the sums of the two PyTorch keeps."""
    from_positions: Tensor
    """``[4H, F]``: the first layer's weights of the position features."""


def pack_cells(lstm: nn.LSTM, position_size: int) -> CellWeights:
    """Copies the weights ``lstm`` has now; the last ``position_size`` of its inputs are position features."""
    layers, biases = [], []
    entry: Tensor = getattr(lstm, "weight_ih_l0").detach()  # noqa: B009 - mypy knows it as a tensor or a module
    inputs = entry.shape[1] - position_size
    for layer in range(lstm.num_layers):
        enters = getattr(lstm, f"weight_ih_l{layer}").detach()
        recurs = getattr(lstm, f"weight_hh_l{layer}").detach()
        layers.append(torch.cat([enters[:, :inputs] if layer == 0 else enters, recurs], 1))
        biases.append((getattr(lstm, f"bias_ih_l{layer}") + getattr(lstm, f"bias_hh_l{layer}")).detach())
    return CellWeights(tuple(layers), tuple(biases), entry[:, inputs:].clone())


class Recurrence:
    """The state of a batch, and the step that moves it on in place.

    ``element`` ``[B, I]`` is where the input of the next step is written, ``top`` ``[B, H]`` where the last layer's
    output is read.
    """

    def __init__(self, weights: CellWeights, rows: int) -> None:
        """For ``rows`` sequences."""
        self._weights = weights
        new = weights.from_positions.new_zeros
        units = len(weights.layers[0]) // 4
        self._reads = [new(rows, weight.shape[1]) for weight in weights.layers]
        self._cells = [new(rows, units) for _ in weights.layers]
        self._gates = new(rows, 4 * units)
        self.top = new(rows, units)
        self.element = self._reads[0][:, :-units]
        self._units = units

    def start(self, hidden: Tensor, cell: Tensor) -> None:
        """From a state of PyTorch's, ``[layers, B, H]`` twice."""
        for layer, (reads, own) in enumerate(zip(self._reads, self._cells, strict=True)):
            reads[:, -self._units :] = hidden[layer]
            own.copy_(cell[layer])
            self._above(layer).copy_(hidden[layer])

    def clear(self) -> None:
        """From zeros, the element that is read first included."""
        for tensor in (*self._reads, *self._cells, self.top):
            tensor.zero_()

    def _above(self, layer: int) -> Tensor:
        """Where the output of a layer is read by what lies above it."""
        return self._reads[layer + 1][:, : self._units] if layer + 1 < len(self._reads) else self.top

    def step(self, from_positions: Tensor) -> None:
        """Read ``element``. The positions and the bias give ``from_positions`` ``[B, 4H]`` to the first gates."""
        rows = len(self.top)
        for layer, (weight, bias) in enumerate(zip(self._weights.layers, self._weights.biases, strict=True)):
            torch.addmm(bias if layer else from_positions, self._reads[layer], weight.T, out=self._gates)
            own, above = self._reads[layer][:, -self._units :], self._above(layer)
            cell_kernel[(rows, triton.cdiv(self._units, _BLOCK))](
                self._gates,
                self._cells[layer],
                own,
                own.stride(0),
                above,
                above.stride(0),
                self._units,
                BLOCK=_BLOCK,
                num_warps=4,
            )

    def positions_share(self, positions: Tensor) -> Tensor:
        """``[T, B, F]`` to what :meth:`step` takes, ``[T, B, 4H]``."""
        return nn.functional.linear(positions, self._weights.from_positions, self._weights.biases[0])


def try_out(device: torch.device) -> None:
    """One step of one unit, to find out whether Triton can compile and launch here; raises whatever it raises."""
    weights = CellWeights(
        (torch.zeros(4, 2, device=device),), (torch.zeros(4, device=device),), torch.zeros(4, 1, device=device)
    )
    state = Recurrence(weights, 1)
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        state.step(torch.zeros(1, 4, device=device))
    state.top.cpu()  # waits: what goes wrong in a kernel is told by the next call
