"""The dense layer."""

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.checks import check_count
from minigen.layers import init as init_
from minigen.layers.checks import check_features
from minigen.layers.module import Module, Parameter


class Linear(Module):
    """y = x · weight + bias, on the last axis: (…, in_features) → (…, out_features).

    weight (in_features, out_features), the transpose of PyTorch's; bias (out_features,), or None with bias=False.
    init: a function of (shape, rng) for the weight. By default both are PyTorch's: uniform on ±1/√in_features
    (kaiming_uniform with a = √5). Raises ArgumentError for counts below 1, ShapeError for an x that does not fit.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
        init: init_.Initializer = init_.default,
    ) -> None:
        super().__init__()
        self.in_features = check_count("Linear", "in_features", in_features)
        self.out_features = check_count("Linear", "out_features", out_features)
        rng = random.check_rng(rng, "Linear")
        shape = (self.in_features, self.out_features)
        self.weight = Parameter(init_.checked(init, shape, rng))
        self.bias = Parameter(init_.default_bias(self.out_features, shape, rng)) if bias else None

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """(…, in_features) → (…, out_features), then leaky ReLU with that slope, if any."""
        name = f"Linear({self.in_features}, {self.out_features})"
        weight = self.weight
        x = check_features(name, x, self.in_features, "(…, in_features)", weight.dtype)
        return ops.linear(x, weight, self.bias, negative_slope)

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """in_features for each output."""
        return int(np.prod(y_shape)) * self.in_features

    def extra_repr(self) -> str:
        """in, out, and bias=False."""
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")
