"""Checks of layer inputs, so that every layer complains in the same words."""

from typing import Any

import numpy as np

from minigen.autograd.ops.operands import advise_scaling
from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.errors import ArgumentError, ShapeError


def in_dtype(x: Operand, dtype: np.dtype | None, layer: str) -> Tensor:
    """`x` as a tensor; data (which needs no gradient) in the layer's dtype, so that float64 does not spread from it.

    None: a layer without parameters, which takes every dtype.
    """
    x = as_tensor(x, layer)
    if x.requires_grad or dtype is None or x.data.dtype == dtype:
        return x
    advise_scaling(x)
    return x.astype(dtype)


def check_features(layer: str, x: Operand, features: int, axes: str, dtype: np.dtype | None) -> Tensor:
    """`x` as a tensor whose last axis has `features` values; ShapeError naming the layer and the expected axes."""
    x = in_dtype(x, dtype, layer)
    if x.data.shape[-1:] != (features,):
        found = f"{x.shape[-1]} on its last axis" if x.ndim else "no axes"
        raise ShapeError(f"{layer}: x {x.shape} has {found}, expected {features}: {axes}")
    return x


def check_images(layer: str, x: Operand, channels: int, dtype: np.dtype) -> Tensor:
    """`x` as a tensor of images (N, H, W, channels); ShapeError naming the layer otherwise."""
    x = in_dtype(x, dtype, layer)
    if x.ndim == 4 and x.shape[3] == channels:
        return x
    if x.ndim != 4:
        why = "an array of images has four axes" + ("; add the batch axis with x[None]" if x.ndim == 3 else "")
    elif x.shape[1] == channels:
        why = f"images are channels-last (N, H, W, {channels}); turn (N, C, H, W) around with x.transpose(0, 2, 3, 1)"
    else:
        why = f"it has {x.shape[3]} channels; images are channels-last (N, H, W, C)"
    raise ShapeError(f"{layer}: x {x.shape} does not fit, expected (N, H, W, {channels}): {why}")


def check_name(owner: Any, name: Any) -> str:
    """`name` itself; ArgumentError unless it can name a part of `owner`, as an attribute and in `state_dict()`."""
    kind = type(owner).__name__
    if not isinstance(name, str) or not name or "." in name:
        raise ArgumentError(f"{kind}: {name!r} can not be a name; use a string without dots")
    if hasattr(type(owner), name) or name in ("training", "_buffers"):
        raise ArgumentError(f"{kind}: {name!r} is taken, by an attribute that every {kind} has; choose another name")
    return name
