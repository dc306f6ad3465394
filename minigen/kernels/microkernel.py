"""The register tile under convolution and dense products, in LLVM's instructions.

Two more files write some: `winograd_maps.py` its maps, `tasks.py` the call of the threads.

A tile is a small piece of a matrix product, ROWS x panel numbers of C, that stays in the processor's vector registers
while a long sum runs: each term costs a few loads and ROWS * VECTORS multiply-adds, and C is touched once, at the end.
Numba can not be told to keep an array in registers, so intrinsics spell the loop out as LLVM instructions:

    tile_layer:    C[r, :]  = leaky(base[r, :] + sum over k of A[r * a_row + k * a_term] * B[k, :])
    tile_rows:     C[r, :]  = sum over t, k of  A[starts[r] + taps[t] + k]  * B[t * depth + k, :]
    tile_outer:    C[r, :] += sum over k of     A[starts[k] + r]            * B[k, :]      B[k, :] from b_starts[k] on

The first is the plain product. In the others a row of A is named by where it starts in a flat array. That is what makes
convolution a matrix product without a copy of its windows: an output pixel's window is a few runs of the image, one per
tap, `depth` contiguous numbers each.

All arrays are flat, of one dtype, float32 or float64. A row of B is `panel_width(dtype)` contiguous numbers; columns
that do not exist are the caller's business, who pads B or throws those columns of C away. Nothing is checked here:
every index has to be right, `depth` and the numbers of taps and terms are at least 1.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import extending, types
from numba.core import config

SETTINGS: Any = config


def tile_shape(features: Any) -> tuple[int, int, int]:
    """(rows, vectors, bytes of a vector): as much of C as fits beside VECTORS rows of B and one number of A.

    ROWS * VECTORS + VECTORS + 1 registers are in use; more than VECTORS + ROWS loads go with each ROWS * VECTORS
    multiply-adds, so a tile near a square is best, and the registers should be nearly full.
    """
    if "avx512f" in features:
        return 14, 2, 64  # 31 of 32 registers
    if "avx" in features:
        return 6, 2, 32  # 15 of 16
    if "neon" in features:
        return 6, 4, 16  # 29 of 32
    return 3, 4, 16  # 17 of 16: SSE adds from memory


def cpu_features() -> set[str]:
    """Names of the vector extensions that Numba compiles for, with its own overrides from the environment."""
    if SETTINGS.CPU_FEATURES is not None:
        return {name[1:] for name in SETTINGS.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, present in binding.get_host_cpu_features().items() if present}


ROWS, VECTORS, VECTOR_BYTES = tile_shape(cpu_features())


def panel_width(dtype: np.dtype) -> int:
    """Columns of a tile: numbers of `dtype` in VECTORS vector registers."""
    return VECTORS * VECTOR_BYTES // dtype.itemsize


def vector_width(dtype: np.dtype) -> int:
    """Numbers of `dtype` in one vector register."""
    return VECTOR_BYTES // dtype.itemsize


class Emitter:
    """Writes the few instructions that a tile is made of, for one dtype. A "row" is a list of VECTORS vectors."""

    def __init__(self, context: Any, builder: Any, dtype: Any) -> None:
        self.context, self.build = context, builder
        self.scalar = context.get_value_type(dtype)
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.index = context.get_value_type(types.intp)
        name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"  # one rounding where the processor can, two elsewhere
        self.multiply_add = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(self.vector, [self.vector] * 3), name
        )

    def data(self, array_type: Any, array: Any) -> Any:
        """Address of a Numba array's first number."""
        return self.context.make_array(array_type)(self.context, self.build, array).data

    def length(self, array_type: Any, array: Any) -> Any:
        """How many numbers a flat Numba array has."""
        return self.build.extract_value(self.context.make_array(array_type)(self.context, self.build, array).shape, 0)

    def at(self, pointer: Any, offset: Any) -> Any:
        """pointer + offset; `offset` counts numbers, as an int or an LLVM value."""
        return self.build.gep(pointer, [self.index(offset) if isinstance(offset, int) else offset])

    def load(self, pointer: Any, offset: Any) -> Any:
        """pointer[offset], one number."""
        return self.build.load(self.at(pointer, offset))

    def splat(self, number: Any) -> Any:
        """`number` in every lane of a vector."""
        lane = ir.IntType(32)
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.build.insert_element(undefined, number, lane(0))
        return self.build.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(lane, self.lanes), [0] * self.lanes)
        )

    def cells(self, pointer: Any) -> list[Any]:
        """Addresses of the vectors of the row at `pointer`."""
        return [self.build.bitcast(self.at(pointer, v * self.lanes), self.vector.as_pointer()) for v in range(VECTORS)]

    def load_row(self, pointer: Any) -> list[Any]:
        return [self.build.load(cell, align=self.scalar_bytes) for cell in self.cells(pointer)]

    def store_row(self, row: list[Any], pointer: Any) -> None:
        for vector, cell in zip(row, self.cells(pointer), strict=True):
            self.build.store(vector, cell, align=self.scalar_bytes)

    @property
    def scalar_bytes(self) -> int:
        """Rows start anywhere, so a vector is aligned only as its numbers are."""
        return VECTOR_BYTES // self.lanes

    def add_product(self, column: list[Any], row: Any, c: list[Any]) -> list[Any]:
        """C + column * row: the ROWS numbers at the addresses `column` times the row of B at the address `row`.

        C is a flat list of vectors. One row at a time: loading all of `column` first would need ROWS more registers.
        """
        right = self.load_row(row)
        result = []
        for r, address in enumerate(column):
            left = self.splat(self.build.load(address))
            for v in range(VECTORS):
                result.append(self.build.call(self.multiply_add, [left, right[v], c[r * VECTORS + v]]))
        return result

    def transposed(self, block: list[Any]) -> list[Any]:
        """The transpose of a square block: for each bit of the indices, rows swap what has that bit different."""
        mask = ir.VectorType(ir.IntType(32), self.lanes)
        bit = 1
        while bit < self.lanes:
            upper = [j if not j & bit else self.lanes + j - bit for j in range(self.lanes)]
            lower = [j + bit if not j & bit else self.lanes + j for j in range(self.lanes)]
            block = [
                self.build.shuffle_vector(
                    block[i & ~bit], block[i | bit], ir.Constant(mask, lower if i & bit else upper)
                )
                for i in range(self.lanes)
            ]
            bit *= 2
        return block

    def loop(self, count: Any, carried: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """for i in range(count): carried = body(i, carried). Returns the last `carried`; count is at least 1."""
        build, before = self.build, self.build.block
        block, after = build.append_basic_block("loop"), build.append_basic_block("loop.end")
        build.branch(block)
        build.position_at_end(block)
        start = [self.index(0), *carried]
        now = [build.phi(value.type) for value in start]  # this turn's values: from before, or from the turn before
        result = body(now[0], now[1:])
        following = [build.add(now[0], self.index(1)), *result]
        for phi, first, later in zip(now, start, following, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, build.block)
        build.cbranch(build.icmp_signed("<", following[0], count), block, after)
        build.position_at_end(after)
        return result


def intrinsic(function: Callable[..., Any]) -> Any:
    """numba.extending.intrinsic; typed, since a call leaves out `typingctx`."""
    return extending.intrinsic(function)


@intrinsic
def tile_rows(
    typingctx: Any, a: Any, a_first: Any, starts: Any, taps: Any, depth: Any, b: Any, b_first: Any, c: Any,
    c_first: Any, cells: Any,
):  # fmt: skip
    """C[r, :] = sum over t, k of A[starts[r] + taps[t] + k] * B[t * depth + k, :], for r < ROWS.

    a, b, c: flat arrays, in which A begins at a_first, B at b_first. Row r of C begins at c[c_first + cells[r]].
    starts, cells: int64, at least ROWS of them. taps: int64, as many as the sum has.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, c.dtype)
        a_data, b_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 0), (b, 5), (c, 7))
        )
        starts_data, taps_data, cells_data = (
            emit.data(kind, arguments[i]) for kind, i in ((starts, 2), (taps, 3), (cells, 9))
        )

        def add_tap(t: Any, carried: list[Any]) -> list[Any]:
            tap = emit.load(taps_data, t)
            left = [emit.at(a_data, builder.add(emit.load(starts_data, r), tap)) for r in range(ROWS)]

            def add_term(k: Any, carried: list[Any]) -> list[Any]:
                row, *acc = carried
                return [
                    emit.at(row, VECTORS * emit.lanes),
                    *emit.add_product([emit.at(x, k) for x in left], row, acc),
                ]

            return emit.loop(arguments[4], carried, add_term)

        zero = [ir.Constant(emit.vector, [0.0] * emit.lanes)] * (ROWS * VECTORS)
        _, *acc = emit.loop(emit.length(taps, arguments[3]), [b_data, *zero], add_tap)
        for r in range(ROWS):
            emit.store_row(acc[r * VECTORS : (r + 1) * VECTORS], emit.at(c_data, emit.load(cells_data, r)))
        return context.get_dummy_value()

    index = types.intp
    return types.none(a, index, starts, taps, index, b, index, c, index, cells), generate


@intrinsic
def tile_outer(
    typingctx: Any, a: Any, a_first: Any, starts: Any, b: Any, b_first: Any, b_starts: Any, terms: Any, c: Any,
    c_first: Any, ldc: Any,
):  # fmt: skip
    """C[r, :] += sum over k < terms of A[starts[k] + r] * B[k, :], for r < ROWS.

    a, b, c: flat arrays, in which A begins at a_first. Row k of B begins at b[b_first + b_starts[k]], row r of C at
    c[c_first + r * ldc]. starts, b_starts: int64, at least `terms` of them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, c.dtype)
        a_data, b_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 0), (b, 3), (c, 7))
        )
        a_starts, b_rows = emit.data(starts, arguments[2]), emit.data(b_starts, arguments[5])
        c_rows = [emit.at(c_data, builder.mul(arguments[9], emit.index(r))) for r in range(ROWS)]

        def add_term(k: Any, acc: list[Any]) -> list[Any]:
            left = emit.at(a_data, emit.load(a_starts, k))
            row = emit.at(b_data, emit.load(b_rows, k))
            return emit.add_product([emit.at(left, r) for r in range(ROWS)], row, acc)

        acc = emit.loop(arguments[6], [vector for pointer in c_rows for vector in emit.load_row(pointer)], add_term)
        for r, pointer in enumerate(c_rows):
            emit.store_row(acc[r * VECTORS : (r + 1) * VECTORS], pointer)
        return context.get_dummy_value()

    index = types.intp
    return types.none(a, index, starts, b, index, b_starts, index, c, index, index), generate


@intrinsic
def tile_layer(
    typingctx: Any, rows: Any, a: Any, a_first: Any, a_row: Any, a_term: Any, b: Any, b_first: Any, b_term: Any,
    terms: Any, base: Any, base_first: Any, base_row: Any, slope: Any, c: Any, c_first: Any, c_row: Any,
):  # fmt: skip
    """C[r, :] = leaky(base[r, :] + sum over k < terms of A[r * a_row + k * a_term] * B[k, :]), for r < rows.

    leaky(v) is slope * v below 0, elsewhere v: slope 1 changes nothing, 0 is ReLU (of minus infinity too, it gives 0).
    rows: from ROWS // 2 to ROWS. Every number of them has its own loop, so that a short tile takes less time; any
    number of rows from ROWS // 2 on can be shared out evenly into tiles of these sizes.
    a, b, base, c: flat arrays, in which A begins at a_first. Row k of B begins at b[b_first + k * b_term], row r of
    base at base[base_first + r * base_row] (base_row 0: all rows start from the same one, a bias), row r of C at
    c[c_first + r * c_row]. base and C may be the same: a sum goes on.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, c.dtype)
        a_data, b_data, base_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 1), (b, 5), (base, 9), (c, 13))
        )
        a_row, a_term, b_term, base_row, c_row = (arguments[i] for i in (3, 4, 7, 11, 15))
        slope, zeros = arguments[12], ir.Constant(emit.vector, [0.0] * emit.lanes)
        slopes, cuts = emit.splat(slope), builder.fcmp_ordered("==", slope, ir.Constant(emit.scalar, 0.0))
        end = builder.append_basic_block("tile.end")
        choice = builder.switch(arguments[0], end)

        for count in range(ROWS // 2, ROWS + 1):
            choice.add_case(count, block := builder.append_basic_block("tile"))
            builder.position_at_end(block)

            def add_term(k: Any, carried: list[Any], count: int = count) -> list[Any]:
                left, row, *acc = carried
                column = [emit.at(left, builder.mul(a_row, emit.index(r))) for r in range(count)]
                return [emit.at(left, a_term), emit.at(row, b_term), *emit.add_product(column, row, acc)]

            starts = [emit.at(base_data, builder.mul(base_row, emit.index(r))) for r in range(count)]
            first = [vector for pointer in starts for vector in emit.load_row(pointer)]
            _, _, *acc = emit.loop(arguments[8], [a_data, b_data, *first], add_term)
            cells = [emit.at(c_data, builder.mul(c_row, emit.index(r))) for r in range(count)]
            with builder.if_else(builder.fcmp_ordered("==", slope, ir.Constant(emit.scalar, 1.0))) as (plain, bent):
                with plain:
                    for r, cell in enumerate(cells):
                        emit.store_row(acc[r * VECTORS : (r + 1) * VECTORS], cell)
                with bent:
                    low = [builder.select(cuts, zeros, builder.fmul(v, slopes)) for v in acc]
                    acc = [
                        builder.select(builder.fcmp_ordered("<", v, zeros), u, v) for u, v in zip(low, acc, strict=True)
                    ]
                    for r, cell in enumerate(cells):
                        emit.store_row(acc[r * VECTORS : (r + 1) * VECTORS], cell)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    index = types.intp
    return types.none(
        index, a, index, index, index, b, index, index, index, base, index, index, c.dtype, c, index, index
    ), generate


@intrinsic
def transpose_block(typingctx: Any, a: Any, a_first: Any, a_row: Any, out: Any, out_first: Any, out_row: Any):
    """out[out_first + j * out_row + i] = a[a_first + i * a_row + j] for i, j < vector_width(dtype)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, out.dtype)
        source, target = (emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 0), (out, 3)))

        def rows(pointer: Any, step: Any) -> list[Any]:
            """Addresses of the vectors that are the rows of a block."""
            places = [emit.at(pointer, builder.mul(step, emit.index(i))) for i in range(emit.lanes)]
            return [builder.bitcast(place, emit.vector.as_pointer()) for place in places]

        block = [builder.load(cell, align=emit.scalar_bytes) for cell in rows(source, arguments[2])]
        for vector, cell in zip(emit.transposed(block), rows(target, arguments[5]), strict=True):
            builder.store(vector, cell, align=emit.scalar_bytes)
        return context.get_dummy_value()

    index = types.intp
    return types.none(a, index, index, out, index, index), generate


@intrinsic
def copy_row(typingctx: Any, a: Any, a_first: Any, out: Any, out_first: Any):
    """out[out_first + k] = a[a_first + k] for k < panel_width(dtype)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, out.dtype)
        source, target = (emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 0), (out, 2)))
        emit.store_row(emit.load_row(source), target)
        return context.get_dummy_value()

    index = types.intp
    return types.none(a, index, out, index), generate
