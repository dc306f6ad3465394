"""How PyTorch names and lays out the parameters of each layer; `outward` is its way, `inward` ours.

Linear               weight (in, out)             ↔ weight (out, in)
Conv1d, Conv2d, …    weight (K…, in, out)         ↔ weight (out, in, K…); transposed ones alike, from (K…, out, in)
RNN, LSTM            w_x (in, G·H), w_h, b        ↔ weight_ih (G·H, in), weight_hh, bias_ih + bias_hh; their cells too
GRU                  b of r, z, n beside x, n beside h ↔ bias_ih of r, z, n and bias_hh of r, z, n
MultiHeadAttention   qkv, out                     ↔ in_proj_weight, in_proj_bias, out_proj
spectral_norm        original, u, v               ↔ original, 0._u, 0._v, laid out as the weight (axis here, dim there)
weight_norm          original0, original1         ↔ original0, original1, laid out as the weight
everything else      as it is, under its own name
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.layers import GRU, GRUCell, Linear, Module, MultiHeadAttention, TransformerBlock
from minigen.layers.cells import Cell
from minigen.layers.convolution import Convolution
from minigen.layers.normalization import BatchNorm
from minigen.layers.parametrize import SpectralNorm
from minigen.layers.recurrent import Recurrent

Arrays = dict[str, np.ndarray]
Turn = Callable[[Any, Mapping[str, np.ndarray]], Arrays]


@dataclass(frozen=True)
class Layout:
    """The arrays of a layer by PyTorch's names from those by ours, and back. Each is given the layer itself, too."""

    outward: Turn
    inward: Turn
    extra: frozenset[str] = frozenset()  # names that PyTorch has beside these, and that say nothing here


def same(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The arrays as they are."""
    return dict(arrays)


def transposed(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The weight's axes exchanged."""
    return {name: array.T for name, array in arrays.items()}


def kernels_last(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """(K…, a, b) → (b, a, K…)."""
    return {name: np.moveaxis(array, (-1, -2), (0, 1)) if array.ndim > 1 else array for name, array in arrays.items()}


def kernels_first(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """(b, a, K…) → (K…, a, b)."""
    return {name: np.moveaxis(array, (0, 1), (-1, -2)) if array.ndim > 1 else array for name, array in arrays.items()}


def recurrent_ends(layer: Recurrent | Cell) -> list[tuple[str, str]]:
    """The endings of names here and there, for each layer and direction: ("_0", "_l0"), …; a cell has none."""
    if isinstance(layer, Cell):
        return [("", "")]
    return [(f"_{index}{end}", f"_l{index}{end}") for index in range(layer.num_layers) for end in layer.ends]


def recurrent_outward(layer: Recurrent | Cell, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Our one bias becomes bias_ih, beside zeros; the GRU's fourth part is its bias_hh of n."""
    theirs: Arrays = {}
    for here, there in recurrent_ends(layer):
        bias, size = arrays[f"b{here}"], layer.gates * layer.hidden_size
        beside_h = np.zeros(size, bias.dtype)
        beside_h[size - (len(bias) - size) :] = bias[size:]
        theirs[f"weight_ih{there}"] = arrays[f"w_x{here}"].T
        theirs[f"weight_hh{there}"] = arrays[f"w_h{here}"].T
        theirs[f"bias_ih{there}"] = bias[:size]
        theirs[f"bias_hh{there}"] = beside_h
    return theirs


def recurrent_inward(layer: Recurrent | Cell, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The two biases become one, their sum; the GRU's of n stay apart."""
    ours: Arrays = {}
    for here, there in recurrent_ends(layer):
        beside_x, beside_h = arrays[f"bias_ih{there}"], arrays[f"bias_hh{there}"]
        summed = beside_x + beside_h
        if isinstance(layer, (GRU, GRUCell)):
            r_and_z = 2 * layer.hidden_size
            summed = np.concatenate([summed[:r_and_z], beside_x[r_and_z:], beside_h[r_and_z:]])
        ours[f"w_x{here}"] = arrays[f"weight_ih{there}"].T
        ours[f"w_h{here}"] = arrays[f"weight_hh{there}"].T
        ours[f"b{here}"] = summed
    return ours


ATTENTION = {
    "qkv.weight": "in_proj_weight",
    "qkv.bias": "in_proj_bias",
    "out.weight": "out_proj.weight",
    "out.bias": "out_proj.bias",
}


def attention_outward(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """q, k and v are one product on both sides."""
    return {ATTENTION[name]: array.T for name, array in arrays.items()}


def attention_inward(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """q, k and v are one product on both sides."""
    return {ours: arrays[theirs].T for ours, theirs in ATTENTION.items() if theirs in arrays}


PLAIN = Layout(same, same)
CONVOLUTION = Layout(kernels_last, kernels_first)
RECURRENT = Layout(recurrent_outward, recurrent_inward)
LAYOUTS: tuple[tuple[type[Module], Layout], ...] = (
    (Linear, Layout(transposed, transposed)),
    (Recurrent, RECURRENT),
    (Cell, RECURRENT),
    (Convolution, CONVOLUTION),
    (MultiHeadAttention, Layout(attention_outward, attention_inward)),
    (BatchNorm, Layout(same, same, frozenset({"num_batches_tracked"}))),
)
# Parts of a layer that PyTorch's twin of it calls otherwise.
PART_NAMES: dict[type[Module], dict[str, str]] = {
    TransformerBlock: {
        "attention": "self_attn",
        "attention_norm": "norm1",
        "mlp_norm": "norm2",
        "mlp.0": "linear1",
        "mlp.2": "linear2",
    }
}


def layout_of(layer: Module) -> Layout | None:
    """The layout of a layer that is turned as a whole; None for one whose parts are turned one by one."""
    for kind, layout in LAYOUTS:
        if isinstance(layer, kind):
            return layout
    return None if parts_of(layer) else PLAIN


def parts_of(layer: Module) -> list[tuple[str, Module]]:
    """The named parts of a layer, but not what computes its own weights."""
    return [(name, part) for name, part in layer.named_children() if name != COMPUTED]


# ---------------------------------------------------------------- weights that are computed

COMPUTED = "parametrizations"
THEIR_PARTS = {"original": "original", "u": "0._u", "v": "0._v", "original0": "original0", "original1": "original1"}


def spread(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The arrays of a layer, with u and v of a spectral norm along the axes of the weight, to be turned with it."""
    found = dict(arrays)
    for name, made in vars(layer).get(COMPUTED, {}).items():
        if isinstance(made, SpectralNorm):
            shape = list(made.original.shape)
            others = [*shape[: made.axis], 1, *shape[made.axis + 1 :]]
            outputs = [length if i == made.axis else 1 for i, length in enumerate(shape)]
            for part, along in (("u", outputs), ("v", others)):
                key = f"{COMPUTED}.{name}.{part}"
                found[key] = found[key].reshape(along)
    return found


def in_torch(layer: Module, name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """Name and array of one that was turned, as PyTorch keeps it: u and v flat, one length for all without axes."""
    start, _, part = name.rpartition(".")
    if not start.startswith(f"{COMPUTED}."):
        return name, array
    made = vars(layer)[COMPUTED][start.removeprefix(f"{COMPUTED}.")]
    if part in ("u", "v"):
        array = array.reshape(-1)
    elif part == "original0" and len(made.rest) == array.ndim:
        array = array.reshape(())
    return f"{start}.{THEIR_PARTS[part]}", array
