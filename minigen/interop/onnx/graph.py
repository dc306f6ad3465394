"""The graph that grows: arrays of two traces beside values of ONNX.

Both traces are of one function, on batches of different sizes. Where a number in a shape differs between them, it
follows the size of the batch; where an array differs that no operation made, it was made in NumPy, and can not be
exported.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minigen.errors import ArgumentError

Shape = Sequence[int]
Value = Any  # onnx_ir.Value; the library is an extra
Input = tuple[str, np.ndarray, np.ndarray, int | None]  # name, in both traces, axis of the batch


class Graph:
    """Nodes so far. `.value(a, b)` is the value of an array that is `a` in one trace and `b` in the other."""

    def __init__(self, inputs: Sequence[Input], names: Mapping[int, str]) -> None:
        import onnx_ir as ir
        from onnx_ir.tape import Tape

        self.ir, self.tape = ir, Tape()
        self.names = names  # of parameters, by the id of their arrays
        self.values: dict[int, Value] = {}
        self.kept: list[np.ndarray] = []  # so that no id is used twice
        self.inputs: list[Value] = []
        self.integers: list[tuple[np.ndarray, np.ndarray, Value]] = []
        self.constants: dict[Any, Value] = {}
        self.batch: tuple[int, int] | None = None
        self.size: Value | None = None
        for name, a, b, axis in inputs:
            shape = ["batch" if i == axis else n for i, n in enumerate(a.shape)]
            kept = np.int64 if a.dtype.kind in "iu" else a.dtype
            value = ir.val(name, ir.DataType.from_numpy(np.dtype(kept)), shape)
            self.inputs.append(value)
            self.name(a, value)
            if a.dtype.kind in "iu":
                self.integers.append((a, b, value))
            if axis is not None and self.size is None:
                self.batch = a.shape[axis], b.shape[axis]
                self.size = self.op("Gather", [self.op("Shape", [value]), self.whole([axis])], axis=0)

    def name(self, array: np.ndarray, value: Value) -> None:
        """From here on that array is this value."""
        self.values[id(array)] = value
        self.kept.append(array)

    def op(self, kind: str, inputs: Sequence[Value | None], **attributes: Any) -> Value:
        """A node with one output."""
        return self.tape.op(kind, list(inputs), attributes)

    def value(self, a: np.ndarray, b: np.ndarray) -> Value:
        """Of an array that was made, given, or is a constant. Raises ArgumentError for one from elsewhere."""
        if id(a) in self.values:
            return self.values[id(a)]
        if a.dtype.kind in "iu":
            for mine, theirs, value in self.integers:
                if a.shape == mine.shape and np.array_equal(a, mine) and np.array_equal(b, theirs):
                    return value
        if a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
            return self.constant(a, self.names.get(id(a)))
        if a.size and (a == a.flat[0]).all() and (b == a.flat[0]).all():  # such as a first state of zeros
            fill = self.ir.tensor(np.asarray(a.flat[0], a.dtype).reshape(1))
            return self.op("ConstantOfShape", [self.shape(a.shape, b.shape)], value=fill)
        raise ArgumentError(
            f"to_onnx: an array {a.shape} that follows from the inputs was made in NumPy, which is not heard; use "
            "operations of minigen, or pass it as an input"
        )

    def constant(self, array: np.ndarray, name: str | None = None) -> Value:
        """An initializer, once for each array, or for each few numbers."""
        key = id(array) if name else (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            name = name or f"constant_{len(self.constants)}"
            self.constants[key] = self.tape.initializer(self.ir.tensor(np.ascontiguousarray(array), name=name), name)
            self.kept.append(array)
        return self.constants[key]

    def whole(self, numbers: Sequence[int]) -> Value:
        """Whole numbers, as ONNX wants axes and shapes."""
        return self.constant(np.array(numbers, np.int64))

    def scalar(self, value: float, dtype: Any) -> Value:
        """One number."""
        return self.constant(np.array(value, dtype))

    def shape(self, a: Shape, b: Shape) -> Value:
        """A shape that is a in one trace and b in the other."""
        if tuple(a) == tuple(b):
            return self.whole(a)
        parts = [self.whole([m]) if m == n else self.sized(m, n) for m, n in zip(a, b, strict=True)]
        return self.op("Concat", parts, axis=0)

    def sized(self, m: int, n: int) -> Value:
        """A number that is a multiple of the size of the batch."""
        first, second = self.batch or (0, 0)
        if not first or m % first or (m // first) * second != n:
            raise ArgumentError(f"to_onnx: a length of {m} follows from the batch, and is no multiple of it")
        assert self.size is not None
        return self.size if m == first else self.op("Mul", [self.size, self.whole([m // first])])
