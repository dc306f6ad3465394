"""DLPack, the protocol by which NumPy, PyTorch, JAX and others hand each other arrays without a copy.

`torch.from_dlpack(x)` and `np.from_dlpack(x)` of a Tensor x, and `from_dlpack(y)` of an array y of theirs, give a
second view of one memory: what is written through one is seen through the other. minigen does not notice such writes,
so backward through values that were changed gives wrong gradients: see `Tensor.bump_version`.
"""

from typing import Any

import numpy as np

from minigen.autograd.conversion import check_numeric, plain
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError, DTypeError, GradientError
from minigen.kernels.noting import refuse

IN_MEMORY = (1, 3, 13)  # kinds of devices whose memory a CPU reads: its own, pinned, and managed
DEVICES = {2: "a CUDA device", 8: "a Metal device", 10: "a ROCm device"}


def from_dlpack(x: Any) -> Tensor:
    """A Tensor over the memory of an array of another library, without a copy, whatever its strides.

    x: has `__dlpack__`, as arrays of NumPy, PyTorch, JAX and CuPy have, and lies in the memory of the CPU. It must not
    require a gradient. One that may not be written into, as all of JAX, gives a Tensor of which the same holds:
    `mg.tensor(x)` is a copy. Raises ArgumentError for what is no such array or lies on another device, GradientError
    for one that requires a gradient, DTypeError unless it holds booleans, integers, float32 or float64.
    """
    if not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        raise ArgumentError(f"from_dlpack: a {type(x).__name__} has no __dlpack__; use mg.tensor(data), which copies")
    if isinstance(x, np.ndarray):
        plain(x, "from_dlpack")  # refuses what has a mask, which DLPack would drop
    if getattr(x, "requires_grad", False):
        raise GradientError("from_dlpack: the array requires a gradient, which would be lost; pass x.detach()")
    kind = int(x.__dlpack_device__()[0])
    if kind not in IN_MEMORY:
        where = DEVICES.get(kind, f"a device of kind {kind}")
        raise ArgumentError(f"from_dlpack: the array lies on {where}; bring it to the CPU before, as by x.cpu()")
    try:
        array = np.from_dlpack(x)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        kind = getattr(x, "dtype", type(x).__name__)
        raise DTypeError(
            f"from_dlpack: an array of {kind} can not be shared ({error}); use float32 or float64, in plain memory"
        ) from error
    check_numeric(array, "from_dlpack")
    return Tensor(array)


def to_dlpack(x: Tensor, options: dict[str, Any]) -> Any:
    """What `x.__dlpack__(**options)` gives: a capsule that holds the array.

    Raises GradientError when a gradient is required, ArgumentError for an array that can not be shared.
    """
    if x.requires_grad:
        raise GradientError("__dlpack__: the tensor requires a gradient, which would be lost; pass x.detach()")
    refuse("a value is read: __dlpack__()")
    if min(x.data.strides, default=0) < 0:  # of which PyTorch dies
        raise ArgumentError(f"__dlpack__: the tensor {x.shape} runs backwards through its memory; pass x.clone()")
    try:
        return x.data.__dlpack__(**options)
    except BufferError as error:
        raise ArgumentError(f"__dlpack__: the tensor can not be shared ({error}); pass x.clone()") from error
