"""Spectral norm and weight norm: values and gradients as PyTorch's, saving, copying, removing, misuse."""

import copy
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers, optim
from minigen.errors import ArgumentError
from minigen.layers.module import array_of
from minigen.layers.parametrize import SpectralNorm


def generator() -> np.random.Generator:
    return mg.random.generator(0)


def conv(**options: Any) -> layers.Conv2d:
    return layers.Conv2d(2, 3, 2, rng=generator(), **options)


def x() -> mg.Tensor:
    return mg.tensor(generator().normal(size=(2, 4, 4, 2)).astype(np.float32), requires_grad=True)


def turned(array: np.ndarray) -> np.ndarray:
    """A kernel in PyTorch's order of axes."""
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1))


def test_spectral_norm_trains_as_in_torch():
    torch = pytest.importorskip("torch")
    ours, theirs = layers.spectral_norm(conv(), rng=generator()), torch.nn.Conv2d(2, 3, 2)
    made = ours.get_submodule("parametrizations.weight")
    assert isinstance(made, SpectralNorm)
    theirs.weight.data.copy_(torch.from_numpy(turned(made.original.data)))
    theirs.bias.data.copy_(torch.from_numpy(array_of(ours.bias)))
    torch.nn.utils.parametrizations.spectral_norm(theirs)
    state = theirs.parametrizations.weight[0]
    rest = made.v.reshape(2, 2, 2).transpose(2, 0, 1).reshape(-1)  # rows of PyTorch's matrix are (in, KH, KW)
    state._u.copy_(torch.from_numpy(made.u))
    state._v.copy_(torch.from_numpy(rest.copy()))
    y = ty = None
    for _ in range(3):
        y = ours(x())
        ty = theirs(torch.from_numpy(x().data.transpose(0, 3, 1, 2)))
        np.testing.assert_allclose(y.data, ty.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    assert y is not None and ty is not None
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    assert made.original.grad is not None
    expected = theirs.parametrizations.weight.original.grad.numpy()
    np.testing.assert_allclose(turned(made.original.grad.data), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("axis", [-1, None])
def test_weight_norm_is_as_in_torch(axis: int | None):
    torch = pytest.importorskip("torch")
    ours, theirs = layers.weight_norm(conv(), axis=axis), torch.nn.Conv2d(2, 3, 2)
    theirs.weight.data.copy_(torch.from_numpy(turned(ours.weight.data)))
    theirs.bias.data.copy_(torch.from_numpy(array_of(ours.bias)))
    torch.nn.utils.parametrizations.weight_norm(theirs, dim=None if axis is None else 0)
    y, ty = ours(x()), theirs(torch.from_numpy(x().data.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(y.data, ty.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-5, atol=1e-6)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    for own, other in zip(("original0", "original1"), theirs.parametrizations.weight.parameters(), strict=True):
        gradient = ours.get_parameter(f"parametrizations.weight.{own}").grad
        assert gradient is not None
        expected = other.grad.numpy().reshape(turned(np.ones(gradient.shape)).shape)
        np.testing.assert_allclose(turned(gradient.data), expected, rtol=1e-4, atol=1e-5)


def test_the_largest_singular_value_is_one():
    layer = layers.spectral_norm(layers.Linear(30, 20, rng=generator()), n_power_iterations=200, rng=generator())
    assert abs(np.linalg.svd(layer.weight.data)[1][0] - 1) < 1e-4
    transposed = layers.spectral_norm(layers.ConvTranspose2d(4, 3, 2, rng=generator()), rng=generator())
    assert transposed.get_submodule("parametrizations.weight").u.shape == (3,)  # pyright: ignore


def test_the_vectors_move_in_training_alone():
    layer = layers.spectral_norm(layers.Linear(5, 4, rng=generator()), rng=generator())
    made = layer.get_submodule("parametrizations.weight")
    assert isinstance(made, SpectralNorm)
    made.u[...] = 0.5
    before = made.u.copy()
    layer.eval()(np.ones((2, 5), np.float32))
    np.testing.assert_array_equal(made.u, before)
    layer.train()(np.ones((2, 5), np.float32))
    assert not np.array_equal(made.u, before)


def changes() -> dict[str, Any]:
    return {"spectral": lambda m: layers.spectral_norm(m, rng=generator()), "weight": layers.weight_norm}


@pytest.mark.parametrize("name", changes())
def test_saving_copying_and_training(name: str):
    make = changes()[name]
    model, other = (layers.Sequential(make(conv()), layers.ReLU()).eval() for _ in range(2))
    names = {"spectral": ["original", "u", "v"], "weight": ["original0", "original1"]}[name]
    assert list(model.state_dict()) == ["0.bias", *[f"0.parametrizations.weight.{part}" for part in names]]
    twin, before = copy.deepcopy(model), model(x()).data
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    (model(x()) * model(x())).sum().backward()
    optimizer.step()
    assert not np.allclose(model(x()).data, before)
    np.testing.assert_array_equal(twin(x()).data, before)  # a copy has weights of its own
    other.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(other(x()).data, model(x()).data)


@pytest.mark.parametrize("name", changes())
def test_removing_keeps_the_value(name: str):
    layer = changes()[name](conv()).eval()
    before = layer(x()).data
    plain = layers.remove_parametrizations(layer)
    assert plain is layer and isinstance(layer.weight, layers.Parameter)
    np.testing.assert_allclose(layer(x()).data, before, rtol=1e-6)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ArgumentError, match=r"Conv2d\.weight has none; there are: none"):
        layers.remove_parametrizations(layer)


def test_misuse():
    layer = conv()
    with pytest.raises(ArgumentError, match=r"spectral_norm: Conv2d\.kernel is no parameter; its parameters: weight"):
        layers.spectral_norm(layer, "kernel", rng=generator())
    with pytest.raises(ArgumentError, match=r"bias is \(3,\); only matrices"):
        layers.spectral_norm(layer, "bias", rng=generator())
    with pytest.raises(ArgumentError, match=r"axis is 4; the weight \(2, 2, 2, 3\) has 4 axes"):
        layers.weight_norm(layer, axis=4)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    with pytest.raises(ArgumentError, match="an optimizer has weight already"):
        layers.weight_norm(layer)
    del optimizer
    layers.spectral_norm(layer, rng=generator())
    with pytest.raises(ArgumentError, match=r"weight is computed already|is no parameter"):
        layers.weight_norm(layer)
    with pytest.raises(ArgumentError, match=r"self.weight is computed by SpectralNorm; write into the parameters"):
        layer.weight = layers.Parameter(np.ones((2, 2, 2, 3), np.float32))
    with pytest.raises(AttributeError, match="'Conv2d' object has no attribute 'wieght'"):
        layer.wieght  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


def test_a_summary_counts_them_with_their_layer():
    model = layers.Sequential(layers.weight_norm(layers.Linear(3, 2, rng=generator())), layers.ReLU())
    rows = mg.summary(model, (3,)).rows
    assert [(row.name, row.layer, row.parameters) for row in rows] == [("0", "Linear", 2 + 6 + 2), ("1", "ReLU", 0)]


def test_a_checkpointed_stretch_moves_the_vectors_once():
    layer = layers.spectral_norm(layers.Linear(5, 4, rng=generator()), rng=generator())
    made = layer.get_submodule("parametrizations.weight")
    assert isinstance(made, SpectralNorm)
    made.u[...] = 0.5
    inputs = mg.tensor(np.ones((2, 5), np.float32), requires_grad=True)
    y = mg.checkpoint(layer, inputs)
    after = made.u.copy()
    (y * y).sum().backward()
    np.testing.assert_array_equal(made.u, after)


def test_a_recorded_step_moves_the_vectors_as_an_unrecorded_one_does():
    def trained(repeated: int | None) -> dict[str, np.ndarray]:
        rng = generator()
        layer = layers.spectral_norm(layers.Linear(5, 4, rng=rng), rng=rng)
        optimizer = mg.optim.SGD(layer.parameters(), lr=0.1)

        def step(x: np.ndarray, y: np.ndarray) -> None:
            loss = (layer(mg.tensor(x)) * layer(mg.tensor(y))).mean()  # the weight is read twice
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        recorded = mg.record(step)
        for _ in range(5):
            (step if repeated is None else recorded)(*rng.standard_normal((2, 2, 5), dtype=np.float32))
        assert recorded.repeated == (repeated or 0)
        return {name: array.copy() for name, array in layer.state_dict().items()}

    for (name, once), again in zip(trained(None).items(), trained(3).values(), strict=True):
        np.testing.assert_array_equal(once, again, err_msg=name)


def test_a_weight_of_zeros_stays_zero_under_spectral_norm():
    layer = layers.Linear(3, 2, rng=mg.random.generator(0))
    layer.weight.data[...] = 0
    layers.spectral_norm(layer, rng=mg.random.generator(1))
    assert not np.asarray(layer.weight.data).any()
