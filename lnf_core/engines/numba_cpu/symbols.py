"""The baseline's loop: one symbol after the other, each read by the next step."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lnf_core.engines.numba_cpu.arithmetic import multiply
from lnf_core.engines.numba_cpu.jit import compiled
from lnf_core.engines.numba_cpu.kernels import Floats, advance, recur, share
from lnf_core.engines.numba_cpu.machine import LANES, WIDTH
from lnf_core.engines.numba_cpu.team import take, wait_for_all


class Emitted(NamedTuple):
    """What the loop writes, and what decides it."""

    symbols: NDArray[np.int64]
    """Categorical: ``[T, B, 1]``; Bernoulli: 0/1 ``[T, B, V]``. The first ``known`` steps are given."""
    probabilities: Floats
    """``[T, B, V]``."""
    uniforms: NDArray[np.float64]
    """``[T, B, 1]`` or ``[T, B, V]``; empty for the most likely symbols."""
    table: Floats
    """The embeddings, ``[V, E]``."""
    known: int
    temperature: float
    categorical: bool


@compiled
def _emit(t, b, batch, sums, sums_at, embedded, emitted):
    """Probabilities from the logits of one row, its symbol, and that symbol's embedding for the next step."""
    count, size = emitted.table.shape[0], emitted.table.shape[1]
    row = emitted.probabilities[t, b]
    draws = emitted.uniforms.shape[0] > 0
    for unit in range(size):
        embedded[b * size + unit] = np.float32(0.0)
    if not emitted.categorical:
        for key in range(count):
            row[key] = 1.0 / (1.0 + math.exp(-np.float64(sums[sums_at + key]) / emitted.temperature))
            if t >= emitted.known:
                threshold = emitted.uniforms[t, b, key] if draws else 0.5
                emitted.symbols[t, b, key] = 1 if row[key] > threshold else 0
            if emitted.symbols[t, b, key]:
                for unit in range(size):
                    embedded[b * size + unit] += emitted.table[key, unit]
        return
    highest, best = np.float64(sums[sums_at]), 0
    for symbol in range(1, count):
        if sums[sums_at + symbol] > highest:
            highest, best = np.float64(sums[sums_at + symbol]), symbol
    total = 0.0
    for symbol in range(count):
        total += math.exp((np.float64(sums[sums_at + symbol]) - highest) / emitted.temperature)
    below, chosen = 0.0, 0
    for symbol in range(count):
        row[symbol] = math.exp((np.float64(sums[sums_at + symbol]) - highest) / emitted.temperature) / total
        below += np.float64(row[symbol])
        if draws and below <= emitted.uniforms[t, b, 0]:
            chosen = min(symbol + 1, count - 1)
    if t >= emitted.known:
        emitted.symbols[t, b, 0] = chosen if draws else best
    for unit in range(size):
        embedded[b * size + unit] = emitted.table[emitted.symbols[t, b, 0], unit]


@compiled
def roll_out_steps(
    worker, workers, sync, start, stop, steps, batch, lengths, embedded, lstm, state, logits, sums, emitted
):
    """Steps ``start`` to ``stop``: LSTM, logits, symbol. ``embedded`` ``[B, E]`` holds the symbol before."""
    layers, blocks = lstm.recurrent.shape[0], lstm.recurrent.shape[1]
    units, columns, inner = blocks * LANES, logits.weight.shape[0] * WIDTH, logits.weight.shape[1]
    flat, phases = logits.weight.reshape(-1), layers + 3
    first, last = share(worker, workers, logits.weight.shape[0])
    for t in range(start, stop):
        phase = (t - start) * phases
        advance(worker, workers, sync, phase, t, embedded, 0, emitted.table.shape[1], batch, lengths, lstm, state)
        for block in range(first, last):
            for b in range(batch):
                for column in range(block * WIDTH, (block + 1) * WIDTH):
                    sums[b * columns + column] = logits.from_start[0, column]
            top = state.hidden[layers - 1]
            multiply(sums, block * WIDTH, columns, top, 0, units, flat, block * inner * WIDTH, inner, batch)
        wait_for_all(sync, phase + layers, workers)
        items = batch + (layers * blocks if t + 1 < steps else 0)
        while True:
            item = take(sync, phase + layers + 1)
            if item >= items:
                break
            if item < batch:
                _emit(t, item, batch, sums, item * columns, embedded, emitted)
            else:
                recur(item - batch, batch, lstm, state)
        wait_for_all(sync, phase + layers + 2, workers)
