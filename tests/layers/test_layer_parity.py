"""Every layer against PyTorch's: values and gradients on random shapes, and batch norm's running statistics.

PyTorch's images are (N, C, H, W) and its weights (Cout, Cin, KH, KW), (Cin, Cout, KH, KW) when transposed, (out, in)
when dense; `converted` turns them into ours.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.layers.module import array_of

torch = pytest.importorskip("torch")

ROUNDS = 4  # random shapes for each layer
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
Case = tuple[layers.Module, Any, tuple[int, ...]]  # our layer, PyTorch's, the shape of our x


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def linear(rng: np.random.Generator) -> Case:
    i, o, bias = integer(rng, 1, 9), integer(rng, 1, 9), bool(rng.integers(2))
    shape = tuple(rng.integers(1, 5, integer(rng, 1, 3)).tolist())
    return layers.Linear(i, o, bias, rng=rng), torch.nn.Linear(i, o, bias), (*shape, i)


def conv2d(rng: np.random.Generator) -> Case:
    groups = integer(rng, 1, 2)
    channels = groups * integer(rng, 1, 3), groups * integer(rng, 1, 3)
    kernel = integer(rng, 1, 4), integer(rng, 1, 4)
    stride, dilation = (integer(rng, 1, 3), integer(rng, 1, 3)), (integer(rng, 1, 2), integer(rng, 1, 2))
    options = (kernel, stride, (integer(rng, 0, 2), integer(rng, 0, 2)), dilation, groups, bool(rng.integers(2)))
    shape = (integer(rng, 1, 3), integer(rng, 7, 10), integer(rng, 7, 10), channels[0])
    return layers.Conv2d(*channels, *options, rng=rng), torch.nn.Conv2d(*channels, *options), shape


def conv2d_same(rng: np.random.Generator) -> Case:
    channels, kernel = (integer(rng, 1, 3), integer(rng, 1, 3)), (integer(rng, 1, 5), integer(rng, 1, 5))
    shape = (integer(rng, 1, 3), integer(rng, 5, 8), integer(rng, 5, 8), channels[0])
    ours = layers.Conv2d(*channels, kernel, padding="same", rng=rng)
    return ours, torch.nn.Conv2d(*channels, kernel, padding="same"), shape


def conv_transpose2d(rng: np.random.Generator) -> Case:
    groups = integer(rng, 1, 2)
    channels = groups * integer(rng, 1, 3), groups * integer(rng, 1, 3)
    kernel = integer(rng, 3, 5), integer(rng, 3, 5)
    stride = integer(rng, 1, 3), integer(rng, 1, 3)
    padding = integer(rng, 0, 1), integer(rng, 0, 1)
    more = integer(rng, 0, stride[0] - 1), integer(rng, 0, stride[1] - 1)
    options = (kernel, stride, padding, more, groups, bool(rng.integers(2)), integer(rng, 1, 2))
    shape = (integer(rng, 1, 3), integer(rng, 1, 5), integer(rng, 1, 5), channels[0])
    return layers.ConvTranspose2d(*channels, *options, rng=rng), torch.nn.ConvTranspose2d(*channels, *options), shape


def pool(ours: Any, theirs: Any) -> Callable[[np.random.Generator], Case]:
    def case(rng: np.random.Generator) -> Case:
        kernel = integer(rng, 2, 3), integer(rng, 2, 3)
        stride = None if rng.integers(2) else (integer(rng, 1, 3), integer(rng, 1, 3))
        padding = integer(rng, 0, 1)
        shape = (integer(rng, 1, 3), integer(rng, 4, 8), integer(rng, 4, 8), integer(rng, 1, 3))
        return ours(kernel, stride, padding), theirs(kernel, stride, padding), shape

    return case


def upsample(rng: np.random.Generator) -> Case:
    factor = integer(rng, 1, 3)
    shape = (integer(rng, 1, 3), integer(rng, 1, 4), integer(rng, 1, 4), integer(rng, 1, 3))
    return layers.Upsample(factor), torch.nn.Upsample(scale_factor=factor), shape


def batch_norm(rng: np.random.Generator) -> Case:
    c, images = integer(rng, 1, 5), bool(rng.integers(2))
    theirs = (torch.nn.BatchNorm2d if images else torch.nn.BatchNorm1d)(c, eps=1e-3, momentum=0.3)
    shape = (integer(rng, 2, 4), *((integer(rng, 1, 4), integer(rng, 1, 4)) if images else ()), c)
    return shuffled(layers.BatchNorm(c, eps=1e-3, momentum=0.3), rng), theirs, shape


def batch_norm_evaluation(rng: np.random.Generator) -> Case:
    ours, theirs, shape = batch_norm(rng)
    return ours.eval(), theirs.eval(), shape


def layer_norm(rng: np.random.Generator) -> Case:
    c = integer(rng, 2, 9)
    shape = tuple(rng.integers(1, 4, integer(rng, 1, 3)).tolist())
    return shuffled(layers.LayerNorm(c, eps=1e-3), rng), torch.nn.LayerNorm(c, eps=1e-3), (*shape, c)


def batch_norm_mean(rng: np.random.Generator) -> Case:
    theirs = torch.nn.BatchNorm1d(3, momentum=None, affine=False)
    return layers.BatchNorm(3, momentum=None, affine=False), theirs, (integer(rng, 2, 6), 3)


def along(axes: int, ours: Any, theirs: Any) -> Callable[[np.random.Generator], Case]:
    """A convolution of sequences (1) or volumes (3)."""

    def case(rng: np.random.Generator) -> Case:
        groups = integer(rng, 1, 2)
        channels = groups * integer(rng, 1, 2), groups * integer(rng, 1, 2)
        options = integer(rng, 1, 3), integer(rng, 1, 2), integer(rng, 0, 1)
        more = {"groups": groups, "bias": bool(rng.integers(2)), "dilation": integer(rng, 1, 2)}
        shape = (integer(rng, 1, 2), *[integer(rng, 5, 6) for _ in range(axes)], channels[0])
        return ours(*channels, *options, **more, rng=rng), theirs(*channels, *options, **more), shape

    return case


def conv2d_padded(rng: np.random.Generator) -> Case:
    mode = str(rng.choice(["reflect", "replicate", "circular"]))
    options: Any = {"padding": "same" if rng.integers(2) else (1, 2), "padding_mode": mode}
    return layers.Conv2d(2, 3, 3, **options, rng=rng), torch.nn.Conv2d(2, 3, 3, **options), (2, 5, 6, 2)


def group_norm(rng: np.random.Generator) -> Case:
    groups = integer(rng, 1, 3)
    c, affine = groups * integer(rng, 1, 3), bool(rng.integers(2))
    theirs = torch.nn.GroupNorm(groups, c, affine=affine)
    return shuffled(layers.GroupNorm(groups, c, affine=affine), rng), theirs, (2, 3, integer(rng, 2, 4), c)


def instance_norm(rng: np.random.Generator) -> Case:
    affine, c = bool(rng.integers(2)), integer(rng, 1, 3)
    theirs = torch.nn.InstanceNorm2d(c, affine=affine)
    return shuffled(layers.InstanceNorm(c, affine=affine), rng), theirs, (2, 3, integer(rng, 2, 4), c)


def prelu(rng: np.random.Generator) -> Case:
    c = integer(rng, 1, 3)
    return shuffled(layers.PReLU(c), rng), torch.nn.PReLU(c), (2, 3, 2, c)


def elementwise(ours: Callable[[], layers.Module], theirs: Any) -> Callable[[np.random.Generator], Case]:
    return lambda rng: (ours(), theirs, tuple(rng.integers(1, 6, integer(rng, 1, 4)).tolist()))


def shuffled(module: Any, rng: np.random.Generator) -> Any:
    """Weights and running values away from 0 and 1, so that every term counts."""
    module.load_state_dict(
        {k: (v + rng.uniform(0.2, 1.0, v.shape)).astype(v.dtype) for k, v in module.state_dict().items()}
    )
    return module


CASES: dict[str, Callable[[np.random.Generator], Case]] = {
    "Linear": linear,
    "Conv2d": conv2d,
    "Conv2d-same": conv2d_same,
    "ConvTranspose2d": conv_transpose2d,
    "MaxPool2d": pool(layers.MaxPool2d, torch.nn.MaxPool2d),
    "AvgPool2d": pool(layers.AvgPool2d, torch.nn.AvgPool2d),
    "Upsample": upsample,
    "BatchNorm": batch_norm,
    "BatchNorm-evaluation": batch_norm_evaluation,
    "LayerNorm": layer_norm,
    "ReLU": elementwise(layers.ReLU, torch.nn.ReLU()),
    "LeakyReLU": elementwise(lambda: layers.LeakyReLU(0.2), torch.nn.LeakyReLU(0.2)),
    "ELU": elementwise(lambda: layers.ELU(0.7), torch.nn.ELU(0.7)),
    "Tanh": elementwise(layers.Tanh, torch.nn.Tanh()),
    "Sigmoid": elementwise(layers.Sigmoid, torch.nn.Sigmoid()),
    "Softplus": elementwise(layers.Softplus, torch.nn.Softplus(threshold=1000)),
    "GELU": elementwise(layers.GELU, torch.nn.GELU()),
    "SiLU": elementwise(layers.SiLU, torch.nn.SiLU()),
    "Softmax": elementwise(layers.Softmax, torch.nn.Softmax(-1)),
    "BatchNorm-mean": batch_norm_mean,
    "Conv1d": along(1, layers.Conv1d, torch.nn.Conv1d),
    "ConvTranspose1d": along(1, layers.ConvTranspose1d, torch.nn.ConvTranspose1d),
    "Conv3d": along(3, layers.Conv3d, torch.nn.Conv3d),
    "Conv2d-padded": conv2d_padded,
    "GroupNorm": group_norm,
    "InstanceNorm": instance_norm,
    "RMSNorm": lambda rng: (shuffled(layers.RMSNorm(4), rng), torch.nn.RMSNorm(4), (integer(rng, 1, 3), 2, 4)),
    "LayerNorm-no-bias": lambda rng: (
        shuffled(layers.LayerNorm(4, bias=False), rng),
        torch.nn.LayerNorm(4, bias=False),
        (integer(rng, 1, 3), 4),
    ),
    "PReLU": prelu,
    "LogSoftmax": elementwise(layers.LogSoftmax, torch.nn.LogSoftmax(-1)),
    "LogSigmoid": elementwise(layers.LogSigmoid, torch.nn.LogSigmoid()),
    "ReLU6": elementwise(layers.ReLU6, torch.nn.ReLU6()),
    "SELU": elementwise(layers.SELU, torch.nn.SELU()),
    "Mish": elementwise(layers.Mish, torch.nn.Mish()),
    "Hardswish": elementwise(layers.Hardswish, torch.nn.Hardswish()),
    "AdaptiveAvgPool2d": lambda rng: (
        layers.AdaptiveAvgPool2d((3, None)),
        torch.nn.AdaptiveAvgPool2d((3, None)),
        (2, integer(rng, 3, 7), 4, 2),
    ),
    "Upsample-bicubic": lambda rng: (
        layers.Upsample(mode="bicubic", size=(5, 3)),
        torch.nn.Upsample((5, 3), mode="bicubic"),
        (2, integer(rng, 2, 7), 4, 2),
    ),
    "Flatten": lambda rng: (layers.Flatten(), torch.nn.Flatten(), (2, 3, integer(rng, 1, 4), 1)),
    "Reshape": lambda rng: (layers.Reshape(3, -1), torch.nn.Unflatten(1, (3, -1)), (2, 3 * integer(rng, 1, 4))),
}
CHANNELS_IN_FRONT = (  # in PyTorch
    *("Conv", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Upsample", "BatchNorm", "GroupNorm", "InstanceNorm"),
    "PReLU",
)


def converted(name: str, array: np.ndarray) -> np.ndarray:
    """A weight of ours in PyTorch's order of axes."""
    if name.startswith("Linear"):
        return array.T
    return np.moveaxis(array, (-1, -2), (0, 1)) if array.ndim > 2 else array


def turned(name: str, array: np.ndarray) -> bool:
    return name.startswith(CHANNELS_IN_FRONT) and array.ndim > 2


def to_torch(name: str, array: np.ndarray) -> Any:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, 1) if turned(name, array) else array))


def from_torch(name: str, tensor: Any) -> np.ndarray:
    array = tensor.detach().numpy()
    return np.moveaxis(array, 1, -1) if turned(name, array) else array


def compare(name: str, what: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Equal within the dtype's tolerance, relative to the largest value."""
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype, what
    scale = max(float(np.abs(theirs).max(initial=0)), 1e-3)
    np.testing.assert_allclose(
        ours / scale, theirs / scale, rtol=0, atol=TOLERANCE[str(ours.dtype)], err_msg=f"{name}: {what}"
    )


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # PyTorch is slow there, not wrong
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, dtype: str):
    for seed in range(ROUNDS):
        rng = mg.random.generator(seed)
        ours, theirs, shape = CASES[name](rng)
        ours.astype(dtype)
        theirs.to(getattr(torch, dtype))
        for own, other in zip(ours.named_state(), list(theirs.parameters()) + running_values(theirs), strict=True):
            other.data.copy_(torch.from_numpy(converted(name, array_of(own[1])).copy()))

        array = rng.standard_normal(shape).astype(dtype)
        x, tx = mg.tensor(array, requires_grad=True), to_torch(name, array).requires_grad_()
        y, ty = ours(x), theirs(tx)
        compare(name, f"value, seed {seed}", y.data, from_torch(name, ty))
        for key, value in zip(["running_mean", "running_var"], running_values(theirs), strict=False):
            compare(name, key, getattr(ours, key), value.numpy())

        gy = rng.standard_normal(y.shape).astype(dtype)
        y.backward(mg.tensor(gy))
        ty.backward(to_torch(name, gy))
        assert x.grad is not None
        compare(name, f"gx, seed {seed}", x.grad.data, from_torch(name, tx.grad))
        for (key, own), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert own.grad is not None
            compare(name, f"gradient of {key}, seed {seed}", converted(name, own.grad.data), other.grad.numpy())


def running_values(theirs: Any) -> list[Any]:
    if getattr(theirs, "running_mean", None) is None:
        return []
    count = [theirs.num_batches_tracked] if theirs.momentum is None else []
    return [theirs.running_mean, theirs.running_var, *count]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_embedding(shape: tuple[int, ...]):
    rng = mg.random.generator(0)
    ours, theirs = layers.Embedding(7, 4, rng=rng), torch.nn.Embedding(7, 4)
    theirs.weight.data.copy_(torch.from_numpy(ours.weight.data))
    indices = rng.integers(0, 7, shape)
    y, ty = ours(indices), theirs(torch.from_numpy(np.asarray(indices)))
    np.testing.assert_array_equal(y.data, ty.detach().numpy())
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    assert ours.weight.grad is not None
    np.testing.assert_allclose(ours.weight.grad.data, theirs.weight.grad.numpy(), rtol=1e-6)


def test_running_statistics_over_several_steps_and_batch_sizes():
    ours, theirs = layers.BatchNorm(3), torch.nn.BatchNorm2d(3)
    rng = mg.random.generator(0)
    for n in (2, 5, 3):
        x = rng.normal(2.0, 3.0, (n, 4, 2, 3)).astype(np.float32)
        ours(mg.tensor(x))
        theirs(to_torch("BatchNorm", x))
    compare("BatchNorm", "running_mean", ours.running_mean, theirs.running_mean.numpy())
    compare("BatchNorm", "running_var", ours.running_var, theirs.running_var.numpy())
    before = ours.state_dict()
    ours.eval()(mg.tensor(rng.standard_normal((2, 3)).astype(np.float32)))
    for key, array in ours.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
