"""Padding: elements added around a tensor, constant ones or copies of what is inside."""

import operator
from collections.abc import Sequence

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.ops.operands import holds
from minigen.autograd.ops.shape import concatenate, expand, flip, getitem
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.checks import check_choice, shown
from minigen.errors import ArgumentError, ShapeError

MODES = ("reflect", "replicate", "circular")  # besides "constant"


class Pad(Function):
    """x with `before` and `after` constant elements added along each axis."""

    def __init__(self, widths: tuple[tuple[int, int], ...], value: float) -> None:
        self.widths, self.value = widths, value

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.source = x.shape
        return np.pad(x, self.widths, constant_values=self.value)

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        inner = tuple(slice(before, before + n) for (before, _), n in zip(self.widths, self.source, strict=True))
        return (getitem(gy, inner),)


def pad(x: Operand, pad_width: int | Sequence[tuple[int, int]], value: float = 0.0, mode: str = "constant") -> Tensor:
    """x with elements around it: `pad_width` is one number, or (before, after) for each axis, as np.pad's.

    mode "constant" adds `value`. Of [1, 2, 3] padded by 2, "reflect" makes [3, 2, 1, 2, 3, 2, 1], the edge not
    repeated; "replicate" makes [1, 1, 1, 2, 3, 3, 3]; "circular" makes [2, 3, 1, 2, 3, 1, 2]. The modes are those of
    PyTorch's F.pad, for any axis. A copied element gets the sum of the gradients of its copies.
    Raises ArgumentError for bad widths, an unknown mode, and for a value that the dtype of x can not hold; ShapeError
    when there is less to copy than the width.
    """
    x = as_tensor(x, "pad")
    try:
        widths = ((pad_width, pad_width),) * x.ndim if isinstance(pad_width, int) else pad_width
        widths = tuple((operator.index(before), operator.index(after)) for before, after in widths)
    except (TypeError, ValueError):
        widths = ()
    if len(widths) != x.ndim or any(min(pair) < 0 for pair in widths):
        raise ArgumentError(f"pad: pad_width {pad_width} must be a number ≥ 0 or {x.ndim} pairs of them for {x.shape}")
    check_choice("pad", "mode", mode, ("constant", *MODES))
    if mode in MODES:
        for axis, width in enumerate(widths):
            x = padded_by_copies(x, axis, *width, mode) if any(width) else x
        return x
    if isinstance(value, str):
        raise ArgumentError(f"pad: value is {value!r}; pass the mode by its name, mode={value!r}")
    if not holds(x.dtype, value):
        raise ArgumentError(f"pad: value {shown(value)} does not fit into {x.dtype}; convert the tensor with astype")
    return Pad(widths, value)(x)


def padded_by_copies(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    """x with copies of its own elements in front and behind along one axis."""
    size = x.shape[axis]
    most = {"reflect": max(size - 1, 0), "circular": size, "replicate": before + after if size else 0}[mode]
    if max(before, after) > most:
        raise ShapeError(
            f"pad: {mode!r} by {(before, after)} along axis {axis} of {x.shape}, where only {most} can be copied; use "
            "a smaller width, or another mode"
        )

    def cut(start: int, end: int) -> Tensor:
        return getitem(x, (*[slice(None)] * axis, slice(start, end)))

    def repeated(edge: Tensor, times: int) -> Tensor:
        return expand(edge, (*x.shape[:axis], times, *x.shape[axis + 1 :]))

    if mode == "reflect":
        parts = [flip(cut(1, before + 1), axis), x, flip(cut(size - 1 - after, size - 1), axis)]
    elif mode == "circular":
        parts = [cut(size - before, size), x, cut(0, after)]
    else:
        parts = [repeated(cut(0, 1), before), x, repeated(cut(size - 1, size), after)]
    return concatenate(parts, axis)
