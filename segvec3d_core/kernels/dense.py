"""Linear maps, GELU and layer normalisation on blocks of rows that stay in the processor's cache.

With a library, each operation writes its result to memory, the next one reads it back, and every one synchronises all
threads: for the network's narrow layers this costs more than the arithmetic. These kernels run on one thread and on a
block of at most ``BLOCK`` rows; ``kernels.forward`` chains them and distributes the blocks over the cores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from . import bfloat16
from .vectors import PANEL, WIDE, Writer

TILE = 6 if WIDE < PANEL else PANEL
"""Rows of a tile. With sixteen registers twelve hold its sums of one panel; with thirty-two, sixteen hold those of one
panel, or of half its rows and two panels, and twenty-four those of half its rows and three."""
BLOCK = 96
"""Maximum rows of a block: with the widest layer, 256 channels, it fits into a cache of 256 KiB."""


Packed = NDArray[np.float32] | bfloat16.Packed
"""A linear map (K -> M) laid out for ``dense``: (P, 1 + K, 16) float32, panels of 16 output columns, the last one
padded with zeros; the first row of each panel is the bias. For bfloat16 see ``bfloat16.pack``."""


def pack(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> Packed:
    """Pack a (M, K) weight and (M,) bias, as in torch's ``nn.Linear``, for ``dense``."""
    outputs, depth = weight.shape
    panels = -(-outputs // PANEL)
    columns = np.zeros((1 + depth, panels * PANEL), np.float32)
    columns[0, :outputs] = bias
    columns[1:, :outputs] = weight.T
    tiled = columns.reshape(1 + depth, panels, PANEL)
    return bfloat16.pack(tiled) if bfloat16.multiplier() else np.ascontiguousarray(tiled.transpose(1, 0, 2))


def _tiles(rows: int, panels: int) -> Any:
    """An intrinsic that computes ``rows`` rows and ``panels`` panels of the linear map with the sums kept in registers.

    Generated as LLVM code, because compilers do not find this form in loops. It is the inner kernel of Goto and van de
    Geijn (2008): for each k, a row of weights and ``rows`` broadcast inputs are accumulated in the sums. The more
    panels share a broadcast, the fewer loads there are for each multiplication.
    """

    @intrinsic
    def tiles(typingctx: Any, x: Any, i: Any, packed: Any, p: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            to = Writer(context, builder, signature, args)
            x, i, packed, p, out = to.arrays
            x_width, out_width, depth = to.shape(x)[1], to.shape(out)[1], to.shape(packed)[1]
            size, parts = builder.mul(to.number(PANEL), depth), range(0, PANEL, WIDE)
            starts = [to.at(builder.mul(to.at(p, q), size), part) for q in range(panels) for part in parts]
            bias = [to.load(packed, start) for start in starts]
            sums = [[to.variable(one) for one in bias] for _ in range(rows)]
            inputs = [builder.mul(to.at(i, r), x_width) for r in range(rows)]
            weights = [to.at(start, PANEL) for start in starts]
            with cgutils.for_range(builder, builder.sub(depth, to.number(1))) as loop:
                columns = [to.load(packed, to.at(at, loop.index, PANEL)) for at in weights]
                for row, start in zip(sums, inputs, strict=True):
                    value = to.broadcast(to.scalar(x, builder.add(start, loop.index)))
                    for one, column in zip(row, columns, strict=True):
                        builder.store(to.multiply_add(value, column, builder.load(one)), one)
            for r, row in enumerate(sums):
                at = to.at(builder.mul(to.at(i, r), out_width), p, PANEL)
                for n, one in enumerate(row):
                    to.store(builder.load(one), out, to.at(at, n * WIDE))
            return context.get_dummy_value()

        return types.void(x, types.intp, packed, types.intp, out), generate

    return tiles


_one, _two, _three = _tiles(TILE, 1), _tiles(TILE // 2, 2), _tiles(TILE // 2, 3)


@njit(cache=True, nogil=True)
def tiled(count):  # type: ignore[no-untyped-def]
    """``count`` rounded up to whole tiles."""
    return (count + TILE - 1) // TILE * TILE


@njit(cache=True, nogil=True)
def _in_registers(x, packed, out):  # type: ignore[no-untyped-def]
    """With thirty-two registers panels by threes, and by twos where one would be left over."""
    for i in range(0, len(x), TILE):
        p = 0
        while p < len(packed):
            left = len(packed) - p
            if WIDE < PANEL or left == 1:
                _one(x, i, packed, p, out)
                p += 1
            elif left == 2 or left == 4:
                for half in range(i, i + TILE, TILE // 2):
                    _two(x, half, packed, p, out)
                p += 2
            else:
                for half in range(i, i + TILE, TILE // 2):
                    _three(x, half, packed, p, out)
                p += 3


def _map(x, packed, out):  # type: ignore[no-untyped-def]
    """The linear map by the unit that fits the dtype of ``packed``; implemented by ``_choose``."""


@overload(_map)
def _choose(x, packed, out):  # type: ignore[no-untyped-def]
    if packed.dtype == types.uint32:
        return lambda x, packed, out: bfloat16.on_matrix_unit(x, packed, out)
    if packed.dtype == types.int32:
        return lambda x, packed, out: bfloat16.in_registers(x, packed, out)
    return lambda x, packed, out: _in_registers(x, packed, out)


@njit(cache=True, nogil=True)
def dense(x, packed, out):  # type: ignore[no-untyped-def]
    """Apply a linear map to each row.

    Args:
        x: (R, >= K) float32, R a multiple of ``TILE``; only the first K columns matter, but all must be finite.
        packed: from ``pack``; out: (R, 16 P) float32, written.
    """
    _map(x, packed, out)


_ERF = (
    (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04,
     -2.95459980854025e-03, -1.60960333262415e-02),
    (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02),
)  # fmt: skip
"""Numerator and denominator, highest power first, of erf(z) / z in z^2 for |z| <= 4 (the rational form of Eigen)."""


@intrinsic
def _gelu(typingctx: Any, x: Any, i: Any) -> Any:
    """x Phi(x) of the ``WIDE`` numbers from flat offset i, in place. Generated as LLVM code, because compilers divide
    exactly, which takes as long as all the rest."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to = Writer(context, builder, signature, args)
        x, i = to.arrays
        value = to.load(x, i)
        z = to.minimum(to.maximum(builder.fmul(value, to.filled(0.70710678)), to.filled(-4.0)), to.filled(4.0))
        squared, parts = builder.fmul(z, z), []
        for highest, *rest in _ERF:
            part = to.filled(highest)
            for coefficient in rest:
                part = to.multiply_add(part, squared, to.filled(coefficient))
            parts.append(part)
        erf = to.divide(builder.fmul(z, parts[0]), parts[1])
        half = builder.fmul(value, to.filled(0.5))
        to.store(to.multiply_add(half, erf, half), x, i)
        return context.get_dummy_value()

    return types.void(x, types.intp), generate


@njit(cache=True, nogil=True)
def gelu(x):  # type: ignore[no-untyped-def]
    """GELU, x Phi(x), of a (R, C) float32 block, C a multiple of ``PANEL``, in place, accurate to 1e-6."""
    for i in range(0, x.size, WIDE):
        _gelu(x, i)  # type: ignore[call-arg]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def standardize(x, out):  # type: ignore[no-untyped-def]
    """Layer normalisation of a (R, C) float32 block without weight and bias, which ``inference.layers.Weights.folded``
    moves to the next map."""
    width = np.float32(x.shape[1])
    for i in range(len(x)):
        row, to = x[i], out[i]
        mean = np.float32(0)
        for c in range(len(row)):
            mean += row[c]
        mean /= width
        spread = np.float32(0)
        for c in range(len(row)):
            spread += (row[c] - mean) * (row[c] - mean)
        scale = np.float32(1) / np.sqrt(spread / width + np.float32(1e-5))
        for c in range(len(row)):
            to[c] = (row[c] - mean) * scale


@njit(cache=True, nogil=True)
def add(x, out):  # type: ignore[no-untyped-def]
    """Add a (R, C) float32 block to another of the same shape."""
    for i in range(len(out)):
        row, to = x[i], out[i]
        for c in range(len(to)):
            to[c] += row[c]
