"""The options of the VAE: each by its equation, and what a model told classes draws."""

import math
from pathlib import Path

import numpy as np
import pytest
from model_helpers import trained

import minigen as mg
from minigen import data
from minigen.cli import main
from minigen.errors import ArgumentError
from minigen.models.latent import vae
from minigen.models.parts import latent
from minigen.random import generator
from minigen.training import RunFolder

IMAGE = (4, 4, 1)


def model(**fields) -> vae.VAE:
    return vae.VAE(IMAGE, vae.Recipe(hidden=6, latent=2, **fields), generator(0)).astype("float64")


def images(n: int, d: int = 16) -> mg.Tensor:
    return mg.tensor(generator(1).random((n, *IMAGE)))


def log_normal(x: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return (-0.5 * (x - mean) ** 2 / variance - 0.5 * np.log(2 * np.pi * variance)).reshape(len(x), -1).sum(1)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_weights_are_the_three_densities(likelihood: str):
    network, x = model(likelihood=likelihood), images(5)
    with mg.no_grad():
        mu, logvar = network.encode(x)
        z = vae.reparametrize(mu, logvar, generator(2))
        logits = network.decode(z)
        ours = vae.log_weights(logits, x, mu, logvar, z, network.log_deviation).numpy()
    means = 1 / (1 + np.exp(-logits.data))
    if likelihood == "gaussian":
        assert network.log_deviation is not None
        log_p = log_normal(x.data, means, np.exp(2 * network.log_deviation.data) * np.ones(1))
    else:
        log_p = (x.data * np.log(means) + (1 - x.data) * np.log(1 - means)).reshape(5, -1).sum(1)
    expected = log_p + log_normal(z.data, np.zeros(1), np.ones(1)) - log_normal(z.data, mu.data, np.exp(logvar.data))
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


def test_the_mean_of_the_weights_is_the_elbo():
    network, x = model(), images(2)
    with mg.no_grad():
        mu, logvar = network.encode(x)
        rows = np.repeat(np.arange(2), 20_000)
        z = vae.reparametrize(mu[rows], logvar[rows], generator(2))
        logits = network.decode(z)
        weights = vae.log_weights(logits, mg.tensor(x.data[rows]), mu[rows], logvar[rows], z, None)
        terms = vae.negative_elbo(logits, mg.tensor(x.data[rows]), mu[rows], logvar[rows])
    assert -weights.mean().item() == pytest.approx(sum(term.item() for term in terms), abs=0.02)


def test_free_nats_cost_nothing_more():
    mu, logvar = mg.tensor(np.array([[0.1, 2.0], [0.1, 2.0]]), requires_grad=True), mg.tensor(np.zeros((2, 2)))
    cost = vae.free_kl(mu, logvar, 0.5)
    assert cost.item() == pytest.approx(0.5 + 2.0)
    (gradient,) = mg.grad(cost, [mu])
    np.testing.assert_allclose(gradient.data, [[0, 1], [0, 1]])


@pytest.mark.parametrize(
    "fields",
    [
        {"k": 3},
        {"beta": 4.0},
        {"free_bits": 0.5},
        {"likelihood": "gaussian"},
        {"binarization": "static"},
        {"binarization": "dynamic", "k": 2, "conditional": True},
        {"conditional": True, "architecture": "convolutional"},
        {"depth": 2, "activation": "tanh"},
    ],
)
def test_each_option_trains_and_resumes_to_the_bit(fields: dict, digits: str, tmp_path: Path):
    whole = trained("vae", tmp_path / "whole", data=digits, max_steps=30, **fields)
    losses = whole.history()["loss"]
    assert losses[-1] < 0.8 * losses[0]
    trained("vae", tmp_path / "parts", data=digits, max_steps=13, **fields)
    assert main(["train", "--resume", str(tmp_path / "parts"), "--max-steps", "30"]) == 0
    assert (tmp_path / "parts" / "checkpoint.safetensors").read_bytes() == whole.checkpoint_path.read_bytes()
    assert ("bits_per_dimension" in whole.results) == (fields.get("likelihood") == "gaussian")


def test_the_number_of_samples_is_a_flag_in_both_spellings(digits: str, tmp_path: Path):
    for i, flag in enumerate(("--k", "-k")):
        flags = ["--data", digits, flag, "3", "--max-steps", "1", "--hidden", "8", "--out", str(tmp_path / str(i))]
        assert main(["train", "vae", *flags]) == 0
        assert RunFolder.open(tmp_path / str(i)).recipe["k"] == 3


def test_more_samples_bound_more_tightly(digits: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = trained("vae", tmp_path / "run", data=digits, max_steps=60, binarization="dynamic")
    assert main(["eval", str(run.path), "--samples", "150"]) == 0
    assert "negative_log_likelihood" in capsys.readouterr().out
    network, test = vae.load(run), data.load(digits, "test")
    found = [vae.estimate(network, test, "dynamic", k) for k in (1, 10, 150)]
    assert found[0] > found[1] > found[2]
    assert found[0] == pytest.approx(vae.measure(network, test, "dynamic")["negative_elbo"], rel=0.03)
    assert main(["eval", str(run.path), "--samples", "0"]) == 2
    assert "samples is 0; use a number above 0" in capsys.readouterr().err


def test_zeros_and_ones_are_drawn_by_the_grey_levels():
    x = np.full((4000, 1, 1, 1), 0.3, np.float32)
    ones = latent.zeros_and_ones(x, generator(0))
    assert set(np.unique(ones)) == {0, 1} and ones.mean() == pytest.approx(0.3, abs=0.03)
    few = data.ImageDataset((x * 255).astype(np.uint8), None, (), "few")
    once, again = latent.binarized(few), latent.binarized(few)
    np.testing.assert_array_equal(once.images, again.images)
    assert set(np.unique(once[:][0])) == {0, 1}


def test_classes_reach_the_samples(digits: str, tmp_path: Path):
    run = trained("vae", tmp_path / "run", data=digits, max_steps=3, conditional=True)
    one, other = (vae.sample(run, vae.Request(3, c), generator(0)) for c in ("1", "2"))
    assert np.abs(one - other).max() > 1e-5
    plain = trained("vae", tmp_path / "plain", data=digits, max_steps=1)
    with pytest.raises(ArgumentError, match="knows no classes; train one on data with labels, with --conditional"):
        vae.sample(plain, vae.Request(3, "1"), generator(0))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"k": 5, "beta": 2.0}, "no KL term"),
        ({"k": 5, "free_bits": 1.0}, "no KL term"),
        ({"free_bits": -1.0}, "free-bits is -1.0"),
        ({"likelihood": "gaussian", "binarization": "static"}, "leave out --binarization"),
        ({"architecture": "convolutional", "depth": 2}, "those of the mlp"),
        ({"beta": -1.0}, "beta is -1.0; use a finite number from 0"),
    ],
)
def test_options_that_do_not_go_together(fields: dict, message: str):
    with pytest.raises(ArgumentError, match=message):
        vae.Recipe(**fields)


def test_bits_per_dimension_of_a_perfect_guess_of_noise():
    """A Gaussian of deviation s around the truth needs log₂(256 s √(2πe)) bits a pixel."""
    s = 0.1
    nats = 100 * (math.log(s) + 0.5 * math.log(2 * math.pi * math.e))
    from_metric = mg.metrics.bits_per_dimension(nats, 100) + 8
    assert from_metric == pytest.approx(math.log2(256 * s * math.sqrt(2 * math.pi * math.e)))
