"""Linear maps in bfloat16 with float32 sums, for processors on which that is faster than float32.

They run on the matrix unit (``amx.py``) if there is one and the system permits its use, else in vector registers with
an instruction that multiplies two inputs at a time (AVX-512 BF16: AMD since Zen 4, some Intel processors without the
matrix unit). Weights and inputs are rounded to 8 significant bits; everything between the maps stays float32.
"""

from __future__ import annotations

import functools
import os
from typing import Any, Literal

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from . import amx
from .amx import DEPTH, ROWS
from .vectors import NATIVE, PANEL, Writer

VARIABLE = "SEGVEC3D_BF16"
"""Environment variable; 0 disables bfloat16."""
Packed = NDArray[np.uint32] | NDArray[np.int32]
"""A linear map (K -> M) as (P, 1 + K / 2, 16): panels of 16 output columns; the bits of the float32 bias, then pairs of
bfloat16 weights. The dtype selects the unit: uint32 for the matrix unit, int32 for vector registers."""
Multiplier = Literal["AMX", "AVX-512"]
TYPED = 20
"""First version of LLVM in which the AVX-512 instruction takes the type bfloat."""


class _BFloat16(ir.types.Type):
    """LLVM's type bfloat, which llvmlite lacks."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat16)

    def __hash__(self) -> int:
        return hash(_BFloat16)


_SUMS, _PAIRS = ir.VectorType(ir.FloatType(), PANEL), ir.VectorType(ir.IntType(32), PANEL)
_NUMBERS = ir.VectorType(_BFloat16(), 2 * PANEL)


@functools.cache
def multipliers() -> tuple[Multiplier, ...]:
    """The units of this processor that multiply bfloat16 numbers, fastest first."""
    features = binding.get_host_cpu_features()
    if not NATIVE or not features.get("avx512f"):
        return ()
    in_registers = bool(features.get("avx512bf16")) and binding.llvm_version_info[0] >= TYPED
    has: dict[Multiplier, bool] = {"AMX": amx.lent(), "AVX-512": in_registers}
    return tuple(name for name, there in has.items() if there)


def multiplier() -> Multiplier | None:
    """The unit that multiplies bfloat16 numbers in this process; None if all maps are in float32."""
    return next(iter(multipliers()), None) if os.environ.get(VARIABLE, "1") != "0" else None


def pack(columns: NDArray[np.float32]) -> Packed:
    """Pack a (1 + K, P, 16) float32 map, whose first row is the bias, for this process's multiplier; K is padded with
    zeros to a multiple of ``DEPTH``."""
    weights = columns[1:]
    weights = np.concatenate([weights, np.zeros((-len(weights) % DEPTH, *weights.shape[1:]), np.float32)])
    rounded = np.empty(weights.shape, np.uint16)
    rounded_to(weights.reshape(len(weights), -1), rounded.reshape(len(weights), -1))
    pairs = rounded[0::2].astype(np.uint32) | rounded[1::2].astype(np.uint32) << np.uint32(16)
    bits = np.ascontiguousarray(np.concatenate([columns[:1].view(np.uint32), pairs]).transpose(1, 0, 2))
    return bits if multiplier() == "AMX" else bits.view(np.int32)


@njit(cache=True, nogil=True)
def rounded_to(x, rounded):  # type: ignore[no-untyped-def]
    """Write the first columns of a float32 block as bfloat16, rounded to nearest even; missing columns become zero."""
    bits, width = x.view(np.uint32), min(x.shape[1], rounded.shape[1])
    for i in range(len(x)):
        row, to = bits[i], rounded[i]
        for c in range(width):
            odd = (row[c] >> np.uint32(16)) & np.uint32(1)
            to[c] = np.uint16((row[c] + np.uint32(0x7FFF) + odd) >> np.uint32(16))
        to[width:] = np.uint16(0)


@intrinsic
def _tile(typingctx: Any, x: Any, i: Any, packed: Any, p: Any, out: Any) -> Any:
    """Rows i to i + ``ROWS`` and columns 16 p to 16 p + 16 of the linear map, with the sums kept in registers; x holds
    two bfloat16 numbers per int32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to = Writer(context, builder, signature, args, PANEL)
        x, i, packed, p, out = to.arrays
        x_width, out_width, depth = to.shape(x)[1], to.shape(out)[1], to.shape(packed)[1]
        kind = ir.FunctionType(_SUMS, [_SUMS, _NUMBERS, _NUMBERS])
        multiply_add = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512bf16.dpbf16ps.512")
        panel = builder.mul(builder.mul(p, to.number(PANEL)), depth)
        bias = to.load(packed, panel)
        sums = [to.variable(bias) for _ in range(ROWS)]
        inputs = [builder.mul(to.at(i, r), x_width) for r in range(ROWS)]
        weights = to.at(panel, PANEL)
        undefined, first = ir.Constant(_PAIRS, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        with cgutils.for_range(builder, builder.sub(depth, to.number(1))) as loop:
            columns = builder.bitcast(to.load(packed, to.at(weights, loop.index, PANEL)), _NUMBERS)
            for one, start in zip(sums, inputs, strict=True):
                pair = builder.insert_element(undefined, to.scalar(x, builder.add(start, loop.index)), first)
                pairs = builder.bitcast(to.shuffle(pair, undefined, [0] * PANEL), _NUMBERS)
                builder.store(builder.call(multiply_add, [builder.load(one), columns, pairs]), one)
        for r, one in enumerate(sums):
            to.store(builder.load(one), out, to.at(builder.mul(to.at(i, r), out_width), p, PANEL))
        return context.get_dummy_value()

    return types.void(x, types.intp, packed, types.intp, out), generate


@njit(cache=True, nogil=True)
def in_registers(x, packed, out):  # type: ignore[no-untyped-def]
    """``dense.dense`` for an int32 map, in vector registers.

    Args:
        x: (R, .) float32, R a multiple of ``ROWS``, finite also beyond column K; packed: from ``pack``.
        out: (R, 16 P) float32, written.
    """
    rounded = np.empty((len(x), 2 * (packed.shape[1] - 1)), np.uint16)
    rounded_to(x, rounded)
    pairs = rounded.view(np.int32)
    for i in range(0, len(x), ROWS):
        for p in range(len(packed)):
            _tile(pairs, i, packed, p, out)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def on_matrix_unit(x, packed, out):  # type: ignore[no-untyped-def]
    """The same for a uint32 map, on the matrix unit."""
    rounded = np.empty((len(x), 2 * (packed.shape[1] - 1)), np.uint16)
    rounded_to(x, rounded)
    amx.multiply(rounded, packed, out)
