"""Layers beside flattened images: their features follow (C, H, W) in PyTorch, and (H, W, C) here.

Which they are can not be seen in the weights, so the caller says it, and silence is refused where it may matter.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minigen.errors import ArgumentError, ShapeError
from minigen.interop.layouts import Arrays
from minigen.layers import (
    BatchNorm,
    Embedding,
    Flatten,
    LayerNorm,
    Linear,
    Module,
    MultiHeadAttention,
    PReLU,
    Reshape,
    RMSNorm,
    TransformerBlock,
)
from minigen.layers.convolution import Convolution

Shape = tuple[int, int, int]
Shapes = Mapping[str, Shape]
BY_FEATURE = (BatchNorm, LayerNorm, RMSNorm, PReLU)  # a number for each feature
SEQUENCES = (MultiHeadAttention, TransformerBlock)  # whose Linears read no images


class Turned:
    """The layers beside flattened images, whose arrays get their features in the other order.

    A norm or PReLU that stands between a named Linear and the next layer with weights goes along, if it has as many
    features.
    """

    def __init__(self, module: Module, flattened: Shapes | None, unflattened: Shapes | None) -> None:
        if not isinstance(module, Module):
            raise ArgumentError(f"interop: module is {type(module).__name__}; pass a minigen Module")
        if flattened is None and unflattened is None:
            refuse_silence(module)
        parts = module.named_modules()
        self.read = checked("flattened", parts, flattened or {}, (Linear,))
        made = checked("unflattened", parts, unflattened or {}, (Linear, Embedding, *BY_FEATURE))
        self.made = beside(parts[::-1], self.read) | beside(parts, made) | made

    def inward(self, name: str, arrays: Arrays) -> Arrays:
        """A layer's arrays, features in the order that is usual here."""
        return self.reordered(name, arrays, feature_order)

    def outward(self, name: str, arrays: Arrays) -> Arrays:
        """A layer's arrays, features in PyTorch's order."""
        return self.reordered(name, arrays, torch_order)

    def reordered(self, name: str, arrays: Arrays, order: Callable[[Shape], np.ndarray]) -> Arrays:
        """Rows of matrices for what is read, the last axis of everything for what is made."""
        if name in self.read:
            rows = order(self.read[name])
            arrays = {key: array[rows] if fits(array, 0, rows, 2) else array for key, array in arrays.items()}
        if name in self.made:
            columns = order(self.made[name])
            arrays = {key: array[..., columns] if fits(array, -1, columns) else array for key, array in arrays.items()}
        return arrays


def fits(array: np.ndarray, axis: int, order: np.ndarray, ndim: int = 1) -> bool:
    """Whether an axis of an array has the features; those of length 1 of a weight norm have not."""
    return array.ndim >= ndim and array.shape[axis] == len(order)


def checked(option: str, parts: list[tuple[str, Module]], shapes: Shapes, kinds: tuple[type, ...]) -> dict[str, Shape]:
    """The shapes, if each is named after a layer with as many features. Raises ArgumentError or ShapeError."""
    known = {name: part for name, part in parts if isinstance(part, kinds)}
    for name, shape in shapes.items():
        if name not in known:
            linears = [name for name, part in known.items() if isinstance(part, Linear)]
            raise ArgumentError(f"{option}: {name} is no Linear; there are {', '.join(linears) or 'none'}")
        number = features(known[name], reads=option == "flattened")
        if len(shape) != 3 or math.prod(shape) != number:
            raise ShapeError(f"{option}: {name} has {number} features, which {shape} does not hold")
    return dict(shapes)


def features(layer: Any, reads: bool = False) -> int:
    """How many features a layer makes, or reads."""
    names = ("in_features",) if reads else ("out_features", "dim", "num_features", "num_parameters")
    return next(getattr(layer, name) for name in names if hasattr(layer, name))


def beside(parts: list[tuple[str, Module]], shapes: Shapes) -> dict[str, Shape]:
    """The layers with a number for each feature that come right behind those of `shapes`, in the order of `parts`."""
    found: dict[str, Shape] = {}
    shape = None
    for name, part in parts:
        if isinstance(part, (Linear, Convolution)):
            shape = shapes.get(name)
        elif shape is not None and isinstance(part, BY_FEATURE) and features(part) == math.prod(shape):
            found[name] = shape
    return found


def feature_order(shape: Shape) -> np.ndarray:
    """For each feature in the order (H, W, C), where it stands in the order (C, H, W)."""
    height, width, channels = shape
    return np.arange(height * width * channels).reshape(channels, height, width).transpose(1, 2, 0).reshape(-1)


def torch_order(shape: Shape) -> np.ndarray:
    """For each feature in the order (C, H, W), where it stands in the order (H, W, C)."""
    return np.argsort(feature_order(shape))


# ---------------------------------------------------------------- silence


def refuse_silence(module: Module) -> None:
    """Raises ArgumentError where a Linear may read, or make, a flattened image, which nobody has said."""
    inside = {id(part) for block in module.modules() if isinstance(block, SEQUENCES) for part in block.modules()}
    parts = [(name, part) for name, part in module.named_modules() if id(part) not in inside]
    refuse_near_convolutions(parts)
    refuse_beside_reshapes(parts)


def refuse_beside_reshapes(parts: list[tuple[str, Module]]) -> None:
    """Raises ArgumentError where a Linear is the first to read what is flattened, or what it makes becomes images."""
    parts = [(name, part) for name, part in parts if isinstance(part, (Linear, Convolution, Flatten, Reshape))]
    weighted = [i for i, (_, part) in enumerate(parts) if isinstance(part, (Linear, Convolution))]
    for (before, first), (after, second) in itertools.pairwise(parts):
        if isinstance(first, Flatten) and isinstance(second, Linear) and parts[weighted[0]][1] is second:
            name, option, number = after, "flattened", second.in_features
        elif isinstance(first, Linear) and isinstance(second, Reshape) and parts[weighted[-1]][1] is first:
            if len(second.shape) != 3:
                continue
            name, option, number = before, "unflattened", first.out_features
        else:
            continue
        raise ArgumentError(
            f"the {number} features of {name} may be images of several channels, which are channels-last here: say "
            f'{option}={{"{name}": (H, W, C)}}, or {option}={{}} if not'
        )


def refuse_near_convolutions(parts: list[tuple[str, Module]]) -> None:
    """Raises ArgumentError where a Linear stands beside a convolution, and their numbers would fit an image."""
    parts = [(name, part) for name, part in parts if isinstance(part, (Linear, Convolution))]
    for (before, first), (after, second) in itertools.pairwise(parts):
        if isinstance(second, Linear) and isinstance(first, Convolution):
            name, number, channels, option = after, second.in_features, first.out_channels, "flattened"
        elif isinstance(first, Linear) and isinstance(second, Convolution):
            name, number, channels, option = before, first.out_features, second.in_channels, "unflattened"
        else:
            continue
        if number > channels and number % channels == 0:
            raise ArgumentError(
                f"the {number} features of {name} may be an image beside the {channels} channels of a convolution, "
                f'and images are channels-last here: say {option}={{"{name}": (H, W, C)}}, or {option}={{}} if not'
            )
