"""Parameters laid end to end in one array, their gradients in a second, so that an update is one pass over memory.

Each parameter's `.data` becomes a view into the first array, and a view of the second is the place of its gradient
(see `minigen.autograd.leaves`). Both are only for speed: whoever assigns another array to `.data` or `.grad`, or
exchanges those of two parameters, is noticed by `gather`, which copies it in, so that a result never depends on where
the numbers lay. What was there before stays as it is when somebody holds it: the parameters then move to a new array.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from sys import getrefcount
from typing import Any

import numpy as np

from minigen.autograd import leaves
from minigen.autograd.conversion import plain
from minigen.autograd.tensor import Tensor
from minigen.checks import check_items
from minigen.config import FLOAT_DTYPES
from minigen.errors import ArgumentError, DTypeError


class FlatParameters:
    """The two flat arrays of a list of parameters.

    data, gradients: (total size,) arrays of the parameters' one dtype; parameter i lies from offsets[i] to
    offsets[i + 1]. names: of the parameters, for messages. Raises ArgumentError for no parameters, one given twice, or
    mixed dtypes.
    """

    def __init__(self, parameters: Iterable[Tensor], operation: str, names: Sequence[str | None] = ()) -> None:
        self.operation = operation
        self.parameters = check_parameters(parameters, operation)
        self.names = list(names) or [None] * len(self.parameters)
        self.check_dtypes()
        self.offsets = [0, *np.cumsum([p.size for p in self.parameters]).tolist()]
        self.views: list[np.ndarray] = []
        self.lay(np.empty(self.offsets[-1], self.parameters[0].dtype))
        for p, view in zip(self.parameters, self.views, strict=True):
            np.copyto(view, p.data)
            p.data = view
        self.flat_gradients = leaves.FlatGradients(self.parameters)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, by deepcopy or pickle, get flat arrays of their own: copied views would be views of nothing."""
        return FlatParameters, (self.parameters, self.operation, self.names)

    def __del__(self) -> None:
        if "flat_gradients" in self.__dict__:  # it was made to the end
            self.flat_gradients.release(self.parameters)

    @property
    def gradients(self) -> np.ndarray:
        """The flat array of the gradients."""
        return self.flat_gradients.array

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

    def lay(self, data: np.ndarray) -> None:
        """Let the flat array be `data`. Parameters that lay in the former one lie in this one from now on."""
        before, spans = self.views, pairwise(self.offsets)
        self.data = data
        self.views = [data[a:b].reshape(p.shape) for p, (a, b) in zip(self.parameters, spans, strict=True)]
        for p, old, new in zip(self.parameters, before, self.views, strict=False):
            if p.data is old:
                p.data = new

    def gather_data(self) -> None:
        """Bring in values that were assigned elsewhere. Raises ShapeError or DTypeError; then nothing was changed."""
        moved = [i for i, (p, view) in enumerate(zip(self.parameters, self.views, strict=True)) if p.data is not view]
        if not moved:
            return
        assigned = [self.assigned_data(i) for i in moved]
        for i, array in zip(moved, assigned, strict=True):
            self.parameters[i].data = array
        if self.held(moved):  # by anybody, the other parameters included
            self.lay(self.data.copy())
        for i in moved:
            np.copyto(self.views[i], self.parameters[i].data)
            self.parameters[i].data = self.views[i]

    def assigned_data(self, i: int) -> np.ndarray:
        """What was assigned to the `.data` of parameter i. Raises ShapeError or DTypeError when it does not fit."""
        array = self.parameters[i].data
        if not isinstance(array, (np.ndarray, np.generic)):  # a scalar is what arithmetic makes of a 0-d array
            kind = type(array).__name__
            raise DTypeError(f"{self.operation}: .data of parameter {i} became a {kind}; assign an array")
        array = np.asanyarray(array)
        leaves.check_fit(self.views[i], array, "data", self.operation)
        return plain(array, self.operation)

    def held(self, moved: list[int]) -> bool:
        """Whether somebody holds the former array of one of these parameters, or any part of the flat array."""
        counts = [references(self.views, i) for i in moved]
        return max(counts) > ALONE or references(self.__dict__, "data") > ALONE + len(self.views)

    def gather(self) -> list[int]:
        """Bring in values and gradients; the positions of the parameters that have a gradient and are not frozen."""
        self.gather_data()
        places = self.flat_gradients.places
        active, moved = [], []
        for i, p in enumerate(self.parameters):
            if p._grad is None or not p.requires_grad:
                continue
            if p._grad is not places[i]:
                moved.append(i)
            active.append(i)
        if moved:
            self.gather_gradients(moved)
        return active

    def gather_gradients(self, moved: list[int]) -> None:
        """Bring in gradients that were assigned, or lie with another optimizer. Raises ShapeError or DTypeError."""
        places = self.flat_gradients.places
        arrays = []
        for i in moved:
            g = self.parameters[i]._grad
            assert g is not None
            leaves.check_fit(places[i].data, g.data, "grad", self.operation)
            arrays.append(g.data)  # which may be a place: nothing is written to while it stands here
        for i in moved:
            self.parameters[i]._grad = g = None
            self.parameters[i].grad_place = places[i]  # another optimizer may have given it another one
        for i, array in zip(moved, arrays, strict=True):
            leaves.put(self.parameters[i], array)

    def runs(
        self, active: list[int], keys: np.ndarray | None = None, cuts: Collection[int] = ()
    ) -> list[tuple[slice, int]]:
        """Maximal stretches of neighbouring active parameters with equal `keys`: (their span in flat arrays, key).

        None goes over one of the places `cuts` in the flat arrays.
        """
        runs: list[tuple[slice, int]] = []
        first = end = key = -1
        numbers = None if keys is None else keys.tolist()
        for i in active:
            start, number = self.offsets[i], 0 if numbers is None else numbers[i]
            if start != end or number != key or start in cuts:
                if end >= 0:
                    runs.append((slice(first, end), key))
                first, key = start, number
            end = self.offsets[i + 1]
        return [*runs, (slice(first, end), key)] if end >= 0 else runs


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


def references(container: Any, key: Any) -> int:
    """How often that array is referred to."""
    return getrefcount(container[key])


ALONE = references([np.zeros(1)], 0)  # by its container only
