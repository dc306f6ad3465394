"""Words of a book: the nearest is taken, gradients go where the paper says, and the prior looks back only."""

from pathlib import Path

import numpy as np
import pytest
from model_helpers import SMALL, trained

import minigen as mg
from minigen.errors import ArgumentError
from minigen.models.latent import vq_vae
from minigen.random import generator


@pytest.fixture
def model() -> vq_vae.VQVAE:
    recipe = vq_vae.Recipe(**{**SMALL["vq_vae"], "dropout": 0.0})
    return vq_vae.VQVAE((8, 8, 1), 3, recipe, generator(0)).astype("float64")


def test_the_nearest_word_is_taken(model: vq_vae.VQVAE):
    z = generator(1).normal(size=(2, 2, 2, 4))
    book = model.book.weight.data
    distances = ((z[..., None, :] - book) ** 2).sum(-1)
    np.testing.assert_array_equal(model.words(mg.tensor(z)).numpy(), distances.argmin(-1))


def test_gradients_go_where_the_paper_says(model: vq_vae.VQVAE):
    x = mg.tensor(generator(1).random((2, 8, 8, 1)))
    reconstruction, book, commitment, _ = vq_vae.distortion(model, x)
    encoder, decoder = model.encoder.parameters(), model.decoder.parameters()

    def reached(loss: mg.Tensor, weights: list) -> bool:
        return any(
            g is not None and np.abs(g.data).max() > 0
            for g in mg.grad(loss, weights, allow_unused=True, retain_graph=True)
        )

    words = [model.book.weight]
    assert reached(reconstruction, encoder) and reached(reconstruction, decoder) and not reached(reconstruction, words)
    assert reached(book, words) and not reached(book, encoder)
    assert reached(commitment, encoder) and not reached(commitment, words)
    assert book.item() == pytest.approx(commitment.item())


def test_the_prior_looks_back_only(model: vq_vae.VQVAE):
    words = generator(1).integers(0, 8, (2, 2, 2))
    y = np.array([0, 2])
    with mg.no_grad():
        first = model.prior(model.told(words, y)).numpy()
        for i in range(4):
            other = words.reshape(2, 4).copy()
            other[:, i] = (other[:, i] + 1) % 8
            changed = model.prior(model.told(other.reshape(2, 2, 2), y)).numpy()
            np.testing.assert_allclose(changed[:, : i + 1], first[:, : i + 1], rtol=1e-12)
            assert i == 3 or np.abs(changed[:, i + 1 :] - first[:, i + 1 :]).max() > 1e-6
        nats = -np.log(np.exp(first) / np.exp(first).sum(-1, keepdims=True))
        expected = np.take_along_axis(nats, words.reshape(2, 4)[..., None], -1).sum() / 2
        assert vq_vae.description(model, mg.tensor(words), y).item() == pytest.approx(expected)


def test_written_words_follow_the_prior(model: vq_vae.VQVAE):
    y = np.repeat([0, 1], 4000)
    words = vq_vae.write(model, y, generator(0))
    assert words.shape == (8000, 2, 2)
    with mg.no_grad():
        logits = model.prior(np.array([[8], [9]])).numpy()[:, 0]
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for of in (0, 1):
        shares = np.bincount(words[y == of, 0, 0], minlength=8) / 4000
        np.testing.assert_allclose(shares, expected[of], atol=0.03)


def test_training_lowers_both_terms(digits: str, tmp_path: Path):
    run = trained("vq_vae", tmp_path / "run", data=digits, max_steps=60, lr=5e-3)
    history = run.history()
    for name in ("reconstruction", "prior"):
        values = [value for value in history[name] if value is not None]
        assert values[-1] < 0.7 * values[0], name
    assert vq_vae.sample(run, vq_vae.Request(2, "1"), generator(0)).shape == (2, 28, 28, 1)
    assert 1 <= run.results["words"] <= 8


def test_bad_recipes():
    with pytest.raises(ArgumentError, match="4 heads can not share a dim of 30"):
        vq_vae.Recipe(dim=30)
    with pytest.raises(ArgumentError, match="vq_vae: images are 10×8"):
        vq_vae.VQVAE((10, 8, 1), 0, vq_vae.Recipe(), generator(0))
