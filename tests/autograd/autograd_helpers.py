"""Small things that several autograd tests share."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import minigen as mg
from minigen.autograd.tensor import Tensor


def leaf(*values: float) -> Tensor:
    """A float64 vector that requires a gradient."""
    return mg.tensor(np.array(values), requires_grad=True)


def gradient(x: Tensor) -> Any:
    """The accumulated gradient, as a list."""
    assert x.grad is not None
    return x.grad.tolist()


def one(gradients: tuple[Tensor | None, ...]) -> Any:
    """The only gradient, as a list."""
    (g,) = gradients
    assert g is not None
    return g.tolist()


class Square(mg.FusedFunction):
    """y = x², with its own residual and no compose."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.residuals = (2 * x,)
        return x * x

    def backward_arrays(self, gy: np.ndarray) -> tuple[np.ndarray | None, ...]:
        return (gy * self.residuals[0],)


@contextmanager
def no_garbage_collector() -> Iterator[None]:
    """What dies in here dies by its reference count alone: it was in no cycle."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
