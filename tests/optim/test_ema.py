"""Averaged weights: the formula, lending them to the model, and their state."""

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.errors import ArgumentError, CheckpointError


class Model:
    """The least that EMA asks of a module."""

    def __init__(self, dtype=np.float64) -> None:
        self.w = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True, dtype=dtype)
        self.b = mg.tensor(np.ones(3), requires_grad=True, dtype=dtype)

    def named_parameters(self):
        return [("w", self.w), ("b", self.b)]


def train(model, ema, optimizer, steps=4) -> list[dict[str, np.ndarray]]:
    history = []
    for step in range(steps):
        optimizer.zero_grad()
        ((model.w + model.b) ** 2 * (step + 1)).sum().backward()
        optimizer.step()
        ema.update()
        history.append({name: p.data.copy() for name, p in model.named_parameters()})
    return history


@pytest.mark.parametrize("order", ["optimizer first", "ema first"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_average_is_the_formula(order, dtype):
    model = Model(dtype)
    start = {name: p.data.copy() for name, p in model.named_parameters()}
    if order == "ema first":
        ema = optim.EMA(model, 0.8)
        optimizer = optim.SGD([model.w, model.b], lr=0.01)
    else:
        optimizer = optim.SGD([model.w, model.b], lr=0.01)
        ema = optim.EMA(model, 0.8)
    history = train(model, ema, optimizer)
    for name, average in start.items():
        for weights in history:
            average = 0.8 * average + 0.2 * weights[name]
        assert ema.weights[name].dtype == dtype
        np.testing.assert_allclose(ema.weights[name], average, rtol=1e-6)


def test_warmup_soon_forgets_the_start():
    model = Model()
    ema = optim.EMA(model, 0.5, warmup=True)
    average = model.w.data.copy()
    for t, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5]):
        model.w.data[:] = t
        ema.update()
        average = decay * average + (1 - decay) * t
        np.testing.assert_allclose(ema.weights["w"], average, rtol=1e-12)


def test_applied_lends_and_gives_back_also_after_an_error():
    model = Model()
    optimizer = optim.Adam([model.w, model.b], lr=0.1)
    ema = optim.EMA(model, 0.9)
    own = train(model, ema, optimizer)[-1]
    versions = [p.version[0] for _, p in model.named_parameters()]
    with pytest.raises(KeyError), ema.applied():
        for name, p in model.named_parameters():
            np.testing.assert_array_equal(p.data, ema.weights[name])
            assert not np.shares_memory(p.data, ema.weights[name])
        raise KeyError
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.data, own[name])
        assert np.shares_memory(p.data, optimizer.flat.data)
    assert all(p.version[0] > before for (_, p), before in zip(model.named_parameters(), versions, strict=True))


def test_resume_is_exact():
    model = Model()
    ema, optimizer = optim.EMA(model, 0.7, warmup=True), optim.SGD([model.w, model.b], lr=0.01)
    train(model, ema, optimizer)
    state = ema.state_dict()
    weights = {name: p.data.copy() for name, p in model.named_parameters()}
    train(model, ema, optimizer)

    other = Model()
    restored, optimizer = optim.EMA(other, 0.7, warmup=True), optim.SGD([other.w, other.b], lr=0.01)
    for name, p in other.named_parameters():
        np.copyto(p.data, weights[name])
    restored.load_state_dict(state)
    train(other, restored, optimizer)
    for name in weights:
        np.testing.assert_array_equal(restored.weights[name], ema.weights[name])


def test_refusals():
    for decay in (-0.1, 1.0, float("nan")):
        with pytest.raises(ArgumentError, match="decay"):
            optim.EMA(Model(), decay)
    ema = optim.EMA(Model(), 0.5)
    with pytest.raises(ArgumentError, match="warmup"):
        optim.EMA(Model(), 0.5, warmup=3)  # pyright: ignore[reportArgumentType]
    good = ema.state_dict()["weights"]
    for weights, message in [
        ({"w": good["w"]}, r"lacks \['b'\]"),
        ({**good, "c": good["b"]}, r"has \['c'\]"),
        ({**good, "b": good["b"][:2]}, "saved b"),
        ({**good, "w": good["w"].astype(np.float32)}, "float32"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            ema.load_state_dict({"t": 0, "weights": weights})
    for t in (-1, 0.5):
        with pytest.raises(CheckpointError, match="saved state"):
            ema.load_state_dict({"t": t, "weights": good})
