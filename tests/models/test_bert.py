"""bert: which characters are hidden, that only those count, that it looks both ways, and how it fills in blanks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data
from minigen.cli.train import train_and_evaluate
from minigen.errors import ArgumentError, DataError
from minigen.models.language import bert
from minigen.models.parts.text import Choice
from minigen.random import generator
from minigen.training import Run

ALPHABET = "abcdefghi\n"
SMALL: dict[str, Any] = {"layers": 2, "heads": 2, "dim": 16, "context": 8, "batch_size": 4}


def model_of(symbols: int = 7, **fields: Any) -> Any:
    """A small model in evaluation mode, with weights that are large enough for everything to matter."""
    model = bert.BERT(symbols, bert.Recipe(**(SMALL | fields)), generator(0)).eval()
    with mg.no_grad():
        for p in model.parameters():
            p.copy_(p.data + generator(p.size).normal(0, 0.3, p.shape).astype(p.dtype))
    return model


def trained(folder: Path, text: str, **fields: Any) -> Run:
    recipe = bert.Recipe(text=text, **(SMALL | fields))
    run = Run.create(folder, "bert", recipe)
    train_and_evaluate(bert, recipe, run)
    return run


@pytest.fixture
def alphabets(tmp_path: Path) -> str:
    """A text in which every character follows from its neighbours."""
    path = tmp_path / "alphabets.txt"
    path.write_text(ALPHABET * 250)
    return str(path)


# ---------------------------------------------------------------- the task


def test_the_masking_rule_is_the_papers():
    ids = generator(1).integers(0, 60, (2000, 64))
    x, chosen = bert.conceal(ids, 60, 0.15, generator(2))
    assert (chosen.sum(axis=1) == 10).all()
    np.testing.assert_allclose(chosen.mean(axis=0), 10 / 64, atol=0.04)  # everywhere alike
    np.testing.assert_array_equal(x[~chosen], ids[~chosen])
    hidden, same = x[chosen] == 60, x[chosen] == ids[chosen]
    assert hidden.mean() == pytest.approx(0.8, abs=0.01)
    assert same.mean() == pytest.approx(0.1 + 0.1 / 60, abs=0.01)
    drawn = x[chosen][~hidden & ~same]
    assert len(np.unique(drawn)) == 60


@pytest.mark.parametrize(("share", "length", "count"), [(0.15, 1, 1), (0.15, 4, 1), (0.15, 20, 3), (1.0, 8, 8)])
def test_at_least_one_character_of_a_window_is_chosen(share: float, length: int, count: int):
    x, chosen = bert.conceal(np.zeros((5, length), int), 3, share, generator(0), hidden=1.0)
    assert (chosen.sum(axis=1) == count).all()
    np.testing.assert_array_equal(x == 3, chosen)


def test_the_loss_ignores_what_was_not_chosen():
    rng = generator(0)
    logits = mg.tensor(rng.standard_normal((3, 5, 8)), requires_grad=True)
    ids, chosen = rng.integers(0, 7, (3, 5)), rng.random((3, 5)) < 0.4
    loss = bert.masked_loss(logits, ids, np.nonzero(chosen))
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad.numpy()[~chosen] == 0).all() and (logits.grad.numpy()[chosen] != 0).all()
    other, targets = logits.data.copy(), ids.copy()
    other[~chosen] = 99.0
    targets[~chosen] = 0
    assert bert.masked_loss(mg.tensor(other), targets, np.nonzero(chosen)).item() == loss.item()
    p = np.exp(logits.data) / np.exp(logits.data).sum(axis=-1, keepdims=True)
    expected = -np.log(np.take_along_axis(p, ids[..., None], -1)[..., 0][chosen]).mean()
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_every_position_hears_of_every_other():
    model, ids = model_of(), generator(1).integers(0, 7, (1, 8))
    with mg.no_grad():
        before = model(ids).numpy()
        for t in range(8):
            other = ids.copy()
            other[:, t] = (ids[:, t] + 1) % 7
            assert (model(other).numpy() != before).any(axis=-1).all()


# ---------------------------------------------------------------- training


def test_it_learns_the_alphabet(alphabets: str, tmp_path: Path):
    run = trained(tmp_path / "run", alphabets, dim=32, batch_size=32, masked=0.3, steps=300, lr=1e-2, every=100)
    history = run.history()
    losses = [value for value in history["validation_loss"] if value is not None]
    assert len(losses) == 3 and losses[-1] < 0.3
    figures = bert.evaluate(run)
    assert figures["accuracy"] > 0.95 and figures["nats_per_masked_character"] < 0.3
    assert figures["unigram_nats"] == pytest.approx(np.log(10), abs=0.02)
    assert figures["unigram_accuracy"] < 0.2
    for prompt in ("d_fghi\na", "_bcdefg_", "b_d_fghi\na_cd_fghi\nabc_ef"):
        first = ALPHABET.index(prompt[1] if prompt[0] == "_" else prompt[0]) - (prompt[0] == "_")
        text = "".join(bert.generate(run, bert.Request(prompt=prompt, temperature=0), generator(0)))
        assert text == (ALPHABET * 4)[first : first + len(prompt)]
    assert "".join(bert.generate(run, bert.Request(prompt="bcdefg", n=2, temperature=0), generator(0))) == "bcdefghi"


def test_unseen_characters_leave_the_baseline_finite(tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text("ab" * 450 + "xy" * 50)
    figures = bert.evaluate(trained(tmp_path / "run", str(text), max_steps=1))
    assert all(np.isfinite(value) for value in figures.values())


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"masked": 0.0}, "masked"), ({"masked": 1.5}, "masked"), ({"heads": 3}, "3 heads"), ({"steps": 0}, "steps")],
)
def test_a_bad_recipe_is_refused(fields: dict[str, Any], named: str):
    with pytest.raises(ArgumentError, match=named):
        bert.Recipe(**(SMALL | fields))


# ---------------------------------------------------------------- filling in


class Oracle:
    """Knows a text of less than a hundred symbols: is the surer of a position the further back it stands."""

    context, mask = 8, 100

    def __init__(self, truth: np.ndarray) -> None:
        self.truth, self.asked = truth, []

    def __call__(self, ids: np.ndarray) -> mg.Tensor:
        seen = ids[0]
        known = np.flatnonzero(seen != self.mask)
        first = int(seen[known[0]]) - known[0] if len(known) else 0  # the truth counts up
        self.asked.append((first, len(seen), (seen == self.mask).sum()))
        logits = np.zeros((1, len(seen), self.mask + 1), np.float32)
        logits[0, np.arange(len(seen)), self.truth[first : first + len(seen)]] = 1 + 0.5 * np.arange(len(seen))
        logits[..., self.mask] = 99  # must not count
        return mg.tensor(logits)


@pytest.mark.parametrize("length", [5, 8, 9, 40])
def test_blanks_are_filled_within_windows_around_them(length: int):
    truth = np.arange(length)
    tokenizer = data.CharTokenizer(map(chr, range(1000, 1100)))
    oracle: Any = Oracle(truth)
    ids = np.where(generator(0).random(length) < 0.5, oracle.mask, truth)
    ids[0] = 0
    before = ids.copy()
    pieces = list(bert.fill(oracle, tokenizer, ids, Choice(temperature=0), generator(0)))
    assert "".join(pieces) == tokenizer.decode(truth)
    np.testing.assert_array_equal(ids, before)
    assert len(oracle.asked) == (ids == oracle.mask).sum()
    assert all(0 <= first <= max(length - 8, 0) and count == min(length, 8) for first, count, _ in oracle.asked)


def test_the_most_certain_blank_comes_first():
    tokenizer = data.CharTokenizer(map(chr, range(1000, 1100)))
    oracle: Any = Oracle(np.arange(6))
    ids = np.array([0, oracle.mask, 2, oracle.mask, oracle.mask, 5])
    pieces = list(bert.fill(oracle, tokenizer, ids, Choice(temperature=0), generator(0)))
    # the last is filled first, so that nothing is settled behind the first blank until it is filled too
    assert [piece for piece in pieces if piece] == [tokenizer.decode([0]), tokenizer.decode([1, 2, 3, 4, 5])]


def test_what_generate_makes_of_a_prompt(alphabets: str, tmp_path: Path):
    run = trained(tmp_path / "run", alphabets, max_steps=1)

    def text(prompt: str, n: int = 5) -> str:
        return "".join(bert.generate(run, bert.Request(prompt=prompt, n=n), generator(0)))

    assert len(text("")) == 5 and len(text("", 30)) == 30
    assert text("abc").startswith("abc") and len(text("abc")) == 8
    assert text("ab_d")[::3] == "ad" and len(text("ab_d")) == 4
    assert "_" not in text("____________________")
    with pytest.raises(DataError, match=r"'Z'.*position 3"):
        text("ab_Z")
