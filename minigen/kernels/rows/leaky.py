"""Leaky ReLU of one number, and the slope that stands for it in every kernel that ends with an activation.

leaky(v) = v from 0 on, slope · v below: slope 0 is ReLU, slope 1 changes nothing. NaN stays NaN.
"""

from minigen.kernels.compiler.jit import inline


def slope_number(slope: float | None) -> float:
    """The slope as compiled code takes it: that of no activation, None, is 1."""
    return 1.0 if slope is None else slope


@inline
def leaky(v, slope):
    """The activation of v."""
    zero = slope - slope
    less = zero if slope == zero else slope * v  # not 0 · ∞
    return less if v < zero else v


@inline
def leaky_grad(g, k, v, slope):
    """The gradient of v, when g[k] is that of leaky(v); v may be leaky(v), whose sign is the same. At 0 as below it.

    g[k] is read in here, and only where it counts. At NaN all of it does: one comparison for every slope, or the loops
    around would not vectorise.
    """
    zero = slope - slope
    less = zero if slope == zero else slope * g[k]
    return less if v <= zero else g[k]
