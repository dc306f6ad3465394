"""How much an operation has to do: multiply-adds of products, bytes of all that it reads and writes."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.tensor import Tensor

Count = Callable[[Sequence[Tensor], Sequence[Tensor]], int]


def recurrent(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
    """One for each number of w_x and w_h, which stand before the bias, at each step of each sequence (N, T, …)."""
    return math.prod(outputs[0].shape[:2]) * (inputs[-3].size + inputs[-2].size)


# By the name of the operation. The rest works element by element, which counts as none.
PRODUCTS: dict[str, Count] = {
    "MatMul": lambda inputs, outputs: outputs[0].size * inputs[0].shape[-1],
    "Linear": lambda inputs, outputs: outputs[0].size * inputs[1].shape[0],
    "Conv2d": lambda inputs, outputs: outputs[0].size * math.prod(inputs[1].shape[:3]),
    "ConvTranspose2d": lambda inputs, outputs: inputs[0].size * math.prod(inputs[1].shape[:3]),
    "ConvWeightGrad": lambda inputs, outputs: inputs[1].size * math.prod(outputs[0].shape[:3]),
    "RNN": recurrent,
    "LSTM": recurrent,
    "GRU": recurrent,
    "Attention": lambda inputs, outputs: 2 * inputs[0].size * inputs[1].shape[-2],  # q by k, and what follows by v
    "SelfAttention": lambda inputs, outputs: 2 * outputs[0].size * outputs[0].shape[-2],
}
OF_TWO = ("MatMul", "Linear", "Conv2d", "ConvTranspose2d", "ConvWeightGrad")  # operands, each with a gradient


def multiply_adds(node: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
    """Those of a forward."""
    count = PRODUCTS.get(node.name)
    return 0 if count is None else int(count(inputs, outputs))


def backward_multiply_adds(node: Function, forward: int) -> int:
    """Those of a backward: as many again for the gradient of each operand that needs one."""
    return forward * (sum(node.needs[:2]) if node.name in OF_TWO else 2)


def moved(sources: Sequence[Tensor | None], results: Sequence[Tensor | None]) -> int:
    """Bytes that are read and written; none where the results are views of what they are made of."""
    read, written = ([t.data for t in tensors if t is not None] for tensors in (sources, results))
    roots = {id(root(array)) for array in read}
    if written and all(id(root(array)) in roots for array in written):
        return 0
    return sum(array.nbytes for array in (*read, *written))


def root(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
