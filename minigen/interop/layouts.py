"""How PyTorch names and lays out the parameters of each layer; `outward` is its way, `inward` ours.

Linear               weight (in, out)             ↔ weight (out, in)
Conv1d, Conv2d, …    weight (K…, in, out)         ↔ weight (out, in, K…); transposed ones alike, from (K…, out, in)
RNN, LSTM            w_x (in, G·H), w_h, b        ↔ weight_ih (G·H, in), weight_hh, bias_ih + bias_hh
GRU                  b of r, z, n beside x, n beside h ↔ bias_ih of r, z, n and bias_hh of r, z, n
MultiHeadAttention   qkv, out                     ↔ in_proj_weight, in_proj_bias, out_proj
everything else      as it is, under its own name
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.layers import GRU, Linear, Module, MultiHeadAttention, TransformerBlock
from minigen.layers.normalization import BatchNorm
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
    return {name: array.T if name == "weight" else array for name, array in arrays.items()}


def kernels_last(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """(K…, a, b) → (b, a, K…)."""
    return {name: np.moveaxis(array, (-1, -2), (0, 1)) if name == "weight" else array for name, array in arrays.items()}


def kernels_first(layer: Module, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """(b, a, K…) → (K…, a, b)."""
    return {name: np.moveaxis(array, (0, 1), (-1, -2)) if name == "weight" else array for name, array in arrays.items()}


def recurrent_ends(layer: Recurrent) -> list[str]:
    """The endings of names, one for each layer and direction: "0", "0_reverse", "1", …"""
    return [f"{index}{end}" for index in range(layer.num_layers) for end in layer.ends]


def recurrent_outward(layer: Recurrent, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Our one bias becomes bias_ih, beside zeros; the GRU's fourth part is its bias_hh of n."""
    theirs: Arrays = {}
    for end in recurrent_ends(layer):
        bias, size = arrays[f"b_{end}"], layer.gates * layer.hidden_size
        beside_h = np.zeros(size, bias.dtype)
        beside_h[size - (len(bias) - size) :] = bias[size:]
        theirs[f"weight_ih_l{end}"] = arrays[f"w_x_{end}"].T
        theirs[f"weight_hh_l{end}"] = arrays[f"w_h_{end}"].T
        theirs[f"bias_ih_l{end}"] = bias[:size]
        theirs[f"bias_hh_l{end}"] = beside_h
    return theirs


def recurrent_inward(layer: Recurrent, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The two biases become one, their sum; the GRU's of n stay apart."""
    ours: Arrays = {}
    for end in recurrent_ends(layer):
        beside_x, beside_h = arrays[f"bias_ih_l{end}"], arrays[f"bias_hh_l{end}"]
        summed = beside_x + beside_h
        if isinstance(layer, GRU):
            r_and_z = 2 * layer.hidden_size
            summed = np.concatenate([summed[:r_and_z], beside_x[r_and_z:], beside_h[r_and_z:]])
        ours[f"w_x_{end}"] = arrays[f"weight_ih_l{end}"].T
        ours[f"w_h_{end}"] = arrays[f"weight_hh_l{end}"].T
        ours[f"b_{end}"] = summed
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
LAYOUTS: tuple[tuple[type[Module], Layout], ...] = (
    (Linear, Layout(transposed, transposed)),
    (Recurrent, Layout(recurrent_outward, recurrent_inward)),
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
    if is_convolution(layer):
        return CONVOLUTION
    return None if layer.children() else PLAIN


def is_convolution(layer: Module) -> bool:
    """Whether a layer's weight is that of a convolution, of any number of axes, transposed or not."""
    return type(layer).__name__.startswith("Conv") and hasattr(layer, "weight") and hasattr(layer, "kernel_size")
