"""Modules that hold modules: Sequential runs them one after another, ModuleList keeps them for a forward of yours."""

from collections.abc import Iterable, Iterator
from typing import Any

from minigen.errors import ArgumentError
from minigen.layers.module import Module


class ModuleList(Module):
    """A list of modules whose parameters are found. It has no forward: iterate over it in yours.

    Names in `state_dict()` are the positions: "0.weight", "0.bias", "1.weight", …
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> None:
        """Put a module at the end. Raises ArgumentError when it is none, such as a bare function."""
        position = len(self)
        if not isinstance(module, Module):
            hint = "; use the layer, e.g. ReLU()" if callable(module) else ""
            raise ArgumentError(f"{type(self).__name__}: item {position} is {module!r}, not a Module{hint}")
        setattr(self, str(position), module)

    def __len__(self) -> int:
        return len(self.named_children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self.children())

    def __getitem__(self, index: int) -> Module:
        try:
            return self.children()[index]
        except IndexError:
            raise IndexError(f"{type(self).__name__}: no item {index} in {len(self)} modules") from None


class Sequential(ModuleList):
    """Modules run in order, each on the result of the one before: Sequential(Linear(…), ReLU(), Linear(…)).

    Without any it gives back its input.
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """The last module's result."""
        for module in self:
            x = module(x)
        return x
