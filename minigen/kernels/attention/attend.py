"""Scaled dot-product attention, forward and backward: sizes, places and memory for the loops of `loops.py`.

Forward keeps, beside the result, the log of the sum of each query's exponentials; from it backward computes the weights
anew, P = exp(S - log sum) (Rabe and Staats, 2021; Dao et al., 2022, appendix B). q, k, v and their gradients are read
and written where they lie, side by side in one array perhaps, or in a cache.

Compiled for float32; float64, which gradient checks use, goes to the NumPy twins.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from minigen.config import config
from minigen.kernels import reference
from minigen.kernels.attention.loops import FLOAT, INFINITY, PANEL, Places, Sizes, attend_grad_share, attend_share
from minigen.kernels.compiler.arrays import flat
from minigen.kernels.tile.shape import ROWS
from minigen.kernels.tile.workspace import LINE_BYTES, scratch

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]

BLOCK_QUERIES = 5 * ROWS  # at most
GAP_ELEMENTS = 16  # between rows of weights: at a distance of a power of two they would share places of the cache
LINE_ELEMENTS = LINE_BYTES // FLOAT.itemsize
SERIAL_MULTIPLY_ADDS = 200_000  # up to these one thread is faster


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


class Plan(NamedTuple):
    """What attention of some shape needs beside its arrays; forward, backward: where sections of a workspace end."""

    sizes: Sizes
    forward: tuple[int, ...]
    backward: tuple[int, ...]
    scale: np.float32
    bias: np.ndarray  # without a mask
    zeros: np.ndarray


@functools.lru_cache(maxsize=1024)
def planned(heads: int, queries: int, keys: int, width: int, causal: bool, masked: bool) -> Plan:
    """The plan for heads of that width."""
    block = -(-queries // -(-queries // BLOCK_QUERIES))
    panels, columns = -(-keys // PANEL), -(-width // PANEL) * PANEL
    sizes = Sizes(heads, queries, keys, width, causal, block, columns, panels, panels * PANEL + GAP_ELEMENTS, masked)
    if causal:
        bias = np.repeat(np.array([0, -INFINITY], FLOAT), [keys + ROWS, panels * PANEL + ROWS])
    else:
        bias = mask_bias(np.ones((1, keys), bool), panels)
    lines, packed = max(block, ROWS), panels * PANEL * width
    rows, weights, key_rows = lines * columns, lines * sizes.row, (keys + ROWS) * columns
    forward = ends(rows, packed, key_rows, weights, ROWS * PANEL, lines)
    backward = ends(rows, rows, rows, key_rows, packed, packed, weights, weights, key_rows, key_rows, lines)
    return Plan(sizes, forward, backward, np.float32(width**-0.5), bias, np.zeros(panels * PANEL, FLOAT))


def ends(*sizes: int) -> tuple[int, ...]:
    """Where sections of these sizes end that lie one after the other, each beginning at a line of the cache."""
    return tuple(itertools.accumulate(-(-size // LINE_ELEMENTS) * LINE_ELEMENTS for size in sizes))


def mask_bias(mask: np.ndarray, panels: int) -> np.ndarray:
    """For each image 0 for a key to look at, minus infinity for one not to."""
    bias = np.full((len(mask), panels * PANEL), -INFINITY)
    bias[:, : mask.shape[1]][mask] = 0
    return bias.reshape(-1)


def shared(q: np.ndarray, sizes: Sizes) -> int:
    """How many workers to share the pairs of images and heads out to."""
    pairs = len(q) * sizes.heads
    work = pairs * sizes.queries * sizes.keys * sizes.width
    return 1 if work <= SERIAL_MULTIPLY_ADDS else max(1, min(pairs, config.threads))


def attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int, is_causal: bool, mask: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """(y (N, Tq, C), log_sums (N, heads, Tq)): y = softmax(q · kᵀ / √D) · v in each head, D = C / heads.

    q (N, Tq, C), k and v (N, Tk, C), mask (N, Tk) or None. is_causal: query i sees the keys up to Tk - Tq + i.
    log_sums: log of the sum of the exponentials; infinity, and y zero, for a query that may look at nothing.
    """
    if q.dtype != FLOAT:
        return reference.attend(q, k, v, heads, is_causal, mask)
    plan = planned(heads, q.shape[1], k.shape[1], q.shape[2] // heads, is_causal, mask is not None)
    sizes, workers = plan.sizes, shared(q, plan.sizes)
    y, log_sums = np.empty(q.shape, FLOAT), np.empty((len(q), heads, sizes.queries), FLOAT)
    (q, q_at), (k, k_at), (v, v_at) = placed(q), placed(k), placed(v)
    with scratch("attend", workers * plan.forward[-1], FLOAT) as memory:
        spaces = memory.reshape(workers, -1)
        attend_share(
            workers, workers, q, k, v, q_at, k_at, v_at, plan.bias if mask is None else mask_bias(mask, sizes.panels),
            plan.zeros, sizes, plan.scale, y.reshape(-1), log_sums.reshape(-1), spaces,
            spaces.view(np.int32), plan.forward,
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
    plan = planned(heads, q.shape[1], k.shape[1], q.shape[2] // heads, is_causal, mask is not None)
    sizes, workers = plan.sizes, shared(q, plan.sizes)
    out = (np.empty(q.shape, FLOAT), np.empty(k.shape, FLOAT), np.empty(k.shape, FLOAT)) if out is None else out
    (q, q_at), (k, k_at), (v, v_at), (gq, gq_at), (gk, gk_at), (gv, gv_at) = map(placed, (q, k, v, *out))
    with scratch("attend_grad", workers * plan.backward[-1], FLOAT) as memory:
        attend_grad_share(
            workers, workers, flat(gy), q, k, v, flat(y), flat(log_sums), q_at, k_at, v_at, gq_at, gk_at, gv_at,
            plan.bias if mask is None else mask_bias(mask, sizes.panels), plan.zeros, sizes,
            plan.scale, gq, gk, gv, memory.reshape(workers, -1), plan.backward,
        )  # fmt: skip
    return out
