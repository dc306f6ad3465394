"""Layers that normalize every item by itself, alike in training and evaluation."""

import numpy as np

from minigen.autograd import Tensor, ops
from minigen.checks import check_count, check_number
from minigen.config import config
from minigen.errors import ArgumentError
from minigen.layers.checks import check_features
from minigen.layers.module import Module, Parameter
from minigen.layers.normalization import last_axis


class GroupNorm(Module):
    """y = weight (x - mean) / √(var + eps) + bias over each group of channels of each item. Wu & He 2018.

    (N, …, num_channels), the channels in num_groups groups of neighbours. weight starts at 1, bias at 0; affine=False:
    without both. Raises ArgumentError unless num_groups divides num_channels, ShapeError for an x that does not fit.
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.num_groups = check_count("GroupNorm", "num_groups", num_groups)
        self.num_channels = check_count("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise ArgumentError(
                f"GroupNorm: num_channels {num_channels} can not be cut into {num_groups} groups; choose a divisor"
            )
        self.eps = check_number("GroupNorm", "eps", eps, above=0)
        self.weight = Parameter(np.ones(num_channels, config.dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, config.dtype)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, …, num_channels), normalized."""
        name, weight = f"GroupNorm({self.num_groups}, {self.num_channels})", self.weight
        x = check_features(name, x, self.num_channels, "channels are on the last axis", dtype_of(weight))
        return ops.group_norm(x, self.num_groups, weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """num_groups, num_channels, eps."""
        affine = "" if self.weight is not None else ", affine=False"
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}{affine}"


class InstanceNorm(Module):
    """y = (x - mean) / √(var + eps) over the places of each channel of each item. Ulyanov et al. 2016.

    (N, …, num_features). affine=True: times a weight, which starts at 1, plus a bias, which starts at 0. Raises
    ShapeError for an x that does not fit, also for one with a single place.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        self.num_features = check_count("InstanceNorm", "num_features", num_features)
        self.eps = check_number("InstanceNorm", "eps", eps, above=0)
        self.weight = Parameter(np.ones(num_features, config.dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, config.dtype)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, …, num_features), normalized."""
        name, weight = f"InstanceNorm({self.num_features})", self.weight
        x = check_features(name, x, self.num_features, "features are on the last axis", dtype_of(weight))
        return ops.instance_norm(x, weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """num_features, eps."""
        return f"{self.num_features}, eps={self.eps}" + (", affine=True" if self.weight is not None else "")


class RMSNorm(Module):
    """y = weight x / √(mean(x²) + eps) over the last axis. Zhang & Sennrich 2019.

    (…, num_features). weight starts at 1; elementwise_affine=False: without. eps: the float type's own by default.
    """

    def __init__(self, num_features: int, eps: float | None = None, elementwise_affine: bool = True) -> None:
        super().__init__()
        self.num_features = last_axis("RMSNorm", num_features)
        self.eps = None if eps is None else check_number("RMSNorm", "eps", eps, above=0)
        self.weight = Parameter(np.ones(self.num_features, config.dtype)) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """(…, num_features), normalized."""
        name, weight = f"RMSNorm({self.num_features})", self.weight
        x = check_features(name, x, self.num_features, "features are on the last axis", dtype_of(weight))
        return ops.rms_norm(x, weight, self.eps)

    def extra_repr(self) -> str:
        """num_features, eps."""
        affine = "" if self.weight is not None else ", elementwise_affine=False"
        return f"{self.num_features}, eps={self.eps}{affine}"


def dtype_of(weight: Parameter | None) -> np.dtype | None:
    """The dtype that x is brought to: the weight's; x's own where there is none."""
    return None if weight is None else weight.dtype
