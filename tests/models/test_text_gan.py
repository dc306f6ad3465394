"""The GAN of words: letters that gradients pass through, the losses, and that its words come nearer to the text's."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_helpers import trained

import minigen as mg
from minigen import data
from minigen.cli import main
from minigen.errors import ArgumentError, DataError
from minigen.models.adversarial import text_gan as gan
from minigen.models.parts import game
from minigen.random import generator
from minigen.training import Run

SMALL = gan.Recipe(latent=5, width=8, longest=4)


def build(dtype: Any = np.float64) -> Any:
    return gan.TextGAN(6, SMALL, generator(0)).astype(dtype)


# ---------------------------------------------------------------- letters


def test_straight_through_is_one_hot_forward_and_soft_backward():
    logits = [mg.tensor(3 * generator(0).standard_normal((4, 5, 7)), requires_grad=True) for _ in range(2)]
    weights = generator(1).standard_normal((4, 5, 7))
    soft, hard = mg.softmax(logits[0]), gan.straight_through(mg.softmax(logits[1]))
    np.testing.assert_array_equal(hard.data, gan.one_hot(soft.data.argmax(axis=-1), 7))  # exactly, not nearly
    for y in (soft, hard):
        (weights * y).sum().backward()
    gradients = [leaf.grad.numpy() for leaf in logits if leaf.grad is not None]
    np.testing.assert_array_equal(gradients[1], gradients[0])


@pytest.mark.parametrize("tau", [0.1, 1.0, 5.0])
def test_letters_are_drawn_with_their_probabilities(tau: float):
    p = np.array([0.1, 0.4, 0.3, 0.2], np.float32)
    drawn = gan.gumbel_softmax(mg.tensor(np.tile(np.log(p), (5000, 2, 1))), tau, generator(0)).numpy()
    assert drawn.dtype == np.float32 and set(np.unique(drawn)) == {0, 1}
    np.testing.assert_allclose(drawn.mean(axis=(0, 1)), p, atol=0.015)


def test_the_gradient_of_a_draw_is_that_of_the_gumbel_softmax():
    logits = mg.tensor(generator(0).standard_normal((2, 3, 4)), requires_grad=True)
    weights = generator(1).standard_normal((2, 3, 4))
    (weights * gan.gumbel_softmax(logits, 0.7, generator(2))).sum().backward()
    y = (logits.data + generator(2).gumbel(size=(2, 3, 4))) / 0.7
    p = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)
    expected = p * (weights - (p * weights).sum(axis=-1, keepdims=True)) / 0.7
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), expected, rtol=1e-10)


def test_the_temperature_falls_by_the_same_factor_in_each_step():
    recipe = gan.Recipe(temperature=2.0, final_temperature=0.5, annealing_steps=100)
    tau = np.array([gan.temperature(step, recipe) for step in range(101)])
    np.testing.assert_allclose([tau[0], tau[50], tau[100], gan.temperature(10**6, recipe)], [2, 1, 0.5, 0.5])
    np.testing.assert_allclose(tau[1:] / tau[:-1], 0.25**0.01)


def test_words_are_those_of_the_right_length_as_often_as_they_stand_there(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be: THAT is the question -- o'er the sea-change.")
    found = gan.load_words(gan.Recipe(text=str(text), shortest=3, longest=6))
    assert found == ["not", "that", "the", "o'er", "the", "sea", "change"]
    tokenizer = data.CharTokenizer.of(gan.BLANK + "".join(found))
    ids = gan.letters(found, tokenizer, 6)
    assert ids.shape == (7, 6)
    assert [tokenizer.decode(row) for row in ids[:2]] == ["not   ", "that  "]


@pytest.mark.parametrize("fields", [{"shortest": 30, "longest": 40}, {"shortest": 5, "longest": 4}])
def test_a_text_without_usable_words_is_told(fields: dict[str, int], story: str, tmp_path: Path):
    with pytest.raises(DataError, match=r"0 different words of .* letters"):
        trained("text_gan", tmp_path / "run", text=story, **fields)


# ---------------------------------------------------------------- the game


def test_each_step_reaches_its_own_network_only():
    model = build()
    g, d = model.generator, model.discriminator
    fake = gan.gumbel_softmax(g(mg.tensor(generator(1).standard_normal((6, 5)))), 0.5, generator(2))
    x = mg.tensor(gan.one_hot(generator(3).integers(0, 6, (6, 4)), 6).astype(np.float64), requires_grad=True)
    real = d(x)
    (game.discriminator_loss(real, d(fake.detach())) + gan.squared_gradient(real, x)).backward()
    assert all(p.grad is None for p in g.parameters())
    assert all(p.grad is not None for p in d.parameters())
    d.zero_grad()
    with d.frozen():
        loss = game.generator_loss(d(fake))
    loss.backward()
    assert all(p.grad is None for p in d.parameters())
    assert all(p.grad is not None and np.abs(p.grad.data).max() > 0 for p in g.parameters())


def test_the_losses_are_those_of_the_paper():
    real, fake = generator(0).normal(0, 3, (2, 50, 1))
    d_real, d_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    value = -np.log(d_real).mean() - np.log(1 - d_fake).mean()
    np.testing.assert_allclose(game.discriminator_loss(mg.tensor(real), mg.tensor(fake)).item(), value, rtol=1e-12)
    np.testing.assert_allclose(game.generator_loss(mg.tensor(fake)).item(), -np.log(d_fake).mean(), rtol=1e-12)


def test_the_penalty_and_its_gradient_by_the_weights_agree_with_differences():
    d, h = build().discriminator, 1e-5
    x = gan.one_hot(generator(3).integers(0, 6, (3, 4)), 6).astype(np.float64)

    def penalty() -> mg.Tensor:
        leaf = mg.tensor(x, requires_grad=True)
        return gan.squared_gradient(d(leaf), leaf)

    numerical = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        numerical[index] = (d(mg.tensor(x + step)).sum().item() - d(mg.tensor(x - step)).sum().item()) / (2 * h)
    np.testing.assert_allclose(penalty().item(), (numerical**2).sum() / 3, rtol=1e-6)

    penalty().backward()
    for name, p in d.named_parameters():
        if not name.endswith("weight"):
            continue
        place = np.unravel_index(np.abs(p.grad.data).argmax(), p.shape)
        values = []
        for sign in (1, -1):
            p.data[place] += sign * h
            values.append(penalty().item())
            p.data[place] -= sign * h
        np.testing.assert_allclose(p.grad.data[place], (values[0] - values[1]) / (2 * h), rtol=1e-4, err_msg=name)


# ---------------------------------------------------------------- words


@pytest.fixture(scope="module")
def runs(story: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """After 1 step, and after 150; the seeds 0 to 7 differ much (overlaps grow 1.9 to 6.2-fold), this one 4.6-fold."""
    folder = tmp_path_factory.mktemp("runs")
    fields = {"text": story, "batch_size": 32, "width": 32, "seed": 6}
    first, last = (trained("text_gan", folder / str(n), max_steps=n, **fields) for n in (1, 150))
    return first, last


def written(run: Run, n: int, seed: int = 0, **options: Any) -> list[str]:
    return "".join(gan.generate(run, gan.Request(n=n, **options), generator(seed))).split("\n")


def test_its_letters_take_the_frequencies_of_the_texts(runs: tuple[Run, Run], story: str):
    found = Counter("".join(word.ljust(10) for word in gan.load_words(gan.Recipe(text=story))))
    distances = []
    for run in runs:
        new = Counter("".join(word.ljust(10) for word in written(run, 300)))
        shares = np.array([[count[letter] / count.total() for letter in found] for count in (new, found)])
        distances.append(np.abs(shares[0] - shares[1]).sum())
    assert distances[0] > 0.8 and distances[1] < 0.5 * distances[0]
    assert gan.evaluate(runs[1])["overlap_3"] > 2 * gan.evaluate(runs[0])["overlap_3"]


def test_words_follow_from_seed_and_choice(runs: tuple[Run, Run]):
    run = runs[1]
    assert written(run, 20, 1) == written(run, 20, 1) != written(run, 20, 2)
    assert len(written(run, 20)) == 20 and max(map(len, written(run, 20))) <= 10
    assert written(run, 20, 1, temperature=0) == written(run, 20, 1, temperature=0) != written(run, 20, 1)


def test_nothing_goes_before_a_word(runs: tuple[Run, Run], capsys: pytest.CaptureFixture):
    assert main(["sample", str(runs[0].path), "--prompt", "ROMEO"]) == 2
    assert "unknown flag --prompt" in capsys.readouterr().err


def test_figures_against_the_text():
    figures = gan.against(["the", "thex", "the", "themes"], ["the", "the", "them"])  # runs: the, the hex, the, …
    assert figures == {"known": 0.5, "overlap_3": 5 / 8, "overlap_4": 1 / 4, "distinct": 0.75, "length": 4.0}
    assert gan.against(["ab"], ["ab"])["overlap_3"] == 0


@pytest.mark.parametrize("field", [{"latent": 0}, {"temperature": 0.0}, {"penalty": -1.0}, {"annealing_steps": 0}])
def test_a_bad_recipe_is_refused(field: dict[str, Any]):
    with pytest.raises(ArgumentError, match=next(iter(field)).replace("_", "-")):
        gan.Recipe(**field)
