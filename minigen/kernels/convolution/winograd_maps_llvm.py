"""The maps of minimal filtering (`winograd_maps.py`) in LLVM's instructions."""

from fractions import Fraction
from typing import Any

from minigen.kernels.compiler.numba_inner import cgutils, intrinsic, ir, types
from minigen.kernels.convolution.winograd_matrices import Matrix, transposed
from minigen.kernels.tile.emitter import Emitter

UNROLLED = 6  # most rows and columns that are spelled out, so that vectors stay in registers between the axes


class MapEmitter(Emitter):
    """Writes sums of vectors with constant factors."""

    def weighted(self, factors: list[Fraction], vectors: list[Any]) -> Any:
        """The sum of factor * vector; None when all factors are 0."""
        terms = sorted(
            ((f, v) for f, v in zip(factors, vectors, strict=True) if f and v is not None),
            key=lambda term: term[0] != 1,
        )
        total = None
        for factor, vector in terms:
            if total is None:
                total = vector if factor == 1 else self.build.fmul(self.constant(factor), vector)
            elif factor == 1:
                total = self.build.fadd(total, vector)
            elif factor == -1:
                total = self.build.fsub(total, vector)
            else:
                total = self.build.call(self.multiply_add, [self.constant(factor), vector, total])
        return total

    def constant(self, factor: Fraction) -> Any:
        return ir.Constant(self.vector, [float(factor)] * self.lanes)

    def mapped(self, matrix: Matrix, vectors: list[Any]) -> list[Any]:
        """matrix times vectors. Points come in pairs ±p, so that two rows, or two columns, share their halves.

        Of two rows that differ in signs only, the sum over equal factors and that over opposite ones are made once;
        of two such columns, the sum and the difference of their vectors.
        """
        columns = transposed(matrix)
        for j in range(len(columns) - 1):
            if mirrored(columns[j], columns[j + 1]):
                a, b = vectors[j], vectors[j + 1]
                both = [self.build.fadd(a, b), self.build.fsub(a, b)]
                even = [f if f == g else Fraction(0) for f, g in zip(columns[j], columns[j + 1], strict=True)]
                odd = [f if f != g else Fraction(0) for f, g in zip(columns[j], columns[j + 1], strict=True)]
                columns[j : j + 2], vectors = [even, odd], [*vectors[:j], *both, *vectors[j + 2 :]]
        matrix, result = transposed(columns), []
        while len(result) < len(matrix):
            row, following = matrix[len(result)], matrix[len(result) + 1 : len(result) + 2]
            if following and mirrored(row, following[0]):
                even = self.weighted([f if f == g else 0 * f for f, g in zip(row, *following, strict=True)], vectors)
                odd = self.weighted([f if f != g else 0 * f for f, g in zip(row, *following, strict=True)], vectors)
                result += [self.build.fadd(even, odd), self.build.fsub(even, odd)]
            else:
                result.append(self.weighted(row, vectors))
        return result


def mirrored(a: list[Fraction], b: list[Fraction]) -> bool:
    """Whether b is a with some signs changed, and others not."""
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if x or y]
    return all(x in (y, -y) for x, y in pairs) and len({x == y for x, y in pairs}) == 2


def emit_map(matrix: Matrix, context: Any, builder: Any, array: Any, arguments: Any, finish: Any = None) -> Any:
    """The loops of `tile_map` and `tile_map_finish`, whose arguments begin alike."""
    emit = MapEmitter(context, builder, array.dtype)
    places = types.Array(types.intp, 1, "C")
    x, out = emit.data(array, arguments[0]), emit.data(array, arguments[2])
    x_places, out_places = emit.data(places, arguments[1]), emit.data(places, arguments[3])
    nothing, nowhere = (cgutils.alloca_once(builder, emit.vector) for _ in range(2))
    builder.store(ir.Constant(emit.vector, [0.0] * emit.lanes), nothing)
    size_out, size_in = len(matrix), len(matrix[0])

    last = builder.sub(arguments[4], emit.index(emit.lanes))  # where the last vector begins, which may repeat some
    half = cgutils.alloca_once(builder, ir.ArrayType(emit.vector, size_out * size_in))  # mapped along one axis

    def index(first: Any, step: int, k: int) -> Any:
        return builder.add(first, emit.index(step * k))

    def between(k: Any) -> Any:
        return builder.gep(half, [emit.index(0), k])

    def body(v: Any, carried: list[Any]) -> list[Any]:
        moved = builder.mul(v, emit.index(emit.lanes))
        moved = builder.select(builder.icmp_signed("<", moved, last), moved, last)

        def cell(data: Any, table: Any, k: Any, otherwise: Any) -> Any:
            place = emit.load(table, k)
            pointer = builder.bitcast(emit.at(data, builder.add(place, moved)), emit.vector.as_pointer())
            return builder.select(builder.icmp_signed("<", place, emit.index(0)), otherwise, pointer)

        def map_column(b: Any, carried: list[Any]) -> list[Any]:
            cells = [cell(x, x_places, index(b, size_in, a), nothing) for a in range(size_in)]
            vectors = [builder.load(pointer, align=emit.scalar_bytes) for pointer in cells]
            for i, vector in enumerate(emit.mapped(matrix, vectors)):
                builder.store(vector, between(index(b, size_in, i)))
            return []

        def map_row(i: Any, carried: list[Any]) -> list[Any]:
            first = builder.mul(i, emit.index(size_in))
            vectors = [builder.load(between(index(first, 1, b))) for b in range(size_in)]
            first = builder.mul(i, emit.index(size_out))
            for j, vector in enumerate(emit.mapped(matrix, vectors)):
                target = cell(out, out_places, index(first, 1, j), nowhere)
                builder.store(finish(emit, vector, moved) if finish else vector, target, align=emit.scalar_bytes)
            return []

        for count, limit, line in ((size_in, arguments[5], map_column), (size_out, arguments[6], map_row)):
            if max(size_in, size_out) <= UNROLLED:
                for k in range(count):
                    line(emit.index(k), [])
            else:
                emit.loop(limit, [], line)
        return []

    rounded = builder.add(arguments[4], emit.index(emit.lanes - 1))
    emit.loop(builder.sdiv(rounded, emit.index(emit.lanes)), [], body)
    return context.get_dummy_value()


def tile_map(matrix: Matrix) -> Any:
    """An intrinsic (x, x_places, out, out_places, channels, columns, rows) that maps a square tile along both axes.

    columns and rows are the matrix's, given so that compilers do not know them: loops of a known length would be
    unrolled, and take much longer to compile.
    """

    @intrinsic
    def apply(typingctx: Any, x: Any, x_places: Any, out: Any, out_places: Any, channels: Any, columns: Any, rows: Any):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return emit_map(matrix, context, builder, x, arguments)

        return types.none(x, x_places, out, out_places, types.intp, types.intp, types.intp), generate

    return apply


def tile_map_finish(matrix: Matrix) -> Any:
    """`tile_map` with the arguments bias and slope: of each result v, stores leaky(v + bias[c])."""

    @intrinsic
    def apply(
        typingctx: Any, x: Any, x_places: Any, out: Any, out_places: Any, channels: Any, columns: Any, rows: Any,
        bias: Any, slope: Any,
    ):  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def finish(emit: MapEmitter, value: Any, moved: Any) -> Any:
                pointer = builder.bitcast(emit.at(emit.data(bias, arguments[7]), moved), emit.vector.as_pointer())
                value = builder.fadd(value, builder.load(pointer, align=emit.scalar_bytes))
                return emit.leaky(emit.leaky_rule(arguments[8]), [value])[0]

            return emit_map(matrix, context, builder, x, arguments, finish)

        return types.none(x, x_places, out, out_places, *[types.intp] * 3, bias, slope), generate

    return apply
