"""All weights of a module, from and to PyTorch's `state_dict`."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from minigen.errors import ArgumentError, CheckpointError, ShapeError
from minigen.interop.layouts import PART_NAMES, PLAIN, Arrays, Layout, layout_of
from minigen.layers import Flatten, Linear, Module, Reshape
from minigen.layers.convolution import Convolution

Shapes = Mapping[str, tuple[int, int, int]]
M = TypeVar("M", bound=Module)


def from_torch(
    module: M,
    state: Mapping[str, Any],
    names: Mapping[str, str | None] | None = None,
    flattened: Shapes | None = None,
    unflattened: Shapes | None = None,
) -> M:
    """Write the weights of a PyTorch module into `module`, which has the same layers under the same names; returns it.

    state: what PyTorch's `state_dict()` gives, tensors or arrays by name; floats are converted to the module's dtype.
    names: {name there: name here}, of parameters or of whole parts ("encoder.layers": "blocks"), where they differ;
    None in the place of a name here leaves it out.
    flattened: {name here of a Linear: (H, W, C)} for those that read flattened images, since rows of features follow
    (C, H, W) there and (H, W, C) here. unflattened: the same for those whose result is made an image.

    Raises CheckpointError, which lists every name or shape that differs, and then nothing has been changed;
    ArgumentError where a Linear stands beside convolutions, a Flatten or a Reshape, and neither of the two says whether
    it is flattened.
    """
    theirs = renamed(state, names)
    turned = Turned(module, flattened, unflattened)
    ours: Arrays = {}
    problems, known = [], set()
    for prefix, torch_prefix, layer, layout in pieces(module):
        own = own_arrays(layer)
        wanted = layout.outward(layer, own)
        known |= {torch_prefix + name for name in (*wanted, *layout.extra)}
        found = {name: theirs[torch_prefix + name] for name in wanted if torch_prefix + name in theirs}
        problems += [f"missing: {torch_prefix}{name}" for name in wanted if name not in found]
        problems += [
            f"{torch_prefix}{name}: {found[name].shape} given, {wanted[name].shape} expected"
            for name in found
            if found[name].shape != wanted[name].shape
        ]
        if len(found) == len(wanted) and not problems:
            for name, array in turned.inward(prefix.removesuffix("."), layout.inward(layer, found)).items():
                ours[prefix + name] = array.astype(own[name].dtype)
    problems += [f"unexpected: {name}" for name in theirs if name not in known]
    if problems:
        raise CheckpointError(
            f"from_torch: the state does not fit {type(module).__name__}, nothing was loaded; names= says what is "
            "called otherwise\n  " + "\n  ".join(problems)
        )
    module.load_state_dict(ours)
    return module


def to_torch(
    module: Module,
    names: Mapping[str, str | None] | None = None,
    flattened: Shapes | None = None,
    unflattened: Shapes | None = None,
) -> Arrays:
    """The weights of `module` by PyTorch's names, in its layouts: arrays, for `torch.from_numpy`.

    names, flattened and unflattened as in `from_torch`.
    """
    turned = Turned(module, flattened, unflattened)
    theirs: Arrays = {}
    for prefix, torch_prefix, layer, layout in pieces(module):
        arrays = layout.outward(layer, turned.outward(prefix.removesuffix("."), own_arrays(layer)))
        theirs |= {torch_prefix + name: np.ascontiguousarray(array) for name, array in arrays.items()}
        extra = layout.extra if "running_mean" in arrays else ()
        theirs = {torch_prefix + name: np.zeros((), np.int64) for name in extra} | theirs
    back = {here: there for there, here in (names or {}).items() if here is not None}
    return renamed(theirs, back)


def pieces(module: Module, prefix: str = "", torch_prefix: str = "") -> Iterator[tuple[str, str, Module, Layout]]:
    """(prefix here, prefix there, layer, layout) of everything that has arrays, each once."""
    seen: set[int] = set()

    def visit(layer: Module, here: str, there: str) -> Iterator[tuple[str, str, Module, Layout]]:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        if "parametrizations" in vars(layer):
            raise ArgumentError(
                f"{here or type(layer).__name__}: its weights are computed (spectral or weight norm); call "
                "remove_parametrizations(layer) before, here and in PyTorch"
            )
        layout = layout_of(layer)
        if own_arrays(layer, whole=layout is not None):
            yield here, there, layer, layout or PLAIN
        if layout is None:
            for name, child in layer.named_children():
                yield from visit(child, f"{here}{name}.", f"{there}{name}.")

    for here, there, layer, layout in visit(module, prefix, torch_prefix):
        yield here, part_names(module, there), layer, layout


def part_names(module: Module, dotted: str) -> str:
    """A prefix, with the parts of layers that PyTorch calls otherwise by its names."""
    for name, part in module.named_modules():
        start = f"{name}." if name else ""
        for ours, theirs in PART_NAMES.get(type(part), {}).items():
            if dotted.startswith(f"{start}{ours}."):
                dotted = f"{start}{theirs}." + dotted.removeprefix(f"{start}{ours}.")
    return dotted


def own_arrays(layer: Module, whole: bool | None = None) -> Arrays:
    """The parameters and buffers that are turned with a layer: all inside, or its own where its parts go apart."""
    whole = layout_of(layer) is not None if whole is None else whole
    state = layer.state_dict()
    return state if whole else {name: array for name, array in state.items() if "." not in name}


def renamed(state: Mapping[str, Any], names: Mapping[str, str | None] | None) -> Arrays:
    """The arrays of a state under other names: the longest prefix that `names` has decides."""
    if not isinstance(state, Mapping):
        raise CheckpointError(f"from_torch: state is {type(state).__name__}; pass the dict of state_dict()")
    result: Arrays = {}
    unused = set(names or ())
    for name, value in state.items():
        fitting = [old for old in names or () if name == old or name.startswith(f"{old}.")]
        if not fitting:
            result[name] = as_array(value)
            continue
        old = max(fitting, key=len)
        unused.discard(old)
        new = (names or {})[old]
        if new is not None:
            result[new + name.removeprefix(old)] = as_array(value)
    if unused:
        raise ArgumentError(
            f"names: nothing is called {', '.join(sorted(unused))}; it has {', '.join(list(state)[:8])}"
        )
    return result


def as_array(value: Any) -> np.ndarray:
    """A tensor of PyTorch or of ours, or an array, as an array."""
    if hasattr(value, "detach"):
        value = value.detach()
        value = value.cpu() if hasattr(value, "cpu") else value
        if "bfloat16" in str(value.dtype):  # which NumPy does not have
            value = value.float()
        value = value.numpy()
    return np.asarray(value)


class Turned:
    """The Linears beside flattened images: their features follow (C, H, W) in PyTorch, and (H, W, C) here."""

    def __init__(self, module: Module, flattened: Shapes | None, unflattened: Shapes | None) -> None:
        if not isinstance(module, Module):
            raise ArgumentError(f"interop: module is {type(module).__name__}; pass a minigen Module")
        self.flattened, self.unflattened = flattened or {}, unflattened or {}
        linears = {name: part for name, part in module.named_modules() if isinstance(part, Linear)}
        for option, shapes in (("flattened", self.flattened), ("unflattened", self.unflattened)):
            for name, shape in shapes.items():
                if name not in linears:
                    raise ArgumentError(f"{option}: {name} is no Linear; there are {', '.join(linears) or 'none'}")
                features = linears[name].in_features if option == "flattened" else linears[name].out_features
                if len(shape) != 3 or math.prod(shape) != features:
                    raise ShapeError(f"{option}: {name} has {features} features, which {shape} does not hold")
        if flattened is None and unflattened is None:
            refuse_silence(module)

    def inward(self, name: str, arrays: Arrays) -> Arrays:
        """A layer's arrays, features in the order that is usual here."""
        return self.reordered(name, arrays, feature_order)

    def outward(self, name: str, arrays: Arrays) -> Arrays:
        """A layer's arrays, features in PyTorch's order."""
        return self.reordered(name, arrays, torch_order)

    def reordered(self, name: str, arrays: Arrays, order: Any) -> Arrays:
        if name in self.flattened:
            arrays = arrays | {"weight": arrays["weight"][order(self.flattened[name])]}
        if name in self.unflattened:
            arrays = {key: array[..., order(self.unflattened[name])] for key, array in arrays.items()}
        return arrays


def feature_order(shape: tuple[int, int, int]) -> np.ndarray:
    """For each feature in the order (H, W, C), where it stands in the order (C, H, W)."""
    height, width, channels = shape
    return np.arange(height * width * channels).reshape(channels, height, width).transpose(1, 2, 0).reshape(-1)


def torch_order(shape: tuple[int, int, int]) -> np.ndarray:
    """For each feature in the order (C, H, W), where it stands in the order (H, W, C)."""
    return np.argsort(feature_order(shape))


def refuse_silence(module: Module) -> None:
    """Raises ArgumentError where a Linear may read, or make, a flattened image, which nobody has said."""
    refuse_near_convolutions(module)
    refuse_beside_reshapes(module)


def refuse_beside_reshapes(module: Module) -> None:
    """Raises ArgumentError where a Linear is the first to read what is flattened, or what it makes becomes images."""
    parts = [(n, p) for n, p in module.named_modules() if isinstance(p, (Linear, Convolution, Flatten, Reshape))]
    weighted = [i for i, (_, part) in enumerate(parts) if isinstance(part, (Linear, Convolution))]
    for (before, first), (after, second) in itertools.pairwise(parts):
        if isinstance(first, Flatten) and isinstance(second, Linear) and parts[weighted[0]][1] is second:
            name, option, features = after, "flattened", second.in_features
        elif isinstance(first, Linear) and isinstance(second, Reshape) and parts[weighted[-1]][1] is first:
            if len(second.shape) != 3:
                continue
            name, option, features = before, "unflattened", first.out_features
        else:
            continue
        raise ArgumentError(
            f"the {features} features of {name} may be images of several channels, which are channels-last here: say "
            f'{option}={{"{name}": (H, W, C)}}, or {option}={{}} if not'
        )


def refuse_near_convolutions(module: Module) -> None:
    """Raises ArgumentError where a Linear stands beside a convolution, and their numbers would fit an image."""
    parts = [(name, part) for name, part in module.named_modules() if isinstance(part, (Linear, Convolution))]
    for (before, first), (after, second) in itertools.pairwise(parts):
        if isinstance(second, Linear) and isinstance(first, Convolution):
            name, features, channels, option = after, second.in_features, first.out_channels, "flattened"
        elif isinstance(first, Linear) and isinstance(second, Convolution):
            name, features, channels, option = before, first.out_features, second.in_channels, "unflattened"
        else:
            continue
        if features > channels and features % channels == 0:
            raise ArgumentError(
                f"the {features} features of {name} may be an image beside the {channels} channels of a convolution, "
                f'and images are channels-last here: say {option}={{"{name}": (H, W, C)}}, or {option}={{}} if not'
            )
