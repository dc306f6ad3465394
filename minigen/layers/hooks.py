"""Functions called around a module's forward: `module.register_forward_hook(f)`, `register_forward_pre_hook(f)`."""

from collections.abc import Callable
from typing import Any


class ModuleHooks:
    """The hooks of one module, by number, in the order in which they were registered."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[[Any, tuple], Any]] = {}
        self.after: dict[int, Callable[[Any, tuple, Any], Any]] = {}

    def run(self, module: Any, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """forward(*args, **kwargs), where a hook gives arguments or a result, these take the place."""
        for before in list(self.before.values()):
            given = before(module, args)
            if given is not None:
                args = given if isinstance(given, tuple) else (given,)
        result = forward(*args, **kwargs)
        for after in list(self.after.values()):
            given = after(module, args, result)
            result = result if given is None else given
        return result
