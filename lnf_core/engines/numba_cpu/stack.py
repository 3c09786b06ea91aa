"""The flows over dimensions from eps to z, on a few rows at a time.

What depends on the time context alone, the first layer's pre-activations of every flow of the stack, is computed
before (``context_products``); a row is then finished without another look at the context.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lnf_core.engines.numba_cpu.arithmetic import multiply, rectify, transform_inverse
from lnf_core.engines.numba_cpu.jit import compiled
from lnf_core.engines.numba_cpu.machine import LANES, WIDTH, add_scaled

Floats = NDArray[np.float32]

AF, SCF, DIAGONAL = 0, 1, 2


class StackWeights(NamedTuple):
    """A stack's weights as its kernels read them. F and O are the hidden units and the outputs, padded to blocks."""

    kind: int
    """``AF``, ``SCF`` or ``DIAGONAL``."""
    nlsq: bool
    parameters: int
    """P, of each transform."""
    hidden: int
    """Hidden units, without padding."""
    context: Floats
    """From the context to the first layers of all flows: ``[blocks, H, WIDTH]``."""
    context_bias: Floats
    """``[blocks * WIDTH]``."""
    first: Floats
    """From the values. AF: ``[L, D, F]``, by rank; SCF: ``[L, F / WIDTH, kept, WIDTH]``."""
    second: Floats
    """AF: ``[L, hidden, F]``; SCF: ``[L, F / WIDTH, hidden, WIDTH]``."""
    second_bias: Floats
    """``[L, F]``."""
    third: Floats
    """AF: ``[L, hidden, O]``; SCF: ``[L, O / WIDTH, hidden, WIDTH]``."""
    third_bias: Floats
    """``[L, O]``; the P parameters of one dimension side by side, dimensions by rank for AF."""
    order: NDArray[np.int64]
    """AF: the dimension of each rank, ``[L, D]``; SCF: first kept, first changed, number kept, number changed."""
    ready: NDArray[np.int64]
    """AF: how many hidden units, sorted by degree, depend on ranks below r only: ``[D]``."""


def single_layers(stack: StackWeights, context: Floats) -> list[StackWeights]:
    """Each flow of a stack alone, in the order of sampling, with the products of one ``context`` ``[H]`` in its biases.

    They ask for a context of no numbers.
    """
    blocks = len(stack.context)
    products = np.einsum("bhw,h->bw", stack.context, context.astype(np.float32)).reshape(-1)
    bias = (stack.context_bias + products).reshape(len(stack.order), -1)
    empty = np.zeros((blocks // len(stack.order), 0, WIDTH), np.float32)
    return [
        stack._replace(
            context=empty,
            context_bias=bias[layer],
            **{
                name: getattr(stack, name)[layer : layer + 1]
                for name in ("first", "second", "second_bias", "third", "third_bias", "order")
            },
        )
        for layer in reversed(range(len(bias)))
    ]


@compiled
def context_products(block, rows, context, context_at, context_step, sums, sums_step, weights):
    """One block of the first layers' pre-activations for ``rows`` rows of the context."""
    for row in range(rows):
        for column in range(WIDTH):
            sums[row * sums_step + block * WIDTH + column] = weights.context_bias[block * WIDTH + column]
    size = weights.context.shape[1]
    flat = weights.context.reshape(-1)
    multiply(sums, block * WIDTH, sums_step, context, context_at, context_step, flat, block * size * WIDTH, size, rows)


@compiled
def invert_rows(values, at, size, sums, sums_at, sums_step, rows, scratch, weights):
    """Eps -> z in place for ``rows`` rows ``values[at + row * size:]``, given their ``sums``."""
    if weights.kind == AF:
        for row in range(rows):
            _invert_af(values, at + row * size, size, sums, sums_at + row * sums_step, scratch, weights)
    elif weights.kind == SCF:
        _invert_scf(values, at, size, sums, sums_at, sums_step, rows, scratch, weights)
    else:
        for row in range(rows):
            for d in range(size):
                here = at + row * size + d
                place = sums_at + row * sums_step + d * weights.parameters
                values[here] = transform_inverse(weights.nlsq, values[here], sums, place)


@compiled
def _invert_af(values, at, size, sums, sums_at, scratch, weights):
    """MADE, one dimension after the other: a unit is computed once, when all it reads is known.

    Units are sorted by degree. What is known is pushed on at once: a dimension into the first layer, a unit of
    the first layer into the second, a unit of the second into the outputs.
    """
    layers, hidden = weights.second.shape[0], weights.second.shape[3]
    outputs = weights.third.shape[3]
    first, second, third = weights.first.reshape(-1), weights.second.reshape(-1), weights.third.reshape(-1)
    at_second, at_out = hidden, 2 * hidden
    for layer in range(layers - 1, -1, -1):
        for unit in range(hidden):
            scratch[unit] = sums[sums_at + layer * hidden + unit]
            scratch[at_second + unit] = weights.second_bias[layer, unit]
        for column in range(outputs):
            scratch[at_out + column] = weights.third_bias[layer, column]
        done = 0
        for rank in range(size):
            ready = weights.ready[rank]
            start = done // LANES * LANES
            for unit in range(done, ready):
                if scratch[unit] > 0.0:
                    line = (layer * weights.hidden + unit) * hidden + start
                    add_scaled(scratch, at_second + start, second, line, (hidden - start) // LANES, scratch[unit])
            place = rank * weights.parameters
            start_out = place // LANES * LANES
            for unit in range(done, ready):
                if scratch[at_second + unit] > 0.0:
                    line = (layer * weights.hidden + unit) * outputs + start_out
                    count = (outputs - start_out) // LANES
                    add_scaled(scratch, at_out + start_out, third, line, count, scratch[at_second + unit])
            done = ready
            here = at + weights.order[layer, rank]
            value = transform_inverse(weights.nlsq, values[here], scratch, at_out + place)
            values[here] = value
            start = done // LANES * LANES
            add_scaled(scratch, start, first, (layer * size + rank) * hidden + start, (hidden - start) // LANES, value)


@compiled
def _invert_scf(values, at, size, sums, sums_at, sums_step, rows, scratch, weights):
    """Split coupling: three products a layer, then the changed half."""
    layers, hidden_blocks, kept = weights.first.shape[0], weights.first.shape[1], weights.first.shape[2]
    hidden, outputs = hidden_blocks * WIDTH, weights.third.shape[1] * WIDTH
    first, second, third = weights.first.reshape(-1), weights.second.reshape(-1), weights.third.reshape(-1)
    at_second, at_out = rows * hidden, 2 * rows * hidden
    for layer in range(layers - 1, -1, -1):
        for row in range(rows):
            for unit in range(hidden):
                scratch[row * hidden + unit] = sums[sums_at + row * sums_step + layer * hidden + unit]
                scratch[at_second + row * hidden + unit] = weights.second_bias[layer, unit]
            for column in range(outputs):
                scratch[at_out + row * outputs + column] = weights.third_bias[layer, column]
        first_kept, first_changed = weights.order[layer, 0], weights.order[layer, 1]
        for block in range(hidden_blocks):
            line = (layer * hidden_blocks + block) * kept * WIDTH
            multiply(scratch, block * WIDTH, hidden, values, at + first_kept, size, first, line, kept, rows)
        rectify(scratch, 0, rows * hidden)
        for block in range(hidden_blocks):
            line = (layer * hidden_blocks + block) * weights.hidden * WIDTH
            multiply(scratch, at_second + block * WIDTH, hidden, scratch, 0, hidden, second, line, weights.hidden, rows)
        rectify(scratch, at_second, rows * hidden)
        for block in range(outputs // WIDTH):
            line = (layer * (outputs // WIDTH) + block) * weights.hidden * WIDTH
            y_at = at_out + block * WIDTH
            multiply(scratch, y_at, outputs, scratch, at_second, hidden, third, line, weights.hidden, rows)
        for row in range(rows):
            for d in range(weights.order[layer, 3]):
                here = at + row * size + first_changed + d
                place = at_out + row * outputs + d * weights.parameters
                values[here] = transform_inverse(weights.nlsq, values[here], scratch, place)


def scratch_size(weights: StackWeights, rows: int) -> int:
    """Floats of scratch one worker needs for ``rows`` rows at once."""
    return rows * int(2 * weights.second_bias.shape[1] + weights.third_bias.shape[1])
