"""The compiled loops of scaled dot-product attention.

A task is one worker's share of the pairs (image of the batch, head). Queries go in blocks, so that the weights of a
block stay in the second-level cache and those of all queries never exist. Every product is made of register tiles, and
keys that are later than all queries of a tile are left out of it. A pair is worked on by one thread, in a fixed order:
the bits do not depend on threads.
"""

import math
from typing import NamedTuple

import numpy as np

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.losses import LOWEST, ordered
from minigen.kernels.rows.scalar import ONE, ZERO, exp_negative
from minigen.kernels.tile.microkernel import copy_row, tile_layer, transpose_block
from minigen.kernels.tile.shape import LEAST_ROWS, ROWS, USUAL, panel_width, vector_width

FLOAT = np.dtype(np.float32)
PANEL, LANES = panel_width(FLOAT), vector_width(FLOAT)
INFINITY = np.float32(np.inf)
HIGHEST = INFINITY.view(np.int32)  # what is above that is NaN


class Sizes(NamedTuple):
    """The same for every pair of an image and a head."""

    heads: int
    queries: int
    keys: int
    width: int  # of a head
    causal: bool
    block: int  # queries of a block; the last may have fewer
    columns: int  # width, up to a whole panel
    panels: int  # of keys
    row: int  # from the weights of a query to those of the next
    masked: bool  # each image has its own row of `bias`; else, when causal, `bias` is a staircase (`bias_at`)


class Places(NamedTuple):
    """Step t of head h of image n begins at first + n * image + t * row + h * width in a flat array."""

    first: int
    image: int
    row: int


@part
def multiply_tile(
    rows, a, a_first, a_row, a_term, b, b_first, b_term, terms, base, base_first, base_row, c, c_first, c_row,
    blocks,
):  # fmt: skip
    """tile_layer without activation. Where there are too few rows it goes on into some that nobody reads."""
    rows = max(rows, LEAST_ROWS)
    tile_layer(
        USUAL, rows, a, a_first, a_row, a_term, b, b_first, b_term, terms, base, base_first, base_row, ONE, c, c_first,
        c_row, None, blocks,
    )  # fmt: skip


@part
def tiles_of(count):
    """How many tiles `count` rows are shared out to."""
    return -(-count // ROWS)


@part
def copy_in(x, first, row, count, sizes, out):
    """out[t * columns + d] = x[first + t * row + d] for t < count, and zero for d from the head's width on."""
    width, columns = sizes.width, sizes.columns
    for t in range(count):
        if width == columns:
            for d in range(0, width, PANEL):
                copy_row(USUAL, x, first + t * row + d, out, t * columns + d, None)
        else:
            source, target = x[first + t * row :], out[t * columns :]
            for d in range(columns):
                target[d] = source[d] if d < width else ZERO


@part
def copy_out(x, count, sizes, out, first, row):
    """The inverse."""
    width, columns = sizes.width, sizes.columns
    for t in range(count):
        if width == columns:
            for d in range(0, width, PANEL):
                copy_row(USUAL, x, t * columns + d, out, first + t * row + d, None)
        else:
            source, target = x[t * columns :], out[first + t * row :]
            for d in range(width):
                target[d] = source[d]


@part
def pack_transposed(x, first, row, sizes, out):
    """out[(p * width + d) * PANEL + i] = x[first + (p * PANEL + i) * row + d], and zero for keys that do not exist."""
    width = sizes.width
    for p in range(sizes.panels):
        low = p * PANEL
        target, there = out[low * width :], min(PANEL, sizes.keys - low)
        if there == PANEL and width >= LANES:
            for d in range(0, width, LANES):
                inside = min(d, width - LANES)  # the last block begins early enough to lie inside
                for i in range(0, PANEL, LANES):
                    transpose_block(x, first + (low + i) * row + inside, row, target, inside * PANEL + i, PANEL)
        else:
            for d in range(width):
                for i in range(PANEL):
                    target[d * PANEL + i] = x[first + (low + i) * row + d] if i < there else ZERO


@part
def section(workspace, ends, i):
    """Section i of a worker's workspace, whose sections end there."""
    return workspace[ends[i - 1] if i > 0 else 0 : ends[i]]


@part
def visible(query, sizes):
    """The keys that a query may look at end here, but for the mask."""
    return query + 1 + sizes.keys - sizes.queries if sizes.causal else sizes.keys


@part
def bias_at(n, query, sizes):
    """(first, row): where in `bias` stands what to add to the products of a query of image n, and of the next queries.

    That is 0 for a key to look at, minus infinity for one not to. Without a mask it depends on how many steps the key
    is behind the query, and the next query's row begins one number earlier in the same row.
    """
    if sizes.causal and not sizes.masked:
        return sizes.keys + ROWS - visible(query, sizes), -1
    return n * sizes.panels * PANEL if sizes.masked else 0, 0


@part
def products(top, bottom, panels, a, packed, base, base_first, base_row, sizes, out):
    """out = base + A · Bᵀ for rows [top, bottom) of a block and some panels of keys; B packed by `pack_transposed`."""
    for p in range(panels):
        multiply_tile(
            bottom - top, a, top * sizes.columns, sizes.columns, 1,
            packed, p * sizes.width * PANEL, PANEL, sizes.width, base, base_first + p * PANEL, base_row,
            out, top * sizes.row + p * PANEL, sizes.row, None,
        )  # fmt: skip


@part
def hide_from(seen, s):
    """Minus infinity from `seen` on."""
    for k in range(np.uintp(seen), np.uintp(s.size)):
        s[k] = -INFINITY


@part
def largest_of(bits):
    """The largest of numbers, `ordered`."""
    best = LOWEST
    for k in range(bits.size):
        b = ordered(bits[k])
        best = b if b > best else best
    return best


@part
def softmax_row(s, bits, seen, hide, scale):
    """s = exp(scale · s - largest); (largest, sum), or (0, 0) when all are minus infinity.

    Later keys, from `seen` on, are minus infinity already, unless the bias is a mask (`hide`), or there is NaN in one.
    """
    total = ZERO
    if hide:
        hide_from(seen, s)
    best = largest_of(bits)
    if best > HIGHEST:
        hide_from(seen, s)
        best = largest_of(bits)
    largest = scale * np.int32(ordered(best)).view(np.float32)
    largest = ZERO if largest == -INFINITY else largest
    for k in range(s.size):
        e = exp_negative(scale * s[k] - largest)
        s[k] = e
        total += e
    return largest, total


@tasks
def attend_share(
    worker, workers, q, k, v, q_at, k_at, v_at, bias, zeros, sizes, scale, y, log_sums, spaces, bits_spaces, ends,
):  # fmt: skip
    """The results of a worker's share of the pairs, and for each query the log of its sum of exponentials.

    Sections of a workspace: queries of a block, keys (packed), values, weights of a block, a tile of results, 1 / sums.
    """
    columns, row, width, space = sizes.columns, sizes.row, sizes.width, spaces[worker]
    queries, keys, values = section(space, ends, 0), section(space, ends, 1), section(space, ends, 2)
    weights, spare, shares = section(space, ends, 3), section(space, ends, 4), section(space, ends, 5)
    bits = section(bits_spaces[worker], ends, 3)
    pairs, full = log_sums.size // sizes.queries, sizes.heads * width
    for pair in range(worker * pairs // workers, (worker + 1) * pairs // workers):
        n, left = pair // sizes.heads, pair % sizes.heads * width
        pack_transposed(k, k_at.first + n * k_at.image + left, k_at.row, sizes, keys)
        copy_in(v, v_at.first + n * v_at.image + left, v_at.row, sizes.keys, sizes, values)
        for start in range(0, sizes.queries, sizes.block):
            count = min(sizes.block, sizes.queries - start)
            copy_in(q, q_at.first + n * q_at.image + start * q_at.row + left, q_at.row, count, sizes, queries)
            for tile in range(tiles_of(count)):
                top, bottom = tile * count // tiles_of(count), (tile + 1) * count // tiles_of(count)
                end = visible(start + bottom - 1, sizes)
                panels = -(-end // PANEL)
                first, step = bias_at(n, start + top, sizes)
                products(top, bottom, panels, queries, keys, bias, first, step, sizes, weights)
                for t in range(top, bottom):
                    here, stop = t * row, t * row + panels * PANEL
                    s, seen = weights[here:stop], visible(start + t, sizes)
                    largest, total = softmax_row(s, bits[here:stop], seen, sizes.masked and sizes.causal, scale)
                    shares[t] = ONE / total if total != ZERO else ZERO
                    log_sum = largest + np.float32(math.log(total)) if total != ZERO else INFINITY
                    log_sums[pair * sizes.queries + start + t] = log_sum
                for low in range(0, columns, PANEL):
                    multiply_tile(
                        bottom - top, weights, top * row, row, 1, values, low, columns, end, zeros, 0, 0,
                        spare, 0, PANEL, True,
                    )  # fmt: skip
                    across = min(PANEL, width - low)
                    for t in range(top, bottom):
                        at = (n * sizes.queries + start + t) * full + left + low
                        source, target, share = spare[(t - top) * PANEL :], y[at : at + across], shares[t]
                        for d in range(across):
                            target[d] = source[d] * share


@part
def weights_and_slopes(p, g, seen, scale, log_sum, dot):
    """p = exp(scale · p - log_sum), g = scale · p · (g - dot); both 0 for later keys, from `seen` on, also with NaN."""
    hidden = log_sum if log_sum != log_sum else -INFINITY  # who looks at NaN gets NaN
    for k in range(g.size):
        s = scale * p[k] - log_sum
        e = exp_negative(s if s == s else hidden)
        h = scale * e * (g[k] - dot)
        p[k] = e
        g[k] = ZERO if e == ZERO else h
    if log_sum != log_sum:
        for k in range(np.uintp(seen), np.uintp(g.size)):
            p[k] = ZERO
            g[k] = ZERO


@part
def row_dots(gy, y, first, start, count, sizes, out):
    """out[t] = sum over d of gy · y, the gy of the block (columns wide), y where it lies."""
    full = sizes.heads * sizes.width
    for t in range(count):
        a, b = gy[t * sizes.columns :], y[first + (start + t) * full :]
        total = ZERO
        for d in range(sizes.width):
            total += a[d] * b[d]
        out[t] = total


@part
def add_transposed(a, b, start, count, sizes, out):
    """out (keys, columns) += Aᵀ · B, A (count, keys) the weights or slopes of a block, B (count, columns)."""
    row, columns = sizes.row, sizes.columns
    end = visible(start + count - 1, sizes)
    for tile in range(tiles_of(end)):
        top, bottom = tile * end // tiles_of(end), (tile + 1) * end // tiles_of(end)
        first = max(0, top - (sizes.keys - sizes.queries) - start) if sizes.causal else 0  # who sees the first key
        for low in range(0, columns, PANEL):
            at = top * columns + low
            multiply_tile(
                bottom - top, a, first * row + top, 1, row, b, first * columns + low, columns, count - first,
                out, at, columns, out, at, columns, True,
            )  # fmt: skip


@tasks
def attend_grad_share(
    worker, workers, gy, q, k, v, y, log_sums, q_at, k_at, v_at, gq_at, gk_at, gv_at, bias, zeros, sizes, scale,
    gq, gk, gv, spaces, ends,
):  # fmt: skip
    """The gradients of a worker's share of the pairs.

    Sections of a workspace: queries, their gradients and gy of a block, keys, keys and values packed, weights and
    slopes of a block, gradients of keys and values, and each query's sum of gy · y.
    """
    columns, row, width, space = sizes.columns, sizes.row, sizes.width, spaces[worker]
    queries, gqueries, gys = section(space, ends, 0), section(space, ends, 1), section(space, ends, 2)
    keys, keys_t, values_t = section(space, ends, 3), section(space, ends, 4), section(space, ends, 5)
    weights, slopes = section(space, ends, 6), section(space, ends, 7)
    gkeys, gvalues, dots = section(space, ends, 8), section(space, ends, 9), section(space, ends, 10)
    pairs, full = log_sums.size // sizes.queries, sizes.heads * width
    for pair in range(worker * pairs // workers, (worker + 1) * pairs // workers):
        n, left = pair // sizes.heads, pair % sizes.heads * width
        first, image = k_at.first + n * k_at.image + left, n * sizes.queries * full + left
        pack_transposed(k, first, k_at.row, sizes, keys_t)
        copy_in(k, first, k_at.row, sizes.keys, sizes, keys)
        pack_transposed(v, v_at.first + n * v_at.image + left, v_at.row, sizes, values_t)
        gkeys[:] = ZERO
        gvalues[:] = ZERO
        for start in range(0, sizes.queries, sizes.block):
            count = min(sizes.block, sizes.queries - start)
            copy_in(q, q_at.first + n * q_at.image + start * q_at.row + left, q_at.row, count, sizes, queries)
            copy_in(gy, image + start * full, full, count, sizes, gys)
            row_dots(gys, y, image, start, count, sizes, dots)
            for tile in range(tiles_of(count)):
                top, bottom = tile * count // tiles_of(count), (tile + 1) * count // tiles_of(count)
                end = visible(start + bottom - 1, sizes)
                panels = -(-end // PANEL)
                begin, step = bias_at(n, start + top, sizes)
                products(top, bottom, panels, queries, keys_t, bias, begin, step, sizes, weights)
                products(top, bottom, panels, gys, values_t, zeros, 0, 0, sizes, slopes)
                for t in range(top, bottom):
                    log_sum = log_sums[pair * sizes.queries + start + t]
                    here, stop, seen = t * row, t * row + panels * PANEL, visible(start + t, sizes)
                    if sizes.masked and sizes.causal:
                        hide_from(seen, weights[here:stop])
                    weights_and_slopes(weights[here:stop], slopes[here:stop], seen, scale, log_sum, dots[t])
                    if panels < sizes.panels:  # a tile of keys may read that far
                        copy_row(USUAL, zeros, 0, weights, stop, None)
                        copy_row(USUAL, zeros, 0, slopes, stop, None)
                for low in range(0, columns, PANEL):
                    multiply_tile(
                        bottom - top, slopes, top * row, row, 1, keys, low, columns, end, zeros, 0, 0,
                        gqueries, top * columns + low, columns, True,
                    )  # fmt: skip
            copy_out(gqueries, count, sizes, gq, gq_at.first + n * gq_at.image + start * gq_at.row + left, gq_at.row)
            add_transposed(slopes, queries, start, count, sizes, gkeys)
            add_transposed(weights, gys, start, count, sizes, gvalues)
        copy_out(gkeys, sizes.keys, sizes, gk, gk_at.first + n * gk_at.image + left, gk_at.row)
        copy_out(gvalues, sizes.keys, sizes, gv, gv_at.first + n * gv_at.image + left, gv_at.row)
