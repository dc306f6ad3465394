"""Parameters laid end to end in one array, their gradients in a second, so that an update is one pass over memory.

Each parameter's `.data` becomes a view into the first array, and a view of the second is the place of its gradient
(see `minigen.autograd.leaves`). Both are only for speed: whoever assigns another array to `.data` or `.grad` is noticed
by `gather`, which copies it in, so that a result never depends on where the numbers lay.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from minigen.autograd import leaves
from minigen.autograd.tensor import Tensor
from minigen.checks import check_items
from minigen.config import FLOAT_DTYPES
from minigen.errors import ArgumentError


class FlatParameters:
    """The two flat arrays of a list of parameters.

    data, gradients: (total size,) arrays of the parameters' one dtype. Raises ArgumentError for no parameters, one
    given twice, or mixed dtypes.
    """

    def __init__(self, parameters: Iterable[Tensor], operation: str, names: Sequence[str | None] = ()) -> None:
        self.operation = operation
        self.parameters = check_parameters(parameters, operation)
        self.names = list(names) or [None] * len(self.parameters)
        self.check_dtypes()
        self.offsets = [0, *np.cumsum([p.size for p in self.parameters]).tolist()]
        self.data = np.empty(self.offsets[-1], self.parameters[0].dtype)
        self.gradients = np.zeros_like(self.data)
        self.data_views = self.views(self.data)
        self.places = [
            leaves.give_place(p, view) for p, view in zip(self.parameters, self.views(self.gradients), strict=True)
        ]
        self.gather_data()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, by deepcopy or pickle, get flat arrays of their own: copied views would be views of nothing."""
        return FlatParameters, (self.parameters, self.operation, self.names)

    def called(self, i: int) -> str:
        """Parameter i, for messages: "parameter 3, scale, (1,)"."""
        return ", ".join(filter(None, [f"parameter {i}", self.names[i], str(self.parameters[i].shape)]))

    def check_dtypes(self) -> None:
        """Raise ArgumentError, which names the first parameter that differs, unless all are of one float dtype."""
        dtypes = [str(p.dtype) for p in self.parameters]
        for i, p in enumerate(self.parameters):
            if p.dtype not in FLOAT_DTYPES:
                raise ArgumentError(f"{self.operation}: {self.called(i)}, is {dtypes[i]}; only floats are optimized")
        usual = max(dtypes, key=dtypes.count)
        for i, dtype in enumerate(dtypes):
            if dtype != usual:
                raise ArgumentError(
                    f"{self.operation}: {self.called(i)}, is {dtype}, while others are {usual}; "
                    f"convert it (model.astype(np.{usual})), or use one optimizer for each dtype"
                )

    def views(self, array: np.ndarray) -> list[np.ndarray]:
        """The part of a flat array that belongs to each parameter, in its shape."""
        spans = pairwise(self.offsets)
        return [array[a:b].reshape(p.shape) for p, (a, b) in zip(self.parameters, spans, strict=True)]

    def gather_data(self) -> None:
        """Bring in values that were assigned elsewhere."""
        for p, view in zip(self.parameters, self.data_views, strict=True):
            if p.data is not view:
                leaves.copy_in(view, p.data, "data", self.operation)
                p.data = view

    def gather(self) -> list[int]:
        """Bring in values and gradients; the positions of the parameters that have a gradient and are not frozen."""
        self.gather_data()
        active = []
        for i, p in enumerate(self.parameters):
            if p.grad is None or not p.requires_grad:
                continue
            if p.grad is not self.places[i]:
                leaves.gather(p, self.places[i], self.operation)
            active.append(i)
        return active

    def runs(
        self, active: list[int], keys: np.ndarray | None = None, cuts: Collection[int] = ()
    ) -> list[tuple[slice, int]]:
        """Maximal stretches of neighbouring active parameters with equal `keys`: (their span in flat arrays, key).

        None goes over one of the places `cuts` in the flat arrays.
        """
        runs: list[tuple[slice, int]] = []
        for i in active:
            start, stop = self.offsets[i], self.offsets[i + 1]
            key = 0 if keys is None else int(keys[i])
            if runs and runs[-1][0].stop == start and runs[-1][1] == key and start not in cuts:
                start = runs.pop()[0].start
            runs.append((slice(start, stop), key))
        return runs


def check_parameters(parameters: Iterable[Tensor], operation: str) -> list[Tensor]:
    """`parameters` as a list of distinct leaf tensors, at least one."""
    if isinstance(parameters, Tensor):
        raise ArgumentError(f"{operation}: got one Tensor; pass a list of them, or model.parameters()")
    mend = "pass model.parameters(), or a list of tensors"
    listed = check_items(operation, "parameters", parameters, Tensor, mend)
    if not listed:
        raise ArgumentError(f"{operation}: got no parameters; {mend}")
    for i, p in enumerate(listed):
        if not p.is_leaf:
            raise ArgumentError(f"{operation}: parameter {i}, {p.shape}, is computed from others; pass leaf tensors")
    if len({id(p) for p in listed}) < len(listed):
        raise ArgumentError(f"{operation}: the same parameter is given twice; list each once")
    return listed
