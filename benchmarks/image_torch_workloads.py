"""The reference workloads on images in PyTorch, as its users write them: the steps of `image_workloads.py`."""

# pyright: reportMissingImports=false
# PyTorch is optional (the extra `bench`), and so is this file.

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.nn import functional as F

Step = Callable[[], float]

PENALTY = 10.0  # weight of the gradient penalty
TIME = 64  # numbers that a time is embedded in
GROUPS = 8  # of channels, which are normalised together


def made(model: nn.Module, compiled: bool) -> nn.Module:
    """The model, compiled (by torch.compile, in place) or as it is."""
    if compiled:
        model.compile()
    return model


def training(parameters: Iterable[nn.Parameter], lr: float, loss: Callable[[], torch.Tensor]) -> Step:
    """A step of Adam on a loss."""
    optimizer = torch.optim.Adam(parameters, lr)

    def step() -> float:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value.item()

    return step


def lenet5(batch: int, compiled: bool) -> Step:
    """LeNet-5 with ReLU and max pooling."""
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )
    made(model, compiled)
    x, y = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    return training(model.parameters(), 3e-4, lambda: F.cross_entropy(model(x), y))


def wgan_gp(batch: int, compiled: bool) -> Step:
    """The critic's step of WGAN-GP."""
    critic = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 256, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(4 * 4 * 256, 1),
    )
    if compiled:
        raise RuntimeError("torch.compile does not differentiate twice")
    optimizer = torch.optim.Adam(critic.parameters(), 1e-4, betas=(0.5, 0.9))
    real, fake = torch.rand(batch, 1, 28, 28), torch.rand(batch, 1, 28, 28)

    def step() -> float:
        share = torch.rand(batch, 1, 1, 1)
        between = (real * share + fake * (1 - share)).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
        penalty = ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
        loss = critic(fake).mean() - critic(real).mean() + PENALTY * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


# ---------------------------------------------------------------- diffusion


class Residual(nn.Module):
    """Two 3×3 convolutions with group norm and SiLU; the time is added between them."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.GroupNorm(GROUPS, channels), nn.Conv2d(channels, out, 3, padding=1)
        self.time = nn.Linear(TIME, out)
        self.norm_2, self.conv_2 = nn.GroupNorm(GROUPS, out), nn.Conv2d(out, out, 3, padding=1)
        self.skip = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        h = self.conv(F.silu(self.norm(x))) + self.time(F.silu(t))[:, :, None, None]
        return self.conv_2(F.silu(self.norm_2(h))) + self.skip(x)


class UNet(nn.Module):
    """Noisy images 28×28 and their times → the noise."""

    def __init__(self) -> None:
        super().__init__()
        self.times = nn.Sequential(nn.Linear(TIME, TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.first = nn.Conv2d(1, 32, 3, padding=1)
        self.down_1, self.half_1 = Residual(32, 32), nn.Conv2d(32, 32, 3, 2, 1)
        self.down_2, self.half_2 = Residual(32, 64), nn.Conv2d(64, 64, 3, 2, 1)
        self.middle_1, self.middle_2 = Residual(64, 128), Residual(128, 128)
        self.attention_norm, self.attention = nn.GroupNorm(GROUPS, 128), nn.MultiheadAttention(128, 4, batch_first=True)
        self.up_2, self.up_1 = Residual(128 + 64, 64), Residual(64 + 32, 32)
        self.norm, self.last = nn.GroupNorm(GROUPS, 32), nn.Conv2d(32, 1, 3, padding=1)

    def forward(self, x: torch.Tensor, embedded: torch.Tensor) -> torch.Tensor:
        t = self.times(embedded)
        a = self.down_1(self.first(x), t)
        b = self.down_2(self.half_1(a), t)
        h = self.middle_1(self.half_2(b), t)
        rows = self.attention_norm(h).flatten(2).transpose(1, 2)
        seen = self.attention(rows, rows, rows, need_weights=False)[0].transpose(1, 2).reshape(h.shape)
        h = self.middle_2(h + seen, t)
        h = self.up_2(torch.cat([F.interpolate(h, scale_factor=2), b], 1), t)
        h = self.up_1(torch.cat([F.interpolate(h, scale_factor=2), a], 1), t)
        return self.last(F.silu(self.norm(h)))


def unet(batch: int, compiled: bool) -> Step:
    """A step of diffusion: the noise of images at random times is predicted."""
    model, x = UNet(), torch.rand(batch, 1, 28, 28)
    made(model, compiled)
    frequencies = 1000.0 * 10_000.0 ** (-2 * torch.arange(TIME // 2) / TIME)

    def loss() -> torch.Tensor:
        noise, share = torch.randn(batch, 1, 28, 28), torch.rand(batch, 1)
        kept = share[:, :, None, None]
        noisy = x * kept.sqrt() + noise * (1 - kept).sqrt()
        angles = share * frequencies
        return F.mse_loss(model(noisy, torch.cat([angles.sin(), angles.cos()], 1)), noise)

    return training(model.parameters(), 2e-4, loss)


# ---------------------------------------------------------------- pixel after pixel, frame after frame


class Gated(nn.Module):
    """A layer of both stacks of a PixelCNN: v sees the rows above, h the pixels to the left, and what v tells it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.across = nn.Conv2d(channels, 2 * channels, (2, 3)), nn.Conv2d(channels, 2 * channels, (1, 2))
        self.tell, self.out = nn.Conv2d(2 * channels, 2 * channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, v: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a = self.down(F.pad(v, (1, 1, 1, 0)))
        return gate(a), h + self.out(gate(self.across(F.pad(h, (1, 0, 0, 0))) + self.tell(a)))


def gate(x: torch.Tensor) -> torch.Tensor:
    """tanh(a) σ(b) of the two halves of the channels."""
    a, b = x.chunk(2, 1)
    return a.tanh() * b.sigmoid()


class PixelCNN(nn.Module):
    """Images (N, 1, 28, 28) → the logit of each pixel, given those before it."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.first_down, self.first_across = nn.Conv2d(1, channels, (3, 7)), nn.Conv2d(1, channels, (1, 3))
        self.blocks = nn.ModuleList([Gated(channels) for _ in range(depth)])
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, 2 * channels, 1), nn.ReLU(), nn.Conv2d(2 * channels, 1, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v = self.first_down(F.pad(x[:, :, :-1], (3, 3, 3, 0)))
        h = self.first_across(F.pad(x[:, :, :, :-1], (3, 0, 0, 0)))
        for block in self.blocks:
            v, h = block(v, h)
        return self.head(h)


def pixel_cnn(batch: int, compiled: bool) -> Step:
    """Images of zeros and ones by a gated PixelCNN."""
    model, x = PixelCNN(32, 8), (torch.rand(batch, 1, 28, 28) < 0.2).float()
    made(model, compiled)
    loss = F.binary_cross_entropy_with_logits
    return training(model.parameters(), 1e-3, lambda: loss(model(x), x, reduction="sum") / batch)


class Forecaster(nn.Module):
    """Ten known frames (N, 10, 1, 64, 64) → logits of the frames 1 … 19, each from those before it."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gates = nn.ModuleList([nn.Conv2d(n + hidden, 4 * hidden, 3, padding=1) for n in (16, hidden)])
        self.out, self.hidden = nn.Conv2d(hidden, 16, 1), hidden

    def forward(self, films: torch.Tensor) -> torch.Tensor:
        known, said = films.shape[1], []
        state = [[films.new_zeros(len(films), self.hidden, 16, 16)] * 2 for _ in self.gates]
        for t in range(2 * known - 1):
            x = F.pixel_unshuffle(films[:, t], 4) if t < known else said[-1].sigmoid()
            for layer, gates in enumerate(self.gates):
                h, c = state[layer]
                i, f, o, g = gates(torch.cat([x, h], 1)).chunk(4, 1)
                c = (f + 1).sigmoid() * c + i.sigmoid() * g.tanh()
                x = o.sigmoid() * c.tanh()
                state[layer] = [x, c]
            said.append(self.out(x))
        return torch.stack([F.pixel_shuffle(logits, 4) for logits in said], 1)


def conv_lstm(batch: int, compiled: bool) -> Step:
    """Ten frames go on for ten more."""
    model, films = Forecaster(32), torch.rand(batch, 20, 1, 64, 64)
    made(model, compiled)
    loss = F.binary_cross_entropy_with_logits
    return training(model.parameters(), 1e-3, lambda: loss(model(films[:, :10]), films[:, 1:]))
