"""Checks of layer inputs, so that every layer complains in the same words."""

import numpy as np

from minigen.autograd.tensor import Operand, Tensor, as_tensor
from minigen.errors import ShapeError


def in_dtype(x: Operand, dtype: np.dtype, layer: str) -> Tensor:
    """`x` as a tensor; data (which needs no gradient) in the layer's dtype, so that float64 does not spread from it."""
    x = as_tensor(x, layer)
    return x if x.requires_grad or x.data.dtype == dtype else x.astype(dtype)


def check_features(layer: str, x: Operand, features: int, axes: str, dtype: np.dtype) -> Tensor:
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
