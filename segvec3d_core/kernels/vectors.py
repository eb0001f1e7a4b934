"""Words for kernels that are written out for LLVM, where a loop would not compile to what the processor does best."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

LANES = 8
"""Numbers in a vector register (AVX2); narrower processors split it."""
VECTOR = ir.VectorType(ir.FloatType(), LANES)
Value = Any
"""A value in the code that is being written."""


class Writer:
    """Writes float32 vector code into a numba intrinsic.

    Attributes:
        builder: of llvmlite; arrays: the intrinsic's arguments, those that are arrays opened.
    """

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self.builder = builder
        self.arrays = [
            context.make_array(kind)(context, builder, value) if hasattr(kind, "ndim") else value
            for kind, value in zip(signature.args, args, strict=True)
        ]
        self.index = context.get_value_type(signature.args[1])

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
        """The one number at a flat offset."""
        return self.builder.load(self.builder.gep(array.data, [offset]))

    def load(self, array: Value, offset: Value) -> Value:
        """Eight numbers from a flat offset on."""
        return self.builder.load(self._pointer(array, offset), align=4)

    def store(self, value: Value, array: Value, offset: Value) -> None:
        self.builder.store(value, self._pointer(array, offset), align=4)

    def _pointer(self, array: Value, offset: Value) -> Value:
        return self.builder.bitcast(self.builder.gep(array.data, [offset]), VECTOR.as_pointer())

    def broadcast(self, value: Value) -> Value:
        """One number in all lanes."""
        undefined, first = ir.Constant(VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(self.builder.insert_element(undefined, value, first), undefined, lanes)

    def variable(self, value: Value) -> Value:
        """Room for a vector that changes; LLVM keeps it in a register."""
        slot = cgutils.alloca_once(self.builder, VECTOR)
        self.builder.store(value, slot)
        return slot

    def zero(self) -> Value:
        return ir.Constant(VECTOR, [0.0] * LANES)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a b + c, in one instruction where the processor has it."""
        return self.builder.fadd(self.builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))

    def total(self, value: Value) -> Value:
        """Sum of the lanes, in halves: always in the same order."""
        for lanes in (4, 2, 1):
            mask = [k + lanes if k < lanes else k for k in range(2 * lanes)][:lanes]
            low, high = (
                self.builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(ir.IntType(32), lanes), part))
                for part in (list(range(lanes)), mask)
            )
            value = self.builder.fadd(low, high)
        return self.builder.extract_element(value, ir.Constant(ir.IntType(32), 0))
