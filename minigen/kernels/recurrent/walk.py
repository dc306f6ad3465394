"""How a worker of a recurrent layer walks: its sequences, through all steps, without waiting for anybody.

At each step the states of its sequences, the `left` rows, are multiplied by the weights, which were packed into panels
once for all steps and workers, to the `right` rows; then the cell does the rest, row by row (`cells.py`). Walking back,
the left rows are the gradients inside the gates, and the weights are transposed.

Left and right rows lie in the worker's workspace, a little apart, so that they do not share a few places of the
first-level cache. A sum runs in the same order whatever the number of rows below each other, so the bits do not depend
on how many workers there are.
"""

from typing import NamedTuple

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.rows.scalar import ZERO
from minigen.kernels.tile.dense import pack
from minigen.kernels.tile.microkernel import tile_layer
from minigen.kernels.tile.shape import LEAST_ROWS, ROWS, USUAL, Form


class Walk(NamedTuple):
    """A walk of n sequences through their steps, and its product: rows (terms) times packed weights (columns)."""

    n: int
    steps: int
    size: int  # numbers of a state
    terms: int
    columns: int
    left_row: int  # distance between rows
    right_row: int
    panels: int  # of the weights, side by side
    form: Form  # of a tile
    panel: int  # columns of a panel
    lanes: int  # numbers in a vector register
    b_term: int  # distance between neighbours in the weights
    b_column: int
    packed: bool  # the weights are; else they lie as they are, for few rows
    masked: bool
    looked_up: bool  # x is whole numbers


@tasks
def pack_share(worker, workers, weights, plan, packed):
    """An equal share of the panels of the weights, one behind the other."""
    for j in range(worker * plan.panels // workers, (worker + 1) * plan.panels // workers):
        first = j * plan.panel
        width = min(plan.panel, plan.columns - first)
        pack(weights, first * plan.b_column, width, plan.terms, plan, packed[first * plan.terms :])


@part
def share(worker, workers, plan, workspaces):
    """(first, end, rows, left, right): a worker's sequences, rows of its products, and where they lie; left is cleared.

    Rows that are missing to the smallest tile stay zeros.
    """
    first, stop = worker * plan.n // workers, (worker + 1) * plan.n // workers
    rows, workspace = max(stop - first, LEAST_ROWS if plan.packed else 1), workspaces[worker]
    left, right = workspace[: rows * plan.left_row], workspace[rows * plan.left_row :][: rows * plan.right_row]
    clear(left)
    return first, stop, rows, left, right


@part
def start_forward(worker, workers, plan, h0, workspaces):
    """`share`, with the first states in the left rows."""
    first, stop, rows, left, right = share(worker, workers, plan, workspaces)
    for n in range(first, stop):
        copy(h0[n * plan.size :], left[(n - first) * plan.left_row :][: plan.size])
    return first, stop, rows, left, right


@part
def start_back(worker, workers, plan, workspaces):
    """`share`, with no gradient of the state behind the last step in the right rows."""
    first, stop, rows, left, right = share(worker, workers, plan, workspaces)
    clear(right)
    return first, stop, rows, left, right


@part
def end_back(first, stop, right, plan, gh0):
    """The gradient of the first states, out of the right rows."""
    for n in range(first, stop):
        copy(right[(n - first) * plan.right_row :], gh0[n * plan.size :][: plan.size])


@part
def multiply(rows, left, packed, base, base_row, right, plan):
    """right = base + left · weights; a base_row of 0 adds the same row everywhere."""
    if not plan.packed:
        for i in range(rows):
            copy(base[i * base_row :], right[i * plan.right_row :][: plan.columns])
            for k in range(plan.terms):
                factor, weights = left[i * plan.left_row + k], packed[k * plan.columns :]
                out = right[i * plan.right_row :][: plan.columns]
                for j in range(out.size):
                    out[j] += factor * weights[j]
        return
    tiles = -(-rows // ROWS)
    for j in range(plan.panels):
        column = j * plan.panel
        for i in range(tiles):
            top, bottom = i * rows // tiles, (i + 1) * rows // tiles
            tile_layer(
                USUAL, bottom - top, left, top * plan.left_row, plan.left_row, 1,
                packed, column * plan.terms, plan.panel, plan.terms,
                base, column + top * base_row, base_row, left.dtype.type(1),
                right, column + top * plan.right_row, plan.right_row, None, None,
            )  # fmt: skip


@part
def copy(a, out):
    """out = a, as far as out goes."""
    for k in range(out.size):
        out[k] = a[k]


@part
def clear(out):
    """out = 0."""
    for k in range(out.size):
        out[k] = ZERO


@part
def add_into(a, out):
    """out += a."""
    for k in range(out.size):
        out[k] += a[k]
