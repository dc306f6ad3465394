"""The cases of the atlas in PyTorch: those of `atlas_minigen.py`, as its users write them, images channels first."""

# pyright: reportMissingImports=false
# PyTorch is optional (the extra `bench`), and so is this file.

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

Step = Callable[[], object]
Call = Callable[..., torch.Tensor]


def normal(*shape: int, grad: bool = False) -> torch.Tensor:
    """Standard normal float32 numbers."""
    return torch.randn(shape, requires_grad=grad)


def steps(function: Call, leaves: list[torch.Tensor], backward: bool) -> Step:
    """`function` of nothing as a step; with backward the gradients of the leaves, of ones from above, too."""

    def forward() -> object:
        with torch.no_grad():
            return function()

    def both() -> object:
        for leaf in leaves:
            leaf.grad = None
        y = function()
        y.backward(ones if y.ndim else None)
        return y

    ones = torch.randn(function().shape)
    return both if backward else forward


def layer(module: nn.Module, x: torch.Tensor, backward: bool) -> Step:
    """A layer as a step."""
    x.requires_grad_(True)
    return steps(lambda: module(x), [x, *module.parameters()], backward)


def conv2d(s: dict[str, Any], backward: bool) -> Step:
    """A convolution, or a grouped one."""
    options = s["kernel"], s["stride"], s["padding"], s["dilation"], s["groups"]
    module = nn.Conv2d(s["inputs"], s["outputs"], *options)
    return layer(module, normal(s["batch"], s["inputs"], s["height"], s["width"]), backward)


def conv_transpose2d(s: dict[str, Any], backward: bool) -> Step:
    """Its adjoint."""
    module = nn.ConvTranspose2d(s["inputs"], s["outputs"], s["kernel"], s["stride"], s["padding"])
    return layer(module, normal(s["batch"], s["inputs"], s["height"], s["width"]), backward)


def dense(s: dict[str, Any], backward: bool) -> Step:
    """A dense layer."""
    return layer(nn.Linear(s["inputs"], s["outputs"]), normal(s["batch"], s["inputs"]), backward)


def batched_product(s: dict[str, Any], backward: bool) -> Step:
    """Several products of small matrices."""
    a = normal(s["count"], s["rows"], s["terms"], grad=True)
    b = normal(s["count"], s["terms"], s["columns"], grad=True)
    return steps(lambda: a @ b, [a, b], backward)


def recurrent(s: dict[str, Any], backward: bool) -> Step:
    """An RNN, LSTM or GRU over whole sequences."""
    form = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[s["cell"]]
    module = form(s["inputs"], s["width"], batch_first=True)
    x = normal(s["batch"], s["length"], s["inputs"], grad=True)
    return steps(lambda: module(x)[0], [x, *module.parameters()], backward)


def attention(s: dict[str, Any], backward: bool) -> Step:
    """Scaled dot products."""
    q, k, v = (normal(s["batch"], s["heads"], s["length"], s["width"], grad=True) for _ in "qkv")
    return steps(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=s["causal"]), [q, k, v], backward)


def batch_norm(s: dict[str, Any], backward: bool) -> Step:
    """Of images, training."""
    return layer(nn.BatchNorm2d(s["channels"]), images(s), backward)


def group_norm(s: dict[str, Any], backward: bool) -> Step:
    """Of images, in 8 groups."""
    return layer(nn.GroupNorm(8, s["channels"]), images(s), backward)


def layer_norm(s: dict[str, Any], backward: bool) -> Step:
    """Of rows."""
    return layer(nn.LayerNorm(s["width"]), normal(s["rows"], s["width"]), backward)


def max_pool2d(s: dict[str, Any], backward: bool) -> Step:
    """The largest of each window."""
    return layer(nn.MaxPool2d(s["kernel"], s["stride"]), images(s), backward)


def avg_pool2d(s: dict[str, Any], backward: bool) -> Step:
    """The mean of each window."""
    return layer(nn.AvgPool2d(s["kernel"], s["stride"]), images(s), backward)


def images(s: dict[str, Any]) -> torch.Tensor:
    """(N, C, H, W)."""
    return normal(s["batch"], s["channels"], s["height"], s["width"])


def elementwise(s: dict[str, Any], backward: bool) -> Step:
    """What stands between layers."""
    x, y = (normal(s["rows"], s["width"], grad=True) for _ in "xy")
    chains: dict[str, Call] = {
        "leaky_relu": lambda: F.leaky_relu(x, 0.2),
        "gate": lambda: torch.tanh(x) * torch.sigmoid(y),
        "residual": lambda: torch.relu(x + 0.5 * y),
        "dropout": lambda: F.dropout(x, 0.5),
        "tanh": lambda: torch.tanh(x),
        "sigmoid": lambda: torch.sigmoid(x),
    }
    chain = chains.get(s["chain"]) or (lambda: getattr(F, s["chain"])(x))
    return steps(chain, [x, y] if s["chain"] in ("gate", "residual") else [x], backward)


def softmax(s: dict[str, Any], backward: bool) -> Step:
    """Over the last axis."""
    return layer(nn.Softmax(-1), normal(s["rows"], s["width"]), backward)


def loss(s: dict[str, Any], backward: bool) -> Step:
    """The mean over a batch."""
    x, name = normal(s["rows"], s["width"], grad=True), s["loss"]
    target = torch.randint(0, s["width"], (s["rows"],)) if name == "cross_entropy" else torch.rand(x.shape)
    return steps(lambda: getattr(F, name)(x, target), [x], backward)


def embedding(s: dict[str, Any], backward: bool) -> Step:
    """Rows of a table."""
    module, ids = nn.Embedding(s["table"], s["width"]), torch.randint(0, s["table"], (s["rows"],))
    return steps(lambda: module(ids), list(module.parameters()), backward)


def optimizer(s: dict[str, Any], backward: bool) -> Step:
    """The update alone; there is nothing to go backward through."""
    model = nn.Sequential(*[nn.Linear(s["width"], s["width"]) for _ in range(8)])
    forms = {
        "sgd": lambda p: torch.optim.SGD(p, 1e-6), "momentum": lambda p: torch.optim.SGD(p, 1e-6, 0.9),
        "adam": lambda p: torch.optim.Adam(p, 1e-6), "adamw": lambda p: torch.optim.AdamW(p, 1e-6),
    }  # fmt: skip
    chosen = forms[s["optimizer"]](model.parameters())
    model(normal(4, s["width"])).sum().backward()
    return chosen.step
