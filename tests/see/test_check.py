"""The examination: mistakes that students make are named, healthy models are left alone, and models as they were."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd.function import Function
from minigen.errors import ArgumentError

RNG = mg.random.generator


def batch() -> tuple[np.ndarray, np.ndarray]:
    x, y = data.mnist("train")[:32]
    return x, y


def mlp(*last: layers.Module, width: int = 24) -> layers.Sequential:
    rng = RNG(0)
    first = layers.Linear(784, width, rng=rng)
    return layers.Sequential(layers.Flatten(), first, layers.ReLU(), layers.Linear(width, 10, rng=rng), *last)


class Wrapped(layers.Module):
    """A classifier whose forward goes through `around`."""

    def __init__(self, around: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.inner, self.around = mlp(), around

    def forward(self, x: Any) -> Any:
        return self.around(self.inner, x)


class WrongBackward(Function):
    """y = 2 x, and a backward of 3."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return 2 * x

    def backward(self, gy: mg.Tensor) -> tuple[mg.Tensor]:
        return (gy * 3.0,)


class TwoInputs(layers.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = mlp()

    def forward(self, a: mg.Tensor, b: mg.Tensor) -> mg.Tensor:
        return self.inner(a + b)


class Twice(layers.Module):
    """Logits, and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.number = mlp(), mlp()

    def forward(self, x: mg.Tensor) -> tuple[mg.Tensor, mg.Tensor]:
        return self.classes(x), self.number(x)[:, 0]


class Energy(layers.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = mlp()

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return (self.inner(x) ** 2).mean()


def from_zero() -> layers.Module:
    model = mlp()
    model.parameters()[2].data[:] = 0
    return model


class Unused(layers.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.spare = mlp(), layers.Linear(10, 10, rng=RNG(1))

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.used(x)


class Frozen(layers.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = mlp().requires_grad_(False)

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.inner(x)


def deep(layer: Callable[[], layers.Module], count: int, scale: float) -> layers.Module:
    """Many layers, whose weights are scaled."""
    rng = RNG(0)
    parts: list[layers.Module] = [layers.Flatten(), layers.Linear(784, 16, rng=rng)]
    for _ in range(count):
        parts += [layers.Linear(16, 16, rng=rng), layer()]
    model = layers.Sequential(*parts, layers.Linear(16, 10, rng=rng))
    for p in model.parameters():
        p.data = p.data * np.float32(scale)
    return model


def biased(model: layers.Sequential, bias: float) -> layers.Sequential:
    """The same with all first biases there."""
    p = model.parameters()[1]
    p.data = np.full_like(p.data, bias)
    return model


def large(model: layers.Module, scale: float) -> layers.Module:
    for p in model.parameters():
        p.data = p.data * np.float32(scale)
    return model


def logistic(y: mg.Tensor, labels: np.ndarray) -> mg.Tensor:
    return mg.binary_cross_entropy_with_logits(y, mg.one_hot(labels, 10).astype("float32"))


def equal() -> layers.Module:
    """Every weight 0.01."""
    model = mlp()
    with mg.no_grad():
        for p in model.parameters():
            p.copy_(0.01)
    return model


Healthy = tuple[Callable[[], layers.Module], Callable[..., Any], Callable[[], Any]]
MISTAKES: dict[str, tuple[Callable[[], layers.Module], Callable[..., Any], Callable[[], Any], str]] = {
    "softmax before cross-entropy": (lambda: mlp(layers.Softmax()), mg.cross_entropy, batch, "what softmax made"),
    "sigmoid before cross-entropy": (lambda: mlp(layers.Sigmoid()), mg.cross_entropy, batch, "what a sigmoid made"),
    "sigmoid before its own loss": (lambda: mlp(layers.Sigmoid()), logistic, batch, "what a sigmoid made"),
    "relu as the last layer": (lambda: mlp(layers.ReLU()), mg.cross_entropy, batch, "leave out the last ReLU"),
    "pixels up to 255": (mlp, mg.cross_entropy, lambda: (batch()[0] * 255, batch()[1]), "x / 255"),
    "pixels of uint8": (mlp, mg.cross_entropy, lambda: (np.uint8(batch()[0] * 255), batch()[1]), "x / 255"),
    "flattened pixels up to 255": (
        *(lambda: mlp()[1:], mg.cross_entropy),
        *(lambda: (np.rint(batch()[0].reshape(32, -1) * 255), batch()[1]), "x / 255"),
    ),
    "equal first weights": (equal, mg.cross_entropy, batch, "the same weights"),
    "features far from 0": (
        *(lambda: mlp()[1:], mg.cross_entropy),
        *(lambda: (batch()[0].reshape(32, -1) * 1e4 - 5e3, batch()[1]), "near mean 0"),
    ),
    "float64": (mlp, mg.cross_entropy, lambda: (batch()[0].astype(np.float64), batch()[1]), "float32"),
    "channels first": (
        *(mlp, mg.cross_entropy),
        *(lambda: (batch()[0].transpose(0, 3, 1, 2), batch()[1]), "channels-first"),
    ),
    "NaN in the data": (
        *(mlp, mg.cross_entropy),
        *(lambda: (np.where(batch()[0] > 0.99, np.nan, batch()[0]).astype(np.float32), batch()[1]), "NaN or infinite"),
    ),
    "evaluation mode": (
        lambda: mlp(layers.Dropout(0.5, rng=RNG(0))).eval(),
        mg.cross_entropy,
        batch,
        "call model.train",
    ),
    "frozen": (Frozen, mg.cross_entropy, batch, "nothing in the model requires a gradient"),
    "detached": (
        lambda: Wrapped(lambda inner, x: inner(x).detach()),
        *(mg.cross_entropy, batch, "does not lead back to the model"),
    ),
    "in NumPy": (
        lambda: Wrapped(lambda inner, x: mg.tensor(inner(x).detach().numpy())),
        *(mg.cross_entropy, batch, "does not lead back to the model"),
    ),
    "loss not reduced": (
        *(mlp, lambda y, labels: mg.cross_entropy(y, labels, reduction="none")),
        *(batch, "take its mean"),
    ),
    "loss as a number": (mlp, lambda y, labels: mg.cross_entropy(y, labels).item(), batch, "the loss is float"),
    "labels from 1": (
        mlp,
        mg.cross_entropy,
        lambda: (batch()[0], batch()[1] + 1),
        "the first step fails: cross",
    ),
    "a wrong shape": (lambda: mlp()[2:], mg.cross_entropy, batch, "the first step fails"),
    "items mixed": (
        lambda: Wrapped(lambda inner, x: inner(x.reshape(784, -1).transpose((1, 0)).reshape(-1, 28, 28, 1))),
        *(mg.cross_entropy, batch, "mixes items"),
    ),
    "a layer that is not used": (Unused, mg.cross_entropy, batch, "spare.weight, spare.bias take no part in the loss"),
    "all ReLUs dead": (lambda: biased(mlp(), -1e3), mg.cross_entropy, batch, "of its ReLUs are 0 for the whole batch"),
    "sigmoids at their ends": (
        lambda: deep(layers.Sigmoid, 1, 30.0),
        *(mg.cross_entropy, batch, "sigmoids are at their ends"),
    ),
    "a vanishing gradient": (lambda: deep(layers.Sigmoid, 12, 1.0), mg.cross_entropy, batch, "vanishes on the way"),
    "an exploding gradient": (lambda: deep(layers.ReLU, 6, 20.0), mg.cross_entropy, batch, "norm of"),
    "first weights too large": (lambda: large(mlp(), 30.0), mg.cross_entropy, batch, "sure before it has learned"),
    "a wrong backward": (
        lambda: Wrapped(lambda inner, x: WrongBackward()(inner(x))),
        *(mg.cross_entropy, batch, "is not that of the loss; run mg.gradcheck"),
    ),
    "a logarithm of 0": (
        *(mlp, lambda y, labels: mg.log(mg.relu(y)).mean()),
        *(batch, "the first step fails: Log, forward: infinity"),
    ),
    "random in evaluation": (
        lambda: Wrapped(lambda inner, x: inner(x + mg.randn(*x.shape, rng=NOISE))),
        *(mg.cross_entropy, batch, "something random goes on"),
    ),
    "a mistake in Python": (mlp, lambda y, labels: {}["a"], batch, "the first step fails: KeyError: 'a'"),
    "two inputs, of which one is missing": (TwoInputs, mg.cross_entropy, batch, "the first step fails: TypeError"),
    "x far too small": (mlp, mg.cross_entropy, lambda: (batch()[0] * 1e-3, batch()[1]), "near mean 0"),
    "labels that do not follow": (
        lambda: Wrapped(lambda inner, x: inner(x * 0.0)),
        *(mg.cross_entropy, batch, "0 everywhere"),
    ),
}
NOISE = RNG(5)


@pytest.mark.filterwarnings("ignore::minigen.advice.Advice")
@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str):
    model, loss, given, words = MISTAKES[name]
    found = mg.check(model(), loss, given())
    assert not found.ok and any(words in problem for problem in found.problems), str(found)
    assert f"✗ {found.problems[0]}" in str(found)


def convolutional() -> layers.Module:
    rng = RNG(0)
    return layers.Sequential(
        *(layers.Conv2d(1, 8, 3, stride=2, padding=1, rng=rng), layers.BatchNorm(8), layers.LeakyReLU(0.1)),
        *(layers.Conv2d(8, 8, 3, stride=2, padding=1, rng=rng), layers.GroupNorm(2, 8), layers.SiLU()),
        *(layers.Dropout(0.1, rng=rng), layers.Flatten(), layers.Linear(7 * 7 * 8, 10, rng=rng)),
    )


class Reader(layers.Module):
    """Symbols (N, T) to classes, by an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = layers.Embedding(12, 8, rng=RNG(0))
        self.recurrent, self.out = layers.LSTM(8, 16, rng=RNG(1)), layers.Linear(16, 3, rng=RNG(2))

    def forward(self, ids: np.ndarray) -> mg.Tensor:
        h, _ = self.recurrent(self.embedding(ids))
        return self.out(h[:, -1])


def autoencoder() -> layers.Module:
    rng = RNG(0)
    return layers.Sequential(
        *(layers.Flatten(), layers.Linear(784, 32, rng=rng), layers.Tanh(), layers.Linear(32, 784, rng=rng)),
        layers.Sigmoid(),
    )


HEALTHY: dict[str, Healthy] = {
    "mlp": (mlp, mg.cross_entropy, batch),
    "convolutional": (convolutional, mg.cross_entropy, batch),
    "logistic": (mlp, logistic, batch),
    "recurrent": (
        *(Reader, mg.cross_entropy),
        lambda: (RNG(3).integers(0, 12, (16, 5)), RNG(4).integers(0, 3, 16)),
    ),
    "autoencoder": (
        autoencoder,
        lambda y, x: mg.mse_loss(y, x.reshape(len(x), -1)),
        lambda: (batch()[0], batch()[0]),
    ),
    "summed": (mlp, lambda y, labels: mg.cross_entropy(y, labels, reduction="sum"), batch),
    "two inputs": (TwoInputs, mg.cross_entropy, lambda: ((batch()[0], batch()[0]), batch()[1])),
    "two losses": (
        Twice,
        lambda y, labels: mg.cross_entropy(y[0], labels) + 10 * mg.mse_loss(y[1], labels.astype(np.float32)),
        batch,
    ),
    "float64": (lambda: mlp().astype(np.float64), mg.cross_entropy, lambda: (np.float64(batch()[0]), batch()[1])),
    "a last layer of zeros": (from_zero, mg.cross_entropy, batch),
    "a single number": (Energy, lambda y: y, lambda: (batch()[0],)),
    "regression": (
        lambda: layers.Linear(3, 1, rng=RNG(0)),
        mg.mse_loss,
        lambda: (RNG(1).random((20, 3), np.float32), RNG(2).random((20, 1), np.float32)),
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_models_raise_no_alarm_and_are_left_as_they_were(name: str):
    model, loss, given = HEALTHY[name]
    network, data_ = model(), given()
    optimizer = optim.Adam(network.parameters())
    x, *targets = data_
    given_x = [mg.tensor(one) if one.dtype.kind == "f" else one for one in (x if isinstance(x, tuple) else (x,))]

    def state() -> dict[str, bytes]:
        found = {key: array.tobytes() for key, array in network.state_dict().items()}
        found |= {f"grad {key}": p.grad.data.tobytes() for key, p in network.named_parameters() if p.grad is not None}
        generators = [v for m in network.modules() for v in vars(m).values() if isinstance(v, np.random.Generator)]
        found |= {f"rng {i}": str(g.bit_generator.state).encode() for i, g in enumerate(generators)}
        return found | {"modes": bytes([m.training for m in network.modules()])}

    def step() -> None:
        optimizer.zero_grad()
        loss(network(*given_x), *targets).backward()
        optimizer.step()

    step()
    before = state()
    found = mg.check(network, loss, data_)
    assert found.ok and len(found.well) >= 5, str(found)
    assert state() == before
    step()
    assert state() != before


def test_a_loss_that_looks_at_the_model_itself_changes_nothing_of_it():
    model = convolutional()
    x, y = batch()

    def loss(output: mg.Tensor, labels: np.ndarray) -> mg.Tensor:
        again = model(mg.tensor(x[: len(labels)]))
        weight = model.parameters()[0]
        return mg.cross_entropy(output + again, labels) + 1e-3 * (weight**2).sum()

    before = {name: array.copy() for name, array in model.state_dict().items()}
    found = mg.check(model, loss, (x, y))
    assert not any("run mg.gradcheck" in problem for problem in found.problems), str(found)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert all(p.grad is None for p in model.parameters())


def test_one_cause_is_told_once_and_no_grad_around_is_no_cause():
    noisy = Wrapped(lambda inner, x: inner(x + mg.randn(*x.shape, rng=NOISE)))
    assert len(mg.check(noisy, mg.cross_entropy, batch()).problems) == 1
    with mg.no_grad():
        assert mg.check(mlp(), mg.cross_entropy, batch()).ok


def test_a_model_without_targets_and_refusals():
    found = mg.check(autoencoder(), lambda y: (y**2).mean(), batch()[0])
    assert found.ok, str(found)
    ragged, empty = ([[1.0], [1.0, 2.0]], 3), (np.zeros((4, 0, 10), np.float32), np.zeros(4, int))
    wrong = [(3, mg.mse_loss, batch()), (mlp(), None, batch()), (mlp(), mg.mse_loss, ())]
    for arguments in [*wrong, (mlp(), mg.mse_loss, ragged), (mlp(), mg.mse_loss, empty)]:
        with pytest.raises(ArgumentError, match="check: "):
            mg.check(*arguments)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="2 items at least"):
        mg.check(mlp(), mg.cross_entropy, (batch()[0][:1], batch()[1][:1]))
