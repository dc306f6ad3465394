"""The register tile (`microkernel.py`) in LLVM's instructions."""

from typing import Any

from minigen.kernels.compiler.numba_inner import intrinsic, ir, types
from minigen.kernels.tile.emitter import Emitter
from minigen.kernels.tile.shape import LANE_ROWS, MASKED_LOADS, SUM_TERMS, TILE_ROWS, tile_sizes


@intrinsic
def tile_rows(
    typingctx: Any, form: Any, rows: Any, a: Any, a_first: Any, starts: Any, taps: Any, depth: Any, b: Any,
    b_first: Any, b_taps: Any, bias: Any, bias_first: Any, slope: Any, c: Any, c_first: Any, cells: Any, columns: Any,
):  # fmt: skip
    """C[r, :] = leaky(bias + sum over t, k of A[starts[r] + taps[t] + k] * B[b_taps[t] + k, :]), for r < rows.

    a, b, bias, c: flat arrays, in which A begins at a_first, B at b_first and the bias, as long as a row of B, at
    bias_first. Row r of C begins at c[c_first + cells[r]]. starts, cells: int64, at least `rows` of them. taps, b_taps:
    int64, as many as the sum has. columns: how many of C there are; others are neither read nor written. Two rows may
    be the same, if both are of A and of C.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, c.dtype, form.count)
        a_data, b_data, bias_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1])
            for kind, i in ((a, 2), (b, 7), (bias, 10), (c, 13))
        )
        starts_data, taps_data, b_taps_data, cells_data = (
            emit.data(kind, arguments[i]) for kind, i in ((starts, 4), (taps, 5), (b_taps, 9), (cells, 15))
        )
        depth, slope, count = arguments[6], arguments[12], emit.length(taps, arguments[5])
        panel = form.count * emit.lanes
        mask, whole = emit.first_columns(arguments[16]), builder.icmp_signed("==", arguments[16], emit.index(panel))
        # A block of the sum is some whole taps, or, when those are long, a piece of one.
        together = emit.largest(emit.index(1), builder.sdiv(emit.index(SUM_TERMS), depth))

        def tile(size: int) -> None:
            c_rows = [emit.at(c_data, emit.load(cells_data, r)) for r in range(size)]

            def sum_block(low: Any, high: Any, first: Any, end: Any) -> list[Any]:
                def add_tap(t: Any, acc: list[Any]) -> list[Any]:
                    t = builder.add(low, t)
                    tap = builder.add(emit.load(taps_data, t), first)
                    left = [emit.at(a_data, builder.add(emit.load(starts_data, r), tap)) for r in range(size)]
                    row = builder.add(emit.load(b_taps_data, t), first)
                    row = emit.at(b_data, builder.mul(row, emit.index(panel)))

                    def add_term(k: Any, carried: list[Any]) -> list[Any]:
                        row, *acc = carried
                        return [emit.at(row, panel), *emit.add_product([emit.at(x, k) for x in left], row, acc)]

                    return emit.loop(builder.sub(end, first), [row, *acc], add_term)[1:]

                return emit.loop(builder.sub(high, low), emit.zeros(size), add_tap)

            def add_taps(low: Any, high: Any) -> None:
                def add_terms(first: Any, end: Any) -> None:
                    acc = sum_block(low, high, first, end)
                    begun = builder.icmp_signed(">", builder.add(low, first), emit.index(0))
                    bases = [builder.select(begun, row, bias_data) for row in c_rows]
                    last = builder.and_(builder.icmp_signed("==", high, count), builder.icmp_signed("==", end, depth))
                    emit.finish(slope, last, emit.plus_rows(acc, bases, mask), c_rows, mask, whole)

                emit.blocks(depth, emit.index(SUM_TERMS), add_terms)

            emit.blocks(count, together, add_taps)

        emit.cases(arguments[1], tile_sizes(form.count), tile)
        return context.get_dummy_value()

    index = types.intp
    return types.none(
        form, index, a, index, starts, taps, index, b, index, b_taps, bias, index, c.dtype, c, index, cells, index
    ), generate


@intrinsic
def tile_outer(
    typingctx: Any, form: Any, rows: Any, a: Any, a_first: Any, starts: Any, b: Any, b_first: Any, b_starts: Any,
    terms: Any, c: Any, c_first: Any, ldc: Any, first: Any, stop: Any, columns: Any,
):  # fmt: skip
    """C[r, :] += sum over k < terms of A[starts[k] + r] * B[k, :], for first <= r < stop.

    rows: of the tile, which are all multiplied.

    a, b, c: flat arrays, in which A begins at a_first. Row k of B begins at b[b_first + b_starts[k]], row r of C at
    c[c_first + r * ldc]. starts, b_starts: int64, at least `terms` of them. columns: how many of B and C there are;
    others are neither read nor written.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, c.dtype, form.count)
        a_data, b_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 2), (b, 5), (c, 9))
        )
        a_starts, b_rows = emit.data(starts, arguments[4]), emit.data(b_starts, arguments[7])
        mask = emit.first_columns(arguments[14])

        def tile(size: int) -> None:
            c_rows = [emit.at(c_data, builder.mul(arguments[11], emit.index(r))) for r in range(size)]

            def add_term(k: Any, acc: list[Any]) -> list[Any]:
                left = emit.at(a_data, emit.load(a_starts, k))
                row = emit.at(b_data, emit.load(b_rows, k))
                return emit.add_product([emit.at(left, r) for r in range(size)], row, acc, mask)

            acc = emit.loop(arguments[8], emit.zeros(size), add_term)
            emit.add_into(acc, c_rows, mask, arguments[12], arguments[13])

        emit.cases(arguments[1], tile_sizes(form.count), tile)
        return context.get_dummy_value()

    index = types.intp
    return types.none(form, index, a, index, starts, b, index, b_starts, index, c, *[index] * 5), generate


@intrinsic
def tile_lanes(
    typingctx: Any, rows: Any, a: Any, a_first: Any, starts: Any, taps: Any, b: Any, b_first: Any, b_taps: Any,
    b_row: Any, bias: Any, bias_first: Any, slope: Any, c: Any, c_first: Any, cells: Any, columns: Any,
):  # fmt: skip
    """C[r, :] = leaky(bias + sum over t of A[starts[r] + taps[t]:] * B[b_taps[t], :]), for r < rows, lane by lane.

    A row is one vector, or its first `columns` lanes (None: all). rows: one of LANE_ROWS. Row i of B begins at
    b[b_first + i * b_row]; the rest as in tile_rows.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, c.dtype, 1)
        a_data, b_data, bias_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 1), (b, 5), (bias, 9), (c, 12))
        )
        starts_data, taps_data, b_taps_data, cells_data = (
            emit.data(kind, arguments[i]) for kind, i in ((starts, 3), (taps, 4), (b_taps, 7), (cells, 14))
        )
        mask = None if isinstance(columns, types.NoneType) else emit.first_columns(arguments[15])

        def tile(size: int) -> None:
            left = [emit.at(a_data, emit.load(starts_data, r)) for r in range(size)]
            c_rows = [emit.at(c_data, emit.load(cells_data, r)) for r in range(size)]

            def add_tap(t: Any, acc: list[Any]) -> list[Any]:
                tap = emit.load(taps_data, t)
                row = emit.at(b_data, builder.mul(emit.load(b_taps_data, t), arguments[8]))
                return emit.add_lanes([emit.at(x, tap) for x in left], row, acc, mask)

            acc = emit.loop(emit.length(taps, arguments[4]), emit.load_rows([bias_data], mask) * size, add_tap)
            emit.finish(arguments[11], ir.Constant(ir.IntType(1), 1), acc, c_rows, mask, ir.Constant(ir.IntType(1), 0))

        emit.cases(arguments[0], LANE_ROWS, tile)
        return context.get_dummy_value()

    index = types.intp
    return types.none(
        index, a, index, starts, taps, b, index, b_taps, index, bias, index, c.dtype, c, index, cells, columns
    ), generate


@intrinsic
def tile_taps(
    typingctx: Any, rows: Any, a: Any, a_first: Any, starts: Any, taps: Any, b: Any, b_first: Any, b_starts: Any,
    terms: Any, c: Any, c_first: Any, c_taps: Any, c_row: Any, columns: Any,
):  # fmt: skip
    """C[c_taps[t], :] += sum over k < terms of A[starts[k] + taps[t]:] * B[k, :], for t < rows, lane by lane.

    A row is one vector, or its first `columns` lanes (None: all). rows: one of LANE_ROWS. Row i of C begins at
    c[c_first + i * c_row]; the rest as in tile_outer.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, c.dtype, 1)
        a_data, b_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 1), (b, 5), (c, 9))
        )
        a_starts, taps_data, b_rows, c_taps_data = (
            emit.data(kind, arguments[i]) for kind, i in ((starts, 3), (taps, 4), (b_starts, 7), (c_taps, 11))
        )
        mask = None if isinstance(columns, types.NoneType) else emit.first_columns(arguments[13])

        def tile(size: int) -> None:
            left = [emit.at(a_data, emit.load(taps_data, t)) for t in range(size)]
            c_rows = [emit.at(c_data, builder.mul(arguments[12], emit.load(c_taps_data, t))) for t in range(size)]

            def add_term(k: Any, acc: list[Any]) -> list[Any]:
                start = emit.load(a_starts, k)
                row = emit.at(b_data, emit.load(b_rows, k))
                return emit.add_lanes([emit.at(x, start) for x in left], row, acc, mask)

            acc = emit.loop(arguments[8], emit.zeros(size), add_term)
            emit.store_rows(emit.plus_rows(acc, c_rows, mask), c_rows, mask)

        emit.cases(arguments[0], LANE_ROWS, tile)
        return context.get_dummy_value()

    index = types.intp
    return types.none(
        index, a, index, starts, taps, b, index, b_starts, index, c, index, c_taps, index, columns
    ), generate


@intrinsic
def tile_layer(
    typingctx: Any, form: Any, rows: Any, a: Any, a_first: Any, a_row: Any, a_term: Any, b: Any, b_first: Any,
    b_term: Any, terms: Any, base: Any, base_first: Any, base_row: Any, slope: Any, c: Any, c_first: Any, c_row: Any,
    columns: Any, blocks: Any,
):  # fmt: skip
    """C[r, :] = leaky(base[r, :] + sum over k < terms of A[r * a_row + k * a_term] * B[k, :]), for r < rows.

    rows: from a quarter of a tile's to all. Each number of them has its own loop, so that a short tile takes less time;
    any number of rows from that quarter on can be shared out evenly into tiles of these sizes.
    a, b, base, c: flat arrays, in which A begins at a_first. Row k of B begins at b[b_first + k * b_term], row r of
    base at base[base_first + r * base_row] (base_row 0: all rows start from the same one, a bias), row r of C at
    c[c_first + r * c_row]. base and C may be the same: a sum goes on.
    columns: how many of base and C, and with MASKED_LOADS of B, there are, others being neither read nor written; None:
    all that a tile has.
    blocks: True sums block by block; None goes on from base in one chain, for short sums that base does not continue.
    """
    some, chain = not isinstance(columns, types.NoneType), isinstance(blocks, types.NoneType)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit, most = Emitter(context, builder, c.dtype, form.count), TILE_ROWS[form.count - 1]
        a_data, b_data, base_data, c_data = (
            emit.at(emit.data(kind, arguments[i]), arguments[i + 1])
            for kind, i in ((a, 2), (b, 6), (base, 10), (c, 14))
        )
        a_row, a_term, b_term, count, base_row, slope, c_row = (arguments[i] for i in (4, 5, 8, 9, 12, 13, 16))

        mask = emit.first_columns(arguments[17]) if some else None
        whole = builder.icmp_signed("==", arguments[17], emit.index(form.count * emit.lanes)) if some else None

        def tile(size: int) -> None:
            cells = [emit.at(c_data, builder.mul(c_row, emit.index(r))) for r in range(size)]

            def add_term(k: Any, carried: list[Any]) -> list[Any]:
                left, row, *acc = carried
                column = [emit.at(left, builder.mul(a_row, emit.index(r))) for r in range(size)]
                return [
                    emit.at(left, a_term),
                    emit.at(row, b_term),
                    *emit.add_product(column, row, acc, mask if MASKED_LOADS else None),
                ]

            def add_block(low: Any, high: Any) -> None:
                left, row = emit.at(a_data, builder.mul(low, a_term)), emit.at(b_data, builder.mul(low, b_term))
                _, _, *acc = emit.loop(builder.sub(high, low), [left, row, *emit.zeros(size)], add_term)
                begun = builder.icmp_signed(">", low, emit.index(0))
                data, step = builder.select(begun, c_data, base_data), builder.select(begun, c_row, base_row)
                bases = [emit.at(data, builder.mul(step, emit.index(r))) for r in range(size)]
                emit.finish(
                    slope, builder.icmp_signed("==", high, count), emit.plus_rows(acc, bases, mask), cells, mask, whole
                )

            if chain:
                bases = [emit.at(base_data, builder.mul(base_row, emit.index(r))) for r in range(size)]
                _, _, *acc = emit.loop(count, [a_data, b_data, *emit.load_rows(bases, mask)], add_term)
                emit.finish(slope, ir.Constant(ir.IntType(1), 1), acc, cells, mask, whole)
            else:
                emit.blocks(count, emit.index(SUM_TERMS), add_block)

        emit.cases(arguments[1], range(tile_sizes(form.count)[0], most + 1), tile)
        return context.get_dummy_value()

    index = types.intp
    return types.none(
        form, index, a, index, index, index, b, index, index, index, base, index, index, c.dtype, c, index, index,
        columns, blocks,
    ), generate  # fmt: skip


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
def copy_row(typingctx: Any, form: Any, a: Any, a_first: Any, out: Any, out_first: Any, columns: Any):
    """out[out_first + k] = a[a_first + k] for k < columns, and 0 for the others that the vectors of a tile hold.

    columns: None for all.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        emit = Emitter(context, builder, out.dtype, form.count)
        source, target = (emit.at(emit.data(kind, arguments[i]), arguments[i + 1]) for kind, i in ((a, 1), (out, 3)))
        mask = None if isinstance(columns, types.NoneType) else emit.first_columns(arguments[5])
        emit.store_row(emit.load_rows([source], mask), target)
        return context.get_dummy_value()

    index = types.intp
    return types.none(form, a, index, out, index, columns), generate
