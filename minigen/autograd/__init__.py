"""Reverse-mode automatic differentiation: a graph of Function nodes over ndarrays.

`tensor` holds the data, `function` one operation, `engine` the sweep, `modes` the switches, `ops` the operations and
`gradcheck` their verification.
"""

# Tensor first: the other modules of this package build on it.
from minigen.autograd.tensor import Tensor, tensor

__all__ = ["Tensor", "tensor"]
