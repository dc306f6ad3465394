"""A small U-Net that reads an image in noise, how noisy it is, and its class: what diffusion and flows are learned by.

O. Ronneberger, P. Fischer, T. Brox (2015), https://arxiv.org/abs/1505.04597; as a model of noise by J. Ho, A. Jain,
P. Abbeel (2020), https://arxiv.org/abs/2006.11239, appendix B. Channels are w, 2w and 4w at full size, half and a
quarter of it; the places of the smallest maps look at each other.
"""

import numpy as np

import minigen as mg
from minigen import layers
from minigen.autograd import Tensor
from minigen.errors import ArgumentError
from minigen.layers import Conv2d, GroupNorm, Linear
from minigen.models.parts.first_weights import zeroed
from minigen.models.parts.images import ImageShape, require_fours

GROUPS = 8  # of channels, which are normalised together
HEADS = 4
TIME = 64  # numbers that the time and the class are told in
FREQUENCIES = mg.tensor((1000.0 * 10_000.0 ** (-2 * np.arange(TIME // 2) / TIME)).astype(np.float32))


class Residual(layers.Module):
    """x (N, H, W, channels), told (N, TIME) → (N, H, W, out): two convolutions of 3×3; what is told comes between."""

    def __init__(self, channels: int, out: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.norm, self.conv = GroupNorm(GROUPS, channels), Conv2d(channels, out, 3, padding=1, rng=rng)
        self.told = Linear(TIME, out, rng=rng)
        self.norm_2, self.conv_2 = GroupNorm(GROUPS, out), zeroed(Conv2d(out, out, 3, padding=1, rng=rng))
        self.skip = None if channels == out else Conv2d(channels, out, 1, rng=rng)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """x, or a 1×1 convolution of it, plus what the block finds."""
        h = self.conv(mg.silu(self.norm(x))) + self.told(mg.silu(told)).reshape(len(x), 1, 1, -1)
        h = self.conv_2(mg.silu(self.norm_2(h)))
        return h + (x if self.skip is None else self.skip(x))


class UNet(layers.Module):
    """Images in noise x (N, H, W, C), times t (N,) from 0 to 1, and classes y (N,) → what it says of them, as x.

    classes: how many there are; 0: none is told. Class number `classes` stands for "not told". Raises ArgumentError
    for images that can not be halved twice.
    """

    image: np.ndarray
    classes: np.ndarray

    def __init__(self, image: ImageShape, classes: int, width: int, rng: np.random.Generator) -> None:
        super().__init__()
        require_fours("U-Net", image, "it halves height and width twice")
        channels = image[2]
        a, b, c = width, 2 * width, 4 * width
        self.times = layers.Sequential(Linear(TIME, TIME, rng=rng), layers.SiLU(), Linear(TIME, TIME, rng=rng))
        self.of_class = layers.Embedding(classes + 1, TIME, rng=rng) if classes else None
        self.first = Conv2d(channels, a, 3, padding=1, rng=rng)
        self.down_1, self.half_1 = Residual(a, a, rng), Conv2d(a, a, 3, 2, 1, rng=rng)
        self.down_2, self.half_2 = Residual(a, b, rng), Conv2d(b, b, 3, 2, 1, rng=rng)
        self.middle_1, self.middle_2 = Residual(b, c, rng), Residual(c, c, rng)
        self.attention_norm, self.attention = GroupNorm(GROUPS, c), layers.MultiHeadAttention(c, HEADS, rng=rng)
        self.up_2, self.up_1 = Residual(c + b, b, rng), Residual(b + a, a, rng)
        self.norm = GroupNorm(GROUPS, a)
        self.last = zeroed(Conv2d(a, channels, 3, padding=1, rng=rng))
        # So that a checkpoint alone can be sampled from.
        self.register_buffer("image", np.array(image))
        self.register_buffer("classes", np.array(classes))

    def forward(self, x: Tensor, t: Tensor, y: np.ndarray | Tensor | None = None) -> Tensor:
        """What the network says of x, of the same shape."""
        told = self.times(waves(t))
        if self.of_class is not None:
            told = told + self.of_class(np.full(len(x), int(self.classes)) if y is None else y)
        a = self.down_1(self.first(x), told)
        b = self.down_2(self.half_1(a), told)
        h = self.middle_1(self.half_2(b), told)
        n, height, width, channels = h.shape
        places = self.attention_norm(h).reshape(n, height * width, channels)
        h = self.middle_2(h + self.attention(places).reshape(*h.shape), told)
        h = self.up_2(mg.concatenate([mg.upsample_nearest(h, 2), b], -1), told)
        h = self.up_1(mg.concatenate([mg.upsample_nearest(h, 2), a], -1), told)
        return self.last(mg.silu(self.norm(h)))

    def guided(self, x: Tensor, t: Tensor, y: np.ndarray | None, guidance: float) -> Tensor:
        """f(x, t) + guidance (f(x, t, y) - f(x, t)): above 1 the class counts for more than it does in the data.

        J. Ho, T. Salimans (2022), Classifier-free diffusion guidance, https://arxiv.org/abs/2207.12598, equation 6,
        where guidance - 1 is called w.
        """
        if y is None or guidance == 1:
            return self(x, t, y)
        told = np.concatenate([y, np.full_like(y, int(self.classes))])
        with_class, without = self(mg.concatenate([x, x]), mg.concatenate([t, t]), told).split(len(x))
        return without + guidance * (with_class - without)


def waves(t: Tensor) -> Tensor:
    """Times t (N,) from 0 to 1 as sines and cosines of TIME / 2 frequencies from 1,000 down to 0.1, (N, TIME)."""
    angles = t.reshape(-1, 1) * FREQUENCIES
    return mg.concatenate([mg.sin(angles), mg.cos(angles)], 1)


def require_width(width: int) -> None:
    """Raises ArgumentError unless the channels of a U-Net of that width can be normalised in groups."""
    if width % GROUPS:
        raise ArgumentError(
            f"width is {width}, but channels are normalised in {GROUPS} groups; use a multiple of {GROUPS}"
        )
