"""The game of two players: the losses by their papers, what they do to gradients, and D's opinion."""

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError
from minigen.models.adversarial import dcgan, gan, wgan_gp
from minigen.models.parts import game
from minigen.random import generator

REAL, FAKE = generator(0).normal(0, 2, (2, 40, 1))


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


D_LOSSES = {
    "non-saturating": lambda a, b: -np.log(sigmoid(a)).mean() - np.log(1 - sigmoid(b)).mean(),
    "minimax": lambda a, b: -np.log(sigmoid(a)).mean() - np.log(1 - sigmoid(b)).mean(),
    "least-squares": lambda a, b: 0.5 * ((a - 1) ** 2).mean() + 0.5 * (b**2).mean(),
    "hinge": lambda a, b: np.maximum(0, 1 - a).mean() + np.maximum(0, 1 + b).mean(),
}
G_LOSSES = {
    "non-saturating": lambda b: -np.log(sigmoid(b)).mean(),
    "minimax": lambda b: np.log(1 - sigmoid(b)).mean(),
    "least-squares": lambda b: 0.5 * ((b - 1) ** 2).mean(),
    "hinge": lambda b: -b.mean(),
}


@pytest.mark.parametrize("name", game.BORDERS)
def test_the_losses_are_the_papers(name: game.Objective):
    real, fake = mg.tensor(REAL), mg.tensor(FAKE)
    np.testing.assert_allclose(game.discriminator_loss(real, fake, name).item(), D_LOSSES[name](REAL, FAKE), rtol=1e-12)
    np.testing.assert_allclose(game.generator_loss(fake, name).item(), G_LOSSES[name](FAKE), rtol=1e-12)


@pytest.mark.parametrize("name", game.BORDERS)
def test_each_player_pulls_its_own_way_from_the_border(name: game.Objective):
    border = game.BORDERS[name]
    real, fake = (mg.tensor(np.full((1, 1), border), requires_grad=True) for _ in range(2))
    d_real, d_fake = mg.grad(game.discriminator_loss(real, fake, name), [real, fake])
    (g_fake,) = mg.grad(game.generator_loss(fake, name), [fake])
    assert d_real.item() < 0 < d_fake.item() and g_fake.item() < 0


def test_smoothed_labels_are_cross_entropy_with_them():
    smooth, targets = 0.1, np.full_like(REAL, 0.9)
    expected = -(targets * np.log(sigmoid(REAL)) + (1 - targets) * np.log(1 - sigmoid(REAL))).mean()
    loss = game.discriminator_loss(mg.tensor(REAL), mg.tensor(FAKE), "non-saturating", smooth).item()
    np.testing.assert_allclose(loss, expected - np.log(1 - sigmoid(FAKE)).mean(), rtol=1e-12)
    loss = game.discriminator_loss(mg.tensor(REAL), mg.tensor(FAKE), "least-squares", smooth).item()
    np.testing.assert_allclose(loss, 0.5 * ((REAL - 0.9) ** 2).mean() + 0.5 * (FAKE**2).mean(), rtol=1e-12)


@pytest.mark.parametrize("model", [gan, dcgan])
@pytest.mark.parametrize(
    ("fields", "message"),
    [({"smoothing": 0.5}, "smoothing is 0.5; use"), ({"loss": "hinge", "smoothing": 0.1}, "hinge loss has no labels")],
)
def test_labels_that_can_not_be_smoothed_so_are_refused(model, fields: dict, message: str):
    with pytest.raises(ArgumentError, match=message):
        model.Recipe(**fields)


def test_a_probability_is_an_opinion_only_of_logits():
    assert game.mean_d(mg.tensor(REAL), "minimax") == pytest.approx(sigmoid(REAL).mean())
    assert game.mean_d(mg.tensor(REAL), "hinge") == pytest.approx(REAL.mean())


@pytest.mark.parametrize("model", [gan, dcgan])
def test_a_discriminator_that_stretches_nothing(model):
    players = model.build((12, 12, 1), model.Recipe(spectral_norm=True), generator(0))
    weights = [
        layer.weight.data
        for layer in players.discriminator.modules()
        if isinstance(layer, (layers.Linear, layers.Conv2d))
    ]
    assert len(weights) == 3
    for weight in weights:
        largest = np.linalg.svd(weight.reshape(-1, weight.shape[-1]), compute_uv=False)[0]
        assert largest == pytest.approx(1, rel=0.05)


def test_the_gradient_penalty_of_a_linear_critic_is_known():
    """C(x) = w · x has the gradient w everywhere."""
    last = layers.Linear(9, 1, rng=generator(0))
    critic, weight = layers.Sequential(layers.Flatten(), last).astype("float64"), last.weight
    x, y = (mg.tensor(part) for part in generator(1).normal(size=(2, 4, 3, 3, 1)))
    penalty = wgan_gp.gradient_penalty(critic, x, y, generator(2))
    norm = np.linalg.norm(weight.data)
    assert penalty.item() == pytest.approx((norm - 1) ** 2)
    (gradient,) = mg.grad(penalty, [weight])
    np.testing.assert_allclose(gradient.data, 2 * (norm - 1) * weight.data / norm, rtol=1e-10)


def test_the_gradient_penalty_by_numerical_differences():
    rng = generator(0)
    critic = layers.Sequential(
        layers.Conv2d(1, 3, 3, stride=2, padding=1, rng=rng),
        layers.Tanh(),
        layers.Flatten(),
        layers.Linear(12, 1, rng=rng),
    ).astype("float64")
    x, y = (mg.tensor(part) for part in generator(1).normal(size=(2, 2, 4, 4, 1)))

    def penalty() -> float:
        return wgan_gp.gradient_penalty(critic, x, y, generator(2)).item()

    weights = critic.parameters()
    gradients = mg.grad(wgan_gp.gradient_penalty(critic, x, y, generator(2)), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        place, step = (0,) * weight.ndim, 1e-6
        middle = weight.data[place]
        values = []
        for shift in (step, -step):
            weight.data[place] = middle + shift
            values.append(penalty())
        weight.data[place] = middle
        expected = (values[0] - values[1]) / (2 * step)
        assert (0.0 if gradient is None else gradient.data[place]) == pytest.approx(expected, rel=1e-6, abs=1e-9)
