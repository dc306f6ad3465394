"""The VAE of sentences: masks, the loss, how the KL term is weighed, what is written of z; on a few pages of text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_helpers import trained

import minigen as mg
from minigen.errors import ArgumentError, DataError
from minigen.models.latent import text_vae as vae
from minigen.models.parts.text import Choice, saved_tokenizer
from minigen.random import generator
from minigen.training import Run

GREEDY = Choice(temperature=0)
SMALL = {"hidden": 24, "latent": 6}


def untrained(words: int = 9, **fields: Any) -> Any:
    return vae.TextVAE(words, vae.Recipe(**SMALL, **fields), generator(0)).astype(np.float64)


@pytest.fixture(scope="module")
def run(story: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model that was trained for six epochs."""
    return trained(
        "text_vae",
        tmp_path_factory.mktemp("runs") / "run",
        text=story,
        epochs=6,
        hidden=48,
        latent=32,
        lr=5e-3,
        free_bits=0.0,
        annealing_steps=30,
    )


def lines(run: Run, prompt: str, n: int, temperature: float = 0, seed: int = 0) -> list[str]:
    request = vae.Request(prompt=prompt, n=n, temperature=temperature)
    return "".join(vae.generate(run, request, generator(seed))).split("\n")


# ---------------------------------------------------------------- sentences


def test_sentences_are_the_different_lines_of_the_right_length(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text(
        "One two three.\nToo short\none, two\n\nOne two three.\nfour five six seven\na b c d e f\nsix o'er the"
    )
    tokenizer, train, rest = vae.load_sentences(vae.Recipe(text=str(text), shortest=3, longest=4))
    assert tokenizer.symbols[0] == "<unk>"
    assert (
        vae.read_out(tokenizer, train[:][0]) == ["one two three", "four five six seven", "six o'er the"][: len(train)]
    )
    assert len(train) + len(rest) == 3
    ids, counts = train[:2]
    assert ids.shape == (2, 5)
    np.testing.assert_array_equal(counts, [3, 4])
    np.testing.assert_array_equal(ids[0, 3:], tokenizer.size)


@pytest.mark.parametrize("fields", [{"shortest": 40, "longest": 50}, {"shortest": 5, "longest": 4}])
def test_a_text_without_usable_sentences_is_told(fields: dict[str, int], story: str, tmp_path: Path):
    with pytest.raises(DataError, match=r"0 different lines of .* words"):
        trained("text_vae", tmp_path / "run", text=story, **fields)


# ---------------------------------------------------------------- the loss


def test_what_fills_a_row_changes_nothing():
    model, rng = untrained(), generator(1)
    counts = np.array([1, 5, 3])
    ids = np.where(np.arange(6) < counts[:, None], rng.integers(0, 9, (3, 6)), model.end)
    loss, mu, logvar = model(ids, counts, generator(2))
    loss.backward()
    gradients = [p.grad.numpy() for p in model.parameters()]
    beyond = np.arange(9) > counts[:, None]
    wide = np.where(beyond, rng.integers(0, 11, (3, 9)), np.pad(ids, ((0, 0), (0, 3)), constant_values=model.end))
    model.zero_grad()
    other, *others = model(wide, counts, generator(2))
    other.backward()
    np.testing.assert_allclose(other.item(), loss.item(), rtol=1e-12)
    for one, another in zip((mu, logvar), others, strict=True):
        np.testing.assert_allclose(one.data, another.data, rtol=1e-12)
    for gradient, p in zip(gradients, model.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), gradient, rtol=1e-9, atol=1e-12)


def test_the_reconstruction_is_the_papers_sum_word_by_word():
    model = untrained()
    ids, counts = np.array([[4, 0, 7, 9]]), np.array([3])
    loss, mu, logvar = model(ids, counts, generator(2))
    z = vae.reparametrize(mu, logvar, generator(2))
    state, word, nats = model.begin(z), model.end, 0.0
    for following in ids[0]:  # the end is predicted too
        h, state = model.read(np.array([[word]]), z, state)
        logits = model.out(h[0, 0]).data
        nats += np.log(np.exp(logits).sum()) - logits[following]
        word = following
    np.testing.assert_allclose(loss.item(), nats, rtol=1e-10)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_word_dropout_blanks_words_but_not_the_beginning(share: float, monkeypatch: pytest.MonkeyPatch):
    model, seen = untrained(), []
    read = model.read
    monkeypatch.setattr(model, "read", lambda ids, z, state: (seen.append(ids), read(ids, z, state))[1])
    ids = generator(1).integers(0, 9, (50, 12))
    model(ids, np.full(50, 11), generator(2), word_dropout=share)
    assert (seen[0][:, 0] == model.end).all()
    blanks = seen[0][:, 1:] == model.blank
    np.testing.assert_allclose(blanks.mean(), share, atol=0.05)
    np.testing.assert_array_equal(seen[0][:, 1:][~blanks], ids[:, :-1][~blanks])


def test_the_divergence_is_that_of_each_number_of_z():
    mu, logvar = (mg.tensor(generator(i).standard_normal((5, 3))) for i in (0, 1))
    kl = vae.divergence(mu, logvar)
    assert kl.shape == (3,)
    np.testing.assert_allclose(kl.numpy().sum(), mg.gaussian_kl(mu, logvar).item(), rtol=1e-12)


@pytest.mark.parametrize(
    ("annealing", "expected"),
    [("linear", [0.0, 0.25, 0.5, 1.0, 1.0]), ("logistic", [0.0067, 0.0759, 0.5, 0.9933, 1.0])],
)
def test_the_kl_term_gains_weight(annealing: Any, expected: list[float]):
    recipe = vae.Recipe(annealing=annealing, annealing_steps=200)
    weights = [vae.kl_weight(step, recipe) for step in (0, 50, 100, 200, 10**9)]
    np.testing.assert_allclose(weights, expected, atol=5e-5)
    assert all(np.diff([vae.kl_weight(step, recipe) for step in range(200)]) > 0)


def test_free_nats_keep_z_in_use(story: str, tmp_path: Path):
    common = {"text": story, "max_steps": 60, "annealing_steps": 1, "lr": 5e-3, "annealing": "linear", **SMALL}
    kl = [
        vae.evaluate(trained("text_vae", tmp_path / str(free), free_bits=free, **common))["kl"] for free in (0.0, 1.0)
    ]
    assert kl[0] < 0.1 and kl[1] > 1


# ---------------------------------------------------------------- training and writing


def test_it_learns(run: Run):
    nats = [value for value in run.history()["reconstruction"] if value is not None]
    assert nats[0] > nats[-1] + 1
    knows_nothing = np.log(saved_tokenizer(run).size + 1)
    assert vae.evaluate(run)["nats_per_word"] < knows_nothing - 0.5


def test_z_carries_a_few_sentences_by_heart(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"{a} {b} {c}" for c in "ghi" for a in "abc" for b in "def"))
    fields = {"longest": 3, "hidden": 32, "latent": 8, "free_bits": 1.0, "annealing_steps": 300, "word_dropout": 1.0}
    run = trained("text_vae", tmp_path / "run", text=str(text), epochs=100, lr=1e-2, **fields)
    model, tokenizer = vae.load(run), saved_tokenizer(run)
    _, sentences, _ = vae.load_sentences(run.load_recipe(vae.Recipe), tokenizer)
    mu, _ = vae.posterior(model, sentences)
    again = vae.write(model, mu, GREEDY, [generator(0)] * len(mu))
    assert (again == sentences[:][0][:, :4]).mean() > 0.8  # by chance: 1/2
    assert vae.evaluate(run)["kl"] > np.log(27)


@pytest.mark.parametrize("prompt", ["", "i will not go", "i will not go | a house of the king"])
def test_writing_follows_from_the_seed(prompt: str, run: Run):
    first, again, other = (lines(run, prompt, 6, 1, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 6 and "<unk>" not in " ".join(first)
    assert all(len(line.split()) <= 12 for line in first)


def test_the_way_between_two_sentences_begins_and_ends_with_them(run: Run):
    sentences = ["i will not go", "a house of the king"]
    model, tokenizer = vae.load(run), saved_tokenizer(run)
    encoded = vae.padded([tokenizer.encode(sentence) for sentence in sentences], 12, tokenizer.size)
    mu, sigma = vae.posterior(model, encoded)
    z = vae.between(mu[0], mu[1], 5)
    np.testing.assert_array_equal(z[[0, -1]], mu)
    np.testing.assert_allclose(z[2], mu.mean(axis=0), rtol=1e-5, atol=1e-6)
    assert sigma.shape == mu.shape == (2, 32) and (sigma > 0).all()
    ends = vae.read_out(tokenizer, vae.write(model, mu, GREEDY, [generator(0)] * 2))
    way = lines(run, " | ".join(sentences), 5)
    assert [way[0], way[-1]] == ends
    assert lines(run, " | ".join(sentences), 1) == ends[:1]


def test_each_row_is_written_by_its_own_generator(run: Run):
    model = vae.load(run)
    z = generator(0).standard_normal((3, 32), dtype=np.float32)
    together = vae.write(model, z, Choice(), [generator(i) for i in range(3)])
    for i in range(3):
        alone = vae.write(model, z[i : i + 1], Choice(), [generator(i)])
        stop = np.argmax(alone[0] == model.end) + 1
        np.testing.assert_array_equal(together[i, :stop], alone[0, :stop])


@pytest.mark.parametrize(
    ("prompt", "error", "message"),
    [
        ("a | b | c", ArgumentError, "3 sentences"),
        ("the king | ", DataError, "'' has 0 words"),
        ("the " * 13, DataError, "has 13 words; this run knows sentences of 1 to 12"),
        ("qwxz Ω", DataError, "knows none of the words of 'qwxz Ω'"),
    ],
)
def test_a_bad_prompt_is_told(prompt: str, error: type[Exception], message: str, run: Run):
    with pytest.raises(error, match=message):
        vae.generate(run, vae.Request(prompt=prompt, n=2), generator(0))


@pytest.mark.parametrize("field", [{"latent": 0}, {"word_dropout": 1.5}, {"free_bits": -1.0}, {"annealing_steps": 0}])
def test_a_bad_recipe_is_refused(field: dict[str, Any]):
    with pytest.raises(ArgumentError, match=next(iter(field)).replace("_", "-")):
        vae.Recipe(**field)
