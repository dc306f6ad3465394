"""All weights of a module, from and to PyTorch's `state_dict`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from minigen.errors import ArgumentError, CheckpointError
from minigen.interop.flattened import Shapes, Turned
from minigen.interop.layouts import COMPUTED, PART_NAMES, PLAIN, Arrays, Layout, in_torch, layout_of, parts_of, spread
from minigen.layers import Module
from minigen.layers.cells import Cell
from minigen.layers.module import array_of
from minigen.layers.recurrent import Recurrent

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
    (C, H, W) there and (H, W, C) here. unflattened: the same for those whose result is made an image, and for an
    Embedding whose rows are multiplied by one. Norms beside them, with as many features, are turned with them.
    A spectral norm's `axis` here must be that of `dim` there, as it is where neither is given.

    Raises CheckpointError, which lists every name or shape that differs, and then nothing has been changed;
    ArgumentError where a Linear stands beside convolutions, a Flatten or a Reshape, and neither of the two says whether
    it is flattened.
    """
    theirs = renamed(state, names)
    turned = Turned(module, flattened, unflattened)
    owners = {id(value): name for name, value in module.named_state()}
    ours: Arrays = {}
    problems, known = [], set()
    for piece in pieces(module):
        wanted = piece.outward(turned)
        known |= {piece.there + name for name in (*wanted, *piece.layout.extra)}
        found = {name: theirs[piece.there + name] for name in wanted if piece.there + name in theirs}
        problems += [f"missing: {piece.there}{name}" for name in wanted if name not in found]
        problems += [
            f"{piece.there}{name}: {found[name].shape} given, {wanted[name].shape} expected"
            for name in found
            if found[name].shape != wanted[name].shape
        ]
        if len(found) == len(wanted) and not problems:
            for name, array in piece.inward(turned, found).items():
                owner = owners[id(piece.own[name])]
                if not np.array_equal(ours.setdefault(owner, array), array, equal_nan=array.dtype.kind == "f"):
                    problems.append(f"{piece.here}{name} is {owner} here, and another weight there")
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
    for piece in pieces(module):
        arrays = piece.outward(turned)
        extra = piece.layout.extra if "running_mean" in arrays else ()
        theirs |= {piece.there + name: np.zeros((), np.int64) for name in extra if name not in arrays}
        theirs |= {piece.there + name: np.array(array, order="C") for name, array in arrays.items()}
    back = {here: there for there, here in (names or {}).items() if here is not None}
    return renamed(theirs, back)


@dataclass(frozen=True)
class Piece:
    """One layer that has arrays: what its names begin with here and there, how it is turned, and its own arrays."""

    here: str
    there: str
    layer: Module
    layout: Layout
    own: dict[str, Any]  # Parameters and buffers by name

    def outward(self, turned: Turned) -> Arrays:
        """The layer's arrays as PyTorch has them, by its names."""
        return dict(in_torch(self.layer, name, array) for name, array in self.spread(turned).items())

    def spread(self, turned: Turned) -> Arrays:
        """The same by our names, before what has an axis of its own in PyTorch loses the others."""
        arrays = spread(self.layer, {name: array_of(value) for name, value in self.own.items()})
        return self.layout.outward(self.layer, turned.outward(self.here.removesuffix("."), arrays))

    def inward(self, turned: Turned, found: Arrays) -> Arrays:
        """The layer's arrays from PyTorch's."""
        arrays = {}
        for name, array in self.spread(turned).items():
            arrays[name] = found[in_torch(self.layer, name, array)[0]].reshape(array.shape)
        arrays = turned.inward(self.here.removesuffix("."), self.layout.inward(self.layer, arrays))
        own = self.own
        return {name: np.asarray(array, own[name].dtype).reshape(own[name].shape) for name, array in arrays.items()}


def pieces(layer: Module, here: str = "", above: tuple[Module, ...] = ()) -> Iterator[Piece]:
    """Everything inside that has arrays; what stands in two places comes twice, as it does in PyTorch."""
    layout, parts, own = layout_of(layer), parts_of(layer), dict(layer.named_state())
    if layout is None:
        own = {name: value for name, value in own.items() if "." not in name or name.startswith(f"{COMPUTED}.")}
    elif parts or isinstance(layer, (Recurrent, Cell)):
        refuse_computed(layer, here)
    if own:
        yield Piece(here, "", layer, layout or PLAIN, own)
    for name, part in parts if layout is None else ():
        if not any(part is outer for outer in (*above, layer)):
            for piece in pieces(part, f"{here}{name}.", (*above, layer)):
                yield replace(piece, there=their_name(layer, f"{name}.{piece.there}"))


def refuse_computed(layer: Module, here: str) -> None:
    """Raises ArgumentError where weights are computed whose names PyTorch puts together otherwise."""
    for name, part in layer.named_modules():
        if COMPUTED in vars(part):
            raise ArgumentError(
                f"{here}{name}: weights of a {type(layer).__name__} are computed (spectral or weight norm), which has "
                "no like in PyTorch; call remove_parametrizations(layer) before, here and in PyTorch"
            )


def their_name(layer: Module, dotted: str) -> str:
    """A name of something inside a layer, with the part that PyTorch calls otherwise by its name."""
    for ours, theirs in PART_NAMES.get(type(layer), {}).items():
        if dotted.startswith(f"{ours}."):
            return theirs + dotted.removeprefix(ours)
    return dotted


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
