"""The cases of the atlas in PyTorch: those of `atlas_minigen.py`, as its users write them, images channels first."""

# pyright: reportMissingImports=false
# PyTorch is optional (the extra `bench`), and so is this file.

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

Step = Callable[[], object]
Built = tuple[Callable[[], Any], list[torch.Tensor]]  # what is called, and the leaves that get gradients


def normal(*shape: int, grad: bool = False) -> torch.Tensor:
    """Standard normal float32 numbers."""
    return torch.randn(shape, requires_grad=grad)


def layer(module: nn.Module, x: torch.Tensor) -> Built:
    """A layer, with gradients of its input and of its parameters."""
    x.requires_grad_(True)
    return lambda: module(x), [x, *module.parameters()]


def conv2d(s: dict[str, Any]) -> Built:
    """A convolution, or a grouped one."""
    options = s["kernel"], s["stride"], s["padding"], s["dilation"], s["groups"]
    module = nn.Conv2d(s["inputs"], s["outputs"], *options)
    return layer(module, normal(s["batch"], s["inputs"], s["height"], s["width"]))


def conv_transpose2d(s: dict[str, Any]) -> Built:
    """Its adjoint."""
    module = nn.ConvTranspose2d(s["inputs"], s["outputs"], s["kernel"], s["stride"], s["padding"])
    return layer(module, normal(s["batch"], s["inputs"], s["height"], s["width"]))


def dense(s: dict[str, Any]) -> Built:
    """A dense layer."""
    return layer(nn.Linear(s["inputs"], s["outputs"]), normal(s["batch"], s["inputs"]))


def batched_product(s: dict[str, Any]) -> Built:
    """Several products of small matrices."""
    a = normal(s["count"], s["rows"], s["terms"], grad=True)
    b = normal(s["count"], s["terms"], s["columns"], grad=True)
    return lambda: a @ b, [a, b]


def recurrent(s: dict[str, Any]) -> Built:
    """An RNN, LSTM or GRU over whole sequences."""
    form = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[s["cell"]]
    module = form(s["inputs"], s["width"], batch_first=True)
    x = normal(s["batch"], s["length"], s["inputs"], grad=True)
    return lambda: module(x)[0], [x, *module.parameters()]


def attention(s: dict[str, Any]) -> Built:
    """Scaled dot products."""
    q, k, v = (normal(s["batch"], s["heads"], s["length"], s["width"], grad=True) for _ in "qkv")
    return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=s["causal"]), [q, k, v]


def batch_norm(s: dict[str, Any]) -> Built:
    """Of images, training."""
    return layer(nn.BatchNorm2d(s["channels"]), images(s))


def group_norm(s: dict[str, Any]) -> Built:
    """Of images, in 8 groups."""
    return layer(nn.GroupNorm(8, s["channels"]), images(s))


def layer_norm(s: dict[str, Any]) -> Built:
    """Of rows."""
    return layer(nn.LayerNorm(s["width"]), normal(s["rows"], s["width"]))


def max_pool2d(s: dict[str, Any]) -> Built:
    """The largest of each window."""
    return layer(nn.MaxPool2d(s["kernel"], s["stride"]), images(s))


def avg_pool2d(s: dict[str, Any]) -> Built:
    """The mean of each window."""
    return layer(nn.AvgPool2d(s["kernel"], s["stride"]), images(s))


def images(s: dict[str, Any]) -> torch.Tensor:
    """(N, C, H, W)."""
    return normal(s["batch"], s["channels"], s["height"], s["width"])


def elementwise(s: dict[str, Any]) -> Built:
    """What stands between layers."""
    x, y = (normal(s["rows"], s["width"], grad=True) for _ in "xy")
    chains: dict[str, Callable[[], Any]] = {
        "leaky_relu": lambda: F.leaky_relu(x, 0.2),
        "gate": lambda: torch.tanh(x) * torch.sigmoid(y),
        "residual": lambda: torch.relu(x + 0.5 * y),
        "dropout": lambda: F.dropout(x, 0.5),
        "tanh": lambda: torch.tanh(x),
        "sigmoid": lambda: torch.sigmoid(x),
    }
    chain = chains.get(s["chain"]) or (lambda: getattr(F, s["chain"])(x))
    return chain, [x, y] if s["chain"] in ("gate", "residual") else [x]


def softmax(s: dict[str, Any]) -> Built:
    """Over the last axis."""
    return layer(nn.Softmax(-1), normal(s["rows"], s["width"]))


def loss(s: dict[str, Any]) -> Built:
    """The mean over a batch."""
    x, name = normal(s["rows"], s["width"], grad=True), s["loss"]
    target = torch.randint(0, s["width"], (s["rows"],)) if name == "cross_entropy" else torch.rand(x.shape)
    return lambda: getattr(F, name)(x, target), [x]


def embedding(s: dict[str, Any]) -> Built:
    """Rows of a table."""
    module, ids = nn.Embedding(s["table"], s["width"]), torch.randint(0, s["table"], (s["rows"],))
    return lambda: module(ids), list(module.parameters())


def optimizer(s: dict[str, Any]) -> Built:
    """The update alone; there is nothing to go backward through."""
    model = nn.Sequential(*[nn.Linear(s["width"], s["width"]) for _ in range(8)])
    forms = {
        "sgd": lambda p: torch.optim.SGD(p, 1e-6), "momentum": lambda p: torch.optim.SGD(p, 1e-6, 0.9),
        "adam": lambda p: torch.optim.Adam(p, 1e-6), "adamw": lambda p: torch.optim.AdamW(p, 1e-6),
    }  # fmt: skip
    chosen = forms[s["optimizer"]](model.parameters())
    model(normal(4, s["width"])).sum().backward()
    return chosen.step, []


BUILDERS: dict[str, Callable[[dict[str, Any]], Built]] = {
    build.__name__: build
    for build in (
        *(conv2d, conv_transpose2d, dense, batched_product, recurrent, attention, batch_norm, group_norm, layer_norm),
        *(max_pool2d, avg_pool2d, elementwise, softmax, loss, embedding, optimizer),
    )
}


def case(build: str, sizes: dict[str, Any], backward: bool, compiled: bool) -> Step:
    """`build` of these sizes as a step, compiled or not; with backward the gradients of its leaves, too."""
    call, leaves = BUILDERS[build](sizes)
    call = torch.compile(call) if compiled else call

    def forward() -> object:
        with torch.no_grad():
            return call()

    def both() -> object:
        for leaf in leaves:
            leaf.grad = None
        y = call()
        y.backward(above if y.ndim else None)
        return y

    if not (backward and leaves):
        return forward
    above = normal(*call().shape)
    return both
