"""The sampler of ``numba_cpu``: packs a model once, allocates what the kernels need and calls them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lnf_core.engines.contract import Pushed
from lnf_core.engines.numba_cpu import kernels, team
from lnf_core.engines.numba_cpu.kernels import ROWS, Affine, LSTMWeights, State
from lnf_core.engines.numba_cpu.machine import LANES, WIDTH
from lnf_core.engines.numba_cpu.pack import BidirectionalWeights, Packed, PackedBaseline, pack, pack_baseline
from lnf_core.engines.numba_cpu.stack import Floats, StackWeights, scratch_size, single_layers
from lnf_core.engines.numba_cpu.symbols import Emitted, roll_out_steps
from lnf_core.engines.prepared import Weights
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.nets.positions import step_mask
from lnf_core.progress import Progress

NAME = "numba_cpu"
_AT_ONCE = 32  # sequences in one call of a kernel: bounds its memory
_REPORTS = 16  # how often a loop over time stops to report progress
_TOGETHER = 4  # rows one thread takes through the flows at once


class NumbaFlow:
    """See :class:`~lnf_core.engines.contract.FlowSampler`."""

    engine = NAME

    def __init__(self, model: LatentFlow) -> None:
        self.model, self._weights = model, Weights(model)
        self._packed = pack(model)

    @torch.no_grad()
    def push(
        self,
        eps: Tensor,
        lengths: Tensor,
        positions: Tensor,
        known: Tensor | None = None,
        progress: Progress | None = None,
    ) -> Pushed:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.push`."""
        self._weights.check()
        packed, steps = self._packed, len(eps)
        given = 0 if known is None else len(known)
        sequential = self.model.prior.reads == "z"
        z = torch.empty_like(eps)
        parts = list(_parts(eps.shape[1]))
        for number, part in enumerate(parts):
            report = _of_part(progress, number, len(parts))
            values = eps[:, part].contiguous().clone()
            if sequential:
                if known is not None:
                    values[:given] = known[:, part]
                _sample_steps(packed, values, lengths[part], given, report)
            else:
                _invert_parallel(packed, values, lengths[part], positions[:, part])
                if report:
                    report(steps, steps)
            z[:, part] = values
        if known is not None:
            z[:given] = known
        z.masked_fill_(~step_mask(lengths, steps)[..., None], 0.0)
        return Pushed(z, steps - given if sequential else 1)

    @torch.no_grad()
    def trace(self, eps: Tensor, context: Tensor) -> Tensor:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.trace`."""
        self._weights.check()
        values = eps.contiguous().clone()
        found = [eps]
        # What the context adds is the same for all draws: it is added to the biases, and no context is left.
        nothing = np.zeros((len(values), 0), np.float32)
        for layer in single_layers(self._packed.stack, context.contiguous().numpy()):
            _invert_rows(layer, values, nothing)
            found.append(values.clone())
        return torch.stack(found)

    @torch.no_grad()
    def logits(self, z: Tensor, lengths: Tensor, positions: Tensor) -> Tensor:
        """See :meth:`~lnf_core.engines.contract.FlowSampler.logits`."""
        self._weights.check()
        parts = [_decode(self._packed, z[:, part].contiguous(), lengths[part]) for part in _parts(z.shape[1])]
        return torch.cat(parts, 1)[..., : self.model.config.vocab_size]


class NumbaBaseline:
    """See :class:`~lnf_core.engines.contract.BaselineSampler`."""

    engine = NAME

    def __init__(self, model: LSTMBaseline) -> None:
        self.model, self._weights = model, Weights(model)
        self._packed = pack_baseline(model)

    @torch.no_grad()
    def roll_out(
        self,
        prefix: Tensor | None,
        lengths: Tensor,
        positions: Tensor,
        temperature: float,
        uniforms: Tensor | None,
        progress: Progress | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See :meth:`~lnf_core.engines.contract.BaselineSampler.roll_out`."""
        self._weights.check()
        weights = self._packed
        parts = list(_parts(len(lengths)))
        drawn = []
        for number, part in enumerate(parts):
            emitted = _to_emit(self.model, weights, prefix, uniforms, part, len(positions), temperature)
            _roll_out(weights, emitted, lengths[part], _of_part(progress, number, len(parts)))
            drawn.append(emitted)
        x = torch.from_numpy(np.concatenate([emitted.symbols for emitted in drawn], 1))
        probabilities = torch.from_numpy(np.concatenate([emitted.probabilities for emitted in drawn], 1))
        return (x[..., 0] if weights.categorical else x.to(torch.float32)), probabilities


def _parts(batch: int) -> Iterator[slice]:
    return (slice(start, min(start + _AT_ONCE, batch)) for start in range(0, batch, _AT_ONCE))


def _of_part(progress: Progress | None, number: int, parts: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, steps: progress((number * steps + done) // parts, steps)


def _workers() -> int:
    return max(1, torch.get_num_threads())


def _integers(lengths: Tensor) -> NDArray[np.int64]:
    values: NDArray[np.int64] = lengths.to(torch.int64).contiguous().numpy()
    return values


def _strides(steps: int, progress: Progress | None) -> Iterator[tuple[int, int]]:
    """A loop over time in pieces, with a report after each; in one piece when nobody listens."""
    stride = max(1, -(-steps // _REPORTS)) if progress else steps
    for start in range(0, steps, stride):
        stop = min(start + stride, steps)
        yield start, stop
        if progress:
            progress(stop, steps)


def _initial(packed: Packed, lengths: NDArray[np.int64]) -> State:
    """The state before step 0."""
    weights, net, batch = packed.context, packed.initial, len(lengths)
    assert weights is not None
    assert net is not None
    layers, blocks, size = weights.recurrent.shape[:3]
    hidden = np.maximum(net.from_start + net.from_end[lengths - 1], np.float32(0.0))
    both = _affine(hidden, batch, lengths, net.output)[:, : layers * size * 2].reshape(batch, layers, size, 2)
    padded = np.zeros((2, layers, batch, blocks * LANES), np.float32)
    padded[..., :size] = both.transpose(3, 1, 0, 2)
    flat = padded.reshape(2, layers, -1)
    return State(flat[0], flat[1], np.zeros((layers, batch * blocks * WIDTH), np.float32))


def _sample_steps(
    packed: Packed,
    values: Tensor,
    lengths: Tensor,
    known: int,
    progress: Progress | None,
) -> None:
    """The loop over time of a context that reads z, in place; the first ``known`` steps of ``values`` are z already."""
    weights, stack, workers = packed.context, packed.stack, _workers()
    assert weights is not None
    steps, batch, size = values.shape
    state = _initial(packed, _integers(lengths))
    # The recurrent share of step 1's gates is computed at the end of step 0, so gates start as they are: zero.
    together = _TOGETHER if batch >= _TOGETHER * workers else 1
    sums = np.empty(batch * len(stack.context_bias), np.float32)
    scratch = np.empty((workers, scratch_size(stack, together)), np.float32)
    flat, ends = values.view(-1).numpy(), _integers(lengths)
    for start, stop in _strides(steps, progress):
        sync = team.counters(kernels.phases_of(len(weights.recurrent), stop - start))
        team.run(
            kernels.sample_steps, workers, sync, start, stop, steps, known, flat, size, batch, together, ends, weights,
            state, sums, scratch, stack,
        )  # fmt: skip


def _invert_parallel(packed: Packed, values: Tensor, lengths: Tensor, positions: Tensor) -> None:
    """All steps at once, in place: the context reads eps, or nothing but positions."""
    steps, batch, size = values.shape
    if packed.context is None:
        context = positions.contiguous().numpy()
    else:
        context = _context(packed, packed.context, values, lengths)
    _invert_rows(packed.stack, values.view(-1, size), context.reshape(steps * batch, -1))


def _invert_rows(stack: StackWeights, values: Tensor, context: Floats) -> None:
    """Eps -> z in place: ``values`` ``[N, D]``, ``context`` ``[N, H]``."""
    workers = _workers()
    sums = np.empty((workers, ROWS * len(stack.context_bias)), np.float32)
    scratch = np.empty((workers, scratch_size(stack, _TOGETHER)), np.float32)
    team.run(
        kernels.invert_stack, workers, team.counters(1), values.view(-1).numpy(), values.shape[1],
        context.reshape(-1), context.shape[1], len(values), sums, scratch, stack,
    )  # fmt: skip


def _affine(x: Floats, batch: int, lengths: NDArray[np.int64], weights: Affine, first_t: int = 0) -> Floats:
    """A linear layer over rows ``[rows, K]``; ``[rows, blocks * WIDTH]``."""
    y = np.empty((len(x), len(weights.weight) * WIDTH), np.float32)
    team.run(
        kernels.affine_rows, _workers(), team.counters(1), x.reshape(-1), len(x), batch, first_t, lengths, weights,
        y.reshape(-1),
    )  # fmt: skip
    return y


def _context(packed: Packed, weights: LSTMWeights, values: Tensor, lengths: Tensor) -> Floats:
    """All contexts ``[T, B, H]`` of a sequence that is known: h_0 and the LSTM's outputs one step later."""
    steps, batch, size = values.shape
    ends = _integers(lengths)
    state = _initial(packed, ends)
    layers, blocks, hidden = weights.recurrent.shape[:3]
    contexts = np.zeros((steps, batch, hidden), np.float32)
    contexts[0] = state.hidden[-1].reshape(batch, -1)[:, :hidden]
    outputs = values[:-1].reshape(-1, size).numpy()
    for layer in range(layers if steps > 1 else 0):
        if layer:
            row = weights.bias[layer - 1 : layer]
            inputs, first_t = Affine(weights.between[layer - 1], row, np.zeros_like(row)), 0
        else:
            inputs, first_t = weights.first, 1  # input s comes with the positions of step s + 1
        gates = _affine(outputs, batch, ends, inputs, first_t)
        outputs = np.zeros(((steps - 1) * batch, hidden), np.float32)
        both = np.stack([state.hidden[layer], np.zeros_like(state.hidden[layer])])
        team.run(
            kernels.lstm_layer, _workers(), team.counters(steps), ends, steps - 1, batch, gates.reshape(-1),
            weights.recurrent[layer], both.reshape(-1), state.cell[layer],
            np.empty(batch * blocks * WIDTH, np.float32), outputs.reshape(-1),
        )  # fmt: skip
    if steps > 1:
        contexts[1:] = outputs.reshape(steps - 1, batch, hidden)
    return contexts


def _bidirectional(x: Floats, steps: int, batch: int, ends: NDArray[np.int64], layer: BidirectionalWeights) -> Floats:
    """``[T * B, K]`` to ``[T * B, 2 H]``; zero on padding."""
    _, blocks, size = layer.recurrent.shape[:3]
    width, units = blocks * WIDTH, blocks * LANES
    gates = np.stack([_affine(x, batch, ends, inputs).reshape(-1) for inputs in layer.inputs])
    out = np.zeros((steps * batch, 2 * size), np.float32)
    team.run(
        kernels.bidirectional_layer, _workers(), team.counters(2 * steps), ends, steps, batch, gates,
        layer.recurrent, np.zeros((2, 2 * batch * units), np.float32), np.zeros((2, batch * units), np.float32),
        np.empty((2, batch * width), np.float32), out.reshape(-1),
    )  # fmt: skip
    return out


def _decode(packed: Packed, z: Tensor, lengths: Tensor) -> Tensor:
    """Logits ``[T, B, V]``, V padded."""
    steps, batch, size = z.shape
    ends = _integers(lengths)
    x = z.reshape(-1, size).numpy()
    for layer in packed.decoder:
        x = _bidirectional(x, steps, batch, ends, layer)
    hidden = x.shape[1] // 2
    features = np.zeros((steps, batch, size + 2 * hidden), np.float32)
    both = x.reshape(steps, batch, 2 * hidden)
    features[..., :size] = z.numpy()
    features[1:, :, size : size + hidden] = both[:-1, :, :hidden]
    features[:-1, :, size + hidden :] = both[1:, :, hidden:]
    logits = _affine(features.reshape(steps * batch, -1), batch, ends, packed.logits)
    return torch.from_numpy(logits.reshape(steps, batch, -1))


def _to_emit(
    model: LSTMBaseline,
    weights: PackedBaseline,
    prefix: Tensor | None,
    uniforms: Tensor | None,
    part: slice,
    steps: int,
    temperature: float,
) -> Emitted:
    """Room for what the loop writes, with what is known filled in."""
    count, width = part.stop - part.start, 1 if weights.categorical else model.config.vocab_size
    symbols = np.zeros((steps, count, width), np.int64)
    known = 0 if prefix is None else len(prefix)
    if prefix is not None:
        symbols[:known] = prefix[:, part].reshape(known, count, width).to(torch.int64).numpy()
    draws = np.zeros((0, count, width))
    if uniforms is not None:
        draws = np.ascontiguousarray(uniforms[:, part].reshape(steps, count, width).numpy())
    probabilities = np.zeros((steps, count, model.config.vocab_size), np.float32)
    return Emitted(symbols, probabilities, draws, weights.table, known, float(temperature), weights.categorical)


def _roll_out(weights: PackedBaseline, emitted: Emitted, lengths: Tensor, progress: Progress | None) -> None:
    """The baseline's loop over time; writes into ``emitted``."""
    steps, batch = emitted.symbols.shape[:2]
    layers, blocks = weights.lstm.recurrent.shape[:2]
    state = State(
        np.zeros((layers, batch * blocks * LANES), np.float32),
        np.zeros((layers, batch * blocks * LANES), np.float32),
        np.zeros((layers, batch * blocks * WIDTH), np.float32),
    )
    embedded = np.zeros(batch * weights.table.shape[1], np.float32)
    sums = np.empty(batch * len(weights.logits.weight) * WIDTH, np.float32)
    for start, stop in _strides(steps, progress):
        sync = team.counters(kernels.phases_of(layers, stop - start))
        team.run(
            roll_out_steps, _workers(), sync, start, stop, steps, batch, _integers(lengths), embedded, weights.lstm,
            state, weights.logits, sums, emitted,
        )  # fmt: skip
