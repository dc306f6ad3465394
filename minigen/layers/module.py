"""Module: a part of a network, with its parameters, buffers and parts of its own.

Whatever is assigned to an attribute is found again by its kind, in the order of assignment: a Parameter is trained, a
Module is a part, an array given to `register_buffer` is saved with the rest but not trained. There is no other
registry: names in `state_dict()` are the attribute names, joined by dots.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import getattr_static
from typing import Any, TypeVar

import numpy as np

from minigen.autograd import leaves
from minigen.autograd.conversion import as_array, check_differentiable, numeric_dtype
from minigen.autograd.hooks import Handle
from minigen.autograd.modes import modes
from minigen.autograd.observe import observed
from minigen.autograd.tensor import Tensor
from minigen.config import FLOAT_DTYPES
from minigen.errors import ArgumentError, CheckpointError, DTypeError
from minigen.kernels.noting import host, refuse
from minigen.layers.hooks import ModuleHooks
from minigen.torch_names import class_names, visible

Self = TypeVar("Self", bound="Module")


class Parameter(Tensor):
    """A tensor that a Module trains: a leaf that requires a gradient, over a copy of `data` (float32 or float64)."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        source = data.data if isinstance(data, Tensor) else data
        array = np.array(as_array(source, "Parameter"), order="C")
        super().__init__(array, requires_grad and check_differentiable(array))

    def __repr__(self) -> str:
        return f"Parameter({super().__repr__()})"


def hides_parameters(value: Any) -> bool:
    """Whether a container holds a Parameter or Module, at any depth."""
    if isinstance(value, (list, tuple, dict)):
        return any(hides_parameters(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, (Parameter, Module))


class Computed:
    """Stands in a layer's class for a weight that some of its instances compute: see parametrize.py.

    No `__getattr__`, because with one Python would read every attribute of every module more slowly.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, module: "Module", owner: type) -> Tensor:
        made = {} if module is None else vars(module).get("parametrizations", {})
        if self.name not in made:
            raise AttributeError(f"{owner.__name__} has no attribute {self.name!r}", name=self.name, obj=module)
        return made[self.name].forward()

    @classmethod
    def put_into(cls, kind: type, name: str) -> None:
        """Make it part of a class, once."""
        if not isinstance(getattr_static(kind, name, None), cls):
            setattr(kind, name, cls(name))


@class_names("Module")
class Module:
    """Base of all layers and models. Subclasses call `super().__init__()`, assign their parts, and write `forward`.

        class Perceptron(Module):
            def __init__(self, rng):
                super().__init__()
                self.hidden = Linear(784, 64, rng=rng)
                self.out = Linear(64, 10, rng=rng)

            def forward(self, x):
                return self.out(mg.relu(self.hidden(x)))

    training: True in training, False for evaluation; set by `train()` and `eval()`, read by Dropout and BatchNorm.
    """

    training: bool
    _hooks: ModuleHooks | None = None
    _buffers: set[str]  # names of the attributes that are buffers

    def __init__(self) -> None:
        self._buffers = set()
        self.training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation, on tensors. Written by subclasses, called through `module(x)`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward; write `def forward(self, x)`")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if modes.observers or self._hooks is not None:
            return self.observed(args, kwargs)
        return self.forward(*args, **kwargs)

    def observed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`forward` with its hooks, and those who listen told of its start and its end."""

        def run() -> Any:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return self._hooks.run(self, self.forward, args, kwargs)

        return observed(
            run,
            lambda observer: observer.module_starts(self, args, kwargs),
            lambda observer, result: observer.module_ends(self, args, kwargs, result),
        )

    def register_forward_hook(self, hook: Callable[[Any, tuple, Any], Any]) -> Handle:
        """Have `hook(module, args, result)` called after each forward; what it returns, unless None, is the result.

        Gives a handle, whose `remove()` ends it. A layer with hooks does not take over the activation behind it.
        """
        self._hooks = self._hooks or ModuleHooks()
        return Handle(self._hooks.after, hook)

    def register_forward_pre_hook(self, hook: Callable[[Any, tuple], Any]) -> Handle:
        """Have `hook(module, args)` called before each forward; what it returns, unless None, takes the args' place."""
        self._hooks = self._hooks or ModuleHooks()
        return Handle(self._hooks.before, hook)

    def register_full_backward_hook(self, hook: Callable[[Any, tuple, tuple], Any]) -> Handle:
        """Have `hook(module, grad_input, grad_output)` called in each backward, with the gradients of one call.

        They are tuples, one for each argument of the call, and each result; None where there is none. What it returns,
        unless None, takes the place of grad_input. Gives a handle, whose `remove()` ends it.
        """
        self._hooks = self._hooks or ModuleHooks()
        return Handle(self._hooks.backward, hook)

    # Attributes

    def __setstate__(self, state: dict[str, Any]) -> None:  # of a copy, or from a pickle of another process
        self.__dict__.update(state)
        for name in state.get("parametrizations", ()):
            Computed.put_into(type(self), name)

    def __dir__(self) -> list[str]:
        return visible(self)

    def __setattr__(self, name: str, value: Any) -> None:
        kind, attributes = type(self).__name__, self.__dict__
        if isinstance(value, (Parameter, Module)) and "_buffers" not in attributes:
            raise ArgumentError(f"{kind}: call super().__init__() before assigning self.{name}")
        if isinstance(attributes.get(name), Parameter) and not isinstance(value, (Parameter, type(None))):
            raise ArgumentError(
                f"{kind}: self.{name} is a Parameter and would be lost by assigning a {type(value).__name__}; write "
                f"into it (with no_grad(): self.{name}.copy_(…)), or use another name"
            )
        if name in attributes.get("_buffers", ()) and not isinstance(value, np.ndarray):
            raise ArgumentError(f"{kind}: self.{name} is a buffer; assign an ndarray, not {type(value).__name__}")
        if (made := attributes.get("parametrizations")) is not None and name in made:
            raise ArgumentError(
                f"{kind}: self.{name} is computed by {type(made[name]).__name__}; write into the parameters of "
                f"self.parametrizations.{name}, or call remove_parametrizations first"
            )
        self.refuse_hidden(name, value)
        super().__setattr__(name, value)

    def refuse_hidden(self, name: str, value: Any) -> None:
        """Raise ArgumentError when `value` is a plain container with parameters in it, which nobody would find."""
        if isinstance(value, (list, tuple, dict)) and hides_parameters(value):
            raise ArgumentError(
                f"{type(self).__name__}: the parameters in self.{name}, a {type(value).__name__}, would not be found; "
                "use ModuleList, Sequential, ModuleDict, ParameterList or ParameterDict, or one attribute each"
            )

    def register_buffer(self, name: str, array: np.ndarray) -> None:
        """Make `array` the attribute `name`, saved in `state_dict()` but not trained, such as a running mean."""
        if "_buffers" not in self.__dict__:
            raise ArgumentError(f"{type(self).__name__}: call super().__init__() before register_buffer({name!r}, …)")
        if not isinstance(array, np.ndarray):
            raise DTypeError(f"{type(self).__name__}: buffer {name} is {type(array).__name__}; give an ndarray")
        self._buffers.add(name)
        setattr(self, name, array)

    # What is inside. Everything shared between two places is listed once, under its first name.

    def named_children(self) -> list[tuple[str, "Module"]]:
        """(attribute name, module) of the direct parts, in the order of assignment, repeated ones included."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def children(self) -> list["Module"]:
        """The direct parts, in the order of assignment."""
        return [value for value in vars(self).values() if isinstance(value, Module)]

    def named_modules(self) -> list[tuple[str, "Module"]]:
        """(dotted name, module) of this module, named "", and of everything inside it, depth first."""
        found: dict[int, tuple[str, Module]] = {}

        def visit(module: Module, name: str) -> None:
            if id(module) not in found:
                found[id(module)] = (name, module)
                for child_name, child in module.named_children():
                    visit(child, f"{name}.{child_name}" if name else child_name)

        visit(self, "")
        return list(found.values())

    def modules(self) -> list["Module"]:
        """This module and everything inside it, depth first."""
        return [module for _, module in self.named_modules()]

    def get_submodule(self, target: str) -> "Module":
        """The module inside that `named_modules()` calls `target`, such as "encoder.0"; "" is this one.

        Raises ArgumentError that lists what there is.
        """
        module = self
        for i, name in enumerate(target.split(".") if target else []):
            part = vars(module).get(name)
            if not isinstance(part, Module):
                where = ".".join(target.split(".")[:i])
                names = ", ".join(name for name, _ in module.named_children()) or "none"
                raise ArgumentError(
                    f"{type(self).__name__}.get_submodule: {type(module).__name__} {where!r} has no module {name!r}; "
                    f"its modules: {names}"
                )
            module = part
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter that `named_parameters()` calls `target`, such as "encoder.0.weight". Raises ArgumentError."""
        owner, _, name = target.rpartition(".")
        module = self.get_submodule(owner)
        value = vars(module).get(name)
        if not isinstance(value, Parameter):
            names = ", ".join(name for name, value in vars(module).items() if isinstance(value, Parameter)) or "none"
            raise ArgumentError(
                f"{type(self).__name__}.get_parameter: {type(module).__name__} {owner!r} has no parameter {name!r}; "
                f"its parameters: {names}"
            )
        return value

    def named_state(self) -> list[tuple[str, Parameter | np.ndarray]]:
        """(dotted name, Parameter or buffer) of all that `state_dict()` saves, each once."""
        found: dict[int, tuple[str, Parameter | np.ndarray]] = {}
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                module.refuse_hidden(name, value)  # a list may have grown since it was assigned
                if isinstance(value, Parameter) or name in module._buffers:
                    found.setdefault(id(value), (f"{prefix}.{name}" if prefix else name, value))
        return list(found.values())

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(dotted name, Parameter), frozen ones included; a shared parameter stands once, under its first name."""
        return [(name, value) for name, value in self.named_state() if isinstance(value, Parameter)]

    def parameters(self) -> list[Parameter]:
        """All parameters, frozen ones included, each once."""
        return [parameter for _, parameter in self.named_parameters()]

    def named_buffers(self) -> list[tuple[str, np.ndarray]]:
        """(dotted name, array) of all buffers."""
        return [(name, value) for name, value in self.named_state() if isinstance(value, np.ndarray)]

    def buffers(self) -> list[np.ndarray]:
        """All buffers: the arrays themselves, not copies."""
        return [buffer for _, buffer in self.named_buffers()]

    # Saving and loading

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers by dotted name, in the order of assignment.

        Copies, so that training on does not change what was kept (the best weights so far, say).
        """
        refuse("values are read: state_dict()")
        return {name: np.array(array_of(value)) for name, value in self.named_state()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Write the arrays of `state` into the parameters and buffers, in place: optimizers keep their views.

        Names, shapes and dtypes are all compared first; CheckpointError lists every difference, and then nothing has
        been changed. strict=False ignores names that only one side has. The mode stays what it is, as in PyTorch: call
        `eval()` before using the model (`minigen.load` of a run gives it so).
        """
        if not isinstance(state, Mapping):
            kind = type(state).__name__
            raise CheckpointError(f"{type(self).__name__}.load_state_dict: got {kind}; pass the dict of state_dict()")
        if any(type(value).__module__.partition(".")[0] == "torch" for value in state.values()):
            raise CheckpointError(
                f"{type(self).__name__}.load_state_dict: these are tensors of PyTorch, whose layouts differ; use "
                "mg.interop.from_torch(module, state)"
            )
        own = dict(self.named_state())
        arrays = {name: np.asarray(array_of(value)) for name, value in state.items()}
        problems = [f"missing: {name}" for name in own if name not in arrays] if strict else []
        problems += [f"unexpected: {name}" for name in arrays if name not in own] if strict else []
        for name, value in own.items():
            given = arrays.get(name)
            if given is not None and (given.shape, given.dtype) != (value.shape, value.dtype):
                problems.append(f"{name}: {given.shape} {given.dtype} given, {value.shape} {value.dtype} here")
        if problems:
            raise CheckpointError(
                f"{type(self).__name__}.load_state_dict: the state does not fit, nothing was loaded (one of PyTorch's "
                "goes by way of mg.interop.from_torch)\n  " + "\n  ".join(problems)
            )
        for name, value in own.items():
            if name in arrays:
                if isinstance(value, Parameter):
                    value.data = np.asarray(value.data)  # somebody's arithmetic may have made a 0-d one a scalar
                    value.bump_version()
                np.copyto(array_of(value), arrays[name])

    # Switches. Those that change the module return it.

    def train(self: Self, mode: bool = True) -> Self:
        """Training mode here and inside: Dropout drops, BatchNorm uses the batch and updates its running values."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self: Self) -> Self:
        """Evaluation mode, the same as `train(False)`. It does not stop the recording of gradients: see `no_grad`."""
        return self.train(False)

    def requires_grad_(self: Self, flag: bool = True) -> Self:
        """Freeze all parameters (False), or train them again (True)."""
        for parameter in self.parameters():
            parameter.requires_grad_(flag)
        return self

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """`with discriminator.frozen(): loss = f(discriminator(fake))`: gradients flow through, to `fake`, but none
        is computed for the parameters in here. `loss.backward()` may stand inside or after.
        """
        before = [(parameter, parameter.requires_grad) for parameter in self.parameters()]
        self.requires_grad_(False)
        try:
            yield
        finally:
            for parameter, flag in before:
                parameter.requires_grad_(flag)

    @host
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or set those that there are to zeros."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else np.zeros_like(parameter.data)

    def apply(self: Self, function: Callable[["Module"], Any]) -> Self:
        """Call `function` on everything inside, then on this module."""
        for module in reversed(self.modules()):
            function(module)
        return self

    def astype(self: Self, dtype: Any) -> Self:
        """Convert all parameters and float buffers to float32 or float64. Do it before making an optimizer."""
        dtype = numeric_dtype(dtype, f"{type(self).__name__}.astype")
        if dtype not in FLOAT_DTYPES:
            raise DTypeError(f"{type(self).__name__}.astype: {dtype} can not be trained; use float32 or float64")
        if any(map(leaves.has_place, self.parameters())):
            raise ArgumentError(
                f"{type(self).__name__}.astype: an optimizer holds the parameters; convert before making it"
            )
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(dtype)
            parameter.grad = None
            parameter.bump_version()
        for module in self.modules():
            for name in module._buffers:
                if (buffer := getattr(module, name)).dtype in FLOAT_DTYPES:
                    setattr(module, name, buffer.astype(dtype))
        return self

    # For people

    def multiply_adds(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> int:
        """Multiply-adds of one call, counted for products with weights; biases and elementwise work count as none."""
        return 0

    def extra_repr(self) -> str:
        """The options, as they stand between the brackets of repr()."""
        return ""

    def __repr__(self) -> str:
        children = self.named_children()
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        inner = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in children]
        lines = [line for line in (self.extra_repr(), *inner) if line]
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"


def array_of(value: Any) -> Any:
    """The array of a Tensor; anything else as it is."""
    return value.data if isinstance(value, Tensor) else value
