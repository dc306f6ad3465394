"""Writes LLVM's instructions for tiles: vectors loaded, multiplied, added, stored, in loops."""

from collections.abc import Callable, Iterable
from typing import Any

from minigen.kernels.compiler.numba_inner import ir, types
from minigen.kernels.tile.shape import VECTOR_BYTES, VECTORS

Mask = list[Any]  # a vector of booleans for each vector of a row


class Emitter:
    """Writes the few instructions that a tile is made of, for one dtype. A "row" is a list of `vectors` vectors."""

    def __init__(self, context: Any, builder: Any, dtype: Any, vectors: int = VECTORS) -> None:
        self.context, self.build, self.vectors = context, builder, vectors
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
        undefined = ir.Constant(ir.VectorType(number.type, self.lanes), ir.Undefined)
        first = self.build.insert_element(undefined, number, lane(0))
        return self.build.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(lane, self.lanes), [0] * self.lanes)
        )

    def cells(self, pointer: Any) -> list[Any]:
        """Addresses of the vectors of the row at `pointer`."""
        places = [self.at(pointer, v * self.lanes) for v in range(self.vectors)]
        return [self.build.bitcast(place, self.vector.as_pointer()) for place in places]

    def load_row(self, pointer: Any) -> list[Any]:
        return [self.build.load(cell, align=self.scalar_bytes) for cell in self.cells(pointer)]

    def store_row(self, row: list[Any], pointer: Any) -> None:
        for vector, cell in zip(row, self.cells(pointer), strict=True):
            self.build.store(vector, cell, align=self.scalar_bytes)

    def store_rows(self, rows: list[Any], pointers: list[Any], mask: Mask | None = None) -> None:
        """A flat list of vectors, a row of them to each address; of each row what the mask says."""
        for r, pointer in enumerate(pointers):
            row = rows[r * self.vectors : (r + 1) * self.vectors]
            if mask is None:
                self.store_row(row, pointer)
                continue
            for vector, cell, lanes in zip(row, self.cells(pointer), mask, strict=True):
                self.call("masked.store", ir.VoidType(), [vector, cell, self.alignment, lanes])

    def plus_rows(self, rows: list[Any], pointers: list[Any], mask: Mask | None = None) -> list[Any]:
        """`rows` plus what lies at the addresses; of each row what the mask says, and zeros."""
        return [self.build.fadd(a, b) for a, b in zip(self.load_rows(pointers, mask), rows, strict=True)]

    def load_rows(self, pointers: list[Any], mask: Mask | None) -> list[Any]:
        """The rows at the addresses; of each what the mask says, and zeros."""
        rows = [self.load_row(p) if mask is None else self.load_masked(p, mask) for p in pointers]
        return [vector for row in rows for vector in row]

    def load_masked(self, pointer: Any, mask: Mask) -> list[Any]:
        """A row of which only what the mask says is read; zeros in the place of the rest."""
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        pairs = zip(self.cells(pointer), mask, strict=True)
        return [self.call("masked.load", self.vector, [cell, self.alignment, lanes, zeros]) for cell, lanes in pairs]

    def add_into(self, rows: list[Any], pointers: list[Any], mask: Mask, first: Any, stop: Any) -> None:
        """Add rows [first, stop) to what lies at the addresses; of each what the mask says."""
        nothing = ir.Constant(mask[0].type, None)
        masks = []
        for r in range(len(pointers)):
            inside = self.build.and_(
                self.build.icmp_signed(">=", self.index(r), first), self.build.icmp_signed("<", self.index(r), stop)
            )
            masks.append([self.build.select(inside, lanes, nothing) for lanes in mask])
        for r, (pointer, kept) in enumerate(zip(pointers, masks, strict=True)):
            row = rows[r * self.vectors : (r + 1) * self.vectors]
            self.store_rows(self.plus_rows(row, [pointer], kept), [pointer], kept)

    def first_columns(self, count: Any) -> Mask:
        """The mask of the first `count` columns of a row."""
        lane, result = ir.IntType(32), []
        for v in range(self.vectors):
            left = self.build.sub(self.build.trunc(count, lane), lane(v * self.lanes))
            numbers = ir.Constant(ir.VectorType(lane, self.lanes), list(range(self.lanes)))
            result.append(self.build.icmp_signed("<", numbers, self.splat(left)))
        return result

    def call(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """LLVM's intrinsic for vectors of this kind, which lie where numbers do."""
        name = f"llvm.{name}.v{self.lanes}f{8 * self.scalar_bytes}.p0"
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = self.build.module.globals.get(name) or ir.Function(self.build.module, kind, name)
        return self.build.call(function, arguments)

    @property
    def alignment(self) -> Any:
        """`scalar_bytes` for LLVM."""
        return ir.IntType(32)(self.scalar_bytes)

    def zeros(self, rows: int) -> list[Any]:
        return [ir.Constant(self.vector, [0.0] * self.lanes)] * (rows * self.vectors)

    @property
    def scalar_bytes(self) -> int:
        """Rows start anywhere, so a vector is aligned only as its numbers are."""
        return VECTOR_BYTES // self.lanes

    def add_product(self, column: list[Any], row: Any, c: list[Any], mask: Mask | None = None) -> list[Any]:
        """C + column * row: the numbers at the addresses `column` times the row of B at the address `row`.

        C is a flat list of vectors. One row at a time: loading all of `column` first would need as many registers.
        """
        right = self.load_row(row) if mask is None else self.load_masked(row, mask)
        result = []
        for r, address in enumerate(column):
            left = self.splat(self.build.load(address))
            for v in range(self.vectors):
                result.append(self.build.call(self.multiply_add, [left, right[v], c[r * self.vectors + v]]))
        return result

    def add_lanes(self, rows: list[Any], row: Any, c: list[Any], mask: Mask | None) -> list[Any]:
        """C + rows * row, lane by lane: the rows at the addresses `rows`, each times the one at the address `row`."""
        lefts, rights = self.load_rows(rows, mask), self.load_rows([row], mask) * len(rows)
        return [self.build.call(self.multiply_add, terms) for terms in zip(lefts, rights, c, strict=True)]

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

    def blocks(self, count: Any, most: Any, body: Callable[[Any, Any], None]) -> None:
        """for low in range(0, count, most): body(low, min(low + most, count)); count is at least 1."""

        def block(_: Any, carried: list[Any]) -> list[Any]:
            high = self.build.add(carried[0], most)
            high = self.build.select(self.build.icmp_signed("<", high, count), high, count)
            body(carried[0], high)
            return [high]

        rounded = self.build.add(count, self.build.sub(most, self.index(1)))
        self.loop(self.build.sdiv(rounded, most), [self.index(0)], block)

    def cases(self, number: Any, choices: Iterable[int], body: Callable[[int], None]) -> None:
        """body(choice) for the choice that `number` is, each with a loop of its own; nothing for any other number."""
        end = self.build.append_basic_block("cases.end")
        switch = self.build.switch(number, end)
        for choice in choices:
            switch.add_case(choice, block := self.build.append_basic_block("case"))
            self.build.position_at_end(block)
            body(choice)
            self.build.branch(end)
        self.build.position_at_end(end)

    def finish(
        self, slope: Any, last: Any, rows: list[Any], pointers: list[Any], mask: Mask | None = None, whole: Any = None
    ) -> None:
        """Store the rows; of a sum that is finished (`last`) with their negative numbers times the slope.

        Only what the mask says, which is all if `whole`: some processors take long to store by a mask.
        """
        straight = self.build.fcmp_ordered("==", slope, ir.Constant(self.scalar, 1.0))

        def store(results: list[Any]) -> None:
            if mask is None:
                self.store_rows(results, pointers)
                return
            with self.build.if_else(whole) as (all_columns, some_columns):
                with all_columns:
                    self.store_rows(results, pointers)
                with some_columns:
                    self.store_rows(results, pointers, mask)

        with self.build.if_else(self.build.and_(last, self.build.not_(straight))) as (bent, plain):
            with bent:
                store(self.leaky(self.leaky_rule(slope), rows))
            with plain:
                store(rows)

    def largest(self, a: Any, b: Any) -> Any:
        return self.build.select(self.build.icmp_signed(">", a, b), a, b)

    def leaky(self, rule: Any, vectors: list[Any]) -> list[Any]:
        """The vectors, with their negative numbers times a slope; `rule` is what `leaky_rule` made of it."""
        slopes, cuts = rule
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        low = [self.build.select(cuts, zeros, self.build.fmul(v, slopes)) for v in vectors]
        return [
            self.build.select(self.build.fcmp_ordered("<", v, zeros), u, v) for u, v in zip(low, vectors, strict=True)
        ]

    def leaky_rule(self, slope: Any) -> Any:
        """(the slope in every lane, whether it is 0: what is below 0 then becomes 0, and infinity not NaN)."""
        return self.splat(slope), self.build.fcmp_ordered("==", slope, ir.Constant(self.scalar, 0.0))
