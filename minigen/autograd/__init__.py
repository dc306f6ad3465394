"""Reverse-mode automatic differentiation: a graph of Function nodes over ndarrays.

From the bottom up, each file importing only what stands above it in this list:

    modes, conversion   switches of a thread; user data as arrays
    observe             who listens to a computation
    tensor              the data, its gradient, and the node that made it
    function            one operation, which is one node of the graph
    leaves              the life of a leaf's gradient
    engine              the backward sweep
    fused               operations whose gradient is a kernel
    ops/                the operations; operands.py brings what they are given into form
    dlpack              memory shared with other libraries
    methods, operators  `x.sum()` and `a + b`, put into Tensor when all operations are there
    functional          jacobian, hessian, vjp, jvp, hvp of a function
    checkpointing       a stretch that runs again in backward instead of keeping what it computed
    verify/             gradcheck, and the sample calls of every operation
"""

from typing import TYPE_CHECKING

from minigen import torch_names
from minigen.autograd import operators as operators  # puts the operators into Tensor
from minigen.autograd.tensor import Tensor, tensor

__all__ = ["Tensor", "tensor"]

if not TYPE_CHECKING:
    __getattr__ = torch_names.module_names(__name__)
