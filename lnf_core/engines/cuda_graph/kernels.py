"""The Triton kernels: the cell of an LSTM, and the flows over dimensions from eps to z, a whole stack in one launch.

One program works on one row of a batch. Between two dimensions of an autoregressive flow lies a chain of dependent
operations, and nothing else counts: the chain is kept to a few multiplications and the root of the transform. Whatever
a dimension needs of those before the last one is summed up beforehand, beside that root, and weights are read one
dimension ahead.
"""

from __future__ import annotations

import triton
import triton.language as tl

from lnf_core.transforms.nlsq import BUMP_BOUND

_A = tl.constexpr(BUMP_BOUND)
_FAR = tl.constexpr(1.0e4)
"""The bump at this distance is 1.5e-8: below the rounding of anything it is added to that the transform may return."""
_SETTLED = tl.constexpr(1.0e-5)
"""Newton squares its error: after a step this small, relative to 1 + |w|, what is left is below rounding."""
_MAX_NEWTON = tl.constexpr(40)


@triton.jit
def _tanh(x):
    """No library function, and exact to one part in 10^7 of 1."""
    return 2.0 * tl.sigmoid(2.0 * x) - 1.0


@triton.jit
def cell_kernel(gates, cell, out, out_row, second, second_row, units, BLOCK: tl.constexpr):
    """The cell of one layer: PyTorch's gates ``[B, 4H]`` to the cell ``[B, H]``, in place, and two copies of h."""
    row = tl.program_id(0).to(tl.int64)
    unit = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = unit < units
    at = gates + row * 4 * units + unit
    enter = tl.sigmoid(tl.load(at, there, 0.0))
    forget = tl.sigmoid(tl.load(at + units, there, 0.0))
    new = _tanh(tl.load(at + 2 * units, there, 0.0))
    leave = tl.sigmoid(tl.load(at + 3 * units, there, 0.0))
    place = cell + row * units + unit
    state = forget * tl.load(place, there, 0.0) + enter * new
    hidden = leave * _tanh(state)
    tl.store(place, state, there)
    tl.store(out + row * out_row + unit, hidden, there)
    tl.store(second + row * second_row + unit, hidden, there)


@triton.jit
def _nlsq_inverse(value, a, beta, gamma, delta, f, MANY: tl.constexpr):
    """Eps -> z of one number, or of a vector: see ``lnf_core.transforms.nlsq`` for the equation and its bracket.

    With ``q = 1 + v^2`` a Newton step on ``w + k / q = s`` is ``q (q (w - s) + k) / (q^2 - 2 k v)``: one division.
    """
    k = _tanh(0.3 * gamma) * _A
    s = (value - a) * tl.exp(0.4 * (delta - beta))
    low, high = s - tl.abs(k), s + tl.abs(k)
    v = s + f
    far = tl.abs(v) > _FAR
    w = tl.where(far, s, s - k / (1.0 + v * v))
    moving = tl.where(far, 0, 1)
    going = tl.max(moving, 0) if MANY else moving
    steps = 0
    while (going > 0) & (steps < _MAX_NEWTON):
        v = w + f
        q = 1.0 + v * v
        left = q * (w - s) + k  # q times the residual, whose sign says on which side of w the root lies
        high = tl.where(left > 0.0, w, high)
        low = tl.where(left > 0.0, low, w)
        stepped = w - q * left / (q * q - 2.0 * k * v)
        stepped = tl.where((stepped >= low) & (stepped <= high), stepped, 0.5 * (low + high))
        moving = moving & (tl.abs(stepped - w) > _SETTLED * (1.0 + tl.abs(w))).to(tl.int32)
        going = tl.max(moving, 0) if MANY else moving
        w = tl.where(far, w, stepped)
        steps += 1
    return w * tl.exp(-0.4 * delta)


@triton.jit
def _transform_inverse(value, p, NLSQ: tl.constexpr, MANY: tl.constexpr):
    """The inverse of the transform with the parameters ``p``, a tuple."""
    if NLSQ:
        return _nlsq_inverse(value, p[0], p[1], p[2], p[3], p[4], MANY)
    else:
        return (value - p[0]) * tl.exp(-0.5 * p[1])


@triton.jit
def _at(vector, index, place):
    """The element of ``vector`` whose ``index`` is ``place``."""
    return tl.sum(tl.where(index == place, vector, 0.0), 0)


@triton.jit
def autoregressive_kernel(
    eps,
    sums,
    z,
    z_row,
    first,
    second,
    second_bias,
    third,
    third_bias,
    reverse,
    LAYERS: tl.constexpr,
    SIZE: tl.constexpr,
    UNITS: tl.constexpr,
    P: tl.constexpr,
    NLSQ: tl.constexpr,
    HIDDEN: tl.constexpr,
    RANKS: tl.constexpr,
):
    """A stack of MADEs, one row a program. Unit ``u * SIZE + r`` of a hidden layer has degree r, for u < UNITS.

    eps ``[B, D]``; sums ``[B, L, UNITS * SIZE]``, the first layers' sums over the context; z ``[B, D]`` in rows of
    ``z_row``; layers in the order of sampling. Weights, dimensions by rank: first ``[L, D, HIDDEN]``, second
    ``[L, UNITS * SIZE, HIDDEN]``, third ``[L, UNITS * SIZE, P, RANKS]``; ``reverse`` ``[L]`` is 1 where the ranks run
    from the last dimension. HIDDEN and RANKS are the powers of two above the numbers of units and of dimensions.
    """
    row = tl.program_id(0).to(tl.int64)
    unit, rank = tl.arange(0, HIDDEN), tl.arange(0, RANKS)
    value = tl.load(eps + row * SIZE + rank, rank < SIZE, 0.0)
    for layer in range(LAYERS):
        turned = tl.load(reverse + layer)
        w1 = first + layer * SIZE * HIDDEN
        w2 = second + layer * UNITS * SIZE * HIDDEN
        w3 = third + layer * UNITS * SIZE * P * RANKS
        one = tl.load(sums + (row * LAYERS + layer) * UNITS * SIZE + unit, unit < UNITS * SIZE, 0.0)
        two = tl.load(second_bias + layer * HIDDEN + unit)
        out = ()
        for p in tl.static_range(P):
            out = out + (tl.load(third_bias + (layer * P + p) * RANKS + rank),)
        # What the units and outputs of the rank at hand have so far, all but the last rank's share.
        near1, near2, near3 = (), (), ()
        for u in tl.static_range(UNITS):
            near1 = near1 + (_at(one, unit, u * SIZE),)
            near2 = near2 + (_at(two, unit, u * SIZE),)
        for p in tl.static_range(P):
            near3 = near3 + (_at(out[p], rank, 0),)
        x = _at(value, rank, turned * (SIZE - 1))
        last = 0.0
        push1 = tl.zeros((HIDDEN,), tl.float32)
        step1, step2, step3 = (), (), ()
        push2, push3 = (), ()
        for u in tl.static_range(UNITS):
            step1 = step1 + (0.0,)
            push2 = push2 + (tl.load(w2 + u * SIZE * HIDDEN + unit),)
            for v in tl.static_range(UNITS):
                step2 = step2 + (tl.load(w2 + u * SIZE * HIDDEN + v * SIZE),)
            for p in tl.static_range(P):
                push3 = push3 + (tl.load(w3 + (u * SIZE * P + p) * RANKS + rank),)
                step3 = step3 + (tl.load(w3 + (u * SIZE * P + p) * RANKS),)
        image = tl.zeros((RANKS,), tl.float32)
        for r in range(SIZE):
            # The weights of the next rank set out first, to be there when it is its turn.
            after = tl.minimum(r + 1, SIZE - 1)
            new_push1 = tl.load(w1 + r * HIDDEN + unit)
            new_step1, new_step2, new_step3 = (), (), ()
            new_push2, new_push3 = (), ()
            for u in tl.static_range(UNITS):
                line2 = w2 + (u * SIZE + after) * HIDDEN
                new_step1 = new_step1 + (tl.load(w1 + r * HIDDEN + u * SIZE + after),)
                new_push2 = new_push2 + (tl.load(line2 + unit),)
                for v in tl.static_range(UNITS):
                    new_step2 = new_step2 + (tl.load(line2 + v * SIZE + after),)
                for p in tl.static_range(P):
                    line3 = w3 + ((u * SIZE + after) * P + p) * RANKS
                    new_push3 = new_push3 + (tl.load(line3 + rank),)
                    new_step3 = new_step3 + (tl.load(line3 + after),)
            # The chain: from the last rank's value to this one's.
            h1, h2, parameters = (), (), ()
            for u in tl.static_range(UNITS):
                h1 = h1 + (tl.maximum(near1[u] + step1[u] * last, 0.0),)
            for v in tl.static_range(UNITS):
                total = near2[v]
                for u in tl.static_range(UNITS):
                    total += step2[u * UNITS + v] * h1[u]
                h2 = h2 + (tl.maximum(total, 0.0),)
            for p in tl.static_range(P):
                total = near3[p]
                for u in tl.static_range(UNITS):
                    total += step3[u * P + p] * h2[u]
                parameters = parameters + (total,)
            now = _transform_inverse(x, parameters, NLSQ, False)
            # Beside it: everything that the next rank needs of this one and those before, but its value.
            one += push1 * last
            new_out = ()
            for u in tl.static_range(UNITS):
                two += push2[u] * h1[u]
            for p in tl.static_range(P):
                total = out[p]
                for u in tl.static_range(UNITS):
                    total += push3[u * P + p] * h2[u]
                new_out = new_out + (total,)
            out = new_out
            new_near1, new_near2, new_near3 = (), (), ()
            for u in tl.static_range(UNITS):
                new_near1 = new_near1 + (_at(one, unit, u * SIZE + after),)
                new_near2 = new_near2 + (_at(two, unit, u * SIZE + after),)
            for p in tl.static_range(P):
                new_near3 = new_near3 + (_at(out[p], rank, after),)
            near1, near2, near3 = new_near1, new_near2, new_near3
            here = r + turned * (SIZE - 1 - 2 * r)
            image = tl.where(rank == here, now, image)
            x = _at(value, rank, after + turned * (SIZE - 1 - 2 * after))
            last = now
            push1, push2, push3 = new_push1, new_push2, new_push3
            step1, step2, step3 = new_step1, new_step2, new_step3
        value = image
    tl.store(z + row * z_row + rank, value, rank < SIZE)


@triton.jit
def coupling_kernel(
    eps,
    sums,
    z,
    z_row,
    first,
    second,
    second_bias,
    third,
    third_bias,
    reverse,
    LAYERS: tl.constexpr,
    SIZE: tl.constexpr,
    UNITS: tl.constexpr,
    P: tl.constexpr,
    NLSQ: tl.constexpr,
    HIDDEN: tl.constexpr,
    HALF: tl.constexpr,
):
    """A stack of split couplings, one row a program.

    sums ``[B, L, UNITS]``; weights: first ``[L, HIDDEN, HALF]``, second ``[L, HIDDEN, HIDDEN]``, third
    ``[L, P, HALF, HIDDEN]``, outputs by parameter; the rest as above. z holds the row between the layers.
    """
    row = tl.program_id(0).to(tl.int64)
    unit, half = tl.arange(0, HIDDEN), tl.arange(0, HALF)
    kept: tl.constexpr = SIZE // 2
    changed: tl.constexpr = SIZE - SIZE // 2
    line = z + row * z_row
    source = eps + row * SIZE
    for layer in range(LAYERS):
        turned = tl.load(reverse + layer)
        kept_at, changed_at = turned * changed, (1 - turned) * kept
        passed = tl.load(source + kept_at + half, half < kept, 0.0)
        value = tl.load(source + changed_at + half, half < changed, 0.0)
        w1 = tl.load(first + layer * HIDDEN * HALF + unit[:, None] * HALF + half[None, :])
        h = tl.load(sums + (row * LAYERS + layer) * UNITS + unit, unit < UNITS, 0.0)
        h = tl.maximum(h + tl.sum(w1 * passed[None, :], 1), 0.0)
        w2 = tl.load(second + layer * HIDDEN * HIDDEN + unit[:, None] * HIDDEN + unit[None, :])
        h = tl.maximum(tl.load(second_bias + layer * HIDDEN + unit) + tl.sum(w2 * h[None, :], 1), 0.0)
        parameters = ()
        for p in tl.static_range(P):
            at = layer * P + p
            w3 = tl.load(third + at * HALF * HIDDEN + half[:, None] * HIDDEN + unit[None, :])
            parameters = parameters + (tl.load(third_bias + at * HALF + half) + tl.sum(w3 * h[None, :], 1),)
        image = _transform_inverse(value, parameters, NLSQ, True)
        tl.debug_barrier()  # the row was read by all before anything of it is written
        tl.store(line + kept_at + half, passed, half < kept)
        tl.store(line + changed_at + half, image, half < changed)
        tl.debug_barrier()
        source = line


@triton.jit
def diagonal_kernel(eps, sums, z, z_row, SIZE: tl.constexpr, P: tl.constexpr, NLSQ: tl.constexpr, BLOCK: tl.constexpr):
    """No flow over dimensions: ``sums`` ``[B, D, P]`` are the parameters."""
    row = tl.program_id(0).to(tl.int64)
    d = tl.arange(0, BLOCK)
    parameters = ()
    for p in tl.static_range(P):
        parameters = parameters + (tl.load(sums + (row * SIZE + d) * P + p, d < SIZE, 0.0),)
    value = tl.load(eps + row * SIZE + d, d < SIZE, 0.0)
    tl.store(z + row * z_row + d, _transform_inverse(value, parameters, NLSQ, True), d < SIZE)
