"""The reference workloads, one training step each, in minigen. The same steps are in `torch_workloads.py` and
`jax_workloads.py`, each as the library's users write them.

A step has its data in memory already, draws the random numbers it needs, and ends with the loss as a Python number.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

import minigen as mg
from minigen import layers, optim
from minigen.layers import BatchNorm, Conv2d, ConvTranspose2d, Dropout, Flatten, LeakyReLU, Linear, ReLU, Tanh

SYMBOLS = 65  # different characters of the text models
LENGTH = 64  # characters of a window, and of a generated text

Step = Callable[[], float]
State = tuple[mg.Tensor, mg.Tensor]


def normal(rng: np.random.Generator, *shape: int) -> mg.Tensor:
    """Standard normal float32 numbers."""
    return mg.tensor(rng.standard_normal(shape, dtype=np.float32))


def uniform(rng: np.random.Generator, *shape: int) -> mg.Tensor:
    """float32 numbers in [0, 1), which stand for images."""
    return mg.tensor(rng.random(shape, dtype=np.float32))


def training(parameters: Sequence[mg.Tensor], lr: float, loss: Callable[[], mg.Tensor]) -> Step:
    """A step of Adam on a loss, recorded."""
    optimizer = optim.Adam(parameters, lr)

    @mg.record
    def step() -> mg.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    return lambda: step().item()


def gan_step(
    g: layers.Module, d: layers.Module, x: mg.Tensor, lr: float, beta1: float, rng: np.random.Generator
) -> Step:
    """The discriminator on real and detached generated images, then the generator through it."""
    batch = len(x)
    g_optimizer = optim.Adam(g.parameters(), lr, betas=(beta1, 0.999))
    d_optimizer = optim.Adam(d.parameters(), lr, betas=(beta1, 0.999))
    real, fake = mg.tensor(np.ones((batch, 1), np.float32)), mg.tensor(np.zeros((batch, 1), np.float32))
    loss = mg.binary_cross_entropy_with_logits

    @mg.record
    def step() -> tuple[mg.Tensor, mg.Tensor]:
        images = g(mg.randn(batch, 100, rng=rng))
        d_optimizer.zero_grad()
        d_loss = loss(d(x), real) + loss(d(images.detach()), fake)
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        with d.frozen():
            g_loss = loss(d(images), real)
        g_loss.backward()
        g_optimizer.step()
        return d_loss, g_loss

    return lambda: sum(loss.item() for loss in step())


def gan_mlp(batch: int) -> Step:
    """MLP GAN, G 100-256-512-784 and D 784-512-256-1."""
    rng = mg.random.generator(0)
    g = layers.Sequential(
        Linear(100, 256, rng=rng),
        LeakyReLU(0.2),
        Linear(256, 512, rng=rng),
        LeakyReLU(0.2),
        Linear(512, 784, rng=rng),
        Tanh(),
    )
    d = layers.Sequential(
        Linear(784, 512, rng=rng),
        LeakyReLU(0.2),
        Linear(512, 256, rng=rng),
        LeakyReLU(0.2),
        Linear(256, 1, rng=rng),
    )
    return gan_step(g, d, uniform(rng, batch, 784), 2e-4, 0.9, rng)


def dcgan(batch: int) -> Step:
    """DCGAN on 28×28×1 images."""
    rng = mg.random.generator(0)
    g = layers.Sequential(
        Linear(100, 7 * 7 * 128, bias=False, rng=rng),
        BatchNorm(7 * 7 * 128),
        LeakyReLU(0.2),
        layers.Reshape(7, 7, 128),
        ConvTranspose2d(128, 128, 5, 1, 2, bias=False, rng=rng),
        BatchNorm(128),
        LeakyReLU(0.2),
        ConvTranspose2d(128, 64, 5, 2, 2, output_padding=1, bias=False, rng=rng),
        BatchNorm(64),
        LeakyReLU(0.2),
        ConvTranspose2d(64, 1, 5, 2, 2, output_padding=1, bias=False, rng=rng),
        Tanh(),
    )
    d = layers.Sequential(
        Conv2d(1, 64, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Dropout(0.3, rng=rng),
        Conv2d(64, 128, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Dropout(0.3, rng=rng),
        Flatten(),
        Linear(7 * 7 * 128, 1, rng=rng),
    )
    return gan_step(g, d, uniform(rng, batch, 28, 28, 1), 1e-4, 0.5, rng)


def vae_mlp(batch: int) -> Step:
    """VAE 784-512-(20, 20)-512-784."""
    rng = mg.random.generator(0)
    encoder = layers.Sequential(Linear(784, 512, rng=rng), ReLU())
    heads = layers.ModuleList([Linear(512, 20, rng=rng), Linear(512, 20, rng=rng)])
    decoder = layers.Sequential(Linear(20, 512, rng=rng), ReLU(), Linear(512, 784, rng=rng))
    x = uniform(rng, batch, 784)

    def loss() -> mg.Tensor:
        h = encoder(x)
        mu, logvar = heads[0](h), heads[1](h)
        logits = decoder(mu + mg.exp(0.5 * logvar) * mg.randn(batch, 20, rng=rng))
        reconstruction = mg.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return reconstruction + mg.gaussian_kl(mu, logvar, reduction="sum")

    return training(layers.ModuleList([encoder, heads, decoder]).parameters(), 1e-3, loss)


def cnn_mnist(batch: int) -> Step:
    """Two 3×3 convolutions, pooling, dropout and two dense layers."""
    rng = mg.random.generator(0)
    model = layers.Sequential(
        Conv2d(1, 32, 3, rng=rng),
        ReLU(),
        Conv2d(32, 64, 3, rng=rng),
        ReLU(),
        layers.MaxPool2d(2),
        Dropout(0.25, rng=rng),
        Flatten(),
        Linear(9216, 128, rng=rng),
        ReLU(),
        Dropout(0.5, rng=rng),
        Linear(128, 10, rng=rng),
    )
    x, y = uniform(rng, batch, 28, 28, 1), rng.integers(0, 10, batch)
    return training(model.parameters(), 1e-3, lambda: mg.cross_entropy(model(x), y))


def tiny_mlp(batch: int) -> Step:
    """2-16-1 with tanh and SGD: nothing but overhead."""
    rng = mg.random.generator(0)
    model = layers.Sequential(Linear(2, 16, rng=rng), Tanh(), Linear(16, 1, rng=rng))
    optimizer = optim.SGD(model.parameters(), 1e-2)
    x, y = normal(rng, batch, 2), normal(rng, batch, 1)

    @mg.record
    def step() -> mg.Tensor:
        optimizer.zero_grad()
        loss = mg.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return lambda: step().item()


# ---------------------------------------------------------------- sequences


class CharRNN(layers.Module):
    """Characters (N, T) and a state → logits (N, T, SYMBOLS) and the state after them."""

    def __init__(self, width: int, depth: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.embedding = layers.Embedding(SYMBOLS, width, rng=rng)
        self.lstm = layers.LSTM(width, width, depth, rng=rng)
        self.out = Linear(width, SYMBOLS, rng=rng)

    def forward(self, x: np.ndarray, state: State | None = None) -> tuple[mg.Tensor, State]:
        """One step for every character."""
        h, after = self.lstm(x, state, embedding=self.embedding.weight)
        return self.out(h), after


def lstm_step(width: int, depth: int, batch: int) -> Step:
    """LSTM layers on LENGTH characters, a prediction at each."""
    rng = mg.random.generator(0)
    model = CharRNN(width, depth, rng)
    x, y = rng.integers(0, SYMBOLS, (2, batch, LENGTH))
    return training(model.parameters(), 2e-3, lambda: mg.cross_entropy(model(x)[0], y))


lstm2x256 = partial(lstm_step, 256, 2)
lstm1x128 = partial(lstm_step, 128, 1)


def gru64(batch: int) -> Step:
    """A GRU of 64 over LENGTH steps of 64 numbers, whose last state predicts one."""
    rng = mg.random.generator(0)
    gru, out = layers.GRU(64, 64, rng=rng), Linear(64, 1, rng=rng)
    x, y = normal(rng, batch, LENGTH, 64), normal(rng, batch, 1)
    return training(layers.ModuleList([gru, out]).parameters(), 1e-3, lambda: mg.mse_loss(out(gru(x)[0][:, -1]), y))


def generate_lstm2x256(batch: int) -> Step:
    """LENGTH characters, one at a time, each drawn as the one before says."""
    rng = mg.random.generator(0)
    model = CharRNN(256, 2, rng).eval()

    @mg.record
    def read(x: np.ndarray, state: State | None) -> tuple[mg.Tensor, State]:
        logits, after = model(x, state)
        return mg.softmax(logits[:, -1]), after

    def step() -> float:
        x, state = np.zeros((batch, 1), np.int64), None
        with mg.no_grad():
            for _ in range(LENGTH):
                p, state = read(x, state)
                x = (p.numpy().cumsum(axis=1)[:, :-1] < rng.random((batch, 1))).sum(axis=1, keepdims=True)
        return float(x[0, 0])

    return step


def gpt4x128(batch: int) -> Step:
    """A decoder of four blocks, 128 wide with four heads, on 128 characters."""
    rng = mg.random.generator(0)
    length, width = 128, 128
    embedding, positions = layers.Embedding(SYMBOLS, width, rng=rng), layers.LearnedPositions(length, width, rng=rng)
    blocks = layers.ModuleList([layers.TransformerBlock(width, 4, rng=rng) for _ in range(4)])
    norm, out = layers.LayerNorm(width), Linear(width, SYMBOLS, bias=False, rng=rng)
    model = layers.ModuleList([embedding, positions, blocks, norm, out])
    optimizer = optim.AdamW(model.parameters(), 1e-3)
    x, y = rng.integers(0, SYMBOLS, (2, batch, length))

    @mg.record
    def step() -> mg.Tensor:
        optimizer.zero_grad()
        h = positions(embedding(x))
        for block in blocks:
            h = block(h, is_causal=True)
        loss = mg.cross_entropy(out(norm(h)), y)
        loss.backward()
        optimizer.step()
        return loss

    return lambda: step().item()
