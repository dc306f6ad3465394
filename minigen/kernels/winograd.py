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
from minigen.kernels.plan import Padding, Pair, Shape
from minigen.kernels.room import flat, scratch
from minigen.kernels.winograd_loops import Grid, Side
from minigen.kernels.winograd_maps import OUTPUTS

FUSED_BYTES = 2**19  # weights up to which a block's whole computation stays in the second-level cache
BLOCK_BYTES = 2**19  # points of such a block
STAGE_BYTES = 2**25  # points of a block that all workers compute together
GAP = 80  # numbers between the matrices of two points, which else begin at the same places of the caches
SHARES = 8  # sums of the weight gradient, added up at the end


class Points(NamedTuple):
    """Where a tile's channels lie in the matrices of all points: phase f, point p at starts[f, p] + tile * rows[p]."""

    starts: np.ndarray  # (phases, n * n), -1 where a phase is 0 at a point
    rows: np.ndarray  # (n * n,)
    size: int


class Plan(NamedTuple):
    grid: Grid
    fused: bool
    source: Side
    source_points: Points
    target: Side
    target_points: Points
    taps: np.ndarray  # (phases, r * r): where a tap of the kernel lies, -1 for none
    tap_steps: np.ndarray
    weights: Points
    panel_steps: np.ndarray
    jobs: np.ndarray
    shares: np.ndarray


def positions(slots: np.ndarray, channels: int, tiles: int, gap: int) -> Points:
    """slots[f, p]: which of a row's runs of channels is phase f at point p."""
    rows = (slots.max(axis=0) + 1) * channels + gap
    sizes = tiles * rows + GAP
    first = np.cumsum(sizes) - sizes
    return Points(np.where(slots >= 0, first + slots * channels, -1), rows, int(sizes.sum()))


def phase_slots(kernel_hw: Pair, stride: Pair, taps: int, turned: bool) -> np.ndarray:
    """(phases, n * n): the place of a phase among those that are not 0 at a point; -1 if it is 0 there."""
    n = OUTPUTS + taps - 1
    present = []
    for k, s in zip(kernel_hw, stride, strict=True):
        axis = np.ones((s, n), bool)
        for p in range(s):
            if -(-(k - p) // s) < taps:
                axis[p, 0 if turned else -1] = False
        present.append(axis)
    there = (present[0][:, None, :, None] & present[1][None, :, None, :]).reshape(stride[0] * stride[1], n * n)
    return np.where(there, np.cumsum(there, axis=0) - 1, -1)


def tap_places(kernel_hw: Pair, stride: Pair, taps: int, turned: bool, size: int) -> np.ndarray:
    (kh, kw), (sh, sw) = kernel_hw, stride
    places = np.full((sh, sw, taps, taps), -1)
    for p, q, i, j in np.ndindex(places.shape):
        a, b = (sh * (taps - 1 - i) + p, sw * (taps - 1 - j) + q) if turned else (sh * i + p, sw * j + q)
        if a < kh and b < kw:
            places[p, q, i, j] = (a * kw + b) * size
    return places.reshape(sh * sw, taps * taps)


@functools.lru_cache(maxsize=256)
def make_plan(
    kind: str, x: Shape, y: Shape, kernel_hw: Pair, stride: Pair, padding: Padding, dtype: np.dtype, workers: int
) -> Plan:
    """`kind`: forward, input or weight, the gradients."""
    (images, h, width, cin), (_, oh, ow, cout) = x, y
    panel, lanes = panel_width(dtype), vector_width(dtype)
    taps = -(-kernel_hw[0] // stride[0])
    turned = kind == "input"
    slots = phase_slots(kernel_hw, stride, taps, turned)
    flat_slots = np.zeros((1, slots.shape[1]), np.int64)
    tops = padding[0], padding[2]
    if turned:
        low = [top // s for top, s in zip(tops, stride, strict=True)]
        counts = [(size - 1 + top) // s - q + 1 for size, top, s, q in zip((h, width), tops, stride, low, strict=True)]
        image = Side(h, width, cin, *stride, *(s * q - top for top, s, q in zip(tops, stride, low, strict=True)))
        result = Side(oh, ow, cout, 1, 1, *(q - (taps - 1) for q in low))
    else:
        counts = [oh, ow]
        image = Side(h, width, cin, *stride, -tops[0], -tops[1])
        result = Side(oh, ow, cout, 1, 1, 0, 0)
    high, wide = (-(-count // OUTPUTS) for count in counts)
    tiles = images * high * wide

    rows_in = int((slots >= 0).sum()) * cin  # of all points
    bytes_a_tile = (rows_in + slots.shape[1] * (cout + 2 * lanes)) * dtype.itemsize
    fused = rows_in * cout * dtype.itemsize <= FUSED_BYTES
    most = max(ROWS, (BLOCK_BYTES if fused else STAGE_BYTES) // bytes_a_tile // ROWS * ROWS)
    blocks = -(-tiles // most)
    block = max(-(-tiles // blocks), ROWS)
    grid = Grid(high, wide, tiles, blocks, taps, panel, lanes)
    image_points = positions(slots, cin, block, lanes)
    result_points = positions(flat_slots, cout, block, lanes)

    count = slots.max(axis=0) + 1
    points = range(slots.shape[1])
    tap_size = cin * cout
    if kind == "weight":
        sizes = count * cin * cout
        first = np.cumsum(sizes) - sizes
        starts = np.where(slots >= 0, first + slots * cin * cout, -1)
        weights = Points(starts, np.full(len(points), cout), int(sizes.sum()))
        jobs = [
            (image_points.starts[0, p], image_points.rows[p], result_points.starts[0, p] + j, result_points.rows[p],
             count[p] * cin, first[p] + j, cout)
            for p in points for j in range(0, cout, panel)
        ]  # fmt: skip
        jobs = np.array(jobs, np.int64)
        # slot 0 may be any phase
        jobs[:, loops.X_FIRST] = np.repeat(
            np.where(image_points.starts >= 0, image_points.starts, 2**62).min(axis=0), cout // panel
        )
        cost = jobs[:, loops.U_ROWS]
        panel_steps = np.zeros(0, np.int64)
    else:
        sizes = count * cin * cout
        first = np.cumsum(sizes) - sizes
        image_first = np.where(image_points.starts >= 0, image_points.starts, 2**62).min(axis=0)
        result_first = result_points.starts[0]
        if turned:
            starts = np.where(slots >= 0, first + slots * cin * cout, -1)
            panel_steps = np.full(len(points), cout * panel)
            jobs = [
                (result_first[p], result_points.rows[p], first[p] + j * cout, cout, image_first[p] + j, image_points.rows[p])
                for p in points for j in range(0, count[p] * cin, panel)
            ]
        else:
            starts = np.where(slots >= 0, first + slots * cin * panel, -1)
            panel_steps = count * cin * panel
            jobs = [
                (image_first[p], image_points.rows[p], first[p] + j * count[p] * cin, count[p] * cin, result_first[p] + j, result_points.rows[p])
                for p in points for j in range(0, cout, panel)
            ]
        weights = Points(starts, np.full(len(points), panel), int(sizes.sum()))
        jobs = np.array(jobs, np.int64)
        cost = jobs[:, loops.TERMS]
    done = np.cumsum(cost)
    shares = np.searchsorted(done, np.arange(workers + 1) * done[-1] / workers)
    shares[-1] = len(cost)
    places = tap_places(kernel_hw, stride, taps, turned, tap_size)
    tap_steps = np.full(places.shape[1], cin if turned else cout)
    sides = [(image, image_points), (result, result_points)]
    (a, b), (c, d) = sides[::-1] if turned else sides
    return Plan(grid, fused, a, b, c, d, places, tap_steps, weights, panel_steps, jobs, shares.astype(np.int64))


def convolve(
    kind: str, x: np.ndarray, w: np.ndarray, out: np.ndarray, stride: Pair, padding: Padding, bias: np.ndarray, slope: float
) -> None:
    workers = config.threads
    kh, kw, cin, cout = w.shape
    dtype = x.dtype
    image, result = (out, x) if kind == "input" else (x, out)
    plan = make_plan(kind, image.shape, result.shape, (kh, kw), stride, padding, dtype, workers)
    grid = plan.grid
    turned = kind == "input"
    copies = workers if plan.fused else 1
    a_size, c_size, u_size = plan.source_points.size, plan.target_points.size, -(-plan.weights.size // 16) * 16
    a_size, c_size = -(-a_size // 16) * 16, -(-c_size // 16) * 16
    room = scratch(u_size + copies * (a_size + c_size) + (w.size if turned else 0), dtype)
    u, room = room[:u_size], room[u_size:]
    a, room = room[: copies * a_size].reshape(copies, a_size), room[copies * a_size :]
    c, room = room[: copies * c_size].reshape(copies, c_size), room[copies * c_size :]
    source = flat(w)
    rows, columns = cin, cout
    if turned:
        loops.turn_all(kh * kw, cin, cout, source, room[: w.size], grid.lanes)
        source, rows, columns = room[: w.size], cout, cin
    loops.pack_all(rows, source, columns, grid, plan.taps, plan.tap_steps, plan.weights.starts, plan.panel_steps, u)
    x, out, slope = flat(x), out.reshape(-1), dtype.type(slope)
    (xs, xr, _), (ys, yr, _) = plan.source_points, plan.target_points
    if plan.fused:
        loops.convolve_all(workers, plan.jobs, x, plan.source, xs, xr, u, grid, ys, yr, bias, slope, out, plan.target, a, c)
        return
    for block in range(grid.blocks):
        first, end = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
        loops.split_all(workers, first, end, x, plan.source, grid, False, xs, xr, a[0])
        loops.multiply_all(workers, plan.shares, plan.jobs, end - first, a[0], u, c[0], grid.panel)
        loops.join_all(workers, first, end, c[0], ys, yr, out, plan.target, grid, bias, slope)


def weight_gradient(x: np.ndarray, gy: np.ndarray, kernel_hw: Pair, stride: Pair, padding: Padding) -> np.ndarray:
    workers = config.threads
    cin, cout, dtype = x.shape[3], gy.shape[3], x.dtype
    plan = make_plan("weight", x.shape, gy.shape, kernel_hw, stride, padding, dtype, workers)
    grid = plan.grid
    copies = workers if plan.fused else 1
    shares = min(SHARES, grid.blocks) if plan.fused else 1
    a_size, c_size, u_size = (-(-size // 16) * 16 for size in (plan.source_points.size, plan.target_points.size, plan.weights.size))
    room = scratch(shares * u_size + copies * (a_size + c_size), dtype)
    u, room = room[: shares * u_size].reshape(shares, u_size), room[shares * u_size :]
    a, room = room[: copies * a_size].reshape(copies, a_size), room[copies * a_size :]
    c, room = room[: copies * c_size].reshape(copies, c_size), room[copies * c_size :]
    (xs, xr, _), (ys, yr, _) = plan.source_points, plan.target_points
    x, gy = flat(x), flat(gy)
    if plan.fused:
        loops.correlate_all(workers, plan.jobs, x, plan.source, xs, xr, gy, plan.target, ys, yr, grid, a, c, u)
        total = u.sum(axis=0)
    else:
        total = u[0]
        total[:] = 0
        for block in range(grid.blocks):
            first, end = block * grid.tiles // grid.blocks, (block + 1) * grid.tiles // grid.blocks
            loops.split_all(workers, first, end, x, plan.source, grid, False, xs, xr, a[0])
            loops.split_all(workers, first, end, gy, plan.target, grid, True, ys, yr, c[0])
            loops.accumulate_all(workers, plan.shares, plan.jobs, end - first, a[0], c[0], total)
    gw = np.empty((*kernel_hw, cin, cout), dtype)
    loops.unpack_all(cin, total, cout, grid, plan.weights.starts, plan.weights.rows, plan.taps, plan.tap_steps, gw.reshape(-1))
    return gw
