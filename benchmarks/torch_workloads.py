"""The reference workloads in PyTorch, as its users write them, eager or compiled: the steps of `workloads.py`."""

# pyright: reportMissingImports=false
# PyTorch is optional (the extra `bench`), and so is this file.

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

Step = Callable[[], float]
State = tuple[torch.Tensor, torch.Tensor]

SYMBOLS = 65  # different characters of the text models
LENGTH = 64  # characters of a window, and of a generated text


def made(model: nn.Module, compiled: bool) -> nn.Module:
    """The model, compiled (by torch.compile, in place) or as it is."""
    if compiled:
        model.compile()
    return model


def gan_step(g: nn.Module, d: nn.Module, lr: float, beta1: float) -> Callable[[torch.Tensor], float]:
    """Of a batch of images: the discriminator on them and on detached samples, then the generator through it."""
    g_optimizer = torch.optim.Adam(g.parameters(), lr, betas=(beta1, 0.999))
    d_optimizer = torch.optim.Adam(d.parameters(), lr, betas=(beta1, 0.999))
    loss = nn.BCEWithLogitsLoss()

    def step(x: torch.Tensor) -> float:
        real, fake = torch.ones(len(x), 1), torch.zeros(len(x), 1)
        images = g(torch.randn(len(x), 100))
        d_optimizer.zero_grad()
        d_loss = loss(d(x), real) + loss(d(images.detach()), fake)
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        g_loss = loss(d(images), real)
        g_loss.backward()
        g_optimizer.step()
        return d_loss.item() + g_loss.item()

    return step


def gan_mlp(batch: int, compiled: bool) -> Step:
    """MLP GAN, G 100-256-512-784 and D 784-512-256-1."""
    g = nn.Sequential(
        nn.Linear(100, 256), nn.LeakyReLU(0.2), nn.Linear(256, 512), nn.LeakyReLU(0.2), nn.Linear(512, 784), nn.Tanh()
    )
    d = nn.Sequential(nn.Linear(784, 512), nn.LeakyReLU(0.2), nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1))
    return partial(gan_step(made(g, compiled), made(d, compiled), 2e-4, 0.9), torch.rand(batch, 784))


def dcgan_players() -> tuple[nn.Module, nn.Module]:
    """G and D of DCGAN on 1×28×28 images, with the weights that PyTorch starts from."""
    g = nn.Sequential(
        nn.Linear(100, 7 * 7 * 128, bias=False),
        nn.BatchNorm1d(7 * 7 * 128),
        nn.LeakyReLU(0.2),
        nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 128, 5, 1, 2, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, output_padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, output_padding=1, bias=False),
        nn.Tanh(),
    )
    d = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
    )
    return g, d


def dcgan(batch: int, compiled: bool) -> Step:
    """DCGAN on 1×28×28 images."""
    g, d = dcgan_players()
    return partial(gan_step(made(g, compiled), made(d, compiled), 1e-4, 0.5), torch.rand(batch, 1, 28, 28))


class VAE(nn.Module):
    """x (N, 784) → logits of the reconstruction, mu, logvar."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 512), nn.ReLU())
        self.mu = nn.Linear(512, 20)
        self.logvar = nn.Linear(512, 20)
        self.decoder = nn.Sequential(nn.Linear(20, 512), nn.ReLU(), nn.Linear(512, 784))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        h = self.encoder(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.decoder(z), mu, logvar


def vae_mlp(batch: int, compiled: bool) -> Step:
    """VAE 784-512-(20, 20)-512-784."""
    model = made(VAE(), compiled)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    x = torch.rand(batch, 784)

    def step() -> float:
        optimizer.zero_grad()
        logits, mu, logvar = model(x)
        loss = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        loss = loss - 0.5 * torch.sum(1 + logvar - mu * mu - logvar.exp())
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def cnn_mnist(batch: int, compiled: bool) -> Step:
    """Two 3×3 convolutions, pooling, dropout and two dense layers."""
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )
    model = made(model, compiled)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    x, y = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def tiny_mlp(batch: int, compiled: bool) -> Step:
    """2-16-1 with tanh and SGD: nothing but overhead."""
    model = made(nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)), compiled)
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    x, y = torch.randn(batch, 2), torch.randn(batch, 1)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


# ---------------------------------------------------------------- sequences


class CharRNN(nn.Module):
    """Characters (N, T) and a state → logits (N, T, SYMBOLS) and the state after them."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, width)
        self.lstm = nn.LSTM(width, width, depth, batch_first=True)
        self.out = nn.Linear(width, SYMBOLS)

    def forward(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        h, after = self.lstm(self.embedding(x), state)
        return self.out(h), after


def text_step(logits: Callable[[torch.Tensor], torch.Tensor], optimizer: torch.optim.Optimizer, *shape: int) -> Step:
    """A prediction at every character of random text."""
    x, y = torch.randint(0, SYMBOLS, (2, *shape))

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(logits(x).flatten(0, 1), y.flatten())
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def lstm2x256(batch: int, compiled: bool) -> Step:
    """Two layers of 256."""
    model = made(CharRNN(256, 2), compiled)
    return text_step(lambda x: model(x)[0], torch.optim.Adam(model.parameters(), 2e-3), batch, LENGTH)


def lstm1x128(batch: int, compiled: bool) -> Step:
    """One layer of 128."""
    model = made(CharRNN(128, 1), compiled)
    return text_step(lambda x: model(x)[0], torch.optim.Adam(model.parameters(), 2e-3), batch, LENGTH)


class GRU(nn.Module):
    """A GRU of 64, whose last state predicts one number."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.out = nn.GRU(64, 64, batch_first=True), nn.Linear(64, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.gru(x)[0][:, -1])


def gru64(batch: int, compiled: bool) -> Step:
    """A GRU of 64 over LENGTH steps of 64 numbers."""
    model = made(GRU(), compiled)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    x, y = torch.randn(batch, LENGTH, 64), torch.randn(batch, 1)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def generate_lstm2x256(batch: int, compiled: bool) -> Step:
    """LENGTH characters, one at a time, each drawn as the one before says."""
    model = made(CharRNN(256, 2).eval(), compiled)

    def step() -> float:
        x, state = torch.zeros((batch, 1), dtype=torch.long), None
        with torch.no_grad():
            for _ in range(LENGTH):
                logits, state = model(x, state)
                x = torch.multinomial(F.softmax(logits[:, -1], -1), 1)
        return float(x[0, 0])

    return step


class Block(nn.Module):
    """A pre-norm decoder block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, c = x.shape
        q, k, v = (
            part.view(n, t, self.heads, c // self.heads).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(c, 2)
        )
        h = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, c)
        x = x + self.projection(h)
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Characters (N, T) → logits (N, T, SYMBOLS)."""

    def __init__(self, length: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(SYMBOLS, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, SYMBOLS, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.embedding(x) + self.positions.weight[: x.shape[1]]
        return self.out(self.norm(self.blocks(h)))


def gpt4x128(batch: int, compiled: bool) -> Step:
    """A decoder of four blocks, 128 wide with four heads, on 128 characters."""
    model = made(GPT(128, 128, 4, 4), compiled)
    return text_step(model, torch.optim.AdamW(model.parameters(), 1e-3), batch, 128)
