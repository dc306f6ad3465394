"""What all optimizers share: groups of parameters, flat arrays, step counts, and a state that is strictly restored."""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from minigen.advice import advise
from minigen.autograd.modes import enable_grad
from minigen.autograd.tensor import Tensor
from minigen.checks import check_number, check_saved, check_state
from minigen.errors import ArgumentError, CheckpointError
from minigen.kernels.noting import host, refuse
from minigen.optim.flat import FlatParameters
from minigen.optim.groups import Check, Group, Parameters, groups_of, names_apart

Stretch = tuple[int, Mapping[str, Any]]  # where it ends in the flat arrays, and the options it is updated with


class Optimizer:
    """Base of the optimizers: subclasses name their moments and options, and write `update`.

    parameters: tensors, pairs (name, tensor) as `model.named_parameters()` gives them (messages then say the names), or
    dicts, one for each group: {"params": …} beside the options that this group does not share with the others, as in
    `Adam([{"params": head, "lr": 1e-2}, {"params": body}], lr=1e-3)`.

    Making one moves the parameters into one flat array (see `minigen.optim.flat`): their `.data` are new arrays from
    then on, and a step changes them in place, as in PyTorch: keep `p.data.copy()`. A parameter without gradient in a
    step, or frozen (requires_grad False), is left untouched, and its own count of steps stands still.

    lr: the learning rate, to be read and set at any time. With several groups that of the first (the first that is not
    0 from the start); setting it scales those of the others by the same factor, so a schedule keeps their ratios.
    Any other option may be read and set as an attribute too: that of the first group; of all groups.
    """

    moments: tuple[str, ...] = ()  # attributes that hold flat arrays, zero at the start
    options: ClassVar[dict[str, Check]] = {}  # how each option is checked; lr is one always
    scheduled: tuple[float, float] | None = None  # the lr that a schedule set when it was made, and the one before;
    # None as soon as it is set again

    def __init__(self, parameters: Parameters, lr: float, **options: Any) -> None:
        given = groups_of(parameters, self.name)
        tensors, names = names_apart([p for group in given for p in group["params"]], self.name)
        self.defaults = Group(type(self), {"lr": lr, **options}).options()
        self.groups: list[Group] = []
        for group in given:
            own = [tensors.pop(0) for _ in group["params"]]
            self.groups.append(Group(type(self), {**self.defaults, **group, "params": tuple(own)}))
        self.flat = FlatParameters([p for group in self.groups for p in group["params"]], self.name, names)
        self.ends = ends_of(self.groups)
        self.steps = np.zeros(len(self.parameters), np.int64)
        for name in self.moments:
            setattr(self, name, np.zeros_like(self.flat.data))

    @classmethod
    def check_together(cls, name: str, options: Mapping[str, Any]) -> None:
        """Raise ArgumentError when options that are right on their own do not go together."""

    @property
    def name(self) -> str:
        """Adam, for messages."""
        return type(self).__name__

    @property
    def parameters(self) -> list[Tensor]:
        """The parameters, group by group, in the order given, but with those that AdamW does not decay at the end."""
        return self.flat.parameters

    @property
    def param_groups(self) -> tuple[Group, ...]:
        """The groups, each a dict with "params", "lr" and the other options; see `add_param_group` for more of them."""
        refuse("an optimizer's param_groups are read")
        return tuple(self.groups)

    @property
    def lr(self) -> float:
        """The learning rate. Raises ArgumentError when set to a negative or non-finite value."""
        refuse("an optimizer's lr is read")
        return self.leader["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        value, base = check_number(self.name, "lr", value, 0), self.leader.base
        self.scheduled = None
        for group in self.groups:
            group.scale(value, base)

    @property
    def leader(self) -> Group:
        """The group whose learning rate is the optimizer's."""
        return next((group for group in self.groups if group.base), self.groups[0])

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Each option is an attribute, too."""
        super().__init_subclass__(**keywords)
        for name in cls.options:
            setattr(cls, name, option(name))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Take in more parameters: {"params": …, and options of their own}, those of the constructor for the rest.

        Their moments and steps start at 0. Raises ArgumentError; then nothing was changed.
        """
        if not isinstance(group, Mapping):
            raise ArgumentError(f"{self.name}.add_param_group: got {type(group).__name__}; pass a dict with params")
        (given,) = groups_of([group], self.name)
        tensors, names = names_apart(given["params"], self.name)
        added = Group(type(self), {**self.defaults, **given, "params": tuple(tensors)})
        flat, leader = self.flat, self.leader
        self.flat = FlatParameters([*flat.parameters, *tensors], self.name, [*flat.names, *names])
        added.base = added["lr"] * (leader.base / leader["lr"]) if leader["lr"] else added["lr"]
        self.groups.append(added)
        self.ends = ends_of(self.groups)
        self.steps = np.append(self.steps, np.zeros(len(tensors), np.int64))
        for name in self.moments:
            moment = np.zeros_like(self.flat.data)
            moment[: flat.data.size] = getattr(self, name)
            setattr(self, name, moment)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        closure: a function that computes the loss and calls backward, for those who write their step so; it is run
        first, with gradients recorded, and what it gives is returned.
        """
        loss = None
        if closure is not None:
            if not callable(closure):
                kind = type(closure).__name__
                raise ArgumentError(f"{self.name}.step: got {kind}; pass nothing, or a function that gives the loss")
            with enable_grad():
                loss = closure()
        self.change()
        return loss

    @host
    def change(self) -> None:
        """The step itself, with the gradients that there are."""
        active = self.flat.gather()
        self.steps[active if len(active) < len(self.parameters) else slice(None)] += 1
        stretches = self.stretches()
        cuts = {end for end, _ in stretches} if len(stretches) > 1 else ()
        ahead = iter(stretches)
        stop, options = next(ahead)
        for span, count in self.flat.runs(active, self.steps, cuts):
            if span.start == span.stop:  # of parameters without elements
                continue
            while span.start >= stop:
                stop, options = next(ahead)
            self.update(span, count, options)
        for i in active:
            self.parameters[i].bump_version()
        if active:
            self.flat.flat_gradients.places[active[0]].used = True
        else:
            advise(
                "step without gradient",
                f"{self.name}.step: no parameter has a gradient, so nothing was changed; call loss.backward() before, "
                "on a loss that is computed from these parameters",
            )

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        """Change flat.data[span] in place; `count` is 1 in the first step of these parameters.

        options: "lr" and those that the class names, of the group that these parameters are of.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def pieces(self) -> Iterator[Stretch]:
        """The groups, one after another, as stretches of the flat arrays."""
        return zip(self.ends, self.groups, strict=True)

    def stretches(self) -> list[Stretch]:
        """The flat arrays in as few stretches as the options allow."""
        found: list[Stretch] = []
        for end, options in self.pieces():
            if found and all(options[name] == found[-1][1][name] for name in self.defaults):
                found.pop()
            found.append((end, options))
        return found

    def prepare(self) -> None:
        """Make the moments that the options ask for, before the first step needs them."""

    def add_moment(self, name: str) -> None:
        """One more moment, zero so far; nothing when it is there."""
        if name not in self.moments:
            self.moments = (*self.moments, name)
            setattr(self, name, np.zeros_like(self.flat.data))

    @host
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set `.grad` of all parameters to None, or those that there are to zeros."""
        for p in self.parameters:
            p._grad = None if set_to_none or p._grad is None else Tensor(np.zeros_like(p.data))

    def __repr__(self) -> str:
        def written(group: Group) -> str:
            shown = {name: value for name, value in group.options().items() if value or name == "lr"}
            options = ", ".join(f"{name}={value!r}" for name, value in shown.items())
            return f"{options}, {len(group['params'])} parameters, {sum(p.size for p in group['params']):,} numbers"

        groups = [written(group) for group in self.groups]
        return f"{self.name}({groups[0]})" if len(groups) == 1 else "\n  ".join([f"{self.name}(", *groups]) + "\n)"

    def state_dict(self) -> dict[str, Any]:
        """Everything `step` depends on besides the parameters: copies.

        The options are there when there are several groups, or when one was set since.
        """
        state = {
            "optimizer": type(self).__name__,
            "lr": self.lr,
            "shapes": [list(p.shape) for p in self.parameters],
            "steps": self.steps.copy(),
            **{name: getattr(self, name).copy() for name in self.moments},
        }
        if len(self.groups) > 1 or self.groups[0].options() != {**self.groups[0].given, "lr": self.lr}:
            state["groups"] = [
                {**group.options(), "base_lr": group.base, "parameters": len(group["params"])} for group in self.groups
            ]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`. Raises CheckpointError that names what differs; then nothing was changed."""
        own, kind = self.state_dict(), self.name
        if isinstance(state, Mapping) and state.get("optimizer") != kind:
            raise CheckpointError(f"{kind}: the saved state is of {state.get('optimizer', 'something else')}")
        if isinstance(state, Mapping) and len(self.groups) == 1:
            own.pop("groups", None)
            own |= {"groups": None} if "groups" in state else {}
        check_state(kind, state, own)
        if not isinstance(state["shapes"], list) or state["shapes"] != own["shapes"]:
            raise CheckpointError(f"{kind}: the saved parameters have shapes {state['shapes']}, these {own['shapes']}")
        for name in ("steps", *self.moments):
            check_saved(kind, name, state[name], own[name])
        if (state["steps"] < 0).any():
            raise CheckpointError(f"{kind}: the saved steps hold {state['steps'].min()}; counts start at 0")
        try:
            groups = self.saved_groups(state)
        except ArgumentError as error:
            raise CheckpointError(f"{error} (in the saved state)") from None
        for group, saved in zip(self.groups, groups, strict=True):
            group.take(saved)
        for name in ("steps", *self.moments):
            np.copyto(getattr(self, name), state[name])

    def saved_groups(self, state: dict[str, Any]) -> list[Group]:
        """The groups of a saved state. Raises CheckpointError or ArgumentError when they are others than here."""
        own = [(len(group["params"]), {"base_lr", "parameters", *group.options()}) for group in self.groups]
        if state.get("groups") is None:
            saved = [{**self.groups[0].given, "lr": state["lr"], "base_lr": state["lr"], "parameters": own[0][0]}]
        else:
            saved = state["groups"]
        if not isinstance(saved, list) or [(group.get("parameters"), set(group)) for group in saved] != own:
            raise CheckpointError(f"{self.name}: the saved groups of parameters are {saved}; these have sizes {own}")
        groups = []
        for entry in saved:
            options = {name: value for name, value in entry.items() if name not in ("base_lr", "parameters")}
            groups.append(Group(type(self), options))
            groups[-1].base = check_number(self.name, "base_lr", entry["base_lr"], 0)
        return groups


def option(name: str) -> property:
    """The attribute of an option: that of the first group; set, of all groups."""

    def read(optimizer: Optimizer) -> Any:
        refuse(f"an optimizer's {name} is read")
        return optimizer.groups[0][name]

    def write(optimizer: Optimizer, value: Any) -> None:
        for group in optimizer.groups:
            group[name] = value

    return property(read, write)


def ends_of(groups: list[Group]) -> list[int]:
    """Where each group ends in the flat arrays."""
    return [*accumulate(sum(p.size for p in group["params"]) for group in groups)]
