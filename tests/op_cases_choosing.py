"""Oracles and PyTorch twins of the operations that choose and move elements; they belong to `op_cases.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def put(index: tuple[int, ...], axis: int, place: int) -> tuple[int, ...]:
    """`index` with another number at `axis`."""
    changed = list(index)
    changed[axis] = place
    return tuple(changed)


def gather(x: Array, index: Array, axis: int) -> Array:
    return np.array([x[put(i, axis, int(index[i]))] for i in np.ndindex(index.shape)]).reshape(index.shape)


def scatter(add: bool) -> Callable[..., Array]:
    def written(x: Array, index: Array, src: Array, axis: int) -> Array:
        y = x.copy()
        for i in np.ndindex(index.shape):
            place = put(i, axis, int(index[i]))
            y[place] = y[place] * add + (src[i] if src.ndim else src)
        return y

    return written


def index_add(x: Array, index: Array, source: Array, axis: int, alpha: float = 1.0) -> Array:
    y = np.moveaxis(x.copy(), axis, 0)
    for k, place in enumerate(index):
        y[place] += alpha * np.moveaxis(source, axis, 0)[k]
    return np.moveaxis(y, 0, axis)


def masked_fill(x: Array, mask: Array, given: Any = None, value: Any = None) -> Array:
    y, mask = x.copy(), mask & np.ones(x.shape, bool)
    y[mask] = value if given is None else given
    return y


def ordered(values: list[float], backwards: bool) -> list[int]:
    return sorted(range(len(values)), key=lambda i: -values[i] if backwards else values[i])


def sort(x: Array, axis: int = -1, descending: bool = False) -> tuple[Array, Array]:
    if x.ndim == 0:
        return x, np.array(0)
    places = np.apply_along_axis(lambda row: np.array(ordered(list(row), descending)), axis, x)
    return np.take_along_axis(x, places, axis), places


def topk(x: Array, k: int, axis: int = -1, largest: bool = True) -> tuple[Array, Array]:
    first = [slice(None)] * x.ndim
    first[axis] = slice(k)
    values, places = sort(x, axis, largest)
    return values[tuple(first)], places[tuple(first)]


def triangle(keep: Callable[[int, int], bool]) -> Callable[..., Array]:
    def masked(x: Array, diagonal: int = 0) -> Array:
        y = x.copy()
        for i, j in np.ndindex(x.shape[-2:]):
            y[..., i, j] *= keep(j, i + diagonal)
        return y

    return masked


ORACLES: dict[str, Callable[..., Any]] = {
    "gather": gather,
    "take_along_axis": np.take_along_axis,
    "scatter": scatter(add=False),
    "scatter_add": scatter(add=True),
    "index_select": lambda x, index, axis: np.stack([x.take(i, axis) for i in index], axis),
    "index_add": index_add,
    "bincount": lambda x, w, minlength=0: np.array([w[x == k].sum() for k in range(max(x.max() + 1, minlength))]),
    "masked_fill": masked_fill,
    "masked_select": lambda x, mask: np.array([x[i] for i in np.ndindex(x.shape) if np.broadcast_to(mask, x.shape)[i]]),
    "sort": sort,
    "topk": topk,
    "clone": lambda x: x,
    "flatten": lambda x, start_axis=0, end_axis=-1: (
        x.reshape(2, 6, 2) if start_axis else np.array(list(x.flat))  # of a sample with shape (2, 3, 2, 2)
    ),
    "moveaxis": np.moveaxis,
    "tile": np.tile,
    "repeat": lambda x, sizes: np.tile(x, sizes),
    "repeat_interleave": np.repeat,
    "roll": lambda x, shifts, axis=None: np.roll(x, shifts, axis),
    "chunk": lambda x, chunks, axis=0: np.array_split(x, [2, 4], axis),  # of 5, in 3 or 4
    "meshgrid": lambda *xs, indexing: np.meshgrid(*xs, indexing=indexing),
    "tril": triangle(lambda j, end: j <= end),
    "triu": triangle(lambda j, end: j >= end),
    "diag": lambda x, diagonal=0: np.diag(x, diagonal),
    "diagonal": np.diagonal,
    "trace": lambda x: sum(x[i, i] for i in range(min(x.shape))),
    "outer": lambda a, b: np.array([[u * v for v in b] for u in a]),
    "dot": lambda a, b: sum(u * v for u, v in zip(a, b, strict=True)),
}


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    """The same operations in PyTorch."""

    def take_along_axis(x: Any, index: Any, axis: int) -> Any:
        return torch.take_along_dim(x, index % x.shape[axis], axis)

    def as_wide(src: Any, index: Any) -> Any:  # PyTorch's backward wants no longer one
        return src[tuple(slice(n) for n in index.shape)] if src.ndim else src.expand(index.shape)

    def scatter(x: Any, index: Any, src: Any, axis: int) -> Any:
        if index.tolist() == [[1, 1, 1, 0]]:
            return None  # to one place several times: undefined there
        return torch.scatter(x, axis, index, as_wide(src, index))

    def scatter_add(x: Any, index: Any, src: Any, axis: int) -> Any:
        return torch.scatter_add(x, axis, index, as_wide(src, index))

    def masked_fill(x: Any, mask: Any, given: Any = None, value: Any = None) -> Any:
        return torch.masked_fill(x, mask, value if given is None else given)

    def repeat_interleave(x: Any, repeats: Any, axis: Any = None) -> Any:
        repeats = repeats if isinstance(repeats, int) else torch.tensor(repeats)
        return torch.repeat_interleave(x, repeats, axis)

    return {
        "gather": lambda x, index, axis: torch.gather(x, axis, index),
        "take_along_axis": take_along_axis,
        "scatter": scatter,
        "scatter_add": scatter_add,
        "index_select": lambda x, index, axis: torch.index_select(x, axis, index),
        "index_add": lambda x, index, source, axis, alpha=1: torch.index_add(x, axis, index, source, alpha=alpha),
        "masked_fill": masked_fill,
        "masked_select": torch.masked_select,
        "sort": lambda x, axis=-1, descending=False: torch.sort(x, dim=axis, descending=descending),
        "topk": lambda x, k, axis=-1, largest=True: torch.topk(x, k, axis, largest),
        "clone": torch.clone,
        "flatten": lambda x, start_axis=0, end_axis=-1: torch.flatten(x, start_axis, end_axis),
        "moveaxis": torch.moveaxis,
        "tile": lambda x, reps: torch.tile(x, (reps,) if isinstance(reps, int) else reps),
        "repeat": lambda x, sizes: x.repeat(*sizes),
        "repeat_interleave": repeat_interleave,
        "roll": lambda x, shifts, axis=None: torch.roll(x, shifts, axis),
        "chunk": lambda x, chunks, axis=0: torch.chunk(x, chunks, axis),
        "meshgrid": lambda *xs, indexing: torch.meshgrid(*xs, indexing=indexing),
        "tril": torch.tril,
        "triu": torch.triu,
        "diag": torch.diag,
        "diagonal": lambda x, offset=0, axis1=0, axis2=1: torch.diagonal(x, offset, axis1, axis2),
        "trace": torch.trace,
        "outer": torch.outer,
        "dot": torch.dot,
    }
