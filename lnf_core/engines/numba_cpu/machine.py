"""What numba has no words for: vector registers and atomic counters."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
"""Floats in one vector of the kernels. LLVM splits it where the processor's registers are shorter."""
WIDTH = 64
"""Columns of one block of weights: what one row of outputs keeps in registers."""

FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
INT = ir.IntType(64)


def array_data(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Where an array's elements are."""
    return context.make_array(kind)(context, builder, value).data


def vector_pointer(builder: Any, data: Any, index: Any) -> Any:
    """Where a vector that begins with element ``index`` is."""
    return builder.bitcast(builder.gep(data, [index]), VECTOR.as_pointer())


def _spread(builder: Any, value: Any) -> Any:
    single = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        single, ir.Constant(VECTOR, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    )


def multiply_add(builder: Any) -> Any:
    """``a * b + c`` on vectors, rounded once where the processor can."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")


def _tile(rows: int, columns: int) -> Any:
    """``y[r, c] += sum_k x[r, k] w[k, c]`` for ``rows`` rows and one block of ``WIDTH`` columns.

    Sums run over k in order, in registers, ``columns`` at a time. Arguments: y, its offset and row stride;
    x, its offset and row stride; w, its offset; the number of k.
    """

    @intrinsic
    def tile(
        typing: Any, y: Any, y_at: Any, y_step: Any, x: Any, x_at: Any, x_step: Any, w: Any, w_at: Any, n: Any
    ) -> Any:
        signature = types.void(y, types.int64, types.int64, x, types.int64, types.int64, w, types.int64, types.int64)

        def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            y_value, y_first, y_stride, x_value, x_first, x_stride, w_value, w_first, count = arguments
            y_data, x_data = array_data(context, builder, y, y_value), array_data(context, builder, x, x_value)
            w_data, fma = array_data(context, builder, w, w_value), multiply_add(builder)
            vectors = columns // LANES
            sums = [[cgutils.alloca_once(builder, VECTOR) for _ in range(vectors)] for _ in range(rows)]
            row_y = [builder.add(y_first, builder.mul(y_stride, INT(r))) for r in range(rows)]
            row_x = [builder.add(x_first, builder.mul(x_stride, INT(r))) for r in range(rows)]
            for start in range(0, WIDTH, columns):
                places = [
                    [
                        vector_pointer(builder, y_data, builder.add(row_y[r], INT(start + v * LANES)))
                        for v in range(vectors)
                    ]
                    for r in range(rows)
                ]
                for r in range(rows):
                    for v in range(vectors):
                        builder.store(builder.load(places[r][v], align=4), sums[r][v])
                with cgutils.for_range(builder, count, intp=INT) as loop:
                    line = builder.add(w_first, builder.add(builder.mul(loop.index, INT(WIDTH)), INT(start)))
                    weights = [
                        builder.load(vector_pointer(builder, w_data, builder.add(line, INT(v * LANES))), align=4)
                        for v in range(vectors)
                    ]
                    for r in range(rows):
                        factor = _spread(
                            builder, builder.load(builder.gep(x_data, [builder.add(row_x[r], loop.index)]))
                        )
                        for v in range(vectors):
                            builder.store(builder.call(fma, [factor, weights[v], builder.load(sums[r][v])]), sums[r][v])
                for r in range(rows):
                    for v in range(vectors):
                        builder.store(builder.load(sums[r][v]), places[r][v], align=4)
            return context.get_dummy_value()

        return signature, build

    return tile


# Four rows of 64 columns fill sixteen of AVX-512's registers; shorter ones hold four rows of 16 columns.
_WIDE = bool(llvm.get_host_cpu_features().get("avx512f", False))
multiply_one_row = _tile(1, WIDTH)
multiply_two_rows = _tile(2, WIDTH)
multiply_three_rows = _tile(3, WIDTH if _WIDE else LANES)
multiply_four_rows = _tile(4, WIDTH if _WIDE else LANES)


@intrinsic
def add_scaled(typing: Any, y: Any, y_at: Any, w: Any, w_at: Any, vectors: Any, factor: Any) -> Any:
    """``y[y_at + i] += factor * w[w_at + i]`` for ``vectors`` times ``LANES`` floats."""
    signature = types.void(y, types.int64, w, types.int64, types.int64, types.float32)

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        y_value, y_first, w_value, w_first, count, scale = arguments
        y_data, w_data = array_data(context, builder, y, y_value), array_data(context, builder, w, w_value)
        spread, fma = _spread(builder, scale), multiply_add(builder)
        with cgutils.for_range(builder, count, intp=INT) as loop:
            offset = builder.mul(loop.index, INT(LANES))
            place = vector_pointer(builder, y_data, builder.add(y_first, offset))
            weight = builder.load(vector_pointer(builder, w_data, builder.add(w_first, offset)), align=4)
            builder.store(builder.call(fma, [spread, weight, builder.load(place, align=4)]), place, align=4)
        return context.get_dummy_value()

    return signature, build


@intrinsic
def fetch_add(typing: Any, counters: Any, index: Any, amount: Any) -> Any:
    """Add to an int64 counter atomically; what it was before. Orders all memory around it."""
    signature = types.int64(counters, types.int64, types.int64)

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        place = builder.gep(array_data(context, builder, counters, arguments[0]), [arguments[1]])
        return builder.atomic_rmw("add", place, arguments[2], "seq_cst")

    return signature, build


@intrinsic
def read(typing: Any, counters: Any, index: Any) -> Any:
    """An int64 counter as it is now, never a copy the compiler kept."""
    signature = types.int64(counters, types.int64)

    def build(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        place = builder.gep(array_data(context, builder, counters, arguments[0]), [arguments[1]])
        return builder.load_atomic(place, "seq_cst", 8)

    return signature, build


def _address_of_yield() -> int | None:
    """Of the system's call that lets other threads run."""
    try:
        system = ctypes.windll.kernel32 if sys.platform == "win32" else ctypes.CDLL(None)  # type: ignore[attr-defined]
        call = system.SwitchToThread if sys.platform == "win32" else system.sched_yield
    except (AttributeError, OSError):
        return None
    return ctypes.cast(call, ctypes.c_void_p).value


_YIELD, _NAME = _address_of_yield(), "lnf_core_give_way"
if _YIELD is not None:
    llvm.add_symbol(_NAME, _YIELD)
CAN_YIELD = _YIELD is not None
"""Whether a waiting thread can let others run; without it kernels use one thread."""
give_way = types.ExternalFunction(_NAME, types.int32())
