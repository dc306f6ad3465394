"""First weights that a network begins best with."""

from typing import TypeVar

from minigen import layers

Layer = TypeVar("Layer", bound=layers.Module)


def zeroed(layer: Layer) -> Layer:
    """The layer with weights and bias of 0: what it is added to, or multiplies, is as if it were not there at first."""
    for p in layer.parameters():
        p.data[...] = 0
    return layer
