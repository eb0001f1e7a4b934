"""The processor's matrix unit (Intel AMX, servers from 2023 on): bfloat16 in, float32 sums out.

It multiplies tiles of 16 x 32 numbers at several times the rate of the vector registers. Used by ``bfloat16.py``.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS = 16
"""Rows of a tile."""
DEPTH = 32
"""Number of inputs (columns of a tile) per instruction."""
ASK_PERMISSION, TILE_DATA = 0x1023, 18
"""Arguments of the system call ``arch_prctl``: a process must ask Linux for permission to use the tile registers."""
ARCH_PRCTL = 158

_SHAPES = np.zeros(64, np.uint8)
_SHAPES[0] = 1  # palette
_SHAPES[16:32].view(np.uint16)[:] = 64  # bytes per row of each of the eight tiles
_SHAPES[48:56] = ROWS


def lent() -> bool:
    """Whether processor and compiler support tiles, and the system permits this process to use them."""
    features = binding.get_host_cpu_features()
    if not (features.get("amx-bf16") and features.get("amx-tile")) or platform.system() != "Linux":
        return False
    return bool(ctypes.CDLL(None).syscall(ARCH_PRCTL, ASK_PERMISSION, TILE_DATA) == 0)


def _call(builder: Any, name: str, *arguments: Any) -> None:
    kinds = [argument.type for argument in arguments]
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), kinds), f"llvm.x86.{name}")
    builder.call(function, arguments)


def _bytes(builder: Any, array: Any, offset: Any) -> Any:
    return builder.bitcast(builder.gep(array.data, [offset]), cgutils.voidptr_t)


def _configure(typingctx: Any, shapes: Any) -> Any:
    """Configure the shapes of the eight tiles."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        _call(builder, "ldtilecfg", builder.bitcast(array.data, cgutils.voidptr_t))
        return context.get_dummy_value()

    return types.void(shapes), generate


def _release(typingctx: Any) -> Any:
    """Release the tiles, so that the system need not save them at context switches."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


def _tiles(many: int) -> Any:
    """An intrinsic that multiplies ``many`` (at most three) consecutive tiles of rows by one panel: sums in tiles 0 to
    2, rows in 3 to 5, weights in 7. Three independent sums hide the latency."""

    @intrinsic
    def tiles(typingctx: Any, x: Any, i: Any, packed: Any, p: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, i, packed, p, out = (
                context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
                for kind, value in zip(signature.args, args, strict=True)
            )

            def number(value: int) -> Any:
                return context.get_constant(types.intp, value)

            def tile(index: int) -> Any:
                return ir.Constant(ir.IntType(8), index)

            x_width, out_width, depth = (cgutils.unpack_tuple(builder, array.shape)[1] for array in (x, out, packed))
            rows = [builder.add(i, number(r * ROWS)) for r in range(many)]
            panel = builder.mul(builder.mul(p, number(ROWS)), depth)
            for r in range(many):  # stride 0: the bias in every row
                _call(builder, "tileloadd64", tile(r), _bytes(builder, packed, panel), number(0))
            steps = builder.sdiv(builder.sub(depth, number(1)), number(ROWS))
            with cgutils.for_range(builder, steps) as loop:
                weights = builder.add(panel, builder.mul(number(ROWS), builder.add(
                    number(1), builder.mul(loop.index, number(ROWS)))))  # fmt: skip
                _call(builder, "tileloadd64", tile(7), _bytes(builder, packed, weights), number(4 * ROWS))
                for r, row in enumerate(rows):
                    at = builder.add(builder.mul(row, x_width), builder.mul(loop.index, number(DEPTH)))
                    stride = builder.mul(x_width, number(2))
                    _call(builder, "tileloadd64", tile(3 + r), _bytes(builder, x, at), stride)
                    _call(builder, "tdpbf16ps", tile(r), tile(3 + r), tile(7))
            for r, row in enumerate(rows):
                at = builder.add(builder.mul(row, out_width), builder.mul(p, number(ROWS)))
                _call(builder, "tilestored64", tile(r), _bytes(builder, out, at), builder.mul(out_width, number(4)))
            return context.get_dummy_value()

        return types.void(x, types.intp, packed, types.intp, out), generate

    return tiles


_begin: Any = intrinsic(_configure)
_end: Any = intrinsic(_release)
_one, _two, _three = _tiles(1), _tiles(2), _tiles(3)


@njit(cache=True, nogil=True)
def multiply(x, packed, out):  # type: ignore[no-untyped-def]
    """Apply a packed linear map to all rows.

    Args:
        x: (R, K) uint16, bits of bfloat16 numbers, R a multiple of ``ROWS``, K of ``DEPTH``; packed: (P, 1 + K / 2, 16)
            uint32; out: (R, 16 P) float32 to write.
    """
    _begin(_SHAPES)
    i = 0
    while i + 3 * ROWS <= len(x):
        for p in range(len(packed)):
            _three(x, i, packed, p, out)
        i += 3 * ROWS
    if i + 2 * ROWS <= len(x):
        for p in range(len(packed)):
            _two(x, i, packed, p, out)
    elif i < len(x):
        for p in range(len(packed)):
            _one(x, i, packed, p, out)
    _end()
