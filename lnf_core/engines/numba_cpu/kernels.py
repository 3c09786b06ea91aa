"""The loops over time, each one kernel that all threads run.

Work is split by blocks of outputs or by rows, and every number is computed by one thread in one order: results do not
depend on how many threads there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lnf_core.engines.numba_cpu.arithmetic import multiply
from lnf_core.engines.numba_cpu.cell import advance_cell
from lnf_core.engines.numba_cpu.jit import compiled
from lnf_core.engines.numba_cpu.machine import LANES, WIDTH
from lnf_core.engines.numba_cpu.stack import context_products, invert_rows
from lnf_core.engines.numba_cpu.team import take, wait_for_all

Floats = NDArray[np.float32]
ROWS = 16
"""Rows in one piece of work that is split by rows."""


class Affine(NamedTuple):
    """A linear layer whose bias is a sum of two table rows: position features, already multiplied by their weights."""

    weight: Floats
    """``[blocks, K, WIDTH]``."""
    from_start: Floats
    """``[positions, blocks * WIDTH]``; one row where there are no positions."""
    from_end: Floats


class LSTMWeights(NamedTuple):
    """A stack of LSTM layers, gates in blocks of units."""

    first: Affine
    """From the input and the positions to the first layer's gates."""
    between: Floats
    """From each layer to the next, ``[layers - 1, blocks, H, WIDTH]``."""
    bias: Floats
    """Of the layers above the first, ``[layers - 1, blocks * WIDTH]``."""
    recurrent: Floats
    """``[layers, blocks, H, WIDTH]``."""


class State(NamedTuple):
    """What a loop over time hands from step to step."""

    hidden: Floats
    """``[layers, B * units]``."""
    cell: Floats
    """``[layers, B * units]``."""
    gates: Floats
    """``[layers, B * blocks * WIDTH]``: what the step at hand adds to."""


@compiled
def share(worker, workers, count):
    """The first piece of a worker's equal share of ``count``, and the first after it."""
    return worker * count // workers, (worker + 1) * count // workers


@compiled
def affine_rows(worker, workers, sync, x, rows, batch, first_t, lengths, affine, y):
    """``y = x @ weight + from_start[t] + from_end[T_b - 1 - t]``, arrays flat; row 0 is step ``first_t``."""
    blocks, size = affine.weight.shape[0], affine.weight.shape[1]
    flat, step = affine.weight.reshape(-1), blocks * WIDTH
    with_positions = affine.from_start.shape[0] > 1
    while True:
        start = take(sync, 0) * ROWS
        if start >= rows:
            return
        count = min(ROWS, rows - start)
        for row in range(start, start + count):
            t, left = 0, 0
            if with_positions:
                t = first_t + row // batch
                left = max(lengths[row % batch] - 1 - t, 0)
            for column in range(step):
                y[row * step + column] = affine.from_start[t, column] + affine.from_end[left, column]
        for block in range(blocks):
            multiply(
                y, start * step + block * WIDTH, step, x, start * size, size, flat, block * size * WIDTH, size, count
            )


@compiled
def _run_layer(
    worker, workers, sync, phase, ahead, lengths, steps, batch, gates, w, hidden, cell, sums, out, out_at, out_step
):
    """One direction of one layer: ``gates`` ``[T * B, width]`` holds the inputs' share; outputs go to ``out``.

    ``hidden`` ``[2, B, units]`` (one half is read while the other is written), ``cell`` ``[B, units]`` and
    ``sums`` ``[B, width]`` are flat. Backwards, each sequence starts at its own last step.
    """
    blocks, size = w.shape[0], w.shape[1]
    flat, width, units = w.reshape(-1), blocks * WIDTH, blocks * LANES
    first, last = share(worker, workers, blocks)
    for s in range(steps):
        now, then = (s % 2) * batch * units, (1 - s % 2) * batch * units
        for block in range(first, last):
            for b in range(batch):
                t = s if ahead or s >= lengths[b] else lengths[b] - 1 - s
                for column in range(block * WIDTH, (block + 1) * WIDTH):
                    sums[b * width + column] = gates[(t * batch + b) * width + column]
            multiply(sums, block * WIDTH, width, hidden, now, units, flat, block * size * WIDTH, size, batch)
            for b in range(batch):
                state = b * units + block * LANES
                advance_cell(sums, b * width + block * WIDTH, cell, state, hidden, then + state)
                if s < lengths[b]:
                    t = s if ahead else lengths[b] - 1 - s
                    place = (t * batch + b) * out_step + out_at + block * LANES
                    for unit in range(min(LANES, size - block * LANES)):
                        out[place + unit] = hidden[then + state + unit]
        wait_for_all(sync, phase + s, workers)


@compiled
def lstm_layer(worker, workers, sync, lengths, steps, batch, gates, w, hidden, cell, sums, out):
    """A forward LSTM layer from a given state; ``out`` is ``[T * B, H]``."""
    size = w.shape[1]
    _run_layer(worker, workers, sync, 0, True, lengths, steps, batch, gates, w, hidden, cell, sums, out, 0, size)


@compiled
def bidirectional_layer(worker, workers, sync, lengths, steps, batch, gates, w, hidden, cell, sums, out):
    """Both directions at once, half of the threads on each; ``out`` is ``[T * B, 2 H]``, padding untouched.

    ``gates``, ``w``, ``hidden``, ``cell`` and ``sums`` have a first axis for the direction.
    """
    size = w.shape[2]
    for direction in range(2):
        if workers > 1 and worker % 2 != direction:
            continue
        member = worker // 2
        members = (workers + 1 - direction) // 2 if workers > 1 else 1
        _run_layer(
            member,
            members,
            sync,
            direction * steps,
            direction == 0,
            lengths,
            steps,
            batch,
            gates[direction],
            w[direction],
            hidden[direction],
            cell[direction],
            sums[direction],
            out,
            direction * size,
            2 * size,
        )


@compiled
def invert_stack(worker, workers, sync, values, size, context, context_size, rows, sums, scratch, stack):
    """Eps -> z in place where the context of all ``rows`` is known: ``values`` ``[rows, D]``.

    ``sums`` and ``scratch`` have a first axis for the worker.
    """
    blocks = stack.context.shape[0]
    while True:
        start = take(sync, 0) * ROWS
        if start >= rows:
            return
        count = min(ROWS, rows - start)
        for block in range(blocks):
            context_products(
                block, count, context, start * context_size, context_size, sums[worker], blocks * WIDTH, stack
            )
        for row in range(0, count, 4):
            some = min(4, count - row)
            at = (start + row) * size
            invert_rows(
                values, at, size, sums[worker], row * blocks * WIDTH, blocks * WIDTH, some, scratch[worker], stack
            )


@compiled
def advance(worker, workers, sync, phase, t, x, x_at, x_size, batch, lengths, weights, state):
    """One step of all LSTM layers; their gates hold the recurrent share already. Ends with all threads together."""
    layers, blocks, size = weights.recurrent.shape[0], weights.recurrent.shape[1], weights.recurrent.shape[2]
    width, units = blocks * WIDTH, blocks * LANES
    first, last = share(worker, workers, blocks)
    input_weight, between = weights.first.weight.reshape(-1), weights.between.reshape(-1)
    with_positions = weights.first.from_start.shape[0] > 1
    for layer in range(layers):
        gates, cell, hidden = state.gates[layer], state.cell[layer], state.hidden[layer]
        for block in range(first, last):
            for b in range(batch):
                here = b * width + block * WIDTH
                if layer == 0:
                    row = t if with_positions else 0
                    left = max(lengths[b] - 1 - t, 0) if with_positions else 0
                    for column in range(WIDTH):
                        shared = weights.first.from_start[row, block * WIDTH + column]
                        gates[here + column] += shared + weights.first.from_end[left, block * WIDTH + column]
                else:
                    for column in range(WIDTH):
                        gates[here + column] += weights.bias[layer - 1, block * WIDTH + column]
            if layer == 0:
                line = block * x_size * WIDTH
                multiply(gates, block * WIDTH, width, x, x_at, x_size, input_weight, line, x_size, batch)
            else:
                line = ((layer - 1) * blocks + block) * size * WIDTH
                multiply(gates, block * WIDTH, width, state.hidden[layer - 1], 0, units, between, line, size, batch)
            for b in range(batch):
                at = b * units + block * LANES
                advance_cell(gates, b * width + block * WIDTH, cell, at, hidden, at)
        wait_for_all(sync, phase + layer, workers)


@compiled
def recur(item, batch, weights, state):
    """One block of the recurrent share of the next step's gates."""
    blocks, size = weights.recurrent.shape[1], weights.recurrent.shape[2]
    layer, block = item // blocks, item % blocks
    gates, width = state.gates[layer], blocks * WIDTH
    for b in range(batch):
        for column in range(WIDTH):
            gates[b * width + block * WIDTH + column] = np.float32(0.0)
    flat = weights.recurrent.reshape(-1)
    multiply(
        gates, block * WIDTH, width, state.hidden[layer], 0, blocks * LANES, flat, item * size * WIDTH, size, batch
    )


@compiled
def sample_steps(
    worker,
    workers,
    sync,
    start,
    stop,
    steps,
    known,
    values,
    size,
    batch,
    together,
    lengths,
    lstm,
    state,
    sums,
    scratch,
    stack,
):
    """Steps ``start`` to ``stop`` of eps -> z where the context reads z: ``values`` ``[T, B, D]`` in place.

    The first ``known`` steps hold z already and are only read.

    The recurrent products of step t + 1 need no z: threads that are not busy with a row's flows do them.
    """
    layers, blocks = lstm.recurrent.shape[0], lstm.recurrent.shape[1]
    context_blocks, units = stack.context.shape[0], blocks * LANES
    sums_step = context_blocks * WIDTH
    phases = layers + 3
    pieces = (batch + together - 1) // together
    for t in range(start, stop):
        phase = (t - start) * phases
        if t > 0:
            at = (t - 1) * batch * size
            advance(worker, workers, sync, phase, t, values, at, size, batch, lengths, lstm, state)
        first, last = share(worker, workers, context_blocks)
        for block in range(first, last if t >= known else first):
            context_products(block, batch, state.hidden[layers - 1], 0, units, sums, sums_step, stack)
        wait_for_all(sync, phase + layers, workers)
        to_solve = pieces if t >= known else 0
        items = to_solve + (layers * blocks if t + 1 < steps else 0)
        while True:
            item = take(sync, phase + layers + 1)
            if item >= items:
                break
            if item >= to_solve:
                recur(item - to_solve, batch, lstm, state)
                continue
            row = item * together
            some = min(together, batch - row)
            at = (t * batch + row) * size
            invert_rows(values, at, size, sums, row * sums_step, sums_step, some, scratch[worker], stack)
        wait_for_all(sync, phase + layers + 2, workers)


def phases_of(layers: int, steps: int) -> int:
    """How many counters ``sample_steps`` uses for ``steps`` steps."""
    return (layers + 3) * steps
