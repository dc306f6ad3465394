"""What the reference workloads in JAX are made of: Adam, and layers as functions of a dict of arrays."""

# pyright: reportMissingImports=false
# JAX is optional (the extra `bench`), and so is this file.

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, nn, random

Step = Callable[[], float]
Params = Any  # a dict, a list or a tuple of arrays and of the same

LAYOUT = ("NHWC", "HWIO", "NHWC")


def training(step: Callable[..., tuple[Params, jax.Array]], state: Params, *data: jax.Array) -> Step:
    """Calls of the jitted step, each from the state that the one before has left."""
    compiled = jax.jit(step, donate_argnums=0)

    def run() -> float:
        nonlocal state
        state, loss = compiled(state, *data)
        return float(loss)

    return run


# ---------------------------------------------------------------- Adam


def adam_state(params: Params) -> Params:
    """First and second moments, and the count of steps."""
    return {"m": jax.tree.map(jnp.zeros_like, params), "v": jax.tree.map(jnp.zeros_like, params), "t": jnp.zeros(())}


def adam(params: Params, grads: Params, state: Params, lr: float, beta1: float = 0.9) -> tuple[Params, Params]:
    """Parameters and moments after one step."""
    beta2, eps = 0.999, 1e-8
    t = state["t"] + 1
    m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state["m"], grads)
    v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state["v"], grads)
    m_scale, v_scale = 1 / (1 - beta1**t), 1 / (1 - beta2**t)
    params = jax.tree.map(lambda p, m, v: p - lr * m * m_scale / (jnp.sqrt(v * v_scale) + eps), params, m, v)
    return params, {"m": m, "v": v, "t": t}


def adam_training(loss: Callable[..., jax.Array], params: Params, *data: jax.Array) -> Step:
    """Steps down loss(params, key, *data) by Adam, 1e-3."""

    def step(state: Params, *data: jax.Array) -> tuple[Params, jax.Array]:
        key, step_key = random.split(state["key"])
        value, grads = jax.value_and_grad(loss)(state["params"], step_key, *data)
        params, moments = adam(state["params"], grads, state["moments"], 1e-3)
        return {"params": params, "moments": moments, "key": key}, value

    return training(step, {"params": params, "moments": adam_state(params), "key": random.key(0)}, *data)


# ---------------------------------------------------------------- layers


def weights(key: jax.Array, *shape: int) -> jax.Array:
    """Normal numbers, scaled by the inputs of one output."""
    inputs = 1
    for length in shape[:-1]:
        inputs *= length
    return random.normal(key, shape) / inputs**0.5


def dense_params(key: jax.Array, *widths: int) -> list[dict[str, jax.Array]]:
    """Weights and biases of dense layers from each width to the next."""
    pairs = list(pairwise(widths))
    keys = random.split(key, len(pairs))
    return [{"w": weights(k, i, o), "b": jnp.zeros(o)} for k, (i, o) in zip(keys, pairs, strict=True)]


def dense(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """x w + b."""
    return x @ p["w"] + p["b"]


def mlp(params: list[dict[str, jax.Array]], x: jax.Array) -> jax.Array:
    """Dense layers with LeakyReLU 0.2 between them."""
    for p in params[:-1]:
        x = nn.leaky_relu(dense(p, x), 0.2)
    return dense(params[-1], x)


def conv(x: jax.Array, w: jax.Array, stride: int, padding: str) -> jax.Array:
    """2-D convolution."""
    return lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=LAYOUT)


def conv_transpose(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Transposed 2-D convolution, `stride` times as large."""
    return lax.conv_transpose(x, w, (stride, stride), "SAME", dimension_numbers=LAYOUT)


def norm_params(channels: int) -> dict[str, jax.Array]:
    """Scale and shift of batch norm."""
    return {"scale": jnp.ones(channels), "shift": jnp.zeros(channels)}


def batch_norm(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """Batch norm over all axes but the last."""
    axes = tuple(range(x.ndim - 1))
    mean, var = jnp.mean(x, axes), jnp.var(x, axes)
    return (x - mean) * (lax.rsqrt(var + 1e-5) * p["scale"]) + p["shift"]


def dropout(key: jax.Array, x: jax.Array, share: float) -> jax.Array:
    """Drops a share of the numbers and scales up the rest."""
    return jnp.where(random.bernoulli(key, 1 - share, x.shape), x / (1 - share), 0)


def max_pool(x: jax.Array) -> jax.Array:
    """The largest of each 2×2."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def bce_with_logits(logits: jax.Array, target: jax.Array | float) -> jax.Array:
    """Cross-entropy with a probability given by its logit, one by one."""
    return nn.softplus(logits) - target * logits


def layer_norm(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """Each row by its own mean and variance."""
    mean, var = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5) * p["scale"] + p["shift"]


def cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    """The mean of -log p(y)."""
    return -jnp.take_along_axis(nn.log_softmax(logits), y[..., None], -1).mean()
