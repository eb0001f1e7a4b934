"""Helpers for kernels generated as LLVM code, where compiled loops would not use the processor's best instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils

LANES = 8
"""Numbers in a vector register with AVX2; narrower processors split it."""
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
Value = Any
"""A value in the generated code."""


class Writer:
    """Writes float32 vector code into a numba intrinsic.

    Attributes:
        builder: of llvmlite; arrays: the intrinsic's arguments, arrays as array structures.
        vector: type of the vectors, with ``lanes`` numbers.
    """

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any, lanes: int = WIDE) -> None:
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

    def load_all(self, array: Value, offset: Value, count: int) -> list[Value]:
        """The ``count`` numbers from a flat offset on, a multiple of ``lanes``."""
        return [self.load(array, self.at(offset, part)) for part in range(0, count, self.lanes)]

    def load_eights(self, array: Value, offsets: list[Value]) -> list[Value]:
        """The eight numbers that start at each of two flat offsets, as one vector or two."""
        eights = ir.VectorType(ir.FloatType(), LANES)
        parts = [self.builder.load(self._pointer(array, offset, eights), align=4) for offset in offsets]
        return parts if self.lanes == LANES else [self.shuffle(parts[0], parts[1], list(range(self.lanes)))]

    def store(self, value: Value, array: Value, offset: Value) -> None:
        self.builder.store(value, self._pointer(array, offset), align=4)

    def _pointer(self, array: Value, offset: Value, kind: Value = None) -> Value:
        return self.builder.bitcast(self.builder.gep(array.data, [offset]), (kind or self.vector).as_pointer())

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

    def length(self, parts: list[Value]) -> Value:
        """Square root of the sum of squares."""
        total = self.zero()
        for part in parts:
            total = self.multiply_add(part, part, total)
        kind = ir.FunctionType(self.vector, [self.vector])
        root = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.sqrt.v{self.lanes}f32")
        return self.builder.call(root, [total])

    def exponential(self, x: Value) -> Value:
        """exp(x) for x <= 0 with a relative error of 2e-5: a power of two by the exponent bits, the rest by a
        polynomial."""
        b, whole = self.builder, ir.VectorType(ir.IntType(32), self.lanes)
        y = b.fmul(self.maximum(x, self.filled(-80.0)), self.filled(1.44269504))
        n = b.fptosi(b.fsub(y, self.filled(0.5)), whole)
        f = b.fmul(b.fsub(y, b.sitofp(n, self.vector)), self.filled(0.69314718))
        p = self.filled(0.0083333333)
        for coefficient in (0.041666667, 0.16666667, 0.5, 1.0, 1.0):
            p = self.multiply_add(p, f, self.filled(coefficient))
        bias, mantissa = (ir.Constant(whole, [bits] * self.lanes) for bits in (127, 23))
        return b.fmul(p, b.bitcast(b.shl(b.add(n, bias), mantissa), self.vector))

    def total(self, value: Value) -> Value:
        """Sum of the lanes by halving, in a fixed order."""
        return self._reduce(value, self.builder.fadd)

    def peak(self, value: Value) -> Value:
        """Maximum of the lanes."""
        return self._reduce(value, self.maximum)

    def _reduce(self, value: Value, join: Callable[[Value, Value], Value]) -> Value:
        lanes = self.lanes
        while lanes > 1:
            lanes //= 2
            low, high = (self.shuffle(value, value, list(range(at, at + lanes))) for at in (0, lanes))
            value = join(low, high)
        return self.builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    def totals(self, values: list[Value]) -> Value:
        """Sums of the lanes of as many vectors as there are lanes -> one vector.

        Each step adds two vectors at once. The first two shuffle within groups of four lanes, which is faster, the
        others whole groups.
        """
        groups = self.lanes // 4
        near = [([0, 4, 1, 5], [2, 6, 3, 7]), ([0, 1, 4, 5], [2, 3, 6, 7])]
        steps = [tuple(self._in_groups(picks) for picks in both) for both in near]
        half = groups // 2
        while half:
            low = [group for group in range(2 * groups) if group % (2 * half) < half]
            steps.append(tuple(self._of_groups([group + shift for group in low]) for shift in (0, half)))
            half //= 2
        for left, right in steps:
            pairs = zip(values[::2], values[1::2], strict=True)
            values = [self.builder.fadd(self.shuffle(a, b, left), self.shuffle(a, b, right)) for a, b in pairs]
        return values[0]

    def _in_groups(self, picks: list[int]) -> list[int]:
        """Lanes of two vectors that select ``picks`` of each group; 0 to 3 are of the first, 4 to 7 of the second."""
        return [p % 4 + first + (self.lanes if p > 3 else 0) for first in range(0, self.lanes, 4) for p in picks]

    @staticmethod
    def _of_groups(groups: list[int]) -> list[int]:
        """Lanes of whole groups."""
        return [4 * group + lane for group in groups for lane in range(4)]

    def shuffle(self, a: Value, b: Value, lanes: list[int]) -> Value:
        """Select lanes of two vectors; those of the second are numbered after the first's."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))
