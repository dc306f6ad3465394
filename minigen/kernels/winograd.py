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
from typing import NamedTuple

import numpy as np

from minigen.config import config
from minigen.kernels import winograd_loops as loops
from minigen.kernels.microkernel import ROWS, panel_width, vector_width
from minigen.kernels.plan import Padding, Pair, Shape, integers
from minigen.kernels.room import flat, several
from minigen.kernels.winograd_loops import Grid, Points, Side
from minigen.kernels.winograd_maps import OUTPUTS, TAPS

FUSED_BYTES = 2**19  # weights, and points of a block of tiles, that stay in the second-level cache together
STAGE_BYTES = 2**25  # points of a block that all workers compute together
GAP = 80  # numbers between the matrices of two points, which else begin at the same places of the caches
SHARES = 8  # most sums of the weight gradient that are added up at the end
MOVE = 20  # multiply-adds in the time that a number takes to be mapped
BETTER = 0.9  # how much less Winograd's way has to cost, so that small differences do not decide


class Plan(NamedTuple):
    """A convolution's tiles, tables and matrices. Its source is mapped to points, its target comes from them."""

    grid: Grid
    fused: bool  # blocks of tiles are computed start to end by one worker; else stage by stage by all
    block: int  # most tiles of a block
    source: Side
    source_points: Points
    source_size: int
    target: Side
    target_points: Points
    target_size: int
    taps: Points  # of the weights as they are, row by row
    weights: Points  # mapped to points, row by row
    weights_size: int
    panels: np.ndarray  # distance between panels of the packed weights, by point
    jobs: np.ndarray
    shares: np.ndarray  # worker i has jobs [shares[i], shares[i + 1])


def tap_count(kernel_hw: Pair, stride: Pair) -> int:
    """r, if it is one that there are matrices for, along both axes; else 0."""
    (r, columns) = (-(-k // s) for k, s in zip(kernel_hw, stride, strict=True))
    return r if r == columns and r in TAPS else 0


@functools.lru_cache(maxsize=1024)
def is_faster(
    kind: str, x: Shape, y: Shape, kernel_hw: Pair, stride: Pair, padding: Padding, dilation: Pair, groups: int,
    dtype: np.dtype,
) -> bool:  # fmt: skip
    """Whether to compute a pass, as in `make_plan`, here, by its cost in multiply-adds, not with the plain products."""
    taps, panel, (cin, cout) = tap_count(kernel_hw, stride), panel_width(dtype), (x[3], y[3])
    if not taps or dilation != (1, 1) or groups != 1 or cin % panel or cout % panel or 0 in x or 0 in y:
        return False
    high, wide, _, _ = tiling(kind, x, y, taps, stride, padding)
    slots = phase_slots(kind, kernel_hw, stride, taps)
    tiles, runs = x[0] * high * wide, np.count_nonzero(slots >= 0)
    mapped = tiles * (runs * cin + slots.shape[1] * cout) + runs * cin * cout
    cost = max(tiles, ROWS) * runs * cin * cout + MOVE * mapped
    return cost < BETTER * kernel_hw[0] * kernel_hw[1] * y[0] * y[1] * y[2] * cin * cout


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


def matrices(slots: np.ndarray, channels: int, tiles: int, gap: int) -> tuple[Points, np.ndarray, int]:
    """A matrix for each point, tiles x channels of the phases there: (its table, where each begins, all numbers)."""
    rows = (slots.max(axis=0) + 1) * channels + gap
    ends = np.cumsum(tiles * rows + GAP)
    first = ends - tiles * rows - GAP
    return Points(np.where(slots >= 0, first + slots * channels, -1), rows), first, int(ends[-1])


@functools.lru_cache(maxsize=256)
def make_plan(
    kind: str, x: Shape, y: Shape, kernel_hw: Pair, stride: Pair, padding: Padding, dtype: np.dtype, workers: int
) -> Plan:
    """The plan of the "forward" pass from x to y, the "input" gradient from y to x, or the "weight" gradient."""
    panel, lanes, (cin, cout) = panel_width(dtype), vector_width(dtype), (x[3], y[3])
    taps = tap_count(kernel_hw, stride)
    high, wide, image, result = tiling(kind, x, y, taps, stride, padding)
    slots = phase_slots(kind, kernel_hw, stride, taps)
    points = slots.shape[1]
    depth = (slots.max(axis=0) + 1) * cin  # channels of all phases at a point
    tiles, weights_size = x[0] * high * wide, int(depth.sum()) * cout
    tile_bytes = (int(depth.sum()) + points * (cout + 2 * lanes)) * dtype.itemsize
    fused = weights_size * dtype.itemsize <= FUSED_BYTES
    most = max(1, (FUSED_BYTES if fused else STAGE_BYTES) // (tile_bytes * ROWS)) * ROWS
    blocks = -(-tiles // most)
    block = max(-(-tiles // blocks), ROWS)  # a tile of products has at least ROWS // 2 rows, whatever is in them
    image_points, image_first, image_size = matrices(slots, cin, block, lanes)
    result_points, result_first, result_size = matrices(np.zeros((1, points), np.int64), cout, block, lanes)

    first = np.cumsum(depth * cout) - depth * cout  # a point's weights
    step, panels = np.full(points, cout if kind == "weight" else panel), np.full(points, cout * panel)
    run = cin * cout
    x_row, y_row = image_points.rows, result_points.rows
    if kind == "weight":
        jobs = [
            (image_first[p], x_row[p], result_first[p] + j, y_row[p], depth[p], first[p] + j, cout)
            for p in range(points) for j in range(0, cout, panel)
        ]  # fmt: skip
    elif kind == "input":
        jobs = [
            (result_first[p], y_row[p], first[p] + j * cout, cout, image_first[p] + j, x_row[p])
            for p in range(points) for j in range(0, depth[p], panel)
        ]  # fmt: skip
    else:
        jobs = [
            (image_first[p], x_row[p], first[p] + j * depth[p], depth[p], result_first[p] + j, y_row[p])
            for p in range(points) for j in range(0, cout, panel)
        ]  # fmt: skip
        run, panels = cin * panel, depth * panel
    weights = Points(np.where(slots >= 0, first + slots * run, -1), step)
    done = np.cumsum([job[loops.U_ROWS if kind == "weight" else loops.TERMS] for job in jobs])
    shares = np.searchsorted(done, done[-1] * np.arange(workers + 1) // workers)
    shares[-1] = done.size
    places = tap_places(kind, kernel_hw, stride, taps, cin * cout)
    tap_points = Points(places, np.full(taps * taps, cin if kind == "input" else cout))
    sides = [(image, image_points, image_size), (result, result_points, result_size)]
    source, target = reversed(sides) if kind == "input" else sides
    grid = Grid(high, wide, tiles, blocks, taps, panel, lanes)
    tables = integers(jobs), integers(shares)
    return Plan(grid, fused, block, *source, *target, tap_points, weights, weights_size, panels, *tables)


def convolve(
    kind: str, source: np.ndarray, w: np.ndarray, target: np.ndarray, stride: Pair, padding: Padding, bias: np.ndarray,
    slope: float,
) -> None:  # fmt: skip
    """target = leaky(convolution + bias): "forward", source x and target y, or "input", source gy and target gx.

    bias has a number for each of target's channels, or none. Shapes and the rest as in `convolution.conv2d`.
    """
    dtype, workers, (kh, kw, rows, columns) = w.dtype, config.threads, w.shape
    x, y = (target, source) if kind == "input" else (source, target)
    plan = make_plan(kind, x.shape, y.shape, (kh, kw), stride, padding, dtype, workers)
    grid, copies = plan.grid, workers if plan.fused else 1
    sizes = [(1, plan.weights_size), (copies, plan.source_size), (copies, plan.target_size), (1, w.size)]
    packed, a, c, turned = several(sizes, dtype)
    if kind == "input":
        loops.turn_all(kh * kw, rows, columns, flat(w), turned[0], grid.lanes)
        w, rows, columns = turned[0], columns, rows
    loops.pack_all(rows, flat(w), columns, grid, plan.taps, plan.weights, plan.panels, packed[0])
    start = (flat(source), plan.source, plan.source_points)
    end = (
        target.reshape(-1), plan.target, plan.target_points,
        bias if bias.size else np.zeros(target.shape[3], dtype), dtype.type(slope),
    )  # fmt: skip
    if plan.fused:
        loops.convolve_all(workers, grid, *start, *end, plan.jobs, packed[0], a, c)
        return
    for block in range(grid.blocks):
        first, last = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
        loops.split_all(workers, first, last, grid, *start, False, a[0])
        loops.multiply_all(workers, plan.shares, plan.jobs, last - first, a[0], packed[0], c[0], grid.panel)
        loops.join_all(workers, first, last, grid, *end, c[0])


def weight_gradient(x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding) -> np.ndarray:
    """gw (KH, KW, Cin, Cout), as `convolution.conv2d_weight_grad`."""
    dtype, workers, (cin, cout) = x.dtype, config.threads, (x.shape[3], gy.shape[3])
    plan = make_plan("weight", x.shape, gy.shape, kernel_hw, stride, padding, dtype, workers)
    grid, copies, shares = plan.grid, workers if plan.fused else 1, min(SHARES, plan.grid.blocks) if plan.fused else 1
    a, c, u = several(
        [(copies, plan.source_size), (copies, plan.target_size), (shares, plan.weights_size)], dtype
    )  # fmt: skip
    images = (flat(x), plan.source, plan.source_points)
    gradients = (flat(gy), plan.target, plan.target_points)
    if plan.fused:
        loops.correlate_all(workers, grid, *images, *gradients, plan.jobs, a, c, u)
    else:
        u[:] = 0
        for block in range(grid.blocks):
            first, last = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
            loops.split_all(workers, first, last, grid, *images, False, a[0])
            loops.split_all(workers, first, last, grid, *gradients, True, c[0])
            loops.accumulate_all(workers, plan.shares, plan.jobs, last - first, a[0], c[0], u[0])
    gw = np.empty((*kernel_hw, cin, cout), dtype)
    loops.unpack_all(cin, u, cout, grid, plan.weights, plan.taps, gw.reshape(-1))
    return gw
