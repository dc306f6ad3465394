"""Batch and layer normalization."""

import numpy as np

from minigen.autograd import Tensor, ops
from minigen.checks import check_count, check_number
from minigen.config import config
from minigen.layers.checks import check_features
from minigen.layers.module import Module, Parameter


class BatchNorm(Module):
    """y = weight (x - mean) / √(var + eps) + bias for each feature, over all axes but the last. Ioffe & Szegedy 2015.

    (N, C), (N, H, W, C) or any other shape that ends in num_features. In training mean and variance (biased) are the
    batch's, and running_mean, running_var move towards them by `momentum` (the unbiased variance, as PyTorch's); in
    evaluation the running values are used. weight starts at 1, bias at 0.
    Raises ShapeError for an x that does not fit, also for one value per feature in training.
    """

    running_mean: np.ndarray
    running_var: np.ndarray

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.num_features = check_count("BatchNorm", "num_features", num_features)
        self.eps = check_number("BatchNorm", "eps", eps, above=0)
        self.momentum = check_number("BatchNorm", "momentum", momentum, 0, high=1)
        self.weight = Parameter(np.ones(num_features, config.dtype))
        self.bias = Parameter(np.zeros(num_features, config.dtype))
        self.register_buffer("running_mean", np.zeros(num_features, config.dtype))
        self.register_buffer("running_var", np.ones(num_features, config.dtype))

    def forward(self, x: Tensor, negative_slope: float | None = None) -> Tensor:
        """(…, num_features), normalized; in training the running values are updated.

        With a negative_slope, that of LeakyReLU or ReLU (0), the activation is included.
        """
        name, dtype = f"BatchNorm({self.num_features})", self.weight.dtype
        x = check_features(name, x, self.num_features, "features are on the last axis", dtype)
        return ops.batch_norm(
            x,
            self.weight,
            self.bias,
            self.running_mean,
            self.running_var,
            self.training,
            momentum=self.momentum,
            eps=self.eps,
            negative_slope=negative_slope,
        )

    def extra_repr(self) -> str:
        """num_features, eps, momentum."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class LayerNorm(Module):
    """y = weight (x - mean) / √(var + eps) + bias, mean and variance (biased) over the last axis. Ba et al. 2016.

    (…, num_features) → the same shape, in training and evaluation alike. weight starts at 1, bias at 0.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_features = check_count("LayerNorm", "num_features", num_features)
        self.eps = check_number("LayerNorm", "eps", eps, above=0)
        self.weight = Parameter(np.ones(num_features, config.dtype))
        self.bias = Parameter(np.zeros(num_features, config.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(…, num_features), normalized."""
        name, dtype = f"LayerNorm({self.num_features})", self.weight.dtype
        x = check_features(name, x, self.num_features, "features are on the last axis", dtype)
        return ops.layer_norm(x, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """num_features, eps."""
        return f"{self.num_features}, eps={self.eps}"
