"""A number that Python gave in a step, such as the norm of gradients: it is another one in the next step."""

from collections.abc import Callable
from typing import Any

from minigen.kernels.noting import refuse

# What a float can be asked for: all of it would fix the number that the noted run has seen.
ASKED = ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "floordiv", "rfloordiv", "mod", "rmod")
ASKED += ("divmod", "rdivmod", "pow", "rpow", "neg", "pos", "abs", "lt", "le", "eq", "ne", "gt", "ge", "bool", "int")
ASKED += ("float", "round", "trunc", "floor", "ceil", "str", "repr", "format")


class Given(float):
    """The number, which may be returned from the step; anything else that is done with it is refused."""

    __hash__ = float.__hash__

    def is_integer(self) -> bool:
        refuse("a number that the step computes is used in Python; return it")
        return super().is_integer()


def refusing(name: str) -> Callable[..., Any]:
    """float's method of that name, which says that the number is used."""
    method = getattr(float, name)

    def run(self: Given, *others: Any) -> Any:
        refuse("a number that the step computes is used in Python; return it")
        return method(float.__pos__(self), *others)

    return run


for name in ASKED:
    setattr(Given, f"__{name}__", refusing(f"__{name}__"))
