"""Batch and layer normalization."""

from typing import Any

import numpy as np

from minigen.autograd import Tensor, ops
from minigen.autograd.modes import modes
from minigen.checks import check_count, check_number
from minigen.config import config
from minigen.errors import ArgumentError
from minigen.kernels.noting import constant, refuse
from minigen.layers.checks import check_features
from minigen.layers.module import Module, Parameter


class BatchNorm(Module):
    """y = weight (x - mean) / √(var + eps) + bias for each feature, over all axes but the last. Ioffe & Szegedy 2015.

    (N, C), (N, H, W, C) or any other shape that ends in num_features. In training mean and variance (biased) are the
    batch's, and running_mean, running_var move towards them by `momentum` (the unbiased variance, as PyTorch's); in
    evaluation the running values are used. weight starts at 1, bias at 0.
    momentum=None: the running values are the plain means over all batches. affine=False: without weight and bias.
    track_running_stats=False: without running values, and always with the batch's.
    Raises ShapeError for an x that does not fit, also for one value per feature in training.
    """

    running_mean: Any  # an array, or None with track_running_stats=False
    running_var: Any
    num_batches_tracked: np.ndarray  # with momentum=None only

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = check_count("BatchNorm", "num_features", num_features)
        self.eps = check_number("BatchNorm", "eps", eps, above=0)
        self.momentum = None if momentum is None else check_number("BatchNorm", "momentum", momentum, 0, high=1)
        self.weight = Parameter(np.ones(num_features, config.dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, config.dtype)) if affine else None
        self.running_mean = self.running_var = None
        if track_running_stats:
            self.register_buffer("running_mean", np.zeros(num_features, config.dtype))
            self.register_buffer("running_var", np.ones(num_features, config.dtype))
            if momentum is None:
                self.register_buffer("num_batches_tracked", np.zeros((), np.int64))

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """(…, num_features), normalized; in training the running values are updated.

        With a negative_slope, that of LeakyReLU or ReLU (0), the activation is included.
        """
        weight, bias = self.weight, self.bias
        held = weight if weight is not None else self.running_mean
        name, dtype = f"BatchNorm({self.num_features})", None if held is None else held.dtype
        x = check_features(name, x, self.num_features, "features are on the last axis", dtype)
        y = ops.batch_norm(
            x,
            filled(weight, 1, self.num_features, x.dtype),
            filled(bias, 0, self.num_features, x.dtype),
            self.running_mean,
            self.running_var,
            self.training or self.running_mean is None,
            momentum=self.step(),
            eps=self.eps,
            negative_slope=negative_slope,
        )
        if self.momentum is None and self.training and self.running_mean is not None and not modes.recomputing:
            self.num_batches_tracked += 1
        return y

    def step(self) -> float:
        """How far the running values go towards this batch's: `momentum`, or 1 / number of batches with this one."""
        if self.momentum is not None:
            return self.momentum
        refuse("BatchNorm(momentum=None) counts its batches")
        return 1.0 if self.running_mean is None else 1.0 / (int(self.num_batches_tracked) + 1)

    def extra_repr(self) -> str:
        """num_features, eps, momentum, and the options that are not the default."""
        parts = [f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"]
        parts += ["affine=False"] * (self.weight is None) + ["track_running_stats=False"] * (self.running_mean is None)
        return ", ".join(parts)


class LayerNorm(Module):
    """y = weight (x - mean) / √(var + eps) + bias, mean and variance (biased) over the last axis. Ba et al. 2016.

    (…, num_features) → the same shape, in training and evaluation alike. weight starts at 1, bias at 0; bias=False:
    without bias; elementwise_affine=False: without both.
    """

    def __init__(
        self, num_features: int, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        self.num_features = last_axis("LayerNorm", num_features)
        self.eps = check_number("LayerNorm", "eps", eps, above=0)
        affine = elementwise_affine
        self.weight = Parameter(np.ones(self.num_features, config.dtype)) if affine else None
        self.bias = Parameter(np.zeros(self.num_features, config.dtype)) if affine and bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(…, num_features), normalized."""
        name, weight, bias = f"LayerNorm({self.num_features})", self.weight, self.bias
        dtype = None if weight is None else weight.dtype
        x = check_features(name, x, self.num_features, "features are on the last axis", dtype)
        weight, bias = filled(weight, 1, self.num_features, x.dtype), filled(bias, 0, self.num_features, x.dtype)
        return ops.layer_norm(x, weight, bias, self.eps)

    def extra_repr(self) -> str:
        """num_features, eps, and the options that are not the default."""
        parts = [f"{self.num_features}, eps={self.eps}"]
        if self.weight is None:
            parts.append("elementwise_affine=False")
        elif self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)


def filled(given: Tensor | None, value: float, length: int, dtype: np.dtype) -> Tensor:
    """A weight or bias; one that changes nothing, all `value`, where the layer has none."""
    return Tensor(constant(np.full(length, value, dtype))) if given is None else given


def last_axis(layer: str, num_features: Any) -> int:
    """The length of the axis that is normalized, also as PyTorch's normalized_shape of one number. ArgumentError."""
    if isinstance(num_features, (tuple, list)):
        if len(num_features) != 1:
            raise ArgumentError(
                f"{layer}: num_features is {num_features!r}, but the last axis alone is normalized; pass its length, "
                "and reshape x to normalize several"
            )
        (num_features,) = num_features
    return check_count(layer, "num_features", num_features)
