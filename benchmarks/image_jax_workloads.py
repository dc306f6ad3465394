"""The reference workloads on images in JAX, as its users write them: steps of `image_workloads.py` under jax.jit."""

# pyright: reportMissingImports=false
# JAX is optional (the extra `bench`), and so is this file.

import jax
import jax.numpy as jnp
from jax import lax, nn, random

from minigen.benchmarks.jax_workloads import (
    Params,
    Step,
    adam,
    adam_state,
    adam_training,
    cross_entropy,
    dense,
    dense_params,
    training,
    weights,
)

PENALTY = 10.0  # weight of the gradient penalty
LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv_params(key: jax.Array, channels: int, out: int, size: int) -> dict[str, jax.Array]:
    """Weights and bias of a convolution."""
    return {"w": weights(key, size, size, channels, out), "b": jnp.zeros(out)}


def conv(p: dict[str, jax.Array], x: jax.Array, stride: int, padding: int) -> jax.Array:
    """Convolution and bias."""
    pads = [(padding, padding)] * 2
    return lax.conv_general_dilated(x, p["w"], (stride, stride), pads, dimension_numbers=LAYOUT) + p["b"]


def max_pool(x: jax.Array) -> jax.Array:
    """The largest of each 2×2."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def lenet5(batch: int) -> Step:
    """LeNet-5 with ReLU and max pooling."""
    keys = random.split(random.key(0), 5)
    params = {
        "convs": [conv_params(keys[0], 1, 6, 5), conv_params(keys[1], 6, 16, 5)],
        "dense": dense_params(keys[2], 256, 120, 84, 10),
    }

    def loss(params: Params, key: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        for p in params["convs"]:
            x = max_pool(nn.relu(conv(p, x, 1, 0)))
        h = x.reshape(len(x), -1)
        for p in params["dense"][:-1]:
            h = nn.relu(dense(p, h))
        return cross_entropy(dense(params["dense"][-1], h), y)

    x, y = random.uniform(keys[3], (batch, 28, 28, 1)), random.randint(keys[4], (batch,), 0, 10)
    return adam_training(loss, params, x, y)


def wgan_gp(batch: int) -> Step:
    """The critic's step of WGAN-GP."""
    keys = random.split(random.key(0), 7)
    widths = [(1, 64), (64, 128), (128, 256)]
    params = {
        "convs": [conv_params(key, channels, out, 5) for key, (channels, out) in zip(keys, widths, strict=False)],
        "out": dense_params(keys[3], 4 * 4 * 256, 1)[0],
    }

    def critic(params: Params, x: jax.Array) -> jax.Array:
        for p in params["convs"]:
            x = nn.leaky_relu(conv(p, x, 2, 2), 0.2)
        return dense(params["out"], x.reshape(len(x), -1))

    def loss(params: Params, key: jax.Array, real: jax.Array, fake: jax.Array) -> jax.Array:
        share = random.uniform(key, (batch, 1, 1, 1))
        between = real * share + fake * (1 - share)
        gradient = jax.grad(lambda x: critic(params, x).sum())(between)
        norms = jnp.sqrt((gradient * gradient).sum((1, 2, 3)))
        return critic(params, fake).mean() - critic(params, real).mean() + PENALTY * ((norms - 1) ** 2).mean()

    def step(state: Params, real: jax.Array, fake: jax.Array) -> tuple[Params, jax.Array]:
        params, moments, key = state
        key, own = random.split(key)
        value, grads = jax.value_and_grad(loss)(params, own, real, fake)
        return (*adam(params, grads, moments, 1e-4, 0.5), key), value

    images = random.uniform(keys[4], (2, batch, 28, 28, 1))
    return training(step, (params, adam_state(params), keys[5]), *images)
