"""The cases of the atlas in minigen: a forward pass, or a forward and a backward pass, of one layer or operation."""

from collections.abc import Callable
from typing import Any

import numpy as np

import minigen as mg
from minigen import layers, optim
from minigen.layers import Module

Step = Callable[[], object]
Built = tuple[Callable[[], Any], list[mg.Tensor]]  # what is called, and the leaves that get gradients


def generator() -> np.random.Generator:
    """The same numbers for every case."""
    return np.random.default_rng(0)


def normal(*shape: int, grad: bool = False) -> mg.Tensor:
    """Standard normal float32 numbers."""
    return mg.tensor(generator().standard_normal(shape, dtype=np.float32), requires_grad=grad)


def layer(module: Module, x: mg.Tensor) -> Built:
    """A layer, with gradients of its input and of its parameters."""
    x.requires_grad = True
    return lambda: module(x), [x, *module.parameters()]


def conv2d(s: dict[str, Any]) -> Built:
    """A convolution, or a grouped one."""
    options = s["kernel"], s["stride"], s["padding"], s["dilation"], s["groups"]
    module = layers.Conv2d(s["inputs"], s["outputs"], *options, rng=generator())
    return layer(module, normal(s["batch"], s["height"], s["width"], s["inputs"]))


def conv_transpose2d(s: dict[str, Any]) -> Built:
    """Its adjoint."""
    options = s["kernel"], s["stride"], s["padding"]
    module = layers.ConvTranspose2d(s["inputs"], s["outputs"], *options, rng=generator())
    return layer(module, normal(s["batch"], s["height"], s["width"], s["inputs"]))


def dense(s: dict[str, Any]) -> Built:
    """A dense layer."""
    return layer(layers.Linear(s["inputs"], s["outputs"], rng=generator()), normal(s["batch"], s["inputs"]))


def batched_product(s: dict[str, Any]) -> Built:
    """Several products of small matrices."""
    a = normal(s["count"], s["rows"], s["terms"], grad=True)
    b = normal(s["count"], s["terms"], s["columns"], grad=True)
    return lambda: a @ b, [a, b]


def recurrent(s: dict[str, Any]) -> Built:
    """An RNN, LSTM or GRU over whole sequences."""
    form = {"rnn": layers.RNN, "lstm": layers.LSTM, "gru": layers.GRU}[s["cell"]]
    module, x = form(s["inputs"], s["width"], rng=generator()), normal(s["batch"], s["length"], s["inputs"], grad=True)
    return lambda: module(x)[0], [x, *module.parameters()]


def attention(s: dict[str, Any]) -> Built:
    """Scaled dot products; the heads lie side by side."""
    q, k, v = (normal(s["batch"], s["length"], s["heads"] * s["width"], grad=True) for _ in "qkv")
    return lambda: mg.scaled_dot_product_attention(q, k, v, s["heads"], s["causal"]), [q, k, v]


def batch_norm(s: dict[str, Any]) -> Built:
    """Of images, training."""
    return layer(layers.BatchNorm(s["channels"]), images(s))


def group_norm(s: dict[str, Any]) -> Built:
    """Of images, in 8 groups."""
    return layer(layers.GroupNorm(8, s["channels"]), images(s))


def layer_norm(s: dict[str, Any]) -> Built:
    """Of rows."""
    return layer(layers.LayerNorm(s["width"]), normal(s["rows"], s["width"]))


def max_pool2d(s: dict[str, Any]) -> Built:
    """The largest of each window."""
    return layer(layers.MaxPool2d(s["kernel"], s["stride"]), images(s))


def avg_pool2d(s: dict[str, Any]) -> Built:
    """The mean of each window."""
    return layer(layers.AvgPool2d(s["kernel"], s["stride"]), images(s))


def images(s: dict[str, Any]) -> mg.Tensor:
    """(N, H, W, C)."""
    return normal(s["batch"], s["height"], s["width"], s["channels"])


def elementwise(s: dict[str, Any]) -> Built:
    """What stands between layers."""
    rng, x, y = generator(), *(normal(s["rows"], s["width"], grad=True) for _ in "xy")
    chains: dict[str, Callable[[], Any]] = {
        "leaky_relu": lambda: mg.leaky_relu(x, 0.2),
        "gate": lambda: mg.tanh(x) * mg.sigmoid(y),
        "residual": lambda: mg.relu(x + 0.5 * y),
        "dropout": lambda: mg.dropout(x, 0.5, rng),
    }
    chain = chains.get(s["chain"]) or (lambda: getattr(mg, s["chain"])(x))
    return chain, [x, y] if s["chain"] in ("gate", "residual") else [x]


def softmax(s: dict[str, Any]) -> Built:
    """Over the last axis."""
    return layer(layers.Softmax(), normal(s["rows"], s["width"]))


def loss(s: dict[str, Any]) -> Built:
    """The mean over a batch."""
    x, name = normal(s["rows"], s["width"], grad=True), s["loss"]
    rng, shape = generator(), (s["rows"], s["width"])
    target = rng.integers(0, s["width"], s["rows"]) if name == "cross_entropy" else rng.random(shape, np.float32)
    given = mg.tensor(target)
    return lambda: getattr(mg, name)(x, given), [x]


def embedding(s: dict[str, Any]) -> Built:
    """Rows of a table."""
    module, ids = (
        layers.Embedding(s["table"], s["width"], rng=generator()),
        generator().integers(0, s["table"], s["rows"]),
    )
    return lambda: module(ids), list(module.parameters())


def optimizer(s: dict[str, Any]) -> Built:
    """The update alone; there is nothing to go backward through."""
    model = layers.Sequential(*[layers.Linear(s["width"], s["width"], rng=generator()) for _ in range(8)])
    forms = {
        "sgd": lambda p: optim.SGD(p, 1e-6), "momentum": lambda p: optim.SGD(p, 1e-6, 0.9),
        "adam": lambda p: optim.Adam(p, 1e-6), "adamw": lambda p: optim.AdamW(p, 1e-6),
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


def case(build: str, sizes: dict[str, Any], backward: bool) -> Step:
    """`build` of these sizes as a step; with backward the gradients of its leaves, too."""
    call, leaves = BUILDERS[build](sizes)

    def forward() -> object:
        with mg.no_grad():
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
