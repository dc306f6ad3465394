"""Named parts: ModuleDict, ParameterDict, and ParameterList, whose names are positions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError
from minigen.layers.checks import check_name
from minigen.layers.module import Module, Parameter

Part = TypeVar("Part", Module, Parameter)


class Named(Module, Generic[Part]):
    """Base of the dictionaries: parts of one kind by name, in the order in which they came."""

    kind: type = Module
    mend = ""

    def __init__(self, parts: Mapping[str, Part] | None = None) -> None:
        super().__init__()
        if parts is not None:
            self.update(parts)

    def parts(self) -> dict[str, Part]:
        """The parts by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, self.kind)}

    def checked(self, name: Any, part: Any) -> Part:
        """`part` itself; ArgumentError when it is of another kind."""
        if not isinstance(part, self.kind):
            raise ArgumentError(
                f"{type(self).__name__}: {name!r} is {kind_of(part)}, not a {self.kind.__name__}{self.mend}"
            )
        return part

    def update(self, parts: Mapping[str, Part]) -> None:
        """Add these parts; one whose name is there already takes its place."""
        if not isinstance(parts, Mapping):
            raise ArgumentError(f"{type(self).__name__}: got {type(parts).__name__}; pass a dict of names and parts")
        for name, part in parts.items():
            self[name] = part

    def __setitem__(self, name: str, part: Part) -> None:
        setattr(self, check_name(self, name), self.checked(name, part))

    def __getitem__(self, name: str) -> Part:
        try:
            return self.parts()[name]
        except KeyError:
            raise KeyError(
                f"{type(self).__name__}: no {name!r}; there are {', '.join(self.parts()) or 'none'}"
            ) from None

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self, name)

    def pop(self, name: str) -> Part:
        """Take out a part and return it."""
        part = self[name]
        del self[name]
        return part

    def __contains__(self, name: object) -> bool:
        return name in self.parts()

    def __len__(self) -> int:
        return len(self.parts())

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts())

    def keys(self) -> list[str]:
        """The names."""
        return list(self.parts())

    def values(self) -> list[Part]:
        """The parts."""
        return list(self.parts().values())

    def items(self) -> list[tuple[str, Part]]:
        """(name, part)."""
        return list(self.parts().items())


class ModuleDict(Named[Module]):
    """Modules by name, whose parameters are found: ModuleDict({"encoder": Linear(…)})["encoder"]. It has no forward.

    Used as a dict; names are strings without dots and stand in `state_dict()`: "encoder.weight". Raises ArgumentError
    for a name that can not be an attribute of its own, and for what is no module.
    """

    kind = Module


class ParameterDict(Named[Parameter]):
    """Parameters by name: ParameterDict({"scale": Parameter(…)})["scale"]. It has no forward.

    Used as a dict; names are strings without dots and stand in `state_dict()`. Raises ArgumentError for what is no
    Parameter.
    """

    kind, mend = Parameter, "; wrap it, Parameter(array)"

    def extra_repr(self) -> str:
        """Each parameter's name, dtype and shape."""
        return ", ".join(f"{name}: {p.dtype} {p.shape}" for name, p in self.items())


class ParameterList(Module):
    """A list of parameters: ParameterList([Parameter(…), Parameter(…)])[0]. It has no forward.

    Names in `state_dict()` are the positions. Raises ArgumentError for what is no Parameter.
    """

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        super().__init__()
        self.extend(parameters)

    def append(self, parameter: Parameter) -> "ParameterList":
        """Put a parameter at the end."""
        if not isinstance(parameter, Parameter):
            raise ArgumentError(
                f"ParameterList: item {len(self)} is {kind_of(parameter)}, not a Parameter; wrap it, Parameter(array)"
            )
        setattr(self, str(len(self)), parameter)
        return self

    def extend(self, parameters: Iterable[Parameter]) -> "ParameterList":
        """Put several parameters at the end."""
        if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
            raise ArgumentError(f"ParameterList: got {kind_of(parameters)}; pass a list of parameters")
        for parameter in list(parameters):
            self.append(parameter)
        return self

    def held(self) -> list[Parameter]:
        """The parameters, repeated ones included."""
        return [value for value in vars(self).values() if isinstance(value, Parameter)]

    def __len__(self) -> int:
        return len(self.held())

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.held())

    def __getitem__(self, index: int) -> Parameter:
        try:
            return self.held()[index]
        except IndexError:
            raise IndexError(f"ParameterList: no item {index} in {len(self)} parameters") from None

    def __setitem__(self, index: int, parameter: Parameter) -> None:
        if not isinstance(parameter, Parameter):
            raise ArgumentError(f"ParameterList: item {index} is {kind_of(parameter)}; wrap it, Parameter(array)")
        setattr(self, str(range(len(self))[index]), parameter)

    def extra_repr(self) -> str:
        """Each parameter's dtype and shape."""
        return ", ".join(f"{p.dtype} {p.shape}" for p in self)


def kind_of(value: Any) -> str:
    """What a wrong part is, for messages."""
    return f"a {type(value).__name__}"
