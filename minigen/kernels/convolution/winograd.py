"""Convolutions by minimal filtering: fewer multiplications than there are products of pixel and weight.

A tile of 4 x 4 outputs and the n x n inputs that it sees, n = r + 3 for r taps along an axis, are mapped to n * n
points (`winograd_maps.py`). There the filter is one product for each point, summed over channels: n * n independent
matrix products, tiles x channels times channels x channels. With A, G and B' applied along both axes,

    forward         y  = A' ((G g) * (B' x))
    input gradient  gx = A' ((G g turned round) * (B' gy))      a convolution of gy, in which each window is a tile
    weight gradient gw = G' ((B' x) * (A gy))

A convolution of stride s is one of stride 1 on the s * s phases of the image, pixels s * i + p, as so many channels:
phase p has the kernel elements s * t + p, r = ceil(k / s) of them or one fewer. The missing tap is a polynomial's
highest coefficient, its value at infinity, or with the kernel turned round its lowest, the value at point 0. So such a
phase takes no part in the products at that point.

Not finite numbers spread over the tiles that see them, where one became NaN.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from minigen.config import config
from minigen.kernels.compiler.arrays import flat, integers
from minigen.kernels.convolution import winograd_loops as loops
from minigen.kernels.convolution.plan import Padding, Pair, Shape
from minigen.kernels.convolution.winograd_loops import Grid, Side
from minigen.kernels.convolution.winograd_matrices import OUTPUTS, TAPS
from minigen.kernels.noting import constant, run
from minigen.kernels.tile.dense import turn
from minigen.kernels.tile.shape import Tile, best_tile, vector_width
from minigen.kernels.tile.workspace import divided, padded_numbers, scratch

FUSED_BYTES = 2**19  # weights, and points of a block of tiles, that stay in the second-level cache together
STAGE_BYTES = 2**23  # points of a block that all workers compute together
GAP_ELEMENTS = 80  # between the matrices of two points, which else begin at the same places of the caches
WEIGHT_SUMS = 8  # most sums of the weight gradient that are added up at the end
MAP_MULTIPLY_ADDS = 20  # in the time that a number takes to be mapped
BETTER = 0.9  # how much less Winograd's way has to cost, so that small differences do not decide


class Plan(NamedTuple):
    """The tables of a pass, as `winograd_loops` takes them, and the sizes of its matrices."""

    grid: Grid
    fused: bool  # a worker does all of a block, instead of all workers one stage of it
    source: Side
    target: Side
    source_points: np.ndarray
    target_points: np.ndarray
    taps: np.ndarray
    weights: np.ndarray
    jobs: np.ndarray
    shares: np.ndarray  # worker i has jobs [shares[i], shares[i + 1])
    sizes: list[tuple[int, int]]  # of a, c, u and the turned weights
    numbers: int  # of them all


def tap_count(kernel_hw: Pair, stride: Pair) -> int:
    """r, if it is one that there are matrices for, along both axes; else 0."""
    (r, columns) = (-(-k // s) for k, s in zip(kernel_hw, stride, strict=True))
    return r if r == columns and r in TAPS else 0


def is_possible(
    kind: str, x: Shape, y: Shape, kernel_hw: Pair, stride: Pair, dilation: Pair, groups: int, dtype: np.dtype
) -> bool:
    """Whether a pass, as in `make_plan`, can be computed here: by its kernel, and by channels that fill vectors.

    Products of the weight gradient have a row for each channel of x: at least a quarter of a tile's.
    """
    (cin, cout), tile = (x[3], y[3]), product_tile(kind, x[3], y[3], dtype)[0]
    fills = min(cin, cout) >= vector_width(dtype) and (kind != "weight" or cin >= tile.sizes[0])
    return tap_count(kernel_hw, stride) > 0 and dilation == (1, 1) and groups == 1 and fills and 0 not in (*x, *y)


@functools.lru_cache(maxsize=1024)
def is_faster(
    kind: str, x: Shape, y: Shape, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    dtype: np.dtype,
) -> bool:  # fmt: skip
    """Whether to compute a pass, as in `make_plan`, here, by its cost in multiply-adds, not with the plain products."""
    if not is_possible(kind, x, y, kernel_hw, stride, dilation, groups, dtype):
        return False
    taps, (cin, cout) = tap_count(kernel_hw, stride), (x[3], y[3])
    tile, columns = product_tile(kind, cin, cout, dtype)
    padded = columns / (cin if kind == "input" else cout)  # what the products take longer by
    high, wide, _, _ = tiling(kind, x, y, taps, stride, padding)
    slots = phase_slots(kind, kernel_hw, stride, taps)
    tiles, runs = x[0] * high * wide, np.count_nonzero(slots >= 0)
    mapped = tiles * (runs * cin + slots.shape[1] * cout) + runs * cin * cout
    cost = max(tiles, tile.sizes[-1]) * runs * cin * cout * padded + MAP_MULTIPLY_ADDS * mapped
    return cost < BETTER * kernel_hw[0] * kernel_hw[1] * y[0] * y[1] * y[2] * cin * cout


def product_tile(kind: str, cin: int, cout: int, dtype: np.dtype) -> tuple[Tile, int]:
    """The tile of the products, and their columns: the channels of y, or of gx, up to whole panels."""
    columns = cin if kind == "input" else cout
    tile, _ = best_tile(columns, dtype)
    return tile, -(-columns // tile.panel) * tile.panel


def weights_stored(kind: str, cin: int, cout: int, dtype: np.dtype) -> tuple[int, int]:
    """The rows and columns of each element's weights, with the zeros that the loops want after them."""
    columns = product_tile(kind, cin, cout, dtype)[1]
    if kind == "input":  # turned, block by block, before they are mapped
        return columns, -(-cout // vector_width(dtype)) * vector_width(dtype)
    return cin, columns if kind == "forward" else cout


def tiling(kind: str, x: Shape, y: Shape, taps: int, stride: Pair, padding: Padding) -> tuple[int, int, Side, Side]:
    """(tiles below each other in an image, side by side, and how they lie in x and in y)."""
    (_, h, w, cin), (_, oh, ow, cout), (sh, sw), (top, _, left, _) = x, y, stride, padding
    if kind != "input":
        return (
            -(-oh // OUTPUTS),
            -(-ow // OUTPUTS),
            Side(h, w, cin, sh, sw, -top, -left),
            Side(oh, ow, cout, 1, 1, 0, 0),
        )
    # Row s * q + p - top of gx, of phase p, comes from rows q - r + 1 to q of gy.
    first_h, first_w = top // sh, left // sw
    high, wide = (h - 1 + top) // sh - first_h + 1, (w - 1 + left) // sw - first_w + 1
    image = Side(h, w, cin, sh, sw, sh * first_h - top, sw * first_w - left)
    return (
        -(-high // OUTPUTS),
        -(-wide // OUTPUTS),
        image,
        Side(oh, ow, cout, 1, 1, first_h - taps + 1, first_w - taps + 1),
    )


def phase_slots(kind: str, kernel_hw: Pair, stride: Pair, taps: int) -> np.ndarray:
    """(phases, n * n): which of the phases that are not 0 at a point a phase is; -1 if it is 0 there."""
    axes = []
    for k, s in zip(kernel_hw, stride, strict=True):
        present = np.ones((s, OUTPUTS + taps - 1), bool)
        present[[p for p in range(s) if -(-(k - p) // s) < taps], 0 if kind == "input" else -1] = False
        axes.append(present)
    there: np.ndarray = (axes[0][:, None, :, None] & axes[1][None, :, None, :]).reshape(stride[0] * stride[1], -1)
    return np.where(there, np.cumsum(there, axis=0) - 1, -1)


def tap_places(kind: str, kernel_hw: Pair, stride: Pair, taps: int, size: int) -> np.ndarray:
    """(phases, r * r): where the weights of a phase's taps begin, `size` numbers each; -1 for taps it has not."""
    places = np.full((*stride, taps, taps), -1)
    for p, q, i, j in np.ndindex(places.shape):
        down, right = (taps - 1 - i, taps - 1 - j) if kind == "input" else (i, j)
        a, b = stride[0] * down + p, stride[1] * right + q
        if a < kernel_hw[0] and b < kernel_hw[1]:
            places[p, q, i, j] = (a * kernel_hw[1] + b) * size
    return places.reshape(-1, taps * taps)


def matrices(slots: np.ndarray, channels: int, tiles: int, gap: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """For each point tiles x channels of the phases there: (table, where they begin, lengths of rows, all numbers)."""
    rows = (slots.max(axis=0) + 1) * channels + gap
    ends = np.cumsum(tiles * rows + GAP_ELEMENTS)
    first = ends - tiles * rows - GAP_ELEMENTS
    return np.vstack([np.where(slots >= 0, first + slots * channels, -1), rows]), first, rows, int(ends[-1])


@functools.lru_cache(maxsize=256)
def make_plan(
    kind: str, x: Shape, y: Shape, kernel_hw: Pair, stride: Pair, padding: Padding, dtype: np.dtype, workers: int
) -> Plan:
    """The plan of the "forward" pass from x to y, the "input" gradient from y to x, or the "weight" gradient."""
    tile, columns = product_tile(kind, x[3], y[3], dtype)
    panel, lanes, most = tile.panel, vector_width(dtype), tile.sizes[-1]
    cin, cout = (columns, y[3]) if kind == "input" else (x[3], columns)
    taps, elements = tap_count(kernel_hw, stride), kernel_hw[0] * kernel_hw[1]
    high, wide, image, result = tiling(kind, x, y, taps, stride, padding)
    slots = phase_slots(kind, kernel_hw, stride, taps)
    points, depth = range(slots.shape[1]), (slots.max(axis=0) + 1) * cin  # channels of all phases at a point
    tiles, weights_size = x[0] * high * wide, int(depth.sum()) * cout
    tile_bytes = (int(depth.sum()) + len(points) * (cout + 2 * lanes)) * dtype.itemsize
    fused = weights_size * dtype.itemsize <= FUSED_BYTES
    blocks = -(-tiles // (max(1, (FUSED_BYTES if fused else STAGE_BYTES) // (tile_bytes * most)) * most))
    block = max(-(-tiles // blocks), most)  # a tile of products has at least a quarter of its rows, whatever is in them
    x_points, x_first, x_row, x_size = matrices(slots, cin, block, lanes)
    y_points, y_first, y_row, y_size = matrices(np.zeros((1, len(points)), np.int64), cout, block, lanes)

    u_first, run, step = np.cumsum(depth * cout) - depth * cout, cin * cout, np.full(len(points), cout)
    if kind == "weight":
        jobs = [
            (depth[p], 0, x_first[p], 1, x_row[p], y_first[p] + j, y_row[p], u_first[p] + j, cout)
            for p in points for j in range(0, cout, panel)
        ]  # fmt: skip
    elif kind == "input":
        step = step * panel
        jobs = [
            (0, cout, y_first[p], y_row[p], 1, u_first[p] + j * cout, panel, x_first[p] + j, x_row[p])
            for p in points for j in range(0, depth[p], panel)
        ]  # fmt: skip
    else:
        run, step = cin * panel, depth * panel
        jobs = [
            (0, depth[p], x_first[p], x_row[p], 1, u_first[p] + j * depth[p], panel, y_first[p] + j, y_row[p])
            for p in points for j in range(0, cout, panel)
        ]  # fmt: skip
    done = np.cumsum([job[0] + job[1] for job in jobs])
    shares = np.searchsorted(done, done[-1] * np.arange(workers + 1) // workers)
    shares[-1] = done.size
    stored = weights_stored(kind, x[3], y[3], dtype)
    places = tap_places(kind, kernel_hw, stride, taps, math.prod(stored))
    row = np.full(taps * taps, stored[0] if kind == "input" else stored[1])
    sums = min(WEIGHT_SUMS, blocks) if kind == "weight" and fused else 1
    copies = workers if fused else 1
    sides = [(image, x_points, x_size), (result, y_points, y_size)]
    (source, source_points, a_size), (target, target_points, c_size) = sides[::-1] if kind == "input" else sides
    turned = elements * math.prod(stored) if kind == "input" else 0
    sizes = [(copies, a_size), (copies, c_size), (sums, weights_size), (1, turned)]
    return Plan(
        Grid(
            high, wide, tiles, blocks, taps, OUTPUTS + taps - 1, OUTPUTS, tile.form, most, tile.sizes[0], panel, lanes
        ), fused,
        source, target, source_points, target_points, np.vstack([places, row]),
        np.vstack([np.where(slots >= 0, u_first + slots * run, -1), step]), integers(jobs), integers(shares),
        sizes, padded_numbers(sizes, dtype),
    )  # fmt: skip


def convolve(
    kind: str, source: np.ndarray, w: np.ndarray, target: np.ndarray, stride: Pair, padding: Padding, bias: np.ndarray,
    slope: float,
) -> None:  # fmt: skip
    """target = leaky(convolution + bias): "forward", source x and target y, or "input", source gy and target gx.

    bias has a number for each of target's channels, or none. Shapes and the rest as in `convolution.conv2d`.
    """
    x, y = (target, source) if kind == "input" else (source, target)
    workers, (kh, kw, cin, cout) = config.threads, w.shape
    plan = make_plan(kind, x.shape, y.shape, (kh, kw), stride, padding, w.dtype, workers)
    rows, columns = weights_stored(kind, cin, cout, w.dtype)
    if (rows, columns) != (cin, cout):
        w = np.pad(w, ((0, 0), (0, 0), (0, rows - cin), (0, columns - cout)))
    grid, weights = plan.grid, flat(w)
    with scratch(f"conv2d ({kind})", plan.numbers, w.dtype) as memory:
        a, c, u, turned = divided(memory, plan.sizes)
        if kind == "input":
            turn(kh * kw, rows, columns, weights, turned[0], grid.lanes)
            weights, rows, columns = turned[0], cout, rows
        loops.pack(rows, weights, columns, grid, plan.taps, plan.weights, u[0])
        bias = bias if bias.size else constant(np.zeros(target.shape[3], w.dtype))
        start = flat(source), plan.source, plan.source_points
        end = target.reshape(-1), plan.target, plan.target_points, bias, w.dtype.type(slope)
        if plan.fused:
            loops.convolve_blocks(workers, workers, grid, *start, *end, plan.jobs, u[0], a, c)
            return
        for block in range(grid.blocks):
            loops.split_share(workers, workers, block, grid, *start, grid.window, a[0])
            loops.multiply_share(workers, block, grid, plan.shares, plan.jobs, a[0], u[0], c[0], None)
            loops.join_share(workers, workers, block, grid, *end, c[0])


def weight_gradient(x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding) -> np.ndarray:
    """gw (KH, KW, Cin, Cout), as `convolution.conv2d_weight_grad`."""
    workers, (cin, cout) = config.threads, (x.shape[3], gy.shape[3])
    plan = make_plan("weight", x.shape, gy.shape, kernel_hw, stride, padding, x.dtype, workers)
    grid, gw = plan.grid, np.empty((*kernel_hw, cin, cout), x.dtype)
    images, gradients = (flat(x), plan.source, plan.source_points), (flat(gy), plan.target, plan.target_points)
    with scratch("conv2d_weight_grad", plan.numbers, x.dtype) as memory:
        a, c, u, _ = divided(memory, plan.sizes)
        if plan.fused:
            loops.correlate_blocks(workers, workers, grid, *images, *gradients, plan.jobs, a, c, u)
        else:
            run(np.copyto, u, 0)
            for block in range(grid.blocks):
                loops.split_share(workers, workers, block, grid, *images, grid.window, a[0])
                loops.split_share(workers, workers, block, grid, *gradients, grid.outputs, c[0])
                loops.multiply_share(workers, block, grid, plan.shares, plan.jobs, a[0], c[0], u[0], True)
        loops.unpack(cin, u, cout, grid, plan.weights, plan.taps, gw.reshape(-1))
    return gw
