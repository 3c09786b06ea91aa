"""From a model's parameters to the arrays the kernels read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lnf_core.engines.numba_cpu.kernels import Affine, LSTMWeights
from lnf_core.engines.numba_cpu.machine import LANES, WIDTH
from lnf_core.engines.numba_cpu.stack import AF, DIAGONAL, SCF, Floats, StackWeights
from lnf_core.flows.autoregressive import AutoregressiveFlow
from lnf_core.flows.coupling import CouplingFlow
from lnf_core.flows.diagonal import DiagonalFlow
from lnf_core.flows.stack import FlowStack
from lnf_core.flows.time import TimeContext
from lnf_core.models.baseline import LSTMBaseline
from lnf_core.models.decoder import Decoder
from lnf_core.models.emission import Emission
from lnf_core.models.latent_flow import LatentFlow
from lnf_core.nets.positions import PositionFeatures


class BidirectionalWeights(NamedTuple):
    """One layer: from its inputs to both directions' gates, and the recurrence, ``[2, blocks, H, WIDTH]``."""

    inputs: tuple[Affine, Affine]
    recurrent: Floats


class Initial(NamedTuple):
    """The net that makes the first state of the flow over time from the positions of step 0."""

    from_start: Floats
    """``[H]``: the first layer's share of the distance to the start, which is 0, and its bias."""
    from_end: Floats
    """``[positions, H]``: its share of the distance to the end."""
    output: Affine
    """To ``[layers, H, 2]``."""


class Packed(NamedTuple):
    """Everything a latent flow's kernels read."""

    context: LSTMWeights | None
    initial: Initial | None
    stack: StackWeights
    decoder: tuple[BidirectionalWeights, ...]
    logits: Affine
    """From ``[z, forward, backward]`` to the logits: the two linear layers of the emission, multiplied out."""


class PackedBaseline(NamedTuple):
    """Everything the baseline's kernel reads."""

    lstm: LSTMWeights
    logits: Affine
    table: Floats
    """The embeddings, ``[V, E]``."""
    categorical: bool


def _array(tensor: Tensor) -> Floats:
    return tensor.detach().to(torch.float32).contiguous().numpy()


def _padded(size: int) -> int:
    return -(-size // WIDTH) * WIDTH


def _blocked(weight: Floats) -> Floats:
    """``[out, K]`` to ``[blocks, K, WIDTH]``, outputs padded with zeros."""
    wide = np.zeros((_padded(len(weight)), weight.shape[1]), np.float32)
    wide[: len(weight)] = weight
    return np.ascontiguousarray(wide.reshape(-1, WIDTH, weight.shape[1]).transpose(0, 2, 1))


def _by_unit(gates: Floats) -> Floats:
    """PyTorch's ``[4H, ...]`` (i, f, g, o one after the other) to blocks of ``LANES`` units with their four gates."""
    hidden = len(gates) // 4
    units = -(-hidden // LANES) * LANES
    wide = np.zeros((4, units, *gates.shape[1:]), np.float32)
    wide[:, :hidden] = gates.reshape(4, hidden, *gates.shape[1:])
    blocks = wide.reshape(4, units // LANES, LANES, *gates.shape[1:]).swapaxes(0, 1)
    return np.ascontiguousarray(blocks.reshape(4 * units, *gates.shape[1:]))


def _shares(positions: PositionFeatures, weight: Tensor) -> tuple[Tensor, Tensor]:
    """What ``weight`` ``[out, F]`` makes of the features of each distance to either end, ``[positions, out]`` each."""
    half = positions.size // 2
    if positions.kind == "onehot":
        return weight[:, :half].T, weight[:, half:].T
    return positions.from_start.weight @ weight[:, :half].T, positions.from_end.weight @ weight[:, half:].T


def _tables(positions: PositionFeatures, weight: Tensor, bias: Tensor) -> tuple[Floats, Floats]:
    """The positions' share of a layer of gates, its bias included."""
    start, end = _shares(positions, weight)
    return _by_unit(_array((start + bias).T)).T.copy(), _by_unit(_array(end.T)).T.copy()


def _lstm_tensors(lstm: nn.LSTM, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    bias = getattr(lstm, f"bias_ih_l{layer}") + getattr(lstm, f"bias_hh_l{layer}")
    return getattr(lstm, f"weight_ih_l{layer}"), getattr(lstm, f"weight_hh_l{layer}"), bias


def _gates(weight: Tensor) -> Floats:
    return _blocked(_by_unit(_array(weight)))


def _gate_affine(lstm: nn.LSTM, positions: PositionFeatures | None) -> Affine:
    """The first layer's inputs; with ``positions`` the last columns of its weight are theirs."""
    weight, _, bias = _lstm_tensors(lstm, 0)
    if positions is None:
        row = _by_unit(_array(bias))[None]
        return Affine(_gates(weight), row, np.zeros_like(row))
    inputs = weight.shape[1] - positions.size
    return Affine(_gates(weight[:, :inputs]), *_tables(positions, weight[:, inputs:], bias))


def pack_lstm(lstm: nn.LSTM, positions: PositionFeatures) -> LSTMWeights:
    """A forward LSTM whose first layer reads ``[input, positions]``."""
    each = [_lstm_tensors(lstm, layer) for layer in range(lstm.num_layers)]
    recurrent = np.stack([_gates(weight) for _, weight, _ in each])
    between = np.zeros((0, *recurrent.shape[1:]), np.float32)
    bias = np.zeros((0, recurrent.shape[1] * WIDTH), np.float32)
    if len(each) > 1:
        between = np.stack([_gates(weight) for weight, _, _ in each[1:]])
        bias = np.stack([_by_unit(_array(row)) for _, _, row in each[1:]])
    return LSTMWeights(_gate_affine(lstm, positions), between, bias, recurrent)


def _plain_affine(weight: Tensor, bias: Tensor) -> Affine:
    row = _padded_rows(_array(bias), _padded(len(bias)))[None]
    return Affine(_blocked(_array(weight)), row, np.zeros_like(row))


def _pack_initial(context: TimeContext, positions: PositionFeatures) -> Initial:
    first, last = context.initial[0], context.initial[2]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    start, end = _shares(positions, first.weight)
    return Initial(_array(start[0] + first.bias), _array(end), _plain_affine(last.weight, last.bias))


def _pack_decoder(decoder: Decoder, positions: PositionFeatures) -> tuple[BidirectionalWeights, ...]:
    layers = []
    for index, pair in enumerate(zip(decoder.lstm.forward_layers, decoder.lstm.backward_layers, strict=True)):
        ahead, behind = (_gate_affine(lstm, None if index else positions) for lstm in pair)  # type: ignore[arg-type]
        recurrent = np.stack([_gates(_lstm_tensors(lstm, 0)[1]) for lstm in pair])  # type: ignore[arg-type]
        layers.append(BidirectionalWeights((ahead, behind), recurrent))
    return tuple(layers)


def _pack_logits(emission: Emission) -> Affine:
    """``E (W x + c) + b = (E W) x + (E c + b)``: nothing lies between the two layers. Multiplied in float64."""
    table = emission.embedding.weight.detach().double()
    weight = table @ emission.hidden.weight.double()
    bias = table @ emission.hidden.bias.double() + emission.bias.double()
    return _plain_affine(weight, bias)


# The flows over dimensions ---------------------------------------------------------------------------------------


def _padded_rows(rows: Floats, width: int) -> Floats:
    wide = np.zeros((*rows.shape[:-1], width), np.float32)
    wide[..., : rows.shape[-1]] = rows
    return wide


def _pack_af(flows: list[AutoregressiveFlow]) -> StackWeights:
    net = flows[0].net
    size, parameters, hidden = net.size, net.num_parameters, net.input_layer.out_features
    degrees = np.arange(hidden) % size
    by_degree = np.argsort(degrees, kind="stable")
    wide, outputs = _padded(hidden), _padded(size * parameters)
    context, context_bias, first, second, second_bias, third, third_bias, order = ([] for _ in range(8))
    for flow in flows:
        net = flow.net
        ranks = np.array(net.order)
        enters = _array(net.input_layer.masked_weight())[by_degree]
        context.append(_blocked(enters[:, size:]))
        context_bias.append(_padded_rows(_array(net.input_layer.bias)[by_degree], wide))
        first.append(_padded_rows(enters[:, :size].T[ranks], wide))
        inner = _array(net.hidden_layer.masked_weight())[by_degree][:, by_degree]
        second.append(_padded_rows(inner.T, wide))
        second_bias.append(_padded_rows(_array(net.hidden_layer.bias)[by_degree], wide))
        # The net's outputs lie parameter by parameter; the kernel wants those of one dimension side by side.
        rows = (np.arange(parameters)[None, :] * size + ranks[:, None]).reshape(-1)
        leaves = _array(net.output_layer.masked_weight())[rows][:, by_degree]
        third.append(_padded_rows(leaves.T, outputs))
        third_bias.append(_padded_rows(_array(net.output_layer.bias)[rows], outputs))
        order.append(ranks.astype(np.int64))
    ready = np.searchsorted(degrees[by_degree], np.arange(size), side="right").astype(np.int64)
    return StackWeights(
        AF,
        parameters == 5,
        parameters,
        hidden,
        np.concatenate(context),
        np.concatenate(context_bias),
        np.stack(first)[:, None],
        np.stack(second)[:, None],
        np.stack(second_bias),
        np.stack(third)[:, None],
        np.stack(third_bias),
        np.stack(order),
        ready,
    )


def _pack_scf(flows: list[CouplingFlow]) -> StackWeights:
    enter, inner, leave = (flows[0].net[index] for index in (0, 2, 4))
    hidden, parameters = inner.in_features, flows[0].transform.num_parameters  # type: ignore[union-attr]
    wide, outputs = _padded(hidden), _padded(leave.out_features)  # type: ignore[union-attr, arg-type]
    context, context_bias, first, second, second_bias, third, third_bias, order = ([] for _ in range(8))
    for flow in flows:
        enter, inner, leave = (flow.net[index] for index in (0, 2, 4))
        weight = _array(enter.weight)  # type: ignore[arg-type]
        context.append(_blocked(weight[:, flow.kept :]))
        context_bias.append(_padded_rows(_array(enter.bias), wide))  # type: ignore[arg-type]
        first.append(_blocked(weight[:, : flow.kept]))
        second.append(_blocked(_array(inner.weight)))  # type: ignore[arg-type]
        second_bias.append(_padded_rows(_array(inner.bias), wide))  # type: ignore[arg-type]
        third.append(_blocked(_array(leave.weight)))  # type: ignore[arg-type]
        third_bias.append(_padded_rows(_array(leave.bias), outputs))  # type: ignore[arg-type]
        kept_at, changed_at = (flow.changed, 0) if flow.reverse else (0, flow.kept)
        order.append(np.array([kept_at, changed_at, flow.kept, flow.changed], np.int64))
    return StackWeights(
        SCF,
        parameters == 5,
        parameters,
        int(hidden),  # type: ignore[arg-type]
        np.concatenate(context),
        np.concatenate(context_bias),
        np.stack(first),
        np.stack(second),
        np.stack(second_bias),
        np.stack(third),
        np.stack(third_bias),
        np.stack(order),
        np.zeros(0, np.int64),
    )


def _pack_diagonal(flow: DiagonalFlow) -> StackWeights:
    parameters = flow.transform.num_parameters
    bias = _array(flow.net.bias)
    nothing = np.zeros((1, 0, 0, WIDTH), np.float32)
    none = np.zeros((1, 0), np.float32)
    return StackWeights(
        DIAGONAL,
        parameters == 5,
        parameters,
        0,
        _blocked(_array(flow.net.weight)),
        _padded_rows(bias, _padded(len(bias))),
        nothing,
        nothing,
        none,
        nothing,
        none,
        np.zeros((1, 0), np.int64),
        np.zeros(0, np.int64),
    )


def pack_stack(stack: FlowStack) -> StackWeights:
    """The flows over dimensions; all of one kind."""
    flows = list(stack.layers)
    if isinstance(flows[0], AutoregressiveFlow):
        return _pack_af(flows)  # type: ignore[arg-type]
    if isinstance(flows[0], CouplingFlow):
        return _pack_scf(flows)  # type: ignore[arg-type]
    return _pack_diagonal(flows[0])  # type: ignore[arg-type]


@torch.no_grad()
def pack(model: LatentFlow) -> Packed:
    """Copy a model's weights into the layout of the kernels."""
    context = model.prior.context
    return Packed(
        None if context is None else pack_lstm(context.lstm, model.positions),
        None if context is None else _pack_initial(context, model.positions),
        pack_stack(model.prior.stack),
        _pack_decoder(model.decoder, model.positions),
        _pack_logits(model.emission),
    )


@torch.no_grad()
def pack_baseline(model: LSTMBaseline) -> PackedBaseline:
    """The same for the baseline."""
    emission = model.emission
    categorical = emission.likelihood == "categorical"
    table = _array(emission.embedding.weight).copy()
    return PackedBaseline(pack_lstm(model.lstm, model.positions), _pack_logits(emission), table, categorical)
