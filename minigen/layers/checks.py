"""Checks of layer arguments, so that every layer complains in the same words."""

from typing import Any

import numpy as np

from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.errors import ArgumentError, ShapeError


def check_count(layer: str, name: str, value: Any) -> int:
    """A whole number ≥ 1, or ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ArgumentError(f"{layer}: {name} is {value!r}; use a whole number ≥ 1")
    return int(value)


def check_pair(layer: str, name: str, value: Any) -> tuple[int, int]:
    """One whole number ≥ 1, meant for both, or a pair of them for height and width."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ArgumentError(f"{layer}: {name} is {value!r}; use one number or a pair (height, width)")
    return check_count(layer, name, pair[0]), check_count(layer, name, pair[1])


def check_features(layer: str, x: Operand, features: int, axes: str) -> Tensor:
    """`x` as a tensor whose last axis has `features` values; ShapeError naming the layer and the expected axes."""
    x = as_tensor(x, layer)
    if x.ndim < 1 or x.shape[-1] != features:
        found = f"{x.shape[-1]} on its last axis" if x.ndim else "no axes"
        raise ShapeError(f"{layer}: x {x.shape} has {found}, expected {features}: {axes}")
    return x


def check_images(layer: str, x: Operand, channels: int) -> Tensor:
    """`x` as a tensor of images (N, H, W, channels); ShapeError naming the layer otherwise."""
    x = as_tensor(x, layer)
    if x.ndim == 4 and x.shape[3] == channels:
        return x
    if x.ndim != 4:
        why = "an array of images has four axes" + ("; add the batch axis with x[None]" if x.ndim == 3 else "")
    elif x.shape[1] == channels:
        why = f"images are channels-last (N, H, W, {channels}); turn (N, C, H, W) around with x.transpose(0, 2, 3, 1)"
    else:
        why = f"it has {x.shape[3]} channels; images are channels-last (N, H, W, C)"
    raise ShapeError(f"{layer}: x {x.shape} does not fit, expected (N, H, W, {channels}): {why}")
