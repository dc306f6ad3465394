"""The reference workloads on images in JAX, as its users write them: steps of `image_workloads.py` under jax.jit."""

# pyright: reportMissingImports=false
# JAX is optional (the extra `bench`), and so is this file.

import jax
import jax.numpy as jnp
from jax import lax, nn, random

from minigen.benchmarks.jax_layers import (
    LAYOUT,
    Params,
    Step,
    adam,
    adam_state,
    adam_training,
    cross_entropy,
    dense,
    dense_params,
    max_pool,
    norm_params,
    training,
    weights,
)

PENALTY = 10.0  # weight of the gradient penalty
TIME = 64  # numbers that a time is embedded in
GROUPS = 8  # of channels, which are normalised together


def conv_params(key: jax.Array, channels: int, out: int, size: int) -> dict[str, jax.Array]:
    """Weights and bias of a convolution."""
    return {"w": weights(key, size, size, channels, out), "b": jnp.zeros(out)}


def conv(p: dict[str, jax.Array], x: jax.Array, stride: int, padding: int) -> jax.Array:
    """Convolution and bias."""
    pads = [(padding, padding)] * 2
    return lax.conv_general_dilated(x, p["w"], (stride, stride), pads, dimension_numbers=LAYOUT) + p["b"]


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


# ---------------------------------------------------------------- diffusion


def group_norm(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """Each image by the means and variances of GROUPS groups of its channels."""
    n, height, width, channels = x.shape
    by_group = x.reshape(n, height, width, GROUPS, channels // GROUPS)
    mean, var = (of(by_group, (1, 2, 4), keepdims=True) for of in (jnp.mean, jnp.var))
    return ((by_group - mean) * lax.rsqrt(var + 1e-5)).reshape(x.shape) * p["scale"] + p["shift"]


def residual_params(key: jax.Array, channels: int, out: int) -> Params:
    """Of `residual`."""
    keys = random.split(key, 4)
    return {
        "norm": norm_params(channels),
        "conv": conv_params(keys[0], channels, out, 3),
        "time": dense_params(keys[1], TIME, out)[0],
        "norm_2": norm_params(out),
        "conv_2": conv_params(keys[2], out, out, 3),
        "skip": None if channels == out else conv_params(keys[3], channels, out, 1),
    }


def residual(p: Params, x: jax.Array, t: jax.Array) -> jax.Array:
    """Two 3×3 convolutions with group norm and SiLU; the time is added between them."""
    h = conv(p["conv"], nn.silu(group_norm(p["norm"], x)), 1, 1) + dense(p["time"], nn.silu(t))[:, None, None]
    h = conv(p["conv_2"], nn.silu(group_norm(p["norm_2"], h)), 1, 1)
    return h + (x if p["skip"] is None else conv(p["skip"], x, 1, 0))


def attention(p: Params, x: jax.Array, heads: int) -> jax.Array:
    """All places of an image look at each other."""
    n, height, width, channels = x.shape
    parts = jnp.split(dense(p["qkv"], group_norm(p["norm"], x).reshape(n, height * width, channels)), 3, -1)
    q, k, v = (part.reshape(n, height * width, heads, channels // heads) for part in parts)
    return dense(p["projection"], nn.dot_product_attention(q, k, v).reshape(x.shape))


def upsampled(x: jax.Array) -> jax.Array:
    """Each pixel four times."""
    return x.repeat(2, 1).repeat(2, 2)


def unet_params(key: jax.Array) -> Params:
    """Of `predicted_noise`."""
    keys = iter(random.split(key, 14))
    residuals = {
        "down_1": (32, 32), "down_2": (32, 64), "middle_1": (64, 128), "middle_2": (128, 128),
        "up_2": (128 + 64, 64), "up_1": (64 + 32, 32),
    }  # fmt: skip
    convs = {"first": (1, 32), "half_1": (32, 32), "half_2": (64, 64), "last": (32, 1)}
    return {
        "times": dense_params(next(keys), TIME, TIME, TIME),
        "norm": norm_params(32),
        "attention": {
            "norm": norm_params(128),
            "qkv": dense_params(next(keys), 128, 3 * 128)[0],
            "projection": dense_params(next(keys), 128, 128)[0],
        },
        **{name: residual_params(next(keys), *widths) for name, widths in residuals.items()},
        **{name: conv_params(next(keys), *widths, 3) for name, widths in convs.items()},
    }


def predicted_noise(p: Params, x: jax.Array, embedded: jax.Array) -> jax.Array:
    """Noisy images 28×28 and their times → the noise."""
    t = dense(p["times"][1], nn.silu(dense(p["times"][0], embedded)))
    a = residual(p["down_1"], conv(p["first"], x, 1, 1), t)
    b = residual(p["down_2"], conv(p["half_1"], a, 2, 1), t)
    h = residual(p["middle_1"], conv(p["half_2"], b, 2, 1), t)
    h = residual(p["middle_2"], h + attention(p["attention"], h, 4), t)
    h = residual(p["up_2"], jnp.concatenate([upsampled(h), b], -1), t)
    h = residual(p["up_1"], jnp.concatenate([upsampled(h), a], -1), t)
    return conv(p["last"], nn.silu(group_norm(p["norm"], h)), 1, 1)


def unet(batch: int) -> Step:
    """A step of diffusion: the noise of images at random times is predicted."""
    p_key, x_key = random.split(random.key(0))
    frequencies = 1000.0 * 10_000.0 ** (-2 * jnp.arange(TIME // 2) / TIME)

    def loss(p: Params, key: jax.Array, x: jax.Array) -> jax.Array:
        noise_key, share_key = random.split(key)
        noise, share = random.normal(noise_key, x.shape), random.uniform(share_key, (batch, 1))
        kept, angles = share[:, :, None, None], share * frequencies
        noisy = x * jnp.sqrt(kept) + noise * jnp.sqrt(1 - kept)
        found = predicted_noise(p, noisy, jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], 1))
        return jnp.mean((found - noise) ** 2)

    return adam_training(loss, unet_params(p_key), random.uniform(x_key, (batch, 28, 28, 1)))


# ---------------------------------------------------------------- pixel after pixel, frame after frame


def conv_of(key: jax.Array, channels: int, out: int, height: int, width: int) -> dict[str, jax.Array]:
    """Weights and bias of a convolution whose kernel is no square."""
    return {"w": weights(key, height, width, channels, out), "b": jnp.zeros(out)}


def conv_after(p: dict[str, jax.Array], x: jax.Array, above: int, left: int, right: int) -> jax.Array:
    """Convolution and bias, with zeros above and beside."""
    pads = [(above, 0), (left, right)]
    return lax.conv_general_dilated(x, p["w"], (1, 1), pads, dimension_numbers=LAYOUT) + p["b"]


def gate(x: jax.Array) -> jax.Array:
    """tanh(a) σ(b) of the two halves of the channels."""
    a, b = jnp.split(x, 2, -1)
    return jnp.tanh(a) * nn.sigmoid(b)


def mean_cross_entropy(logits: jax.Array, x: jax.Array) -> jax.Array:
    """Of zeros and ones, or what lies between."""
    return jnp.mean(nn.softplus(logits) - x * logits)


def pixel_cnn(batch: int) -> Step:
    """Images of zeros and ones by a gated PixelCNN."""
    wide, depth, keys = 32, 8, iter(random.split(random.key(0), 40))
    shapes = {
        "down": (wide, 2 * wide, 2, 3), "across": (wide, 2 * wide, 1, 2),
        "tell": (2 * wide, 2 * wide, 1, 1), "out": (wide, wide, 1, 1),
    }  # fmt: skip
    params = {
        "first_down": conv_of(next(keys), 1, wide, 3, 7),
        "first_across": conv_of(next(keys), 1, wide, 1, 3),
        "blocks": [{name: conv_of(next(keys), *shape) for name, shape in shapes.items()} for _ in range(depth)],
        "head": [conv_params(next(keys), wide, 2 * wide, 1), conv_params(next(keys), 2 * wide, 1, 1)],
    }

    def loss(p: Params, key: jax.Array, x: jax.Array) -> jax.Array:
        v = conv_after(p["first_down"], x[:, :-1], 3, 3, 3)
        h = conv_after(p["first_across"], x[:, :, :-1], 0, 3, 0)
        for block in p["blocks"]:
            a = conv_after(block["down"], v, 1, 1, 1)
            told = conv_after(block["across"], h, 0, 1, 0) + conv(block["tell"], a, 1, 0)
            v, h = gate(a), h + conv(block["out"], gate(told), 1, 0)
        logits = conv(p["head"][1], nn.relu(conv(p["head"][0], nn.relu(h), 1, 0)), 1, 0)
        return mean_cross_entropy(logits, x) * x[0].size

    x = (random.uniform(next(keys), (batch, 28, 28, 1)) < 0.2).astype(jnp.float32)
    return adam_training(loss, params, x)


def conv_lstm(batch: int) -> Step:
    """Ten frames go on for ten more; frames are cut into 16 × 16 places of 4 × 4 pixels beforehand."""
    hidden, known, keys = 32, 10, random.split(random.key(0), 4)
    params = {
        "gates": [conv_params(keys[i], n + hidden, 4 * hidden, 3) for i, n in enumerate((16, hidden))],
        "out": conv_params(keys[2], hidden, 16, 1),
    }

    def loss(p: Params, key: jax.Array, films: jax.Array) -> jax.Array:
        state = [(jnp.zeros((batch, 16, 16, hidden)),) * 2 for _ in p["gates"]]
        said: list[jax.Array] = []
        for t in range(2 * known - 1):
            x = films[:, t] if t < known else nn.sigmoid(said[-1])
            for layer, gates in enumerate(p["gates"]):
                h, c = state[layer]
                i, f, o, g = jnp.split(conv(gates, jnp.concatenate([x, h], -1), 1, 1), 4, -1)
                c = nn.sigmoid(f + 1) * c + nn.sigmoid(i) * jnp.tanh(g)
                x = nn.sigmoid(o) * jnp.tanh(c)
                state[layer] = x, c
            said.append(conv(p["out"], x, 1, 0))
        return mean_cross_entropy(jnp.stack(said, 1), films[:, 1:])

    return adam_training(loss, params, random.uniform(keys[3], (batch, 2 * known, 16, 16, 16)))
