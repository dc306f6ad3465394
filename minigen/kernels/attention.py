"""Scaled dot-product attention, forward and backward.

A task is one worker's share of the pairs (image of the batch, head). Queries go in blocks, so that the weights of a
block stay in the second-level cache and those of all queries never exist. Forward keeps, beside the result, the log of
the sum of each query's exponentials; from it backward computes the weights anew, P = exp(S - log sum) (Rabe and Staats,
2021; Dao et al., 2022, appendix B). Every product is made of register tiles, and keys that are later than all queries
of a tile are left out of it. A pair is worked on by one thread, in a fixed order: the bits do not depend on threads.

q, k, v and their gradients are read and written where they lie, side by side in one array perhaps, or in a cache.

Compiled for float32; float64, which gradient checks use, goes to the NumPy twins.
"""

import math
from typing import NamedTuple

import numpy as np

from minigen.config import config
from minigen.kernels import reference
from minigen.kernels.jit import part
from minigen.kernels.losses import LOWEST, ordered
from minigen.kernels.microkernel import ROWS, copy_row, panel_width, tile_layer, transpose_block, vector_width
from minigen.kernels.room import flat, several
from minigen.kernels.scalar import ONE, ZERO, exp_negative
from minigen.kernels.tasks import tasks

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]

FLOAT = np.dtype(np.float32)
PANEL, LANES = panel_width(FLOAT), vector_width(FLOAT)
INFINITY = np.float32(np.inf)
BLOCK = 5 * ROWS  # most queries of a block
GAP = 16  # numbers between rows of weights: at a distance of a power of two they would share places of the cache
SERIAL = 200_000  # multiply-adds up to which one thread is faster


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
    masked: bool  # each image has its own row of `bias`


class Places(NamedTuple):
    """Step t of head h of image n begins at first + n * image + t * row + h * width in a flat array."""

    first: int
    image: int
    row: int


@part
def _tile(rows, a, a_first, a_row, a_term, b, b_first, b_term, terms, base, base_first, base_row, c, c_first, c_row):
    """tile_layer without activation. Where there are too few rows it goes on into some that nobody reads."""
    rows = max(rows, ROWS // 2)
    tile_layer(
        rows, a, a_first, a_row, a_term, b, b_first, b_term, terms, base, base_first, base_row, ONE, c, c_first, c_row
    )


@part
def _rows(count):
    """How many tiles `count` rows are shared out to."""
    return -(-count // ROWS)


@part
def _copy(x, first, row, count, sizes, out):
    """out[t * columns + d] = x[first + t * row + d] for t < count, and zero for d from the head's width on."""
    width, columns = sizes.width, sizes.columns
    for t in range(count):
        if width == columns:
            for d in range(0, width, PANEL):
                copy_row(x, first + t * row + d, out, t * columns + d)
        else:
            source, target = x[first + t * row :], out[t * columns :]
            for d in range(columns):
                target[d] = source[d] if d < width else ZERO


@part
def _copy_back(x, count, sizes, out, first, row):
    """The inverse."""
    width, columns = sizes.width, sizes.columns
    for t in range(count):
        if width == columns:
            for d in range(0, width, PANEL):
                copy_row(x, t * columns + d, out, first + t * row + d)
        else:
            source, target = x[t * columns :], out[first + t * row :]
            for d in range(width):
                target[d] = source[d]


@part
def _transpose(x, first, row, sizes, out):
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
def _seen(query, sizes):
    """The keys that a query may look at end here, but for the mask."""
    return query + 1 + sizes.keys - sizes.queries if sizes.causal else sizes.keys


@part
def _products(top, bottom, panels, a, packed, base, base_first, sizes, out):
    """out = base + A · Bᵀ for rows [top, bottom) of a block and some panels of keys; B packed by `_transpose`."""
    for p in range(panels):
        _tile(
            bottom - top, a, top * sizes.columns, sizes.columns, 1,
            packed, p * sizes.width * PANEL, PANEL, sizes.width, base, base_first + p * PANEL, 0,
            out, top * sizes.row + p * PANEL, sizes.row,
        )  # fmt: skip


@part
def _softmax(s, bits, seen, scale):
    """s = exp(scale · s - largest), and 0 from `seen` on; (largest, sum), or (0, 0) when all are minus infinity."""
    best, total = LOWEST, ZERO
    for k in range(np.uintp(seen), np.uintp(s.size)):
        s[k] = -INFINITY
    for k in range(s.size):
        b = ordered(bits[k])
        best = b if b > best else best
    largest = scale * np.int32(ordered(best)).view(np.float32)
    largest = ZERO if largest == -INFINITY else largest
    for k in range(s.size):
        s[k] = exp_negative(scale * s[k] - largest)
    for k in range(s.size):
        total += s[k]
    return largest, total


@tasks
def _attend(
    worker, workers, q, k, v, q_at, k_at, v_at, bias, zeros, sizes, scale, y, log_sums,
    queries_room, keys_room, values_room, weights_room, bits_room, shares_room, spare_room,
):  # fmt: skip
    columns, row, width = sizes.columns, sizes.row, sizes.width
    queries, keys, values = queries_room[worker], keys_room[worker], values_room[worker]
    weights, bits, shares, spare = weights_room[worker], bits_room[worker], shares_room[worker], spare_room[worker]
    pairs, full = log_sums.size // sizes.queries, sizes.heads * width
    for pair in range(worker * pairs // workers, (worker + 1) * pairs // workers):
        n, left = pair // sizes.heads, pair % sizes.heads * width
        _transpose(k, k_at.first + n * k_at.image + left, k_at.row, sizes, keys)
        _copy(v, v_at.first + n * v_at.image + left, v_at.row, sizes.keys, sizes, values)
        for start in range(0, sizes.queries, sizes.block):
            count = min(sizes.block, sizes.queries - start)
            _copy(q, q_at.first + n * q_at.image + start * q_at.row + left, q_at.row, count, sizes, queries)
            for tile in range(_rows(count)):
                top, bottom = tile * count // _rows(count), (tile + 1) * count // _rows(count)
                end = _seen(start + bottom - 1, sizes)
                panels = -(-end // PANEL)
                mask = n * sizes.panels * PANEL if sizes.masked else 0
                _products(top, bottom, panels, queries, keys, bias, mask, sizes, weights)
                for t in range(top, bottom):
                    here, stop = t * row, t * row + panels * PANEL
                    largest, total = _softmax(weights[here:stop], bits[here:stop], _seen(start + t, sizes), scale)
                    shares[t] = ONE / total if total != ZERO else ZERO
                    log_sum = largest + np.float32(math.log(total)) if total != ZERO else INFINITY
                    log_sums[pair * sizes.queries + start + t] = log_sum
                for low in range(0, columns, PANEL):
                    _tile(
                        bottom - top, weights, top * row, row, 1, values, low, columns, end, zeros, 0, 0,
                        spare, 0, PANEL,
                    )  # fmt: skip
                    across = min(PANEL, width - low)
                    for t in range(top, bottom):
                        at = (n * sizes.queries + start + t) * full + left + low
                        source, target, share = spare[(t - top) * PANEL :], y[at : at + across], shares[t]
                        for d in range(across):
                            target[d] = source[d] * share


@part
def _weights_and_slopes(p, g, seen, clear, scale, log_sum, dot):
    """p = exp(scale · p - log_sum), g = scale · p · (g - dot); both 0 from `seen` to `clear`."""
    for k in range(g.size):
        e = exp_negative(scale * p[k] - log_sum)
        p[k] = e
        g[k] = scale * e * (g[k] - dot)
    for k in range(seen, clear):
        p[k] = ZERO
        g[k] = ZERO


@part
def _dots(gy, y, first, start, count, sizes, out):
    """out[t] = sum over d of gy · y, the gy of the block (columns wide), y where it lies."""
    full = sizes.heads * sizes.width
    for t in range(count):
        a, b = gy[t * sizes.columns :], y[first + (start + t) * full :]
        total = ZERO
        for d in range(sizes.width):
            total += a[d] * b[d]
        out[t] = total


@part
def _add_transposed(a, b, start, count, sizes, out):
    """out (keys, columns) += Aᵀ · B, A (count, keys) the weights or slopes of a block, B (count, columns)."""
    row, columns = sizes.row, sizes.columns
    end = _seen(start + count - 1, sizes)
    for tile in range(_rows(end)):
        top, bottom = tile * end // _rows(end), (tile + 1) * end // _rows(end)
        first = max(0, top - (sizes.keys - sizes.queries) - start) if sizes.causal else 0  # who sees the first key
        for low in range(0, columns, PANEL):
            at = top * columns + low
            _tile(
                bottom - top, a, first * row + top, 1, row, b, first * columns + low, columns, count - first,
                out, at, columns, out, at, columns,
            )  # fmt: skip


@tasks
def _attend_grad(
    worker, workers, gy, q, k, v, y, log_sums, q_at, k_at, v_at, gq_at, gk_at, gv_at, bias, zeros, sizes, scale,
    gq, gk, gv, queries_room, gys_room, keys_room, keys_t_room, values_t_room, weights_room, slopes_room, gkeys_room,
    gvalues_room, gqueries_room, dots_room,
):  # fmt: skip
    columns, row, width = sizes.columns, sizes.row, sizes.width
    queries, gys, keys, keys_t = queries_room[worker], gys_room[worker], keys_room[worker], keys_t_room[worker]
    values_t, weights, slopes = values_t_room[worker], weights_room[worker], slopes_room[worker]
    gkeys, gvalues, gqueries, dots = gkeys_room[worker], gvalues_room[worker], gqueries_room[worker], dots_room[worker]
    pairs, full = log_sums.size // sizes.queries, sizes.heads * width
    for pair in range(worker * pairs // workers, (worker + 1) * pairs // workers):
        n, left = pair // sizes.heads, pair % sizes.heads * width
        first, image = k_at.first + n * k_at.image + left, n * sizes.queries * full + left
        _transpose(k, first, k_at.row, sizes, keys_t)
        _copy(k, first, k_at.row, sizes.keys, sizes, keys)
        _transpose(v, v_at.first + n * v_at.image + left, v_at.row, sizes, values_t)
        gkeys[:] = ZERO
        gvalues[:] = ZERO
        for start in range(0, sizes.queries, sizes.block):
            count = min(sizes.block, sizes.queries - start)
            _copy(q, q_at.first + n * q_at.image + start * q_at.row + left, q_at.row, count, sizes, queries)
            _copy(gy, image + start * full, full, count, sizes, gys)
            _dots(gys, y, image, start, count, sizes, dots)
            for tile in range(_rows(count)):
                top, bottom = tile * count // _rows(count), (tile + 1) * count // _rows(count)
                end = _seen(start + bottom - 1, sizes)
                panels = -(-end // PANEL)
                clear = min(panels + 1, sizes.panels) * PANEL  # as far as a tile of keys may read
                mask = n * sizes.panels * PANEL if sizes.masked else 0
                _products(top, bottom, panels, queries, keys_t, bias, mask, sizes, weights)
                _products(top, bottom, panels, gys, values_t, zeros, 0, sizes, slopes)
                for t in range(top, bottom):
                    log_sum = log_sums[pair * sizes.queries + start + t]
                    p, g = weights[t * row : t * row + clear], slopes[t * row : t * row + panels * PANEL]
                    _weights_and_slopes(p, g, _seen(start + t, sizes), clear, scale, log_sum, dots[t])
                for low in range(0, columns, PANEL):
                    _tile(
                        bottom - top, slopes, top * row, row, 1, keys, low, columns, end, zeros, 0, 0,
                        gqueries, top * columns + low, columns,
                    )  # fmt: skip
            _copy_back(gqueries, count, sizes, gq, gq_at.first + n * gq_at.image + start * gq_at.row + left, gq_at.row)
            _add_transposed(slopes, queries, start, count, sizes, gkeys)
            _add_transposed(weights, gys, start, count, sizes, gvalues)
        _copy_back(gkeys, sizes.keys, sizes, gk, gk_at.first + n * gk_at.image + left, gk_at.row)
        _copy_back(gvalues, sizes.keys, sizes, gv, gv_at.first + n * gv_at.image + left, gv_at.row)


def placed(x: np.ndarray) -> tuple[np.ndarray, Places]:
    """x (N, T, C), or the contiguous array that x is a view of, flat; and where x lies in it.

    A copy only when a step's numbers are not side by side.
    """
    base, size = x.base, x.itemsize
    if isinstance(base, np.ndarray) and base.dtype == x.dtype and base.flags.carray and x.strides[2] == size:
        image, row = x.strides[0] // size, x.strides[1] // size
        if image >= 0 and row > 0:
            first = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // size
            return base.reshape(-1), Places(first, image, row)
    return flat(x), Places(0, x.shape[1] * x.shape[2], x.shape[2])


def planned(q: np.ndarray, k: np.ndarray, heads: int, is_causal: bool, mask: np.ndarray | None) -> Sizes:
    """The sizes of attention of q (N, Tq, C) to k (N, Tk, C)."""
    queries, keys, width = q.shape[1], k.shape[1], q.shape[2] // heads
    block = -(-queries // -(-queries // BLOCK))
    panels = -(-keys // PANEL)
    return Sizes(
        heads, queries, keys, width, is_causal, block, -(-width // PANEL) * PANEL, panels, panels * PANEL + GAP,
        mask is not None,
    )  # fmt: skip


def biases(sizes: Sizes, mask: np.ndarray | None) -> np.ndarray:
    """For every image (for all of them, without a mask) 0 for a key to look at, minus infinity for one not to."""
    bias = np.full((1 if mask is None else len(mask), sizes.panels * PANEL), -INFINITY)
    bias[:, : sizes.keys] = 0 if mask is None else np.where(mask, ZERO, -INFINITY)
    return bias.reshape(-1)


def shared(q: np.ndarray, sizes: Sizes) -> int:
    """How many workers to share the pairs of images and heads out to."""
    pairs = len(q) * sizes.heads
    work = pairs * sizes.queries * sizes.keys * sizes.width
    return 1 if work <= SERIAL else max(1, min(pairs, config.threads))


def attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int, is_causal: bool, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(y (N, Tq, C), log_sums (N, heads, Tq)): y = softmax(q · kᵀ / √D) · v in each head, D = C / heads.

    q (N, Tq, C), k and v (N, Tk, C), mask (N, Tk) or None. is_causal: query i sees the keys up to Tk - Tq + i.
    log_sums: log of the sum of the exponentials; infinity, and y zero, for a query that may look at nothing.
    """
    if q.dtype != FLOAT:
        return reference.attend(q, k, v, heads, is_causal, mask)
    sizes = planned(q, k, heads, is_causal, mask)
    workers = shared(q, sizes)
    y, log_sums = np.empty(q.shape, FLOAT), np.empty((len(q), heads, sizes.queries), FLOAT)
    (q, q_at), (k, k_at), (v, v_at) = placed(q), placed(k), placed(v)
    lines = max(sizes.block, ROWS)
    queries, keys, values, weights, shares, spare = several(
        [
            (workers, lines * sizes.columns),
            (workers, sizes.panels * PANEL * sizes.width),
            (workers, sizes.keys * sizes.columns),
            (workers, lines * sizes.row),
            (workers, lines),
            (workers, ROWS * PANEL),
        ],
        FLOAT,
    )
    _attend(
        workers, workers, q, k, v, q_at, k_at, v_at, biases(sizes, mask), np.zeros(PANEL, FLOAT), sizes,
        np.float32(sizes.width**-0.5), y.reshape(-1), log_sums.reshape(-1),
        queries, keys, values, weights, weights.view(np.int32), shares, spare,
    )  # fmt: skip
    return y, log_sums


def attend_grad(
    gy: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, y: np.ndarray, log_sums: np.ndarray, heads: int,
    is_causal: bool, mask: np.ndarray | None, out: Triple | None = None,
) -> Triple:  # fmt: skip
    """(gq, gk, gv) of attend, given its results. With P the weights,

    gv = Pᵀ · gy, gs = P (gy · vᵀ - sum of gy y in each row), gq = gs · k / √D, gk = gsᵀ · q / √D.
    out: three arrays to write into, which may be parts of one.
    """
    if q.dtype != FLOAT:
        return reference.attend_grad(gy, q, k, v, y, log_sums, heads, is_causal, mask, out)
    sizes = planned(q, k, heads, is_causal, mask)
    workers = shared(q, sizes)
    out = (np.empty(q.shape, FLOAT), np.empty(k.shape, FLOAT), np.empty(k.shape, FLOAT)) if out is None else out
    (q, q_at), (k, k_at), (v, v_at), (gq, gq_at), (gk, gk_at), (gv, gv_at) = map(placed, (q, k, v, *out))
    lines, columns, rows = max(sizes.block, ROWS), sizes.columns, sizes.keys + ROWS
    packed = sizes.panels * PANEL * sizes.width
    room = several(
        [
            (workers, size)
            for size in (
                *(lines * columns, lines * columns, sizes.keys * columns, packed, packed),
                *(lines * sizes.row, lines * sizes.row, rows * columns, rows * columns, lines * columns, lines),
            )
        ],
        FLOAT,
    )
    _attend_grad(
        workers, workers, flat(gy), q, k, v, flat(y), flat(log_sums), q_at, k_at, v_at, gq_at, gk_at, gv_at,
        biases(sizes, mask), np.zeros(sizes.panels * PANEL, FLOAT), sizes, np.float32(sizes.width**-0.5), gq, gk, gv,
        *room,
    )  # fmt: skip
    return out
