"""More reference workloads, on images, in minigen: LeNet-5, a critic with a gradient penalty, a small U-Net.

The same steps are in `image_torch_workloads.py` and `image_jax_workloads.py`; the others in `workloads.py`.
"""

import numpy as np

import minigen as mg
from minigen import layers, optim
from minigen.benchmarks.workloads import Step, training, uniform
from minigen.layers import Conv2d, Flatten, LeakyReLU, Linear, MaxPool2d, ReLU

PENALTY = 10.0  # weight of the gradient penalty
TIME = 64  # numbers that a time is embedded in
GROUPS = 8  # of channels, which are normalised together


def lenet5(batch: int) -> Step:
    """LeNet-5 with ReLU and max pooling, 44,426 parameters; SimpleChains.jl trains it on 60,000 digits, 10 epochs."""
    rng = mg.random.generator(0)
    model = layers.Sequential(
        Conv2d(1, 6, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(6, 16, 5, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(256, 120, rng=rng),
        ReLU(),
        Linear(120, 84, rng=rng),
        ReLU(),
        Linear(84, 10, rng=rng),
    )
    x, y = uniform(rng, batch, 28, 28, 1), rng.integers(0, 10, batch)
    return training(model.parameters(), 3e-4, lambda: mg.cross_entropy(model(x), y))


def wgan_gp(batch: int) -> Step:
    """The critic's step of WGAN-GP (Gulrajani et al. 2017), whose penalty is of second order; 5×5 stride 2 to 256."""
    rng = mg.random.generator(0)
    critic = layers.Sequential(
        Conv2d(1, 64, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Conv2d(64, 128, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Conv2d(128, 256, 5, 2, 2, rng=rng),
        LeakyReLU(0.2),
        Flatten(),
        Linear(4 * 4 * 256, 1, rng=rng),
    )
    optimizer = optim.Adam(critic.parameters(), 1e-4, betas=(0.5, 0.9))
    real, fake = uniform(rng, batch, 28, 28, 1), uniform(rng, batch, 28, 28, 1)

    @mg.record
    def step() -> mg.Tensor:
        share = mg.rand(batch, 1, 1, 1, rng=rng)
        between = (real * share + fake * (1.0 - share)).detach().requires_grad_()
        (gradient,) = mg.grad(critic(between).sum(), [between], create_graph=True)
        norms = (gradient * gradient).sum((1, 2, 3)).sqrt()
        loss = critic(fake).mean() - critic(real).mean() + PENALTY * ((norms - 1.0) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return lambda: step().item()


# ---------------------------------------------------------------- diffusion


class Residual(layers.Module):
    """Two 3×3 convolutions with group norm and SiLU; the time is added between them."""

    def __init__(self, channels: int, out: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.norm, self.conv = layers.GroupNorm(GROUPS, channels), Conv2d(channels, out, 3, padding=1, rng=rng)
        self.time = Linear(TIME, out, rng=rng)
        self.norm_2, self.conv_2 = layers.GroupNorm(GROUPS, out), Conv2d(out, out, 3, padding=1, rng=rng)
        self.skip = None if channels == out else Conv2d(channels, out, 1, rng=rng)

    def forward(self, x: mg.Tensor, t: mg.Tensor) -> mg.Tensor:
        """x (N, H, W, channels), t (N, TIME) → (N, H, W, out)."""
        h = self.conv(mg.silu(self.norm(x))) + self.time(mg.silu(t)).reshape(len(x), 1, 1, -1)
        h = self.conv_2(mg.silu(self.norm_2(h)))
        return h + (x if self.skip is None else self.skip(x))


class UNet(layers.Module):
    """Noisy images 28×28 and their times → the noise: 32, 64 and 128 channels at 28, 14 and 7, attention at 7."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.times = layers.Sequential(Linear(TIME, TIME, rng=rng), layers.SiLU(), Linear(TIME, TIME, rng=rng))
        self.first = Conv2d(1, 32, 3, padding=1, rng=rng)
        self.down_1, self.half_1 = Residual(32, 32, rng), Conv2d(32, 32, 3, 2, 1, rng=rng)
        self.down_2, self.half_2 = Residual(32, 64, rng), Conv2d(64, 64, 3, 2, 1, rng=rng)
        self.middle_1, self.middle_2 = Residual(64, 128, rng), Residual(128, 128, rng)
        self.attention_norm = layers.GroupNorm(GROUPS, 128)
        self.attention = layers.MultiHeadAttention(128, 4, rng=rng)
        self.up_2, self.up_1 = Residual(128 + 64, 64, rng), Residual(64 + 32, 32, rng)
        self.norm, self.last = layers.GroupNorm(GROUPS, 32), Conv2d(32, 1, 3, padding=1, rng=rng)

    def forward(self, x: mg.Tensor, embedded: mg.Tensor) -> mg.Tensor:
        """x (N, 28, 28, 1), embedded times (N, TIME) → (N, 28, 28, 1)."""
        t = self.times(embedded)
        a = self.down_1(self.first(x), t)
        b = self.down_2(self.half_1(a), t)
        h = self.middle_1(self.half_2(b), t)
        rows = self.attention_norm(h).reshape(len(x), 49, 128)
        h = self.middle_2(h + self.attention(rows).reshape(*h.shape), t)
        h = self.up_2(mg.concatenate([mg.upsample_nearest(h, 2), b], -1), t)
        h = self.up_1(mg.concatenate([mg.upsample_nearest(h, 2), a], -1), t)
        return self.last(mg.silu(self.norm(h)))


def unet(batch: int) -> Step:
    """A step of diffusion (Ho et al. 2020, Algorithm 1): the noise of images at random times is predicted."""
    rng = mg.random.generator(0)
    model, x = UNet(rng), uniform(rng, batch, 28, 28, 1)

    def loss() -> mg.Tensor:
        noise, share = mg.randn(batch, 28, 28, 1, rng=rng), mg.rand(batch, 1, rng=rng)
        kept = share.reshape(batch, 1, 1, 1)
        noisy = x * kept.sqrt() + noise * (1.0 - kept).sqrt()
        angles = share * (mg.arange(1, TIME // 2 + 1) * 0.5)
        embedded = mg.concatenate([mg.sin(angles), mg.cos(angles)], 1)
        return mg.mse_loss(model(noisy, embedded), noise)

    return training(model.parameters(), 2e-4, loss)
