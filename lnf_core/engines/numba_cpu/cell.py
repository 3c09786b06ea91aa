"""The LSTM cell on whole vectors.

Written in vectors by hand: left to itself the compiler turns a loop over sixteen units into scalar code.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lnf_core.engines.numba_cpu.machine import FLOAT, INT, LANES, VECTOR, array_data, multiply_add, vector_pointer

_WORDS = ir.VectorType(ir.IntType(32), LANES)
_LOG2_E = 1.4426950408889634
# ln 2 in two parts: n times the first is exact for every n that occurs.
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_LARGEST, _SMALLEST = 88.0, -87.0


def _constant(value: float) -> ir.Constant:
    return ir.Constant(VECTOR, [ir.Constant(FLOAT, value)] * LANES)


def _exponential(builder: Any, x: Any) -> Any:
    """``exp(x)`` to about one unit in the last place: ``2^n exp(r)``, r within half of ln 2, by its series.

    A comparison with NaN is false, so NaN passes both limits.
    """
    for limit, beyond in ((_LARGEST, ">"), (_SMALLEST, "<")):
        x = builder.select(builder.fcmp_ordered(beyond, x, _constant(limit)), _constant(limit), x)
    floor = cgutils.get_or_insert_function(builder.module, ir.FunctionType(VECTOR, [VECTOR]), f"llvm.floor.v{LANES}f32")
    to_word = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_WORDS, [VECTOR]), f"llvm.fptosi.sat.v{LANES}i32.v{LANES}f32"
    )
    fma = multiply_add(builder)
    n = builder.call(floor, [builder.call(fma, [x, _constant(_LOG2_E), _constant(0.5)])])
    r = builder.call(fma, [n, _constant(-_LN2_HIGH), x])
    r = builder.call(fma, [n, _constant(-_LN2_LOW), r])
    series = _constant(1.0 / math.factorial(7))
    for power in range(6, -1, -1):
        series = builder.call(fma, [series, r, _constant(1.0 / math.factorial(power))])
    word = builder.add(builder.call(to_word, [n]), ir.Constant(_WORDS, [127] * LANES))
    return builder.fmul(series, builder.bitcast(builder.shl(word, ir.Constant(_WORDS, [23] * LANES)), VECTOR))


def _sigmoid(builder: Any, x: Any) -> Any:
    one = _constant(1.0)
    return builder.fdiv(one, builder.fadd(one, _exponential(builder, builder.fneg(x))))


def _tanh(builder: Any, x: Any) -> Any:
    """``1 - 2 / (1 + exp(2x))``: good to 1e-7 in absolute terms, which is what a state of size 1 can use."""
    above = builder.fadd(_constant(1.0), _exponential(builder, builder.fadd(x, x)))
    return builder.fsub(_constant(1.0), builder.fdiv(_constant(2.0), above))


@intrinsic
def advance_cell(typing: Any, gates: Any, gates_at: Any, cell: Any, cell_at: Any, hidden: Any, hidden_at: Any) -> Any:
    """One block of LSTM units: the sums of their four gates to ``LANES`` new cell and hidden states."""
    signature = types.void(gates, types.int64, cell, types.int64, hidden, types.int64)

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        gates_data, cell_data, hidden_data = (
            array_data(context, builder, kind, arguments[index]) for index, kind in ((0, gates), (2, cell), (4, hidden))
        )
        enter, forget, new, leave = (
            builder.load(vector_pointer(builder, gates_data, builder.add(arguments[1], INT(gate * LANES))), align=4)
            for gate in range(4)
        )
        place = vector_pointer(builder, cell_data, arguments[3])
        kept = builder.fmul(_sigmoid(builder, forget), builder.load(place, align=4))
        value = builder.call(multiply_add(builder), [_sigmoid(builder, enter), _tanh(builder, new), kept])
        builder.store(value, place, align=4)
        output = builder.fmul(_sigmoid(builder, leave), _tanh(builder, value))
        builder.store(output, vector_pointer(builder, hidden_data, arguments[5]), align=4)
        return context.get_dummy_value()

    return signature, build
