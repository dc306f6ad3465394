"""WGAN-GP: its networks are those of the authors' script, and the penalty with its gradients is PyTorch's."""

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.models.adversarial import wgan_gp
from minigen.random import generator


def test_the_networks_are_those_of_the_authors_script():
    model = wgan_gp.build((28, 28, 1), wgan_gp.Recipe(), generator(0))
    rows = layers.summary(model.generator, (128,)).rows
    shapes = [row.output for row in rows if row.layer in ("Reshape", "ConvTranspose2d")]
    assert shapes == [(4, 4, 256), (7, 7, 128), (14, 14, 64), (28, 28, 1)]
    rows = layers.summary(model.discriminator, (28, 28, 1)).rows
    assert [row.output for row in rows if row.parameters] == [(14, 14, 64), (7, 7, 128), (4, 4, 256), (1,)]
    assert not any(isinstance(layer, layers.BatchNorm) for layer in model.modules())
    recipe = wgan_gp.Recipe()
    assert (recipe.penalty, recipe.critic_steps, recipe.lr, recipe.batch_size) == (10, 5, 1e-4, 50)


@pytest.mark.parametrize("size", [12, 16, 28])
def test_images_of_other_sizes(size: int):
    model = wgan_gp.build((size, size + 4, 3), wgan_gp.Recipe(width=4, latent=6), generator(0))
    z = mg.randn(2, 6, rng=generator(0))
    images = model.generator(z)
    assert images.shape == (2, size, size + 4, 3) and model.discriminator(images).shape == (2, 1)


def test_the_penalty_and_its_gradients_are_pytorchs(monkeypatch: pytest.MonkeyPatch):
    torch = pytest.importorskip("torch")
    critic = wgan_gp.critic((28, 28, 1), wgan_gp.Recipe(width=8), generator(0)).astype("float64")
    real, fake = generator(1).uniform(-1, 1, (2, 3, 28, 28, 1))
    share = generator(2).random((3, 1, 1, 1))
    monkeypatch.setattr(mg, "rand", lambda *shape, **options: mg.tensor(share))
    ours = wgan_gp.gradient_penalty(critic, mg.tensor(real), mg.tensor(fake), generator(3))
    weights = critic.parameters()
    gradients = mg.grad(ours, weights, allow_unused=True)

    theirs = []
    for p in weights:
        array = p.data.transpose(3, 2, 0, 1) if p.ndim == 4 else p.data
        theirs.append(torch.tensor(np.ascontiguousarray(array), requires_grad=True))
    x = torch.tensor((real * share + fake * (1 - share)).transpose(0, 3, 1, 2).copy(), requires_grad=True)
    h = x
    for i in (0, 2, 4):
        h = torch.nn.functional.conv2d(h, theirs[i], theirs[i + 1], stride=2, padding=2)
        h = torch.nn.functional.leaky_relu(h, 0.2)
    h = h.permute(0, 2, 3, 1).reshape(3, -1) @ theirs[6] + theirs[7]
    (slope,) = torch.autograd.grad(h.sum(), x, create_graph=True)
    penalty = ((slope.reshape(3, -1).norm(dim=1) - 1) ** 2).mean()
    expected = torch.autograd.grad(penalty, theirs, allow_unused=True)

    assert ours.item() == pytest.approx(penalty.item(), abs=1e-8)
    for gradient, other in zip(gradients, expected, strict=True):
        if gradient is None or other is None:
            for one in (gradient, other):
                assert one is None or abs(np.asarray(one.data)).max() == 0
            continue
        array = other.numpy()
        array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
        np.testing.assert_allclose(gradient.data, array, rtol=0, atol=1e-8)


def test_a_flat_critic_is_no_reason_to_stop():
    critic = layers.Sequential(layers.Flatten(), layers.Linear(4, 1, rng=generator(0)))
    for p in critic.parameters():
        p.data[...] = 0
    x = mg.tensor(generator(1).random((3, 2, 2, 1), dtype=np.float32))
    penalty = wgan_gp.gradient_penalty(critic, x, x + 1.0, generator(2))
    penalty.backward()
    assert penalty.item() == pytest.approx(1)
    assert all(p.grad is None or np.isfinite(p.grad.data).all() for p in critic.parameters())
