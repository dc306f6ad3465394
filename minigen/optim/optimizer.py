"""What all optimizers share: the flat parameters, step counts, and a state that can be saved and strictly restored."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigen.autograd.tensor import Tensor
from minigen.checks import check_number, check_saved, check_state
from minigen.errors import ArgumentError, CheckpointError
from minigen.optim.flat import FlatParameters


class Optimizer:
    """Base of the optimizers: subclasses name their moments and write `update`.

    Making one moves the parameters into one flat array (see `minigen.optim.flat`): their `.data` are new arrays from
    then on, and `.grad` is memory that the next backward overwrites. A parameter without gradient in a step, or
    frozen (requires_grad False), is left untouched, and its own count of steps stands still.

    lr: the learning rate, to be read and set at any time.
    """

    moments: tuple[str, ...] = ()  # attributes that hold flat arrays, zero at the start; set before __init__ runs

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.lr = lr
        self.flat = FlatParameters(parameters, self.name)
        self.steps = np.zeros(len(self.parameters), np.int64)
        for name in self.moments:
            setattr(self, name, np.zeros_like(self.flat.data))

    @property
    def name(self) -> str:
        """Adam, for messages."""
        return type(self).__name__

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters, in the order given, but with those that AdamW does not decay at the end."""
        return self.flat.parameters

    @property
    def lr(self) -> float:
        """The learning rate. Raises ArgumentError when set to a negative or non-finite value."""
        return self._lr

    @lr.setter
    def lr(self, value: float) -> None:
        self._lr = check_number(self.name, "lr", value, 0)

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        active = self.flat.gather()
        self.steps[active if len(active) < len(self.parameters) else slice(None)] += 1
        for span, count in self.flat.runs(active, self.steps):
            self.update(span, count)
        for i in active:
            self.parameters[i].bump_version()

    def update(self, span: slice, count: int) -> None:
        """Change flat.data[span] in place; `count` is 1 in the first step of these parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def zero_grad(self) -> None:
        """Set `.grad` of all parameters to None."""
        for p in self.parameters:
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Everything `step` depends on besides the parameters and the options given: copies."""
        return {
            "optimizer": type(self).__name__,
            "lr": self.lr,
            "shapes": [list(p.shape) for p in self.parameters],
            "steps": self.steps.copy(),
            **{name: getattr(self, name).copy() for name in self.moments},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises CheckpointError that names what differs; then nothing was changed."""
        own, kind = self.state_dict(), self.name
        if isinstance(state, Mapping) and state.get("optimizer") != kind:
            raise CheckpointError(f"{kind}: the saved state is of {state.get('optimizer', 'something else')}")
        check_state(kind, state, own)
        if not isinstance(state["shapes"], list) or state["shapes"] != own["shapes"]:
            raise CheckpointError(f"{kind}: the saved parameters have shapes {state['shapes']}, these {own['shapes']}")
        for name in ("steps", *self.moments):
            check_saved(kind, name, state[name], own[name])
        if (state["steps"] < 0).any():
            raise CheckpointError(f"{kind}: the saved steps hold {state['steps'].min()}; counts start at 0")
        try:
            self.lr = state["lr"]
        except ArgumentError as error:
            raise CheckpointError(f"{error} (in the saved state)") from None
        for name in ("steps", *self.moments):
            np.copyto(getattr(self, name), state[name])
