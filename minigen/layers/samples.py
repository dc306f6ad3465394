"""Sample calls of every layer: what `minigen gradcheck` verifies besides the operations, and the tests of the layers.

A layer is made anew at each call and given the parameters of the call, so that a sample is a function of its inputs and
parameters alone: dropout draws the same mask, batch norm starts from the same running values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from minigen import layers
from minigen.autograd.tensor import Tensor
from minigen.autograd.verify.sample import Maker, away, distinct, integers, normal
from minigen.layers import samples_loss
from minigen.random import generator


@dataclass(frozen=True)
class LayerSample:
    """One call of one layer. make: gives the layer. x: makes its input."""

    make: Callable[[], layers.Module]
    x: Maker

    @property
    def operation(self) -> str:
        """The layer's name."""
        return type(self.make()).__name__

    @property
    def name(self) -> str:
        """Readable and distinct: the layer with its options, its mode, and the shape of x."""
        layer = self.make()
        mode = "" if layer.training else ", evaluation"
        return f"{layer!r} on {self.x(generator(0)).shape}{mode}".replace("\n", "")

    def tensors(self, rng: np.random.Generator) -> list[Any]:
        """Fresh float64 inputs: x, and parameters that are all away from 0, so that none is as after initialisation."""
        x = self.x(rng)
        values = [away(*parameter.shape)(rng) for parameter in self.make().parameters()]
        return [Tensor(x, requires_grad=True) if x.dtype.kind == "f" else x, *map(layers.Parameter, values)]

    def call(self, x: Any, *parameters: layers.Parameter) -> Any:
        """The layer, with the given parameters, on x."""
        layer = self.make().astype(np.float64)
        owners = dict(layer.named_modules())
        for (name, _), parameter in zip(layer.named_parameters(), parameters, strict=True):
            owner, _, attribute = name.rpartition(".")
            setattr(owners[owner], attribute, parameter)
        return flattened(layer(x))


def flattened(y: Any) -> Any:
    """A Tensor as it is; tensors in tuples in tuples, such as a recurrent layer's state, as one list."""
    return (
        [part for item in y for part in ([item] if isinstance(item, Tensor) else flattened(item))]
        if isinstance(y, tuple)
        else y
    )


def sample(kind: Any, x: Maker, *args: Any, **options: Any) -> LayerSample:
    """`kind(*args, **options)` on x."""
    return LayerSample(partial(kind, *args, **options), x)


def drawn(kind: Any, x: Maker, *args: Any, **options: Any) -> LayerSample:
    """The same for a layer that takes an rng."""
    return LayerSample(lambda: kind(*args, **options, rng=generator(0)), x)


def evaluated(kind: Any, x: Maker, *args: Any, **options: Any) -> LayerSample:
    """The same in evaluation mode."""
    return LayerSample(lambda: kind(*args, **options).eval(), x)


def weighted() -> Iterator[LayerSample]:
    """Layers with weights."""
    yield drawn(layers.Linear, normal(4, 3), 3, 2)
    yield drawn(layers.Linear, normal(2, 2, 3), 3, 2, bias=False)
    images = normal(2, 5, 6, 2)
    yield drawn(layers.Conv2d, images, 2, 3, 3)
    yield drawn(layers.Conv2d, images, 2, 4, (2, 3), (2, 1), (0, 1), dilation=(1, 2), groups=2, bias=False)
    yield drawn(layers.Conv2d, images, 2, 3, 3, stride=2, padding="same")
    yield drawn(layers.ConvTranspose2d, normal(2, 3, 2, 2), 2, 3, 3)
    yield drawn(layers.ConvTranspose2d, normal(1, 3, 2, 2), 2, 4, 5, stride=2, padding=2, output_padding=1, groups=2)
    yield drawn(layers.Conv2d, images, 2, 3, 3, padding=(1, 2), padding_mode="reflect")
    yield drawn(layers.Embedding, integers(5, 3, 2), 5, 3)
    yield drawn(layers.Conv1d, normal(2, 6, 2), 2, 3, 3, stride=2, padding=1)
    yield drawn(layers.Conv1d, normal(2, 5, 2), 2, 4, 2, padding="same", groups=2, padding_mode="circular", bias=False)
    yield drawn(layers.ConvTranspose1d, normal(2, 4, 2), 2, 3, 3, stride=2, padding=1, output_padding=1)
    yield drawn(layers.Conv3d, normal(1, 3, 3, 4, 2), 2, 2, (2, 2, 3), padding=(1, 0, 1), stride=(2, 1, 1))
    yield sample(layers.PReLU, away(2, 3, 4), 4)
    yield sample(layers.PReLU, away(3, 4))
    steps = normal(2, 3, 4)
    yield drawn(layers.MultiHeadAttention, steps, 4, 2)
    yield drawn(layers.MultiHeadAttention, steps, 4, 1, bias=False)
    yield drawn(layers.TransformerBlock, steps, 4, 2, mlp_ratio=1.5, dropout=0.3)
    yield drawn(layers.LearnedPositions, steps, 5, 4)
    yield sample(layers.SinusoidalPositions, steps, 3, 4)


def reparametrized() -> Iterator[LayerSample]:
    """Layers whose weight is computed from other parameters."""

    def made(change: Callable[[layers.Module], layers.Module], kind: Any, x: Maker, *args: Any) -> LayerSample:
        return LayerSample(lambda: change(kind(*args, rng=generator(0))), x)

    def spectral(layer: layers.Module) -> layers.Module:
        return layers.spectral_norm(layer, rng=generator(1)).eval()  # in training u and v follow every change

    yield made(spectral, layers.Linear, normal(4, 3), 3, 2)
    yield made(spectral, layers.Conv2d, normal(1, 4, 4, 2), 2, 3, 2)
    yield made(layers.weight_norm, layers.Linear, normal(4, 3), 3, 2)
    yield made(partial(layers.weight_norm, axis=None), layers.ConvTranspose2d, normal(1, 2, 3, 2), 2, 3, 2)


def normalizing() -> Iterator[LayerSample]:
    """Normalization and dropout, in both modes."""
    for x in (normal(6, 3), normal(2, 3, 2, 3)):
        yield sample(layers.BatchNorm, x, 3)
        yield evaluated(layers.BatchNorm, x, 3)
        yield sample(layers.LayerNorm, x, 3)
    yield sample(layers.LayerNorm, normal(2, 2, 3), 3, bias=False)
    yield sample(layers.LayerNorm, normal(2, 2, 3), 3, elementwise_affine=False)
    yield sample(layers.BatchNorm, normal(6, 3), 3, momentum=None, affine=False)
    yield evaluated(layers.BatchNorm, normal(6, 3), 3, affine=False)
    yield evaluated(layers.BatchNorm, normal(6, 3), 3, track_running_stats=False)
    yield sample(layers.GroupNorm, normal(2, 3, 2, 4), 2, 4)
    yield sample(layers.GroupNorm, normal(2, 3, 4), 1, 4, affine=False)
    yield sample(layers.InstanceNorm, normal(2, 3, 2, 3), 3)
    yield sample(layers.InstanceNorm, normal(2, 5, 3), 3, affine=True)
    yield sample(layers.RMSNorm, normal(2, 3, 4), 4)
    yield sample(layers.RMSNorm, normal(3, 4), 4, eps=0.1, elementwise_affine=False)
    yield drawn(layers.Dropout2d, normal(2, 3, 2, 4), 0.4)
    yield drawn(layers.Dropout, normal(4, 5), 0.4)
    yield evaluated(partial(layers.Dropout, rng=generator(0)), normal(4, 5), 0.4)


def plain() -> Iterator[LayerSample]:
    """Layers without weights."""
    yield sample(layers.MaxPool2d, distinct(2, 4, 6, 2), 2)
    yield sample(layers.MaxPool2d, distinct(1, 5, 5, 2), 3, stride=2, padding=1)
    yield sample(layers.AvgPool2d, normal(2, 4, 6, 2), 2)
    yield sample(layers.AvgPool2d, normal(1, 5, 5, 2), (3, 2), stride=(1, 2), padding=1)
    yield sample(layers.Upsample, normal(2, 2, 3, 2), 2)
    yield sample(layers.Upsample, normal(2, 2, 3, 2), 1.5, "bilinear", align_corners=True)
    yield sample(layers.Upsample, normal(2, 4, 3, 2), mode="bicubic", size=(3, 5))
    yield sample(layers.MaxPool1d, distinct(2, 5, 2), 3, stride=2, padding=1)
    yield sample(layers.AvgPool1d, normal(2, 6, 2), 2)
    yield sample(layers.AdaptiveAvgPool2d, normal(2, 4, 5, 2), (3, None))
    yield sample(layers.AdaptiveMaxPool2d, distinct(2, 4, 5, 2), 2)
    yield sample(layers.PixelShuffle, normal(1, 2, 3, 8), 2)
    yield sample(layers.PixelUnshuffle, normal(1, 4, 2, 2), 2)
    yield sample(layers.Unfold, normal(2, 4, 4, 2), 2, padding=1, stride=2)
    yield sample(layers.Fold, normal(2, 9, 8), 4, 2)
    for mode in ("constant", "reflect", "replicate", "circular"):
        yield sample(layers.Pad, normal(1, 3, 4, 2), (1, 0, 2, 1), mode)
    yield sample(layers.Identity, normal(2, 3))
    yield sample(layers.Flatten, normal(2, 3, 4))
    yield sample(layers.Flatten, normal(2, 3, 4), 0, 1)
    yield sample(layers.Reshape, normal(2, 12), 3, -1)
    for kind in (layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Tanh, layers.Sigmoid, layers.Softplus, layers.GELU):
        yield sample(kind, away(3, 4))
    for kind in (layers.SiLU, layers.ReLU6, layers.SELU, layers.Mish, layers.Hardswish, layers.LogSigmoid, layers.GLU):
        yield sample(kind, away(3, 4))
    yield sample(layers.GELU, away(3, 4), "tanh")
    yield sample(layers.GLU, normal(4, 3), axis=0)
    yield sample(layers.LogSoftmax, normal(3, 4))
    yield sample(layers.Softmax, normal(3, 4))
    yield sample(layers.Softmax, normal(3, 4), axis=0)


def recurrent() -> Iterator[LayerSample]:
    """Layers over sequences."""
    for kind in (layers.RNN, layers.LSTM, layers.GRU):
        yield drawn(kind, normal(2, 3, 2), 2, 3)
        yield drawn(kind, normal(2, 2, 2), 2, 2, num_layers=2, dropout=0.3, bidirectional=True)
        yield drawn(kind, integers(3, 2, 3), 3, 2)
    yield drawn(layers.RNN, normal(1, 3, 2), 2, 3, nonlinearity="relu")
    for kind in (layers.RNNCell, layers.LSTMCell, layers.GRUCell):
        yield drawn(kind, normal(2, 2), 2, 3)
    yield drawn(layers.RNNCell, normal(2, 2), 2, 3, nonlinearity="relu")


def network() -> layers.Sequential:
    """A small convolutional network, to see the layers work together."""
    rng = generator(0)
    return layers.Sequential(
        layers.Conv2d(1, 3, 3, stride=2, padding=1, bias=False, rng=rng),
        layers.BatchNorm(3),
        layers.LeakyReLU(0.2),
        layers.Dropout(0.3, rng=rng),
        layers.Flatten(),
        layers.Linear(27, 2, rng=rng),
        layers.Tanh(),
    )


SAMPLES: tuple[LayerSample | samples_loss.LossSample, ...] = (
    *(*weighted(), *reparametrized(), *normalizing(), *plain(), *recurrent()),
    LayerSample(network, normal(3, 6, 6, 1)),
    *samples_loss.samples(),
)
