"""Modules that hold modules: Sequential runs them one after another, ModuleList keeps them for a forward of yours."""

from collections.abc import Iterable, Iterator
from typing import Any

from minigen.config import config
from minigen.errors import ArgumentError
from minigen.layers.activation import LeakyReLU, ReLU
from minigen.layers.convolution import Conv2d, ConvTranspose2d
from minigen.layers.linear import Linear
from minigen.layers.module import Module
from minigen.layers.normalization import BatchNorm

FUSING = (Linear, Conv2d, ConvTranspose2d, BatchNorm)  # their forward takes the slope of the activation behind them


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

    Without any it gives back its input. A layer that can take over the activation behind it (Linear, Conv2d,
    ConvTranspose2d or BatchNorm before ReLU or LeakyReLU) does so: one pass over memory instead of two or three, equal
    within rounding. `config.fuse = False`, or MINIGEN_FUSE=0, runs every module by itself.
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """The last module's result."""
        modules = self.children()
        taken = False  # whether the layer before has run this activation
        for i, module in enumerate(modules):
            if taken:
                taken = False
            elif type(module) in FUSING and (slope := slope_of(modules[i + 1 : i + 2])) is not None:
                x, taken = module(x, slope), True
            else:
                x = module(x)
        return x


def slope_of(modules: list[Module]) -> float | None:
    """The slope below 0 of the one module, an activation that the layer before can take over; None of all others."""
    if not config.fuse or not modules or type(modules[0]) not in (ReLU, LeakyReLU) or "forward" in vars(modules[0]):
        return None  # a forward that was replaced wants to be called
    return getattr(modules[0], "negative_slope", 0.0)
