"""Helpers for kernels generated as LLVM code, where compiled loops would not use the processor's best instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils

LANES = 8
"""Numbers in a vector register (AVX2); narrower processors split it."""
NATIVE = (
    bool(config.ENABLE_AVX)  # type: ignore[attr-defined]
    and config.CPU_NAME in (None, binding.get_host_cpu_name())  # type: ignore[attr-defined]
    and config.CPU_FEATURES in (None, binding.get_host_cpu_features().flatten())  # type: ignore[attr-defined]
)
"""Whether kernels are compiled for this processor, not for another one set by numba's environment variables. Determined
like the key of numba's cache, so that cached kernels were compiled with the same constants."""
WIDE = 16 if NATIVE and binding.get_host_cpu_features().get("avx512f") else LANES
"""Numbers in the widest vector register of this processor."""
PANEL = 16
"""Columns of a panel of weights: two registers of eight, or one of sixteen (AVX-512)."""
VECTOR = ir.VectorType(ir.FloatType(), LANES)
Value = Any
"""A value in the generated code."""


class Writer:
    """Writes float32 vector code into a numba intrinsic.

    Attributes:
        builder: of llvmlite; arrays: the intrinsic's arguments, arrays as array structures.
        vector: type of the vectors, with ``lanes`` numbers.
    """

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any, lanes: int = LANES) -> None:
        self.builder, self.lanes, self.vector = builder, lanes, ir.VectorType(ir.FloatType(), lanes)
        self.arrays = [
            context.make_array(kind)(context, builder, value) if hasattr(kind, "ndim") else value
            for kind, value in zip(signature.args, args, strict=True)
        ]
        self.index = context.get_value_type(types.intp)

    def number(self, value: int) -> Value:
        """A constant index."""
        return ir.Constant(self.index, value)

    def shape(self, array: Value) -> list[Value]:
        sizes: list[Value] = cgutils.unpack_tuple(self.builder, array.shape)
        return sizes

    def at(self, base: Value, step: Value | int, times: Value | int = 1) -> Value:
        """base + step * times."""
        step, times = (self.number(v) if isinstance(v, int) else v for v in (step, times))
        return self.builder.add(base, self.builder.mul(step, times))

    def scalar(self, array: Value, offset: Value) -> Value:
        """The number at a flat offset."""
        return self.builder.load(self.builder.gep(array.data, [offset]))

    def load(self, array: Value, offset: Value) -> Value:
        """The vector that starts at a flat offset."""
        return self.builder.load(self._pointer(array, offset), align=4)

    def store(self, value: Value, array: Value, offset: Value) -> None:
        self.builder.store(value, self._pointer(array, offset), align=4)

    def _pointer(self, array: Value, offset: Value) -> Value:
        return self.builder.bitcast(self.builder.gep(array.data, [offset]), self.vector.as_pointer())

    def broadcast(self, value: Value) -> Value:
        """One number in all lanes."""
        undefined, first = ir.Constant(self.vector, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        return self.shuffle(self.builder.insert_element(undefined, value, first), undefined, [0] * self.lanes)

    def variable(self, value: Value) -> Value:
        """A mutable variable with this initial value; LLVM keeps it in a register."""
        slot = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, slot)
        return slot

    def filled(self, value: float) -> Value:
        """A constant in all lanes."""
        return ir.Constant(self.vector, [value] * self.lanes)

    def zero(self) -> Value:
        return self.filled(0.0)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a b + c, in one instruction if the processor has it."""
        return self.builder.fadd(self.builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))

    def maximum(self, a: Value, b: Value) -> Value:
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def divide(self, a: Value, b: Value) -> Value:
        """a / b for finite b other than 0; with AVX-512 by an estimate of 1 / b and one Newton step, accurate to the
        last bit or two."""
        if self.lanes != 2 * LANES:
            return self.builder.fdiv(a, b)
        kind = ir.FunctionType(self.vector, [self.vector, self.vector, ir.IntType(16)])
        estimate = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.x86.avx512.rcp14.ps.512")
        r = self.builder.call(estimate, [b, self.zero(), ir.Constant(ir.IntType(16), -1)])
        error = self.multiply_add(self.builder.fneg(b), r, self.filled(2.0))
        return self.builder.fmul(a, self.builder.fmul(r, error))

    def exponential(self, x: Value) -> Value:
        """exp(x) for x <= 0 with a relative error of 2e-5: a power of two by the exponent bits, the rest by a
        polynomial."""
        b, whole = self.builder, ir.VectorType(ir.IntType(32), LANES)
        y = b.fmul(self.maximum(x, self.filled(-80.0)), self.filled(1.44269504))
        n = b.fptosi(b.fsub(y, self.filled(0.5)), whole)
        f = b.fmul(b.fsub(y, b.sitofp(n, VECTOR)), self.filled(0.69314718))
        p = self.filled(0.0083333333)
        for coefficient in (0.041666667, 0.16666667, 0.5, 1.0, 1.0):
            p = self.multiply_add(p, f, self.filled(coefficient))
        power = b.shl(b.add(n, ir.Constant(whole, [127] * LANES)), ir.Constant(whole, [23] * LANES))
        return b.fmul(p, b.bitcast(power, VECTOR))

    def total(self, value: Value) -> Value:
        """Sum of the lanes by halving, in a fixed order."""
        return self._reduce(value, self.builder.fadd)

    def peak(self, value: Value) -> Value:
        """Maximum of the lanes."""
        return self._reduce(value, self.maximum)

    def _reduce(self, value: Value, join: Callable[[Value, Value], Value]) -> Value:
        for lanes in (4, 2, 1):
            low, high = (self.shuffle(value, value, list(range(at, at + lanes))) for at in (0, lanes))
            value = join(low, high)
        return self.builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    def totals(self, values: list[Value]) -> Value:
        """Sums of the lanes of eight vectors -> one vector. Pairs of vectors are added at once, then fours and eights,
        with shuffles that stay within the halves of a register as long as possible."""
        pairs = [
            self._fold(a, b, [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15])
            for a, b in zip(values[::2], values[1::2], strict=True)
        ]
        fours = [
            self._fold(a, b, [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15])
            for a, b in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        return self._fold(fours[0], fours[1], [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15])

    def _fold(self, a: Value, b: Value, left: list[int], right: list[int]) -> Value:
        return self.builder.fadd(self.shuffle(a, b, left), self.shuffle(a, b, right))

    def shuffle(self, a: Value, b: Value, lanes: list[int]) -> Value:
        """Select lanes of two vectors; those of the second are numbered after the first's."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))
