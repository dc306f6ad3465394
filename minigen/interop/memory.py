"""One memory, seen as an array and as a tensor of PyTorch."""

# pyright: reportMissingImports=false
# PyTorch is optional.

from typing import TYPE_CHECKING

import numpy as np

from minigen.autograd.conversion import check_numeric
from minigen.errors import ArgumentError, DTypeError

if TYPE_CHECKING:
    import torch


def array_of(tensor: "torch.Tensor", name: str) -> np.ndarray:
    """A tensor of PyTorch as an array, over the same memory.

    Raises ArgumentError for one that lies elsewhere than in the memory of the CPU, DTypeError for a dtype that minigen
    has not.
    """
    if tensor.device.type != "cpu" or str(tensor.layout) != "torch.strided":
        raise ArgumentError(
            f"{name}: a tensor on {tensor.device}, {tensor.layout}; bring it to the CPU, dense: x.cpu()"
        )
    try:
        array = tensor.detach().numpy()
    except TypeError:  # of bfloat16 and the like
        raise DTypeError(f"{name}: {tensor.dtype} is no dtype of minigen; use float32 or float64, x.float()") from None
    check_numeric(array, name)
    return array


def tensor_of(array: np.ndarray) -> "torch.Tensor":
    """An array as a tensor of PyTorch; over the same memory, if that may be written into and no stride is negative."""
    import torch

    plain = array.flags.writeable and min(array.strides, default=0) >= 0 and array.dtype.isnative
    return torch.from_numpy(array if plain else np.array(array, array.dtype.newbyteorder("="), order="C"))


def share(tensor: "torch.Tensor", array: np.ndarray) -> None:
    """Let a tensor of PyTorch lie in the memory of an array, if it does not yet."""
    if not same_memory(tensor, array):
        tensor.data = tensor_of(array)


def same_memory(tensor: "torch.Tensor", array: np.ndarray) -> bool:
    """Whether both begin at one address, with elements of one size."""
    return tensor.data_ptr() == array.__array_interface__["data"][0] and tensor.element_size() == array.itemsize
