"""Functions and modules of minigen in PyTorch's graph: tensors of PyTorch go in and come out (extra `parity`: torch).

The mirror of `borrowed.py`: minigen computes and keeps its graph, and to PyTorch this is one `torch.autograd.Function`,
whose backward asks minigen for the gradients. When these are to be differentiated, they come from one more of it, whose
graph here goes on from the first one's.
"""

# pyright: reportMissingImports=false
# PyTorch is optional.

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from minigen.autograd.engine import grad
from minigen.autograd.modes import set_grad_enabled
from minigen.autograd.tensor import Tensor
from minigen.checks import check_callable
from minigen.errors import ArgumentError
from minigen.interop.borrowed import pytorch
from minigen.interop.memory import array_of, same_memory, share, tensor_of
from minigen.layers import Module, Parameter

if TYPE_CHECKING:
    import torch

Results = Callable[[list[Tensor]], Sequence[Tensor]]  # from leaves to results


def to_torch_function(function: Callable[..., Any]) -> Any:
    """A function or Module of minigen for PyTorch: f(x, …) takes and gives `torch.Tensor`s, on the CPU.

        layer = to_torch_function(mg.layers.LSTM(8, 16, rng=rng))  # a torch.nn.Module
        optimizer = torch.optim.Adam(layer.parameters())

    The result is a tensor, or a tuple of them, nested as minigen's is. Arguments by position are tensors, those by name
    go to minigen as they are. Gradients of every order reach the arguments (`torch.autograd.grad` with create_graph).
    Of a Module, the result is a `torch.nn.Module` with its parameters and buffers, under minigen's names and in its
    layouts: they share their memory, so PyTorch's optimizers train the Module. `train()` and `eval()` reach it; its own
    `.grad` stay as they are. Of any other function the arguments alone have gradients.
    Raises ArgumentError where PyTorch is missing, for a tensor on another device and for results that are no tensors,
    DTypeError for dtypes that minigen has not.
    """
    check_callable("to_torch_function", function)
    pytorch("to_torch_function")
    if isinstance(function, Module):
        return module_kind()(function)

    def lent(*inputs: Any, **options: Any) -> Any:
        return called(function, [], [], inputs, options)

    return functools.wraps(function)(lent)


def called(
    function: Callable[..., Any], parameters: list[Parameter], theirs: list[Any], inputs: Sequence[Any], options: Any
) -> Any:
    """The function of PyTorch's inputs, with the parameters that `theirs` stand for."""
    import torch

    name = getattr(function, "__name__", type(function).__name__)
    for i, x in enumerate(inputs):
        if not isinstance(x, torch.Tensor):
            raise ArgumentError(f"{name}: argument {i} is a {type(x).__name__}; pass a tensor of PyTorch, or by name")
    if any(isinstance(value, torch.Tensor) for value in options.values()):
        raise ArgumentError(f"{name}: pass tensors by position; what has a name goes to minigen as it is")
    form: Any = None

    def run(leaves: list[Tensor]) -> list[Tensor]:
        nonlocal form
        form, results = taken_apart(name, function(*leaves[len(parameters) :], **options))
        return results

    results = iter(function_kind().apply(name, run, parameters, torch.is_grad_enabled(), *theirs, *inputs))
    return put_together(form, results)


def taken_apart(name: str, result: Any) -> tuple[Any, list[Tensor]]:
    """(None in the place of every tensor, all tensors) of a result, which may be nested tuples."""
    if isinstance(result, Tensor):
        return None, [result]
    if not isinstance(result, (tuple, list)):
        raise ArgumentError(f"{name} gave a {type(result).__name__}; lend a function that gives Tensors, or tuples")
    parts = [taken_apart(name, part) for part in result]
    return tuple([form for form, _ in parts]), [tensor for _, tensors in parts for tensor in tensors]


def put_together(form: Any, results: Any) -> Any:
    """Tensors in the form that `taken_apart` found."""
    return next(results) if form is None else tuple([put_together(part, results) for part in form])


@functools.cache
def function_kind() -> Any:
    """The torch.autograd.Function, made when PyTorch is there."""
    import torch

    class Lent(torch.autograd.Function):
        """Results of minigen, as one node of PyTorch's graph.

        run: gives them for leaves of minigen's graph. known: leaves that stand for the first inputs already.
        """

        @staticmethod
        def forward(ctx: Any, name: str, run: Results, known: list[Tensor], recording: bool, *xs: Any) -> Any:
            ctx.name, ctx.needs = name, [recording and need for need in ctx.needs_input_grad[4:]]
            new = zip(xs[len(known) :], ctx.needs[len(known) :], strict=True)
            ctx.leaves = [*known, *(Tensor(array_of(x, name), need) for x, need in new)]
            with set_grad_enabled(True in ctx.needs):
                ctx.results = run(ctx.leaves)
            results = [tensor_of(y.data.copy()) for y in ctx.results]  # which may be an input, a weight, or part of one
            ctx.save_for_backward(*xs, *results)
            ctx.set_materialize_grads(False)
            ctx.mark_non_differentiable(*[y for y in results if not y.is_floating_point()])
            return tuple(results)

        @staticmethod
        def backward(ctx: Any, *gys: Any) -> Any:
            xs = ctx.saved_tensors[: len(ctx.leaves)]  # raises when one was changed in place
            pairs = [(y, gy) for y, gy in zip(ctx.results, gys, strict=True) if gy is not None and y.requires_grad]
            wanted = [i for i, need in enumerate(ctx.needs) if need]
            none = (None,) * (4 + len(xs))
            if not pairs or not wanted:
                return none
            recording = torch.is_grad_enabled()
            seeds = [Tensor(array_of(gy, ctx.name), recording and gy.requires_grad) for _, gy in pairs]
            found = grad(
                [y for y, _ in pairs],
                [ctx.leaves[i] for i in wanted],
                seeds,
                create_graph=recording,
                retain_graph=True,  # until PyTorch lets this go
                allow_unused=True,
            )
            there = [(i, gx) for i, gx in zip(wanted, found, strict=True) if gx is not None]
            if not there:
                return none
            gradients = [gx for _, gx in there]
            known = [*ctx.leaves, *seeds]
            given = (*xs, *[gy for _, gy in pairs])
            results = Lent.apply(f"{ctx.name}, backward", lambda _: gradients, known, recording, *given)
            gxs = dict(zip([i for i, _ in there], results, strict=True))
            return *none[:4], *[gxs.get(i) for i in range(len(xs))]

    return Lent


@functools.cache
def module_kind() -> Any:
    """The torch.nn.Module, made when PyTorch is there."""
    import torch

    class LentModule(torch.nn.Module):
        """A Module of minigen, whose parameters and buffers are tensors of PyTorch over the same memory."""

        def __init__(self, module: Module) -> None:
            super().__init__()
            self.minigen_module = module
            self.training = module.training
            for name, parameter in module.named_parameters():
                tensor = torch.nn.Parameter(tensor_of(parameter.data), parameter.requires_grad)
                self.holder(name).register_parameter(name.rpartition(".")[2], tensor)
            for name, array in module.named_buffers():
                self.holder(name).register_buffer(name.rpartition(".")[2], tensor_of(array))

        def holder(self, name: str) -> torch.nn.Module:
            """The part in which a parameter of that dotted name stands."""
            part: torch.nn.Module = self
            for step in name.split(".")[:-1]:
                if step not in dict(part.named_children()):
                    part.add_module(step, torch.nn.Module())
                part = part.get_submodule(step)
            return part

        def forward(self, *inputs: Any, **options: Any) -> Any:
            """What the Module gives."""
            module, theirs = self.minigen_module, dict(self.named_parameters())
            parameters = dict(module.named_parameters())
            for name, parameter in parameters.items():
                follow(parameter, theirs[name], name)
            for name, tensor in self.named_buffers():
                if not same_memory(tensor, dict(module.named_buffers())[name]):  # as behind .double()
                    owner, _, last = name.rpartition(".")
                    setattr(module.get_submodule(owner), last, array_of(tensor, name))
            module.train(self.training)
            result = called(module, list(parameters.values()), [theirs[name] for name in parameters], inputs, options)
            for name, array in module.named_buffers():
                share(self.get_buffer(name), array)
            return result

    return LentModule


def follow(parameter: Parameter, tensor: "torch.Tensor", name: str) -> None:
    """Let a parameter have the memory of PyTorch's, which may have been given another, and have a gradient with it."""
    if not same_memory(tensor, parameter.data):
        parameter.data = array_of(tensor, name)
        parameter.bump_version()
    if tensor.requires_grad and not parameter.requires_grad:
        parameter.requires_grad_()
