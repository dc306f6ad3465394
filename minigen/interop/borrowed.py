"""Functions and modules of PyTorch in minigen's graph: tensors of minigen go in and come out (extra `parity`: torch).

PyTorch computes, and keeps a graph of its own between copies of what went in and what came out. To minigen this is one
node. Its backward asks PyTorch for the gradients; when they are to be differentiated, they are one more node, whose
graph in PyTorch goes on from the first one's. So nothing is computed twice, and every order follows that PyTorch has.
"""

# pyright: reportMissingImports=false
# PyTorch is optional.

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.modes import modes
from minigen.autograd.tensor import Tensor, as_tensor
from minigen.checks import check_callable
from minigen.errors import ArgumentError, GradientError, MinigenError, NotTwiceDifferentiable
from minigen.interop.memory import array_of, share, tensor_of
from minigen.kernels.noting import refuse
from minigen.layers import Module, Parameter

if TYPE_CHECKING:
    import torch

Results = Callable[[list[Any]], Sequence[Any]]  # from leaves to results, all tensors of PyTorch


def from_torch_function(function: Callable[..., Any]) -> "Borrowed":
    """A function or `torch.nn.Module` of PyTorch as a Module here: f(x, …) takes and gives minigen's tensors.

        critic = from_torch_function(torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)))
        optimizer = mg.optim.Adam(critic.parameters())
        critic(x).mean().backward()

    The result is a Tensor, or a tuple of them where PyTorch gives several. Arguments by position are tensors, those by
    name go to PyTorch as they are. Gradients of every order reach the arguments and the parameters. These are
    minigen's, under their names there, and share their memory with PyTorch's, which so are trained, too; the `.grad` of
    PyTorch's stay as they are. Buffers such as running means are shared alike; `train()` and `eval()` reach the module.
    Of a plain function the arguments alone have gradients. Images keep PyTorch's layout. A step that calls it is not
    recorded by `mg.record`.
    Raises ArgumentError where PyTorch is missing or refuses what it is given, DTypeError for dtypes that minigen has
    not, GradientError for a gradient that PyTorch can not compute, NotTwiceDifferentiable for that of a gradient.
    """
    check_callable("from_torch_function", function)
    return Borrowed(function)


class Borrowed(Module):
    """What `from_torch_function` gives."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        torch = pytorch("from_torch_function")
        self.function = function
        self.theirs: Any = function if isinstance(function, torch.nn.Module) else None
        self.parameter_names: tuple[str, ...] = ()
        self.buffer_names: tuple[str, ...] = ()
        if self.theirs is not None:
            self.training = self.theirs.training
            kept = self.theirs.state_dict().keys()
            self.parameter_names = tuple([name for name, _ in self.theirs.named_parameters()])
            self.buffer_names = tuple([name for name, _ in self.theirs.named_buffers() if name in kept])
            for name, tensor in self.named_theirs(self.parameter_names):
                self.hold(name, Parameter(array_of(tensor, name), tensor.requires_grad))
            for name, tensor in self.named_theirs(self.buffer_names):
                self.hold(name, array_of(tensor, name))
            self.give()

    @property
    def name(self) -> str:
        """The function's or module's name, for messages."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def hold(self, name: str, value: Any) -> None:
        """Make a parameter or buffer an attribute under PyTorch's name, dots included."""
        if name in vars(self) or hasattr(type(self), name):
            raise ArgumentError(
                f"from_torch_function: {self.name} calls a parameter {name}, which has another meaning here"
            )
        if isinstance(value, Parameter):
            setattr(self, name, value)
        else:
            self.register_buffer(name, value)

    def named_theirs(self, names: Sequence[str]) -> "Iterator[tuple[str, torch.Tensor]]":
        """PyTorch's parameters or buffers of these names."""
        if self.theirs is not None:
            known = dict(self.theirs.named_parameters()) | dict(self.theirs.named_buffers())
            yield from ((name, known[name]) for name in names)

    def give(self) -> None:
        """PyTorch's parameters, buffers and mode are ours."""
        for name, tensor in self.named_theirs((*self.parameter_names, *self.buffer_names)):
            value = vars(self)[name]
            share(tensor, value.data if isinstance(value, Parameter) else value)
        if self.theirs is not None and self.theirs.training != self.training:
            self.theirs.train(self.training)

    def take(self) -> None:
        """Buffers that the module has put others in the place of are ours again."""
        for name, tensor in self.named_theirs(self.buffer_names):
            array = array_of(tensor, name)
            if not np.may_share_memory(array, vars(self)[name]):
                setattr(self, name, array)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What PyTorch gives for these tensors."""
        refuse(f"{self.name} of PyTorch is called")
        if any(isinstance(value, Tensor) for value in options.values()):
            raise ArgumentError(f"{self.name}: pass tensors by position; what has a name goes to PyTorch as it is")
        self.give()
        parameters = [vars(self)[name] for name in self.parameter_names]
        several = False

        def run(leaves: list[Any]) -> Sequence[Any]:
            nonlocal several
            xs = [leaf.clone() for leaf in leaves[len(parameters) :]]  # into which it may write
            result = self.called(leaves[: len(parameters)], xs, options)
            several = isinstance(result, (tuple, list))
            return results_of(self.name, result)

        buffers = [(name, vars(self)[name].copy()) for name in self.buffer_names if modes.recomputing]
        ys = Call(self.name, run)(*parameters, *[as_tensor(x, self.name) for x in inputs])
        self.take()
        for name, array in buffers:  # which have moved before
            vars(self)[name][...] = array
        return ys if several else ys[0]

    def called(self, parameters: list[Any], xs: list[Any], options: dict[str, Any]) -> Any:
        """The function of xs, with these tensors in the place of its parameters."""
        if self.theirs is None:
            return self.function(*xs, **options)
        from torch.func import functional_call

        named = dict(zip(self.parameter_names, parameters, strict=True))
        return functional_call(self.theirs, named, tuple(xs), options)

    def extra_repr(self) -> str:
        """What PyTorch says of it."""
        return repr(self.function) if self.theirs is not None else self.name


class Call(Function):
    """Results of PyTorch, as one node of the graph.

    run: gives them for leaves of PyTorch's graph. known: leaves that stand for the first inputs already.
    """

    title = "PyTorch"

    def __init__(self, title: str, run: Results, known: Sequence[Any] = ()) -> None:
        self.title, self.run, self.known = title, run, list(known)

    @property
    def name(self) -> str:
        """What is called."""
        return self.title

    def forward(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        import torch

        new = zip(arrays[len(self.known) :], self.needs[len(self.known) :], strict=True)
        self.leaves = [*self.known, *(tensor_of(array).requires_grad_(need) for array, need in new)]
        shapes = ", ".join(str(array.shape) for array in arrays)
        with torch.set_grad_enabled(True in self.needs), spoken(f"{self.title}, given {shapes}", ArgumentError):
            self.results = [y.clone() for y in self.run(self.leaves)]  # which may be an input, a weight, or part of one
        self.save_inputs(*range(len(arrays)))
        self.save_output(*range(len(self.results)))
        return tuple([array_of(y, self.title) for y in self.results])

    def backward(self, *gys: Tensor | None) -> tuple[Tensor | None, ...]:
        import torch

        xs = [self.saved_input(i) for i in range(len(self.needs))]
        for i in range(len(self.results)):
            self.saved_output_array(i)  # raises when one was changed in place
        pairs = [(y, gy) for y, gy in zip(self.results, gys, strict=True) if gy is not None and y.requires_grad]
        wanted = [i for i, need in enumerate(self.needs) if need]
        if not pairs or not wanted:
            return (None,) * len(xs)
        recording = modes.recording
        seeds = [tensor_of(gy.data).requires_grad_(recording and gy.requires_grad) for _, gy in pairs]
        with spoken(f"{self.title}, backward", GradientError):
            found = torch.autograd.grad(
                [y for y, _ in pairs],
                [self.leaves[i] for i in wanted],
                seeds,
                retain_graph=True,  # until this node is released
                create_graph=recording,
                allow_unused=True,
            )
        there = [(i, gx) for i, gx in zip(wanted, found, strict=True) if gx is not None]
        if not there:
            return (None,) * len(xs)
        if recording:
            refuse_once_differentiable(self.title, [gx for _, gx in there])
        node = Call(f"{self.title}, backward", lambda _: [gx for _, gx in there], [*self.leaves, *seeds])
        gxs = dict(zip([i for i, _ in there], node(*xs, *[gy for _, gy in pairs]), strict=True))
        return tuple([gxs.get(i) for i in range(len(xs))])


def refuse_once_differentiable(name: str, gradients: list[Any]) -> None:
    """Raises NotTwiceDifferentiable when a graph of gradients ends at an operation whose gradient has none.

    PyTorch would say that they do not depend on what is before it, and some may do so by another way.
    """
    stack = [g.grad_fn for g in gradients]
    seen = {None}
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            if node.name().endswith("::Error"):  # which once_differentiable puts there
                raise NotTwiceDifferentiable(
                    f"{name} has only a first derivative in PyTorch; leave out create_graph=True"
                )
            stack += [before for before, _ in node.next_functions]


def results_of(name: str, result: Any) -> list[Any]:
    """What a function of PyTorch gave, as a list of tensors. Raises ArgumentError for anything else."""
    import torch

    found = list(result) if isinstance(result, (tuple, list)) else [result]
    for y in found:
        if not isinstance(y, torch.Tensor):
            raise ArgumentError(
                f"{name} gave a {type(y).__name__}; wrap a function that gives a tensor of PyTorch, or a tuple of them"
            )
    if not found:
        raise ArgumentError(f"{name} gave no tensor; wrap a function that gives one, or a tuple of them")
    return found


@contextmanager
def spoken(where: str, kind: type[MinigenError]) -> Iterator[None]:
    """Errors that PyTorch raises as errors of that kind, which say what was called."""
    try:
        yield
    except MinigenError:
        raise
    except RuntimeError as error:
        raise kind(f"{where}: PyTorch says {str(error).splitlines()[0] if str(error) else type(error)}") from error


def pytorch(operation: str) -> Any:
    """The package torch. Raises ArgumentError when it is not installed."""
    try:
        import torch
    except ImportError:
        raise ArgumentError(f"{operation}: needs PyTorch: pip install 'minigen[parity]'") from None
    return torch
