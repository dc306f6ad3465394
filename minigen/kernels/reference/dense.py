"""The twin of the dense product."""

from minigen.kernels.blas import product
from minigen.kernels.reference.arrays import Array
from minigen.kernels.reference.bias import bias_leaky


def matmul(
    a: Array,
    b: Array,
    bias: Array | None = None,
    slope: float | None = None,
    out: Array | None = None,
    add: bool = False,
) -> Array:
    """C[i, j] = leaky(bias[j] + sum over k of A[i, k] · B[k, j]), or, with add, what is in out plus the sum."""
    c = product(a, b)
    if bias is not None or slope is not None:
        bias_leaky(c, bias, slope)
    if out is None:
        return c
    out[...] = out + c if add else c
    return out
