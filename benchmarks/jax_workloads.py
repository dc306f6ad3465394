"""The reference workloads in JAX, as its users write them: the whole training step, Adam included, under jax.jit.

The state (parameters, moments, the random key) is given away to each step, so that its memory is used again. The
running averages of batch norm, some thousand numbers which only sampling needs, are left out.
"""

# pyright: reportMissingImports=false
# JAX is optional (the extra `bench`), and so is this file.

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, nn, random

from minigen.benchmarks.jax_layers import (
    Params,
    Step,
    adam,
    adam_state,
    adam_training,
    batch_norm,
    bce_with_logits,
    conv,
    conv_transpose,
    cross_entropy,
    dense,
    dense_params,
    dropout,
    layer_norm,
    max_pool,
    mlp,
    norm_params,
    training,
    weights,
)

Network = Callable[[Params, jax.Array, jax.Array], jax.Array]  # (parameters, input, random key) → output

SYMBOLS = 65  # different characters of the text models
LENGTH = 64  # characters of a window, and of a generated text


# ---------------------------------------------------------------- the workloads


def gan_step(g: Params, d: Params, generate: Network, judge: Network, x: jax.Array, lr: float, beta1: float) -> Step:
    """The discriminator on real and generated images, then the generator through it; the images are made once."""

    def step(state: Params, x: jax.Array) -> tuple[Params, jax.Array]:
        key, z_key, *keys = random.split(state["key"], 5)
        g, d = state["g"], state["d"]
        z = random.normal(z_key, (len(x), 100))
        images, pull_back = jax.vjp(lambda g: generate(g, z, key), g)

        def d_loss(d: Params) -> jax.Array:
            real, fake = judge(d, x, keys[0]), judge(d, images, keys[1])
            return bce_with_logits(real, 1.0).mean() + bce_with_logits(fake, 0.0).mean()

        d_value, d_grads = jax.value_and_grad(d_loss)(d)
        d, d_moments = adam(d, d_grads, state["d_moments"], lr, beta1)

        def g_loss(images: jax.Array) -> jax.Array:
            return bce_with_logits(judge(d, images, keys[2]), 1.0).mean()

        g_value, image_grads = jax.value_and_grad(g_loss)(images)
        (g_grads,) = pull_back(image_grads)
        g, g_moments = adam(g, g_grads, state["g_moments"], lr, beta1)
        new = {"g": g, "d": d, "g_moments": g_moments, "d_moments": d_moments, "key": key}
        return new, d_value + g_value

    moments = {"g_moments": adam_state(g), "d_moments": adam_state(d)}
    return training(step, {"g": g, "d": d, "key": random.key(0)} | moments, x)


def gan_mlp(batch: int) -> Step:
    """MLP GAN, G 100-256-512-784 and D 784-512-256-1."""
    g_key, d_key, x_key = random.split(random.key(1), 3)
    return gan_step(
        dense_params(g_key, 100, 256, 512, 784),
        dense_params(d_key, 784, 512, 256, 1),
        lambda p, z, _: jnp.tanh(mlp(p, z)),
        lambda p, x, _: mlp(p, x),
        random.uniform(x_key, (batch, 784)),
        2e-4,
        0.9,
    )


def dcgan(batch: int) -> Step:
    """DCGAN on 28×28×1 images."""
    keys = random.split(random.key(1), 8)
    g = {
        "dense": weights(keys[0], 100, 7 * 7 * 128),
        "norm1": norm_params(7 * 7 * 128),
        "conv1": weights(keys[1], 5, 5, 128, 128),
        "norm2": norm_params(128),
        "conv2": weights(keys[2], 5, 5, 128, 64),
        "norm3": norm_params(64),
        "conv3": weights(keys[3], 5, 5, 64, 1),
    }
    d = {
        "conv1": {"w": weights(keys[4], 5, 5, 1, 64), "b": jnp.zeros(64)},
        "conv2": {"w": weights(keys[5], 5, 5, 64, 128), "b": jnp.zeros(128)},
        "dense": {"w": weights(keys[6], 7 * 7 * 128, 1), "b": jnp.zeros(1)},
    }

    def generate(p: Params, z: jax.Array, _: jax.Array) -> jax.Array:
        h = nn.leaky_relu(batch_norm(p["norm1"], z @ p["dense"]), 0.2).reshape(-1, 7, 7, 128)
        h = nn.leaky_relu(batch_norm(p["norm2"], conv_transpose(h, p["conv1"], 1)), 0.2)
        h = nn.leaky_relu(batch_norm(p["norm3"], conv_transpose(h, p["conv2"], 2)), 0.2)
        return jnp.tanh(conv_transpose(h, p["conv3"], 2))

    def judge(p: Params, x: jax.Array, key: jax.Array) -> jax.Array:
        for layer, layer_key in zip(("conv1", "conv2"), random.split(key), strict=True):
            h = nn.leaky_relu(conv(x, p[layer]["w"], 2, "SAME") + p[layer]["b"], 0.2)
            x = dropout(layer_key, h, 0.3)
        return dense(p["dense"], x.reshape(len(x), -1))

    return gan_step(g, d, generate, judge, random.uniform(keys[7], (batch, 28, 28, 1)), 1e-4, 0.5)


def vae_mlp(batch: int) -> Step:
    """VAE 784-512-(20, 20)-512-784."""
    keys = random.split(random.key(1), 6)
    sizes = {"encoder": (784, 512), "mu": (512, 20), "logvar": (512, 20), "hidden": (20, 512), "out": (512, 784)}
    params = {name: dense_params(key, *widths)[0] for key, (name, widths) in zip(keys, sizes.items(), strict=False)}

    def loss(p: Params, key: jax.Array, x: jax.Array) -> jax.Array:
        h = nn.relu(dense(p["encoder"], x))
        mu, logvar = dense(p["mu"], h), dense(p["logvar"], h)
        z = mu + jnp.exp(0.5 * logvar) * random.normal(key, mu.shape)
        logits = dense(p["out"], nn.relu(dense(p["hidden"], z)))
        return bce_with_logits(logits, x).sum() - 0.5 * jnp.sum(1 + logvar - mu * mu - jnp.exp(logvar))

    return adam_training(loss, params, random.uniform(keys[5], (batch, 784)))


def cnn_mnist(batch: int) -> Step:
    """Two 3×3 convolutions, pooling, dropout and two dense layers."""
    keys = random.split(random.key(1), 5)
    params = {
        "conv1": {"w": weights(keys[0], 3, 3, 1, 32), "b": jnp.zeros(32)},
        "conv2": {"w": weights(keys[1], 3, 3, 32, 64), "b": jnp.zeros(64)},
        "dense": dense_params(keys[2], 9216, 128, 10),
    }

    def loss(p: Params, key: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        key1, key2 = random.split(key)
        h = nn.relu(conv(x, p["conv1"]["w"], 1, "VALID") + p["conv1"]["b"])
        h = nn.relu(conv(h, p["conv2"]["w"], 1, "VALID") + p["conv2"]["b"])
        h = dropout(key1, max_pool(h), 0.25).reshape(len(x), -1)
        h = dropout(key2, nn.relu(dense(p["dense"][0], h)), 0.5)
        log_p = nn.log_softmax(dense(p["dense"][1], h))
        return -jnp.take_along_axis(log_p, y[:, None], 1).mean()

    x, y = random.uniform(keys[3], (batch, 28, 28, 1)), random.randint(keys[4], (batch,), 0, 10)
    return adam_training(loss, params, x, y)


def tiny_mlp(batch: int) -> Step:
    """2-16-1 with tanh and SGD: nothing but overhead."""
    p_key, x_key, y_key = random.split(random.key(1), 3)

    def loss(p: Params, x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.mean((dense(p[1], jnp.tanh(dense(p[0], x))) - y) ** 2)

    def step(params: Params, x: jax.Array, y: jax.Array) -> tuple[Params, jax.Array]:
        value, grads = jax.value_and_grad(loss)(params, x, y)
        return jax.tree.map(lambda p, g: p - 1e-2 * g, params, grads), value

    return training(
        step, dense_params(p_key, 2, 16, 1), random.normal(x_key, (batch, 2)), random.normal(y_key, (batch, 1))
    )


# ---------------------------------------------------------------- sequences


def text(key: jax.Array, *shape: int) -> tuple[jax.Array, jax.Array]:
    """Random characters, and random ones to predict."""
    x, y = random.randint(key, (2, *shape), 0, SYMBOLS)
    return x, y


def char_rnn_params(key: jax.Array, width: int, depth: int) -> Params:
    """Embedding, LSTM layers and the output layer."""
    keys = random.split(key, depth + 2)
    return {
        "embedding": random.normal(keys[0], (SYMBOLS, width)),
        "lstm": [
            {"x": weights(k, width, 4 * width), "h": weights(k, width, 4 * width), "b": jnp.zeros(4 * width)}
            for k in keys[1:-1]
        ],
        "out": dense_params(keys[-1], width, SYMBOLS)[0],
    }


def lstm_cell(p: Params, carry: tuple[jax.Array, jax.Array], x: jax.Array) -> Any:
    """((h, c), h) after one time step, from x already multiplied by its weights."""
    h, c = carry
    i, f, g, o = jnp.split(x + h @ p["h"], 4, -1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
    h = nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def lstm_step(width: int, depth: int, batch: int) -> Step:
    """LSTM layers on LENGTH characters, a prediction at each."""

    def loss(p: Params, _: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        h, zeros = p["embedding"][x.T], jnp.zeros((batch, width))
        for layer in p["lstm"]:
            h = lax.scan(partial(lstm_cell, layer), (zeros, zeros), h @ layer["x"] + layer["b"])[1]
        return cross_entropy(dense(p["out"], h), y.T)

    p_key, x_key = random.split(random.key(1))
    return adam_training(loss, char_rnn_params(p_key, width, depth), *text(x_key, batch, LENGTH))


lstm2x256 = partial(lstm_step, 256, 2)
lstm1x128 = partial(lstm_step, 128, 1)


def gru64(batch: int) -> Step:
    """A GRU of 64 over LENGTH steps of 64 numbers, whose last state predicts one."""
    keys = random.split(random.key(1), 5)
    params = {
        "x": dense_params(keys[0], 64, 3 * 64)[0],
        "h": dense_params(keys[1], 64, 3 * 64)[0],
        "out": dense_params(keys[2], 64, 1)[0],
    }

    def loss(p: Params, _: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        def cell(h: jax.Array, x: jax.Array) -> tuple[jax.Array, None]:
            (x_r, x_z, x_n), (h_r, h_z, h_n) = jnp.split(x, 3, -1), jnp.split(dense(p["h"], h), 3, -1)
            r, z = nn.sigmoid(x_r + h_r), nn.sigmoid(x_z + h_z)
            n = jnp.tanh(x_n + r * h_n)
            return n + z * (h - n), None

        h, _ = lax.scan(cell, jnp.zeros((batch, 64)), dense(p["x"], x.swapaxes(0, 1)))
        return jnp.mean((dense(p["out"], h) - y) ** 2)

    x, y = random.normal(keys[3], (batch, LENGTH, 64)), random.normal(keys[4], (batch, 1))
    return adam_training(loss, params, x, y)


def generate_lstm2x256(batch: int) -> Step:
    """LENGTH characters, one at a time, each drawn as the one before says, and read back for the reader to see."""
    params, zeros = char_rnn_params(random.key(1), 256, 2), jnp.zeros((batch, 256))

    @jax.jit
    def next_character(p: Params, x: jax.Array, state: Params, key: jax.Array) -> tuple[jax.Array, Params, jax.Array]:
        h, new = p["embedding"][x], []
        for layer, carry in zip(p["lstm"], state, strict=True):
            carry, h = lstm_cell(layer, carry, h @ layer["x"] + layer["b"])
            new.append(carry)
        key, draw = random.split(key)
        return random.categorical(draw, dense(p["out"], h)), new, key

    key = random.key(0)

    def step() -> float:
        nonlocal key
        x, state = jnp.zeros(batch, int), [(zeros, zeros)] * 2
        shown = 0.0
        for _ in range(LENGTH):
            x, state, key = next_character(params, x, state, key)
            shown = float(x[0])
        return shown

    return step


def block(p: Params, x: jax.Array, heads: int) -> jax.Array:
    """A pre-norm decoder block."""
    n, t, c = x.shape
    q, k, v = (
        part.reshape(n, t, heads, c // heads) for part in jnp.split(dense(p["qkv"], layer_norm(p["norm1"], x)), 3, -1)
    )
    x = x + dense(p["projection"], nn.dot_product_attention(q, k, v, is_causal=True).reshape(n, t, c))
    return x + dense(p["mlp"][1], nn.gelu(dense(p["mlp"][0], layer_norm(p["norm2"], x)), approximate=False))


def gpt4x128(batch: int) -> Step:
    """A decoder of four blocks, 128 wide with four heads, on 128 characters."""
    length, width, heads, depth = 128, 128, 4, 4
    keys = random.split(random.key(1), 4)

    def block_params(key: jax.Array) -> Params:
        k = random.split(key, 3)
        return {
            "norm1": norm_params(width),
            "norm2": norm_params(width),
            "qkv": dense_params(k[0], width, 3 * width)[0],
            "projection": dense_params(k[1], width, width)[0],
            "mlp": dense_params(k[2], width, 4 * width, width),
        }

    params = {
        "embedding": random.normal(keys[0], (SYMBOLS, width)),
        "positions": random.normal(keys[0], (length, width)),
        "blocks": [block_params(key) for key in random.split(keys[1], depth)],
        "norm": norm_params(width),
        "out": weights(keys[2], width, SYMBOLS),
    }

    def loss(p: Params, _: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        h = p["embedding"][x] + p["positions"]
        for layer in p["blocks"]:
            h = block(layer, h, heads)
        return cross_entropy(layer_norm(p["norm"], h) @ p["out"], y)

    return adam_training(loss, params, *text(keys[3], batch, length))
