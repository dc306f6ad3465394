"""The cases of the atlas in JAX: those of `atlas_minigen.py`, as its users write them, each one function under jax.jit.

An optimizer is no part of JAX, so that this one case is missing.
"""

# pyright: reportMissingImports=false
# JAX is optional (the extra `bench`), and so is this file.

from collections.abc import Callable
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, nn, random

Step = Callable[[], object]
Built = tuple[Callable[..., jax.Array], list[jax.Array]]  # a function, and its arguments, which get gradients

LAYOUT = ("NHWC", "HWIO", "NHWC")
numbers = count()


def normal(*shape: int) -> jax.Array:
    """Standard normal float32 numbers."""
    return random.normal(random.key(next(numbers)), shape)


def conv2d(s: dict[str, Any]) -> Built:
    """A convolution, or a grouped one."""
    k, padding = s["kernel"], [(s["padding"], s["padding"])] * 2
    w, b = normal(k, k, s["inputs"] // s["groups"], s["outputs"]), normal(s["outputs"])

    def call(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
        strides, dilation = (s["stride"],) * 2, (s["dilation"],) * 2
        y = lax.conv_general_dilated(x, w, strides, padding, None, dilation, LAYOUT, s["groups"])
        return y + b

    return call, [normal(s["batch"], s["height"], s["width"], s["inputs"]), w, b]


def conv_transpose2d(s: dict[str, Any]) -> Built:
    """Its adjoint."""
    k, edge = s["kernel"], s["kernel"] - 1 - s["padding"]
    w, b = normal(k, k, s["inputs"], s["outputs"]), normal(s["outputs"])

    def call(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
        return lax.conv_transpose(x, w, (s["stride"],) * 2, [(edge, edge)] * 2, dimension_numbers=LAYOUT) + b

    return call, [normal(s["batch"], s["height"], s["width"], s["inputs"]), w, b]


def dense(s: dict[str, Any]) -> Built:
    """A dense layer."""
    arrays = [normal(s["batch"], s["inputs"]), normal(s["inputs"], s["outputs"]), normal(s["outputs"])]
    return lambda x, w, b: x @ w + b, arrays


def batched_product(s: dict[str, Any]) -> Built:
    """Several products of small matrices."""
    shapes = (s["count"], s["rows"], s["terms"]), (s["count"], s["terms"], s["columns"])
    return jnp.matmul, [normal(*shape) for shape in shapes]


def recurrent(s: dict[str, Any]) -> Built:
    """An RNN, LSTM or GRU over whole sequences."""
    step, gates = {"rnn": (rnn, 1), "lstm": (lstm, 4), "gru": (gru, 3)}[s["cell"]]
    n, width = s["batch"], s["width"]
    w, u, b = normal(s["inputs"], gates * width), normal(width, gates * width), normal(gates * width)

    def call(x: jax.Array, w: jax.Array, u: jax.Array, b: jax.Array) -> jax.Array:
        state = (jnp.zeros((n, width)),) * (2 if step is lstm else 1)
        inputs = jnp.swapaxes(x @ (w * width**-0.5) + b, 0, 1)
        return jnp.swapaxes(lax.scan(lambda state, z: step(state, z, u * width**-0.5), state, inputs)[1], 0, 1)

    return call, [normal(n, s["length"], s["inputs"]), w, u, b]


def rnn(state: tuple[jax.Array, ...], z: jax.Array, u: jax.Array) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """tanh of the sum."""
    h = jnp.tanh(z + state[0] @ u)
    return (h,), h


def lstm(state: tuple[jax.Array, ...], z: jax.Array, u: jax.Array) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """Gates i, f, g, o."""
    i, f, g, o = jnp.split(z + state[0] @ u, 4, axis=1)
    c = nn.sigmoid(f) * state[1] + nn.sigmoid(i) * jnp.tanh(g)
    h = nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def gru(state: tuple[jax.Array, ...], z: jax.Array, u: jax.Array) -> tuple[tuple[jax.Array, ...], jax.Array]:
    """Gates r, z, n."""
    (h,) = state
    (r, keep, new), (ur, uz, un) = jnp.split(z, 3, axis=1), jnp.split(h @ u, 3, axis=1)
    keep = nn.sigmoid(keep + uz)
    h = (1 - keep) * jnp.tanh(new + nn.sigmoid(r + ur) * un) + keep * h
    return (h,), h


def attention(s: dict[str, Any]) -> Built:
    """Scaled dot products."""
    arrays = [normal(s["batch"], s["length"], s["heads"], s["width"]) for _ in "qkv"]
    return lambda q, k, v: nn.dot_product_attention(q, k, v, is_causal=s["causal"]), arrays


def batch_norm(s: dict[str, Any]) -> Built:
    """Of images, training."""
    return lambda x, w, b: normalized(x, (0, 1, 2)) * w + b, [images(s), normal(s["channels"]), normal(s["channels"])]


def group_norm(s: dict[str, Any]) -> Built:
    """Of images, in 8 groups."""

    def call(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
        groups = x.reshape(*x.shape[:3], 8, -1)
        return normalized(groups, (1, 2, 4)).reshape(x.shape) * w + b

    return call, [images(s), normal(s["channels"]), normal(s["channels"])]


def layer_norm(s: dict[str, Any]) -> Built:
    """Of rows."""
    arrays = [normal(s["rows"], s["width"]), normal(s["width"]), normal(s["width"])]
    return lambda x, w, b: normalized(x, (1,)) * w + b, arrays


def normalized(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """x without its mean over the axes, over its standard deviation."""
    return (x - x.mean(axes, keepdims=True)) * lax.rsqrt(x.var(axes, keepdims=True) + 1e-5)


def max_pool2d(s: dict[str, Any]) -> Built:
    """The largest of each window."""
    return lambda x: pooled(x, s, -jnp.inf, lax.max), [images(s)]


def avg_pool2d(s: dict[str, Any]) -> Built:
    """The mean of each window."""
    return lambda x: pooled(x, s, 0.0, lax.add) / s["kernel"] ** 2, [images(s)]


def pooled(x: jax.Array, s: dict[str, Any], start: float, join: Callable[..., Any]) -> jax.Array:
    """Each window joined."""
    window, strides = (1, s["kernel"], s["kernel"], 1), (1, s["stride"], s["stride"], 1)
    return lax.reduce_window(x, start, join, window, strides, "VALID")


def images(s: dict[str, Any]) -> jax.Array:
    """(N, H, W, C)."""
    return normal(s["batch"], s["height"], s["width"], s["channels"])


def elementwise(s: dict[str, Any]) -> Built:
    """What stands between layers."""
    chain = s["chain"]
    arrays = [normal(s["rows"], s["width"]) for _ in ("xy" if chain in ("gate", "residual") else "x")]
    chains: dict[str, Callable[..., jax.Array]] = {
        "leaky_relu": lambda x: nn.leaky_relu(x, 0.2),
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "gate": lambda x, y: jnp.tanh(x) * nn.sigmoid(y),
        "residual": lambda x, y: nn.relu(x + 0.5 * y),
        "dropout": dropout,
    }
    return chains.get(chain) or getattr(nn, chain), arrays


def dropout(x: jax.Array) -> jax.Array:
    """Half of x; the key depends on it, so that the draw is not made while this is compiled."""
    key = random.key(lax.bitcast_convert_type(x[0, 0], jnp.int32))
    return jnp.where(random.bernoulli(key, 0.5, x.shape), x * 2, 0)


def softmax(s: dict[str, Any]) -> Built:
    """Over the last axis."""
    return nn.softmax, [normal(s["rows"], s["width"])]


def loss(s: dict[str, Any]) -> Built:
    """The mean over a batch."""
    x, name = normal(s["rows"], s["width"]), s["loss"]
    if name == "cross_entropy":
        target = random.randint(random.key(0), (s["rows"], 1), 0, s["width"])
        return lambda x: -jnp.take_along_axis(nn.log_softmax(x), target, 1).mean(), [x]
    target = random.uniform(random.key(0), x.shape)
    if name == "mse_loss":
        return lambda x: ((x - target) ** 2).mean(), [x]
    return lambda x: (nn.softplus(x) - x * target).mean(), [x]


def embedding(s: dict[str, Any]) -> Built:
    """Rows of a table."""
    ids = random.randint(random.key(0), (s["rows"],), 0, s["table"])
    return lambda table: table[ids], [normal(s["table"], s["width"])]


BUILDERS: dict[str, Callable[[dict[str, Any]], Built]] = {
    build.__name__: build
    for build in (
        *(conv2d, conv_transpose2d, dense, batched_product, recurrent, attention, batch_norm, group_norm, layer_norm),
        *(max_pool2d, avg_pool2d, elementwise, softmax, loss, embedding),
    )
}


def case(build: str, sizes: dict[str, Any], backward: bool) -> Step:
    """`build` of these sizes as a step; with backward the gradients of its arguments, too."""
    if build not in BUILDERS:
        raise NotImplementedError(f"JAX has no {build}")
    call, arrays = BUILDERS[build](sizes)
    above = normal(*jax.eval_shape(call, *arrays).shape)

    def both(above: jax.Array, *arrays: jax.Array) -> tuple[jax.Array, ...]:
        y, gradients = jax.vjp(call, *arrays)
        return y, *gradients(above)

    compiled = jax.jit(both if backward else call)
    given = [above, *arrays] if backward else arrays
    return lambda: jax.block_until_ready(compiled(*given))
