"""Modules in a row: Sequential runs them one after another, ModuleList keeps them for a forward of yours."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from minigen.config import config
from minigen.errors import ArgumentError
from minigen.layers.activation import LeakyReLU, ReLU
from minigen.layers.checks import check_name
from minigen.layers.convolution import Conv2d, ConvTranspose2d
from minigen.layers.linear import Linear
from minigen.layers.module import Module
from minigen.layers.normalization import BatchNorm

FUSING = (Linear, Conv2d, ConvTranspose2d, BatchNorm)  # their forward takes the slope of the activation behind them
List = TypeVar("List", bound="ModuleList")


class ModuleList(Module):
    """A list of modules whose parameters are found. It has no forward: iterate over it in yours.

    Names in `state_dict()` are the positions: "0.weight", "0.bias", "1.weight", … Indices, slices, `len`, `append`,
    `extend`, `insert` and `del` are those of a list; a slice is a ModuleList of the same modules.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def check_item(self, position: Any, module: Any) -> Module:
        """`module` itself. Raises ArgumentError when it is none, such as a bare function."""
        if not isinstance(module, Module):
            hint = "; use the layer, e.g. ReLU()" if callable(module) and not isinstance(module, type) else ""
            hint = "; write it with brackets, e.g. ReLU()" if isinstance(module, type) else hint
            raise ArgumentError(f"{type(self).__name__}: item {position} is {module!r}, not a Module{hint}")
        return module

    def append(self: List, module: Module) -> List:
        """Put a module at the end. Raises ArgumentError when it is none, such as a bare function."""
        name = str(len(self))
        self.check_item(name, module)
        if name in vars(self):
            raise ArgumentError(f"{type(self).__name__}: there is a module named {name!r} already; name the others too")
        setattr(self, name, module)
        return self

    def extend(self: List, modules: Iterable[Module]) -> List:
        """Put several modules at the end."""
        if isinstance(modules, Module) and not isinstance(modules, ModuleList):
            raise ArgumentError(f"{type(self).__name__}: {modules!r} is one module; pass a list, [{modules!r}]")
        if not isinstance(modules, Iterable):
            raise ArgumentError(f"{type(self).__name__}: got {type(modules).__name__}; pass a list of modules")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module before position `index`; those behind it move on by one, and so do their names."""
        modules = self.children()
        modules.insert(index, self.check_item(index, module))
        self.renumber(modules)

    def pop(self, index: int = -1) -> Module:
        """Take out a module and return it; those behind it move up."""
        module = self[index]
        del self[index]
        return module

    def renumber(self, modules: list[Module]) -> None:
        """Hold these modules instead, named by their positions."""
        for name, _ in self.named_children():
            delattr(self, name)
        self.extend(modules)

    def __len__(self) -> int:
        return len(self.children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self.children())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> "ModuleList": ...
    def __getitem__(self, index: Any) -> Module:
        if isinstance(index, slice):
            part = self.part(self.named_children()[index])
            part.training = self.training  # its modules keep their own
            return part
        return getattr(self, self.name_at(index))

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self.name_at(index), self.check_item(index, module))

    def __delitem__(self, index: int | slice) -> None:
        modules = self.children()
        if not isinstance(index, slice):
            self.name_at(index)  # one that exists
        del modules[index]
        self.renumber(modules)

    def part(self, named: list[tuple[str, Module]]) -> "ModuleList":
        """What a slice gives: the same modules in a container of their own."""
        return ModuleList([module for _, module in named])

    def name_at(self, index: int) -> str:
        """The name of the module at a position. IndexError when there is none."""
        try:
            return self.named_children()[index][0]
        except IndexError:
            raise IndexError(f"{type(self).__name__}: no item {index} in {len(self)} modules") from None
        except TypeError:
            raise ArgumentError(
                f"{type(self).__name__}: {index!r} is no position; use a number or a slice, or get_submodule for a name"
            ) from None


class Sequential(ModuleList):
    """Modules run in order, each on the result of the one before: Sequential(Linear(…), ReLU(), Linear(…)).

    Also from one list of modules, or from a dict of named ones: Sequential({"first": Linear(…), "out": Linear(…)}),
    whose names then are the attributes and stand in `state_dict()`. Slices are Sequentials of the same modules under
    the same names. Without any module it gives back its input. A layer that can take over the activation behind it
    (Linear, Conv2d, ConvTranspose2d or BatchNorm before ReLU or LeakyReLU) does so: one pass over memory instead of two
    or three, equal within rounding. `config.fuse = False`, or MINIGEN_FUSE=0, runs every module by itself.
    """

    def __init__(self, *modules: Module | Iterable[Module] | Mapping[str, Module]) -> None:
        only: Any = modules[0] if len(modules) == 1 else None
        if isinstance(only, Mapping):
            super().__init__()
            for name, module in only.items():
                setattr(self, check_name(self, name), self.check_item(repr(name), module))
        else:
            several = isinstance(only, Iterable) and not isinstance(only, Module)
            super().__init__(only if several else modules)  # pyright: ignore[reportArgumentType]  # append looks at each

    def part(self, named: list[tuple[str, Module]]) -> "Sequential":
        return Sequential(dict(named))

    def forward(self, x: Any) -> Any:
        """The last module's result."""
        modules = self.children()
        taken = False  # whether the layer before has run this activation
        for i, module in enumerate(modules):
            if taken:
                taken = False
            elif (
                type(module) in FUSING and not module._hooks and (slope := slope_of(modules[i + 1 : i + 2])) is not None
            ):
                x, taken = module(x, slope), True
            else:
                x = module(x)
        return x


def slope_of(modules: list[Module]) -> float | None:
    """The slope below 0 of the one module, an activation that the layer before can take over; None of all others."""
    if not config.fuse or not modules or type(modules[0]) not in (ReLU, LeakyReLU):
        return None
    if {"forward", "_hooks"} & vars(modules[0]).keys():  # it wants to be called
        return None
    return getattr(modules[0], "negative_slope", 0.0)
