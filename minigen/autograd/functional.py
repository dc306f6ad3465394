"""Derivatives of a function, as in torch.autograd.functional: jacobian, hessian, and their products with vectors.

Of f: x → y with the Jacobian J = ∂y/∂x and, if y is one number, the Hessian H = ∂²y/∂x²:

    vjp  vᵀJ   one sweep backward
    jvp  J v   two sweeps: u → uᵀJ is linear, and its own derivative in the direction v is J v
    hvp  H v   two sweeps: the gradient's own vjp (Pearlmutter 1994)

`inputs` is a Tensor or a tuple of them, and so is what f returns; the results have the same form. f sees its inputs as
independent variables: a graph behind them counts only with create_graph=True, which makes the results differentiable.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigen.autograd import ops
from minigen.autograd.engine import grad
from minigen.autograd.fused import Alias
from minigen.autograd.modes import enable_grad
from minigen.autograd.tensor import Tensor, as_tensor
from minigen.checks import check_callable, check_flag
from minigen.config import FLOAT_DTYPES
from minigen.errors import ArgumentError, DTypeError, GradientError, ShapeError

Tensors = Tensor | tuple[Tensor, ...]


def jacobian(
    f: Callable[..., Any], inputs: Tensors, create_graph: bool = False, strict: bool = False
) -> Any:  # a Tensor, a tuple of them, or a tuple of tuples
    """∂y/∂x of shape (*y.shape, *x.shape); with several inputs or outputs a tuple of them, J[output][input].

    One sweep for each element of y. strict: GradientError where y does not depend on x, instead of zeros.
    Raises DTypeError unless inputs and outputs are float tensors.
    """
    xs, y, ys = evaluated("jacobian", f, inputs, create_graph, strict)
    rows = [tuple(full_jacobian("jacobian", out, xs, create_graph, strict)) for out in ys]
    by_input = [row if isinstance(inputs, tuple) else row[0] for row in rows]
    return tuple(by_input) if isinstance(y, tuple) else by_input[0]


def hessian(f: Callable[..., Any], inputs: Tensors, create_graph: bool = False, strict: bool = False) -> Any:
    """∂²y/∂x² of a function with one number as result, of shape (*x.shape, *x.shape); H[i][j] for several inputs.

    One sweep for each element of the inputs. Raises ShapeError when f gives more than one number.
    """
    xs, y, _ = evaluated("hessian", f, inputs, create_graph, strict)
    gradients = gradient_of("hessian", y, xs, strict)
    blocks = [tuple(full_jacobian("hessian", g, xs, create_graph, strict)) for g in gradients]
    return tuple(blocks) if isinstance(inputs, tuple) else blocks[0][0]


def vjp(
    f: Callable[..., Any], inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(y, vᵀ ∂y/∂x): v has the form and shapes of y, None is 1 for a result of one element.

    Raises ShapeError when v does not fit.
    """
    xs, y, ys = evaluated("vjp", f, inputs, create_graph, strict)
    weights = vectors("vjp", v, ys, isinstance(y, tuple), "results")
    products = weighted("vjp", ys, xs, weights, create_graph, strict)
    return result_of(y, create_graph), as_given(inputs, products)


def jvp(
    f: Callable[..., Any], inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(y, ∂y/∂x v): v has the form and shapes of the inputs, None is 1 for an input of one element.

    Raises ShapeError when v does not fit, NotTwiceDifferentiable as second derivatives do.
    """
    xs, y, ys = evaluated("jvp", f, inputs, create_graph, strict)
    directions = vectors("jvp", v, xs, isinstance(inputs, tuple), "inputs")
    us = [Tensor(np.ones_like(out.data), requires_grad=True) for out in ys]
    products = weighted("jvp", ys, xs, us, True, strict)
    tangents = weighted("jvp", products, us, directions, create_graph, strict)
    return result_of(y, create_graph), tuple(tangents) if isinstance(y, tuple) else tangents[0]


def hvp(
    f: Callable[..., Any], inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Tensor, Any]:
    """(y, ∂²y/∂x² v) of a function with one number as result; v has the form and shapes of the inputs.

    Costs two sweeps whatever the size, and no matrix is made. Raises ShapeError when v, or the result of f, does not
    fit.
    """
    xs, y, _ = evaluated("hvp", f, inputs, create_graph, strict)
    directions = vectors("hvp", v, xs, isinstance(inputs, tuple), "inputs")
    products = weighted("hvp", gradient_of("hvp", y, xs, strict), xs, directions, create_graph, strict)
    return result_of(y, create_graph), as_given(inputs, products)


# ---------------------------------------------------------------- what they share


def evaluated(
    name: str, f: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool
) -> tuple[list[Tensor], Any, list[Tensor]]:
    """The inputs as independent variables, what f gives for them, and that as a list."""
    check_callable(name, f)
    create_graph, strict = check_flag(name, "create_graph", create_graph), check_flag(name, "strict", strict)
    if isinstance(inputs, tuple) and not inputs:
        raise ArgumentError(f"{name}: inputs is empty; pass a Tensor, or a tuple of them")
    with enable_grad():
        xs = [variable(name, x, create_graph) for x in (inputs if isinstance(inputs, tuple) else (inputs,))]
        y = f(*xs)
    y = tuple(y) if isinstance(y, list) else y
    ys = list(y) if isinstance(y, tuple) else [y]
    for i, out in enumerate(ys):
        if not isinstance(out, Tensor) or out.dtype not in FLOAT_DTYPES:
            kind = out.dtype if isinstance(out, Tensor) else type(out).__name__
            raise DTypeError(f"{name}: result {i} of f is {kind}; return a float Tensor, or a tuple of them")
        if strict and not out.requires_grad:
            raise GradientError(f"{name}: result {i} of f does not depend on the inputs, and strict=True")
    return xs, y, ys


def variable(name: str, x: Any, create_graph: bool) -> Tensor:
    """x as a variable of its own; part of the graph behind x if that is to be differentiated."""
    if not isinstance(x, Tensor) or x.dtype not in FLOAT_DTYPES:
        kind = f"a tensor of {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise DTypeError(f"{name}: an input is {kind}; pass a float Tensor, or a tuple of them")
    if create_graph and x.requires_grad:
        return Alias()(x)
    own = x.detach()
    own.requires_grad = True
    return own


def weighted(
    name: str, ys: list[Tensor], xs: list[Tensor], weights: Sequence[Tensor], create_graph: bool, strict: bool
) -> list[Tensor]:
    """Σ weight · ∂y/∂x for each x; zeros where nothing depends on it, an error if `strict`."""
    pairs = [(y, w) for y, w in zip(ys, weights, strict=True) if y.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(xs)
    if pairs:
        found = grad(
            [y for y, _ in pairs], xs, [w for _, w in pairs], create_graph, retain_graph=True, allow_unused=True
        )
    if strict and any(g is None for g in found):
        missing = [i for i, g in enumerate(found) if g is None]
        raise GradientError(f"{name}: nothing depends on {missing} of the {len(xs)} variables, and strict=True")
    return [Tensor(np.zeros_like(x.data)) if g is None else g for x, g in zip(xs, found, strict=True)]


def gradient_of(name: str, y: Any, xs: list[Tensor], strict: bool) -> list[Tensor]:
    """∂y/∂x of the one number y, which can be differentiated again."""
    if not isinstance(y, Tensor) or y.size != 1:
        what = f"{len(y)} results" if isinstance(y, tuple) else f"a result of shape {y.shape}"
        raise ShapeError(f"{name}: f gave {what}; it has to give one number, such as the sum of a loss")
    return weighted(name, [y], xs, [Tensor(np.ones_like(y.data))], True, strict)


def full_jacobian(name: str, y: Tensor, xs: list[Tensor], create_graph: bool, strict: bool) -> list[Tensor]:
    """∂y/∂x for each x, row by row."""
    rows: list[list[Tensor]] = [[] for _ in xs]
    numbers = y.size * sum(x.size for x in xs)
    try:
        np.empty(2 * numbers, y.dtype)  # the rows, and all of them in one array
    except (MemoryError, ValueError) as error:
        raise ShapeError(f"{name}: {y.size:,} rows of {numbers // y.size:,} numbers are too many; {error}") from None
    for i in range(y.size):
        unit = np.zeros(y.shape, y.dtype)
        unit.reshape(-1)[i] = 1
        for row, g in zip(rows, weighted(name, [y], xs, [Tensor(unit)], create_graph, strict), strict=True):
            row.append(g)
    shapes = [(*y.shape, *x.shape) for x in xs]
    if y.size == 0:
        return [Tensor(np.zeros(shape, y.dtype)) for shape in shapes]
    return [ops.reshape(ops.stack(row), shape) for row, shape in zip(rows, shapes, strict=True)]


def vectors(name: str, v: Any, like: list[Tensor], several: bool, what: str) -> list[Tensor]:
    """v as a list of tensors with the shapes and dtypes of `like`; None for one element is 1."""
    if v is None:
        if len(like) != 1 or like[0].size != 1:
            raise ShapeError(f"{name}: v is missing; only for {what} of one element it is implied")
        return [Tensor(np.ones_like(like[0].data))]
    given = list(v) if isinstance(v, (tuple, list)) else [v]
    if len(given) != len(like) or (several and not isinstance(v, (tuple, list))):
        raise ShapeError(f"{name}: v holds {len(given)} vectors for {len(like)} {what}; pass a tuple with one for each")
    found = []
    for part, t in zip(given, like, strict=True):
        part = as_tensor(part, name)
        if part.shape != t.shape:
            raise ShapeError(f"{name}: v has shape {part.shape}, the {what} {t.shape}; they must be equal")
        found.append(ops.astype(part, t.dtype))
    return found


def as_given(inputs: Tensors, values: list[Tensor]) -> Tensors:
    """The values in the form of the inputs."""
    return tuple(values) if isinstance(inputs, tuple) else values[0]


def result_of(y: Any, create_graph: bool) -> Any:
    """What f gave, without its graph unless that is wanted."""
    if create_graph:
        return y
    return tuple([out.detach() for out in y]) if isinstance(y, tuple) else y.detach()
