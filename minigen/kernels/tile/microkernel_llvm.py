"""The register tile (`microkernel.py`) in LLVM's instructions."""

from typing import Any

from minigen.kernels.compiler.numba_inner import intrinsic, ir, types
from minigen.kernels.tile.emitter import Emitter
from minigen.kernels.tile.shape import ROWS, SUM_TERMS, VECTORS


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

        depth, count = arguments[4], emit.length(taps, arguments[3])
        c_rows = [emit.at(c_data, emit.load(cells_data, r)) for r in range(ROWS)]
        # A block of the sum is some whole taps, or, when those are long, a piece of one.
        together = emit.largest(emit.index(1), builder.sdiv(emit.index(SUM_TERMS), depth))

        def add_block(low: Any, high: Any, first_term: Any, terms: Any) -> list[Any]:
            def add_tap(t: Any, acc: list[Any]) -> list[Any]:
                t = builder.add(low, t)
                tap = builder.add(emit.load(taps_data, t), first_term)
                left = [emit.at(a_data, builder.add(emit.load(starts_data, r), tap)) for r in range(ROWS)]
                row = builder.add(builder.mul(t, depth), first_term)
                row = emit.at(b_data, builder.mul(row, emit.index(VECTORS * emit.lanes)))

                def add_term(k: Any, carried: list[Any]) -> list[Any]:
                    row, *acc = carried
                    return [
                        emit.at(row, VECTORS * emit.lanes),
                        *emit.add_product([emit.at(x, k) for x in left], row, acc),
                    ]

                return emit.loop(terms, [row, *acc], add_term)[1:]

            return emit.loop(builder.sub(high, low), emit.zeros(ROWS), add_tap)

        def add_taps(low: Any, high: Any) -> None:
            def add_terms(first_term: Any, end: Any) -> None:
                acc = add_block(low, high, first_term, builder.sub(end, first_term))
                begun = builder.icmp_signed(">", builder.add(low, first_term), emit.index(0))
                with builder.if_else(begun) as (later, first):
                    with later:
                        emit.store_rows(emit.plus_rows(acc, c_rows), c_rows)
                    with first:
                        emit.store_rows(acc, c_rows)

            emit.blocks(depth, emit.index(SUM_TERMS), add_terms)

        emit.blocks(count, together, add_taps)
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

        acc = emit.loop(arguments[6], emit.zeros(ROWS), add_term)
        emit.store_rows(emit.plus_rows(acc, c_rows), c_rows)
        return context.get_dummy_value()

    index = types.intp
    return types.none(a, index, starts, b, index, b_starts, index, c, index, index), generate


@intrinsic
def tile_layer(
    typingctx: Any, rows: Any, a: Any, a_first: Any, a_row: Any, a_term: Any, b: Any, b_first: Any, b_term: Any,
    terms: Any, base: Any, base_first: Any, base_row: Any, slope: Any, c: Any, c_first: Any, c_row: Any,
):  # fmt: skip
    """C[r, :] = leaky(base[r, :] + sum over k < terms of A[r * a_row + k * a_term] * B[k, :]), for r < rows.

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
        slope, rule = arguments[12], emit.leaky_rule(arguments[12])
        end = builder.append_basic_block("tile.end")
        choice = builder.switch(arguments[0], end)

        for count in range(ROWS // 2, ROWS + 1):
            choice.add_case(count, block := builder.append_basic_block("tile"))
            builder.position_at_end(block)

            cells = [emit.at(c_data, builder.mul(c_row, emit.index(r))) for r in range(count)]

            def add_term(k: Any, carried: list[Any], count: int = count) -> list[Any]:
                left, row, *acc = carried
                column = [emit.at(left, builder.mul(a_row, emit.index(r))) for r in range(count)]
                return [emit.at(left, a_term), emit.at(row, b_term), *emit.add_product(column, row, acc)]

            def add_block(low: Any, high: Any, count: int = count, cells: list[Any] = cells) -> None:
                left, row = emit.at(a_data, builder.mul(low, a_term)), emit.at(b_data, builder.mul(low, b_term))
                terms = builder.sub(high, low)
                _, _, *acc = emit.loop(terms, [left, row, *emit.zeros(count)], add_term)
                begun = builder.icmp_signed(">", low, emit.index(0))
                data, step = builder.select(begun, c_data, base_data), builder.select(begun, c_row, base_row)
                acc = emit.plus_rows(acc, [emit.at(data, builder.mul(step, emit.index(r))) for r in range(count)])
                straight = builder.fcmp_ordered("==", slope, ir.Constant(emit.scalar, 1.0))
                unfinished = builder.icmp_signed("<", high, arguments[8])
                with builder.if_else(builder.or_(straight, unfinished)) as (plain, bent):
                    with plain:
                        emit.store_rows(acc, cells)
                    with bent:
                        emit.store_rows(emit.leaky(rule, acc), cells)

            emit.blocks(arguments[8], emit.index(SUM_TERMS), add_block)
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
