"""summary's numbers against those counted by hand, and the model left as it was."""

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ShapeError
from minigen.layers import summary


@pytest.fixture
def rng() -> np.random.Generator:
    return mg.random.generator(0)


def network(rng: np.random.Generator) -> layers.Sequential:
    return layers.Sequential(
        layers.Conv2d(1, 8, 5, stride=2, padding=2, rng=rng),
        layers.BatchNorm(8),
        layers.ReLU(),
        layers.Conv2d(8, 4, 3, padding="same", groups=2, bias=False, rng=rng),
        layers.ConvTranspose2d(4, 2, 4, stride=2, padding=1, rng=rng),
        layers.Flatten(),
        layers.Dropout(0.5, rng=rng),
        layers.Linear(28 * 28 * 2, 10, rng=rng),
    )


def test_numbers_of_a_convolutional_network(rng: np.random.Generator):
    found = summary(network(rng), (28, 28, 1))
    assert [(row.layer, row.output, row.parameters, row.multiply_adds, row.activation_bytes) for row in found.rows] == [
        ("Conv2d", (14, 14, 8), 5 * 5 * 8 + 8, 14 * 14 * 8 * 25, 4 * 14 * 14 * 8),
        ("BatchNorm", (14, 14, 8), 16, 0, 4 * 14 * 14 * 8),
        ("ReLU", (14, 14, 8), 0, 0, 4 * 14 * 14 * 8),
        ("Conv2d", (14, 14, 4), 3 * 3 * 4 * 4, 14 * 14 * 4 * 9 * 4, 4 * 14 * 14 * 4),
        ("ConvTranspose2d", (28, 28, 2), 4 * 4 * 2 * 4 + 2, 14 * 14 * 4 * 16 * 2, 4 * 28 * 28 * 2),
        ("Flatten", (1568,), 0, 0, 4 * 1568),
        ("Dropout", (1568,), 0, 0, 4 * 1568),
        ("Linear", (10,), 15690, 15680, 40),
    ]
    assert found.parameters == found.trainable == 208 + 16 + 144 + 130 + 15690
    assert found.parameter_bytes == 4 * found.parameters
    assert found.multiply_adds == 39200 + 28224 + 25088 + 15680


def test_the_table(rng: np.random.Generator):
    model = layers.Sequential(layers.Linear(784, 512, rng=rng), layers.ReLU(), layers.Linear(512, 10, rng=rng))
    model[2].requires_grad_(False)
    assert str(summary(model, (784,))) == "\n".join(
        [
            "name   layer   output    parameters  multiply-adds  activations",
            "---------------------------------------------------------------",
            "0      Linear  (N, 512)     401,920        401,408      2.0 KiB",
            "1      ReLU    (N, 512)           0              0      2.0 KiB",
            "2      Linear  (N, 10)        5,130          5,120         40 B",
            "---------------------------------------------------------------",
            "total                       407,050        406,528      4.0 KiB",
            "input (N, 784); parameters take 1.6 MiB, 5,130 of them are frozen; "
            "multiply-adds and activations are those of one item",
        ]
    )


def test_the_model_is_left_as_it_was(rng: np.random.Generator):
    model = network(rng)
    model[1].eval()
    modes, state, drawn = [m.training for m in model.modules()], model.state_dict(), rng.bit_generator.state
    summary(model, (28, 28, 1))
    assert [m.training for m in model.modules()] == modes
    assert rng.bit_generator.state == drawn
    assert all("forward" not in vars(m) for m in model.modules())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_a_layer_called_twice_and_one_never_called(rng: np.random.Generator):
    class Odd(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = layers.Parameter(np.ones(3, np.float32))
            self.used = layers.Linear(3, 3, rng=rng)
            self.unused = layers.Linear(2, 2, rng=rng)

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return self.used(self.used(x)) * self.scale

    found = summary(Odd(), (3,))
    assert [(row.name, row.output, row.parameters, row.multiply_adds) for row in found.rows] == [
        ("used", (3,), 12, 9),
        ("used", (3,), 0, 9),
        ("", (3,), 3, 0),
        ("unused", None, 6, 0),
    ]
    assert found.parameters == 21
    assert "not called" in str(found)


def test_integers_in(rng: np.random.Generator):
    model = layers.Sequential(layers.Embedding(10, 4, rng=rng), layers.Linear(4, 2, rng=rng))
    found = summary(model, (7,), dtype=np.int64)
    assert [row.output for row in found.rows] == [(7, 4), (7, 2)]
    assert found.multiply_adds == 7 * 8


@pytest.mark.parametrize("shape", [(27, 27, 3), (784,), (28, 0, 1), (28, -1, 1)])
def test_a_shape_that_does_not_fit(rng: np.random.Generator, shape: tuple[int, ...]):
    model = network(rng)
    with pytest.raises(ShapeError):
        summary(model, shape)
    assert all(m.training and "forward" not in vars(m) for m in model.modules())


def test_it_is_shown_as_the_table():
    found = mg.summary(layers.ReLU(), (3,))
    assert repr(found) == str(found) and "\n" in repr(found)
