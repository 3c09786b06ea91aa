"""Products and scalar transforms, in the order of operations that every kernel shares.

Weights of products are blocked: ``[blocks, K, WIDTH]``, so that one block of outputs reads its weights as one
stream. LSTM gates lie in blocks of ``LANES`` units, ``[i f g o]`` of the same units side by side.
"""

from __future__ import annotations

import math

import numpy as np

from lnf_core.engines.numba_cpu.jit import compiled
from lnf_core.engines.numba_cpu.machine import (
    multiply_four_rows,
    multiply_one_row,
    multiply_three_rows,
    multiply_two_rows,
)
from lnf_core.transforms.nlsq import BUMP_BOUND

_A = BUMP_BOUND
_MAX_NEWTON = 100


@compiled
def multiply(y, y_at, y_step, x, x_at, x_step, w, w_at, count, rows):
    """``y[r, :WIDTH] += x[r, :count] @ w[:count]`` for ``rows`` rows; each row's sums do not depend on the others."""
    row = 0
    while row + 4 <= rows:
        multiply_four_rows(y, y_at + row * y_step, y_step, x, x_at + row * x_step, x_step, w, w_at, count)
        row += 4
    # What is left in one go: the weights, which are the larger part of what is read, are read once.
    if rows - row == 3:
        multiply_three_rows(y, y_at + row * y_step, y_step, x, x_at + row * x_step, x_step, w, w_at, count)
    elif rows - row == 2:
        multiply_two_rows(y, y_at + row * y_step, y_step, x, x_at + row * x_step, x_step, w, w_at, count)
    elif rows - row == 1:
        multiply_one_row(y, y_at + row * y_step, y_step, x, x_at + row * x_step, x_step, w, w_at, count)


@compiled
def nlsq_inverse(value, a, beta, gamma, delta, f):
    """Eps -> z of one element in float64: see ``lnf_core.transforms.nlsq`` for the equation and its bracket."""
    k = math.tanh(0.3 * gamma) * _A
    s = (value - a) * math.exp(0.4 * (delta - beta))
    low, high = s - abs(k), s + abs(k)
    v = s + f
    w = min(max(s - k / (1.0 + v * v), low), high)
    for _ in range(_MAX_NEWTON):
        v = w + f
        bump = 1.0 / (1.0 + v * v)
        residual = w + k * bump - s
        # The map increases, so the sign of the residual says on which side of w the root lies.
        if residual > 0.0:
            high = w
        else:
            low = w
        stepped = w - residual / (1.0 - 2.0 * k * v * bump * bump)
        if not low <= stepped <= high:
            stepped = 0.5 * (low + high)
        change = abs(stepped - w)
        w = stepped
        # Newton squares its error: after a step this small what is left is below rounding.
        if change <= 1e-9 * (1.0 + abs(w)):
            break
    return w * math.exp(-0.4 * delta)


@compiled
def transform_inverse(nlsq, value, parameters, at):
    """Eps -> z of one element; ``parameters[at:]`` are NLSq's five or the affine map's two."""
    if nlsq:
        return np.float32(
            nlsq_inverse(
                np.float64(value),
                np.float64(parameters[at]),
                np.float64(parameters[at + 1]),
                np.float64(parameters[at + 2]),
                np.float64(parameters[at + 3]),
                np.float64(parameters[at + 4]),
            )
        )
    return np.float32((np.float64(value) - parameters[at]) * math.exp(-0.5 * np.float64(parameters[at + 1])))


@compiled
def rectify(values, at, count):
    """ReLU in place."""
    for index in range(at, at + count):
        values[index] = max(values[index], np.float32(0.0))
