"""Groups of an optimizer's parameters, each with a learning rate and other options of its own, as in PyTorch."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from minigen.autograd.tensor import Tensor
from minigen.checks import check_items, check_number, shown
from minigen.errors import ArgumentError

Check = Callable[[str, str, Any], Any]  # (operation, option, value) → the value in its proper type, or ArgumentError
Named = tuple[str, Tensor]
Parameters = Iterable[Tensor] | Iterable[Named] | Iterable[Mapping[str, Any]]
PARAMETERS = "pass model.parameters(), or a list of tensors"


class Kind(Protocol):
    """An optimizer's class, as far as its groups need it."""

    __name__: str
    options: dict[str, Check]

    @staticmethod
    def check_together(name: str, options: Mapping[str, Any]) -> None: ...


def number(
    low: float = -math.inf, below: float = math.inf, *, above: float = -math.inf, high: float = math.inf
) -> Check:
    """The check of an option that is a finite number with low ≤ value < below, and above < value ≤ high."""
    return lambda operation, name, value: check_number(operation, name, value, low, below, above=above, high=high)


def check_betas(operation: str, name: str, value: Any) -> tuple[float, float]:
    """The check of a pair of decay rates, each from 0, below 1."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ArgumentError(f"{operation}: {name} is {shown(value)}; use a pair of numbers, such as (0.9, 0.999)")
    beta1, beta2 = value
    return check_number(operation, "beta1", beta1, 0, 1), check_number(operation, "beta2", beta2, 0, 1)


LR = number(0)


class Group(dict[str, Any]):
    """One of an optimizer's `param_groups`: a dict of "params", "lr" and the other options, by name.

    An option may be set at any time (`group["lr"] = 1e-4`); it is checked as the constructor checks it. Raises
    ArgumentError. "params" is fixed.
    """

    __slots__ = ("base", "given", "kind")

    def __init__(self, kind: Kind, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.kind = kind
        self.base = 0.0  # its learning rate beside those of the other groups, whatever a schedule makes of all of them
        for name, value in options.items():
            super().__setitem__(name, value if name == "params" else self.checked(name, value))
        kind.check_together(kind.__name__, self)
        self.given = self.options()  # as they were at the start
        self.base = self["lr"]

    def __reduce__(self) -> tuple[Any, ...]:
        return copied, (self.kind, dict(self), self.base, self.given)

    def checked(self, name: str, value: Any) -> Any:
        """The value of an option in its proper type. Raises ArgumentError."""
        kind = self.kind.__name__
        check = LR if name == "lr" else self.kind.options.get(name)
        if check is None:
            known = ", ".join(["lr", *self.kind.options])
            raise ArgumentError(f"{kind}: a group of parameters has no option {name!r}; its options are {known}")
        return check(kind, name, value)

    def options(self) -> dict[str, Any]:
        """All but the parameters."""
        return {name: value for name, value in self.items() if name != "params"}

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "params":
            raise ArgumentError(f"{self.kind.__name__}: the parameters of a group are fixed; use add_param_group")
        value = self.checked(name, value)
        self.kind.check_together(self.kind.__name__, {**self, name: value})
        if name == "lr":
            self.base = value * (self.base / self["lr"]) if self.base and self["lr"] else value
        super().__setitem__(name, value)

    def update(self, *args: Any, **options: Any) -> None:
        """Set several options."""
        for name, value in dict(*args, **options).items():
            self[name] = value

    def scale(self, lr: float, base: float) -> None:
        """Take the learning rate that belongs beside `lr` of a group whose own base is `base`."""
        super().__setitem__("lr", lr if self.base == base else self.base * (lr / base))

    def take(self, saved: "Group") -> None:
        """The options and the base of a saved group."""
        super().update(saved.options())
        self.base = saved.base

    def fixed(self, *_: Any) -> Any:
        """Groups keep all their options."""
        raise ArgumentError(f"{self.kind.__name__}: a group keeps all its options; set them instead")

    __delitem__ = __ior__ = pop = popitem = clear = setdefault = fixed  # pyright: ignore[reportAssignmentType]


def copied(kind: Kind, options: dict[str, Any], base: float, given: dict[str, Any]) -> Group:
    """A group again, from what pickle and deepcopy kept of it."""
    group = Group(kind, options)
    group.base, group.given = base, given
    return group


def groups_of(parameters: Parameters, operation: str) -> list[dict[str, Any]]:
    """What an optimizer was given, as a list of dicts with "params", a list of tensors or of (name, tensor)."""
    if isinstance(parameters, Tensor):
        raise ArgumentError(f"{operation}: got one Tensor; pass a list of them, or model.parameters()")
    if isinstance(parameters, Mapping):
        raise ArgumentError(f"{operation}: got one dict; pass a list of them, each with its params")
    listed = check_items(operation, "parameters", parameters, (Tensor, tuple, Mapping), PARAMETERS)
    if not any(isinstance(item, Mapping) for item in listed):
        return [{"params": listed}]
    groups = []
    for i, group in enumerate(check_items(operation, "parameters", listed, Mapping, "pass only dicts, or none")):
        if "params" not in group:
            raise ArgumentError(f'{operation}: group {i} has no "params"; its keys are {sorted(map(str, group))}')
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else params
        groups.append({**group, "params": check_items(operation, "params", params, (Tensor, tuple), PARAMETERS)})
    return groups


def names_apart(listed: list[Any], operation: str) -> tuple[list[Tensor], list[str | None]]:
    """The tensors of a list of tensors or of (name, tensor), and their names, None where there is none."""
    tensors, names = [], []
    for i, item in enumerate(listed):
        name, tensor = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        if not isinstance(tensor, Tensor):
            raise ArgumentError(f"{operation}: item {i} of parameters is {type(tensor).__name__}; {PARAMETERS}")
        tensors.append(tensor)
        names.append(name)
    return tensors, names
