"""An array that a step is given while notes are taken: it says so when its values are looked at outside of minigen."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigen.kernels.noting import refuse

# What may be asked of an argument: its form, and other views of it.
FORM = {"shape", "dtype", "ndim", "size", "strides", "flags", "base", "itemsize", "nbytes", "T", "reshape", "ravel"}
FORM |= {"transpose", "swapaxes", "squeeze", "view"}


class Argument(np.ndarray):
    """An argument. What NumPy makes of it is nothing that a list can make again."""

    def __getattribute__(self, name: str) -> Any:
        if name not in FORM and not name.startswith("__"):
            refuse(f"an argument's .{name} is used, outside of minigen")
        return super().__getattribute__(name)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        refuse(f"NumPy's {ufunc.__name__} is applied to an argument; use minigen's operations")
        if "out" in options:
            options["out"] = tuple(map(bare, options["out"]))
        return getattr(ufunc, method)(*map(bare, inputs), **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        refuse(f"NumPy's {function.__name__} is applied to an argument; use minigen's operations")
        return super().__array_function__(function, types, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        if not isinstance(part, np.ndarray):
            refuse("a value of an argument is read")
        return part

    def __repr__(self) -> str:
        return repr(bare(self))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        refuse("a value of an argument is read")
        return bool(bare(self))

    def __float__(self) -> float:
        refuse("a value of an argument is read")
        return float(bare(self))

    def __int__(self) -> int:
        refuse("a value of an argument is read")
        return int(bare(self))

    def __index__(self) -> int:
        refuse("a value of an argument is read")
        return bare(self).__index__()

    def __setitem__(self, index: Any, value: Any) -> None:
        refuse("an argument is written to")
        super().__setitem__(index, value)


def bare(value: Any) -> Any:
    """An argument as a plain array; anything else as it is."""
    return np.asarray(value) if isinstance(value, np.ndarray) else value


def copy_like(array: np.ndarray) -> np.ndarray:
    """A copy in memory of its own, with the same distances between elements: the same bits come out of it."""
    if array.flags.c_contiguous or not array.size:
        return np.array(array, order="C")
    low = sum(min(0, (n - 1) * step) for n, step in zip(array.shape, array.strides, strict=True))
    high = sum(max(0, (n - 1) * step) for n, step in zip(array.shape, array.strides, strict=True)) + array.itemsize
    block = np.zeros(high - low, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, block, -low, array.strides)
    np.copyto(copy, array) if 0 not in array.strides else np.copyto(copy[zero_axes(array)], array[zero_axes(array)])
    return copy


def zero_axes(array: np.ndarray) -> tuple[slice, ...]:
    """The first element along axes that repeat one."""
    return tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides)
