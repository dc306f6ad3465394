"""word2vec and glove: their losses, pairs and counts by hand, a planted corpus that they must read, and questions."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_helpers import trained
from PIL import Image

import minigen as mg
from minigen import data
from minigen.cli import main
from minigen.errors import ArgumentError, DataError
from minigen.models.parts import words as shared
from minigen.models.parts.words import Words
from minigen.models.words import glove, word2vec
from minigen.random import generator
from minigen.training import Run

MODELS = {"word2vec": word2vec, "glove": glove}
GROUPS = (
    ["apple", "pear", "plum", "grape", "cherry"],
    ["hammer", "saw", "drill", "chisel", "wrench"],
    ["dog", "cat", "cow", "pig", "hen"],
)


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A text of three sorts of words, each of which stands among its own sort only, up to a few words."""
    rng, parts = generator(0), []
    for _ in range(600):
        parts.append(" ".join(rng.choice(GROUPS[rng.integers(3)], 12)))
    path = tmp_path_factory.mktemp("data") / "groups.txt"
    path.write_text("\n".join(parts))
    return str(path)


# ---------------------------------------------------------------- word2vec


def test_negative_sampling_is_equation_4_and_so_are_its_gradients():
    rng = generator(0)
    v, context, noise = (rng.standard_normal(shape) for shape in [(1, 4), (1, 4), (7, 4)])
    tensors = [mg.tensor(a, requires_grad=True) for a in (v, context, noise)]
    loss = word2vec.negative_sampling((tensors[0] * tensors[1]).sum(axis=1), tensors[0] @ tensors[2].T, k=3.0)

    def sigma(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    true, false = (v @ context.T).item(), (noise @ v[0])
    assert loss.item() == pytest.approx(-np.log(sigma(true)) - 3 * np.log(sigma(-false)).mean(), rel=1e-12)
    gv, gcontext, gnoise = mg.grad(loss, tensors)
    np.testing.assert_allclose(gcontext.numpy(), (sigma(true) - 1) * v, rtol=1e-10)
    np.testing.assert_allclose(gnoise.numpy(), 3 / 7 * sigma(false)[:, None] * v, rtol=1e-10)
    np.testing.assert_allclose(gv.numpy()[0], (sigma(true) - 1) * context[0] + 3 / 7 * sigma(false) @ noise, rtol=1e-10)


def test_pairs_stand_in_the_window_and_near_ones_count_more():
    ids = np.arange(200)
    pairs = word2vec.Pairs(ids, 200, word2vec.Recipe(window=4, subsample=1e9))
    rng, counts = generator(0), np.zeros(9)
    for _ in range(200):
        word, neighbour = pairs.around(ids, np.arange(50, 150), rng)
        counts += np.bincount(neighbour - word + 4, minlength=9)
    expected = np.array([1, 2, 3, 4, 0, 4, 3, 2, 1]) / 4 * 200 * 100
    np.testing.assert_allclose(counts, expected, rtol=0.03)
    word, neighbour = pairs.around(ids, np.array([0, 199]), rng)
    assert set(neighbour[word == 0]) <= {1, 2, 3, 4} and set(neighbour[word == 199]) <= {195, 196, 197, 198}


def test_frequent_words_are_thinned_out():
    ids = np.tile([0, 0, 0, 1], 2000)  # 0 has 3/4 of the text, 1 has 1/4
    pairs = word2vec.Pairs(ids, 2, word2vec.Recipe(window=1, subsample=0.01))
    np.testing.assert_allclose(pairs.keep, np.sqrt([0.01 / 0.75, 0.01 / 0.25]))
    rng, count = generator(0), np.zeros(4)
    for _ in range(100):
        word, neighbour = pairs.around(ids, np.arange(len(ids)), rng)
        count += np.bincount(2 * word + neighbour, minlength=4)
    np.testing.assert_allclose(count[0], 100 * 8000 * pairs.keep[0] ** 2, rtol=0.05)  # two neighbours in every four
    np.testing.assert_allclose(count[[1, 2]], 100 * 4000 * pairs.keep[0] * pairs.keep[1], rtol=0.05)
    assert count[3] == 0


def test_noise_follows_the_frequencies_to_the_power_of_three_quarters():
    ids = np.repeat(np.arange(4), [1000, 100, 10, 1])
    pairs = word2vec.Pairs(ids, 5, word2vec.Recipe(noise=200_000))
    share = np.bincount(pairs.noise(generator(0)), minlength=5) / 200_000
    weights = np.array([1000, 100, 10, 1, 0]) ** 0.75
    np.testing.assert_allclose(share, weights / weights.sum(), atol=2e-3)
    assert share[4] == 0


def test_a_step_without_pairs_changes_nothing():
    model = word2vec.Word2Vec(3, 4, generator(0))
    none = np.zeros(0, np.int64)
    true, noise = model(none, none, np.array([1, 2]))
    loss = word2vec.negative_sampling(true, noise, 5.0)
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is None or not parameter.grad.numpy().any() for parameter in model.parameters())


# ---------------------------------------------------------------- glove


@pytest.mark.parametrize("window", [1, 3, 50])
def test_cooccurrences_are_those_of_a_naive_loop(window: int):
    ids = generator(window).integers(0, 6, 40)
    expected: dict[tuple[int, int], float] = defaultdict(float)
    for a in range(len(ids)):
        for b in range(len(ids)):
            if a != b and abs(a - b) <= window:
                expected[int(ids[a]), int(ids[b])] += 1 / abs(a - b)
    i, j, x = glove.cooccurrences(ids, window)
    found = dict(zip(zip(i.tolist(), j.tolist(), strict=True), x.tolist(), strict=True))
    assert len(found) == len(x)
    assert found == pytest.approx(dict(expected))


def test_held_out_pairs_are_held_out_both_ways():
    ids = generator(0).integers(0, 50, 2000)
    training, validation = glove.split(ids, 5)
    learned = set(zip(*(array.tolist() for array in training.arrays[:2]), strict=True))
    held_out = set(zip(*(array.tolist() for array in validation.arrays[:2]), strict=True))
    assert held_out and not learned & (held_out | {(j, i) for i, j in held_out})
    assert 0.02 < len(validation) / (len(training) + len(validation)) < 0.1


def test_weighted_squares_are_equations_8_and_9():
    predicted, x = np.array([0.5, -1.0, 2.0]), np.array([0.25, 16.0, 200.0])
    f = np.array([(0.25 / 16) ** 0.75, 1.0, 1.0])
    loss = glove.weighted_squares(mg.tensor(predicted), x, 16.0, 0.75)
    assert loss.item() == pytest.approx((f * (predicted - np.log(x)) ** 2).mean(), rel=1e-12)


def test_the_model_of_a_pair_is_a_product_and_two_biases():
    model = glove.GloVe(5, 3, generator(0))
    tables = [model.w, model.w_tilde, model.b, model.b_tilde]
    w, w_tilde, b, b_tilde = (table.weight.data for table in tables)
    i, j = np.array([0, 4, 4]), np.array([1, 1, 4])
    expected = (w[i] * w_tilde[j]).sum(1) + b[i, 0] + b_tilde[j, 0]
    np.testing.assert_allclose(model(i, j).detach().numpy(), expected, rtol=1e-5)
    np.testing.assert_array_equal(model.vectors(), w + w_tilde)


# ---------------------------------------------------------------- both


@pytest.mark.parametrize(("name", "share"), [("word2vec", 0.75), ("glove", 0.6)])
def test_the_loss_falls_on_real_text(name: str, share: float, story: str, tmp_path: Path):
    fields = {"batch_size": 512, "dim": 32, "vocabulary": 300}
    few, many = (trained(name, tmp_path / str(n), text=story, max_steps=n, **fields) for n in (1, 60))
    assert MODELS[name].evaluate(many)["loss"] < share * MODELS[name].evaluate(few)["loss"]


@pytest.mark.parametrize(("name", "fields"), [("word2vec", {"subsample": 1.0, "window": 3}), ("glove", {"window": 3})])
def test_words_of_a_sort_are_near_each_other(name: str, fields: dict, groups: str, tmp_path: Path):
    run = trained(name, tmp_path / "run", text=groups, batch_size=256, dim=8, epochs=200, max_steps=300, **fields)
    words = MODELS[name].vectors(run)
    for group in GROUPS:
        for word in group:
            assert {near for near, _ in words.nearest(word, 4)} == set(group) - {word}


def test_both_models_agree_on_planted_words(groups: str, tmp_path: Path):
    fields = {"text": groups, "batch_size": 256, "dim": 8, "epochs": 200, "max_steps": 300, "window": 3}
    first = word2vec.vectors(trained("word2vec", tmp_path / "first", subsample=1.0, **fields))
    second = glove.vectors(trained("glove", tmp_path / "second", **fields))
    assert first.agreement(second) == pytest.approx(second.agreement(first), abs=1e-6)
    assert first.agreement(second) > 0.6
    assert first.agreement(first) == pytest.approx(1)


@pytest.fixture(scope="module")
def plane() -> Any:
    """Words in a plane in which a king is a royal man."""
    royal, man, woman, odd = np.array([[0, 0, 2.0], [3, 0, 0], [0, 3, 0], [-3, -3, -3]])
    vectors = {"man": man, "woman": woman, "king": man + royal, "queen": woman + royal, "thistle": odd}
    return Words(tuple(vectors), np.array(list(vectors.values())))


def test_questions(plane: Any):
    assert plane.nearest("king", 1) == [("man", pytest.approx(3 / np.sqrt(13)))]
    assert [word for word, _ in plane.nearest("KING")] == ["man", "queen", "woman", "thistle"]
    assert plane.analogy("man", "king", "woman", 1)[0][0] == "queen"
    assert plane.similarity("man", "woman") == pytest.approx(0)
    with pytest.raises(DataError, match=r"qween is not among the 5 .*did you mean queen"):
        plane.nearest("qween")
    with pytest.raises(DataError, match="Zzz is not among"):
        plane.nearest("Zzz")


@pytest.mark.parametrize("prompt", ["king - man + woman", " woman+king-man ", "King-Man + Woman"])
def test_a_sum_in_the_prompt(prompt: str, plane: Any):
    lines = "".join(shared.answers(plane, prompt, 2)).splitlines()
    assert [line.split()[0] for line in lines] == ["queen", "thistle"]


@pytest.mark.parametrize("prompt", ["king queen", "+", "king -", "- king", "king ++ man"])
def test_a_prompt_that_is_no_question(prompt: str, plane: Any):
    with pytest.raises(ArgumentError, match="king - man"):
        list(shared.answers(plane, prompt, 2))


def test_words_that_cancel_each_other_are_no_question(plane: Any):
    with pytest.raises(ArgumentError, match="cancel each other"):
        shared.answers(plane, "king - king", 2)


@pytest.mark.parametrize("name", MODELS)
def test_another_text_is_not_measured_by_the_words_of_the_first(name: str, story: str, tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text(Path(story).read_text())
    run = trained(name, tmp_path / "run", text=str(path), max_steps=1)
    path.write_text(Path(story).read_text()[:12_000])
    with pytest.raises(DataError, match="other words than this run was trained on"):
        MODELS[name].evaluate(run)


def test_a_vocabulary_of_one_is_refused(story: str):
    with pytest.raises(DataError, match="larger --vocabulary"):
        shared.corpus(story, 1)


def test_relatedness_tells_related_words_apart():
    pairs = [pair.split() for pair in shared.RELATED.replace("\n", " ").split(",")]
    assert all(len(pair) == 2 for pair in pairs)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    words = ("king", "queen", "sun", "moon", "thistle")
    figures = Words(words, np.array([[1.0, 0], [1, 0], [0, 1], [0, 1], [-1, -1]])).relatedness()
    assert figures == pytest.approx({"related_cosine": 1, "other_cosine": 0, "related_rank": 0}, abs=1e-6)
    assert Words(("thistle", "knot"), np.eye(2)).relatedness() == {}


@pytest.mark.parametrize("name", MODELS)
def test_the_command_line_answers(name: str, story: str, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = trained(name, tmp_path / "run", text=story, max_steps=2)
    capsys.readouterr()
    for prompt, lines in (("love", 10), ("love - hate + heart", 10), ("", 10)):
        count = ["-n", str(lines)] if prompt.startswith("love -") else []
        assert main(["sample", str(run.path), "--prompt", prompt, *count]) == 0
        shown = capsys.readouterr().out.splitlines()
        assert len(shown) == lines if prompt else len(shown) >= 3
    assert main(["sample", str(run.path), "--prompt", "lofe"]) == 1
    assert "did you mean love" in capsys.readouterr().err
    assert main(["sample", str(run.path), "--temperature", "0.5"]) == 2  # nothing is drawn by chance
    assert "unknown flag --temperature" in capsys.readouterr().err


@pytest.mark.parametrize("name", MODELS)
def test_the_map_is_drawn(name: str, story: str, tmp_path: Path):
    run = trained(name, tmp_path / "run", text=story, max_steps=2)
    MODELS[name].evaluate(Run.open(run.path))
    assert np.asarray(Image.open(run.path / "map.png").convert("L")).std() > 3


def test_speakers_and_rare_words_are_left_out(tmp_path: Path):
    text = "MISTRESS QUICKLY:\nGood morrow, sir! o'er\n\nO:\n" + "so it goes, said he: AND SO\n" * 30
    (tmp_path / "play.txt").write_text(text)
    tokenizer, ids = shared.corpus(str(tmp_path / "play.txt"), 6)
    assert tokenizer.symbols[1:] == ("so", "and", "goes", "he", "it", "said")
    assert len(ids) == 30 * 7
    assert tokenizer.symbols[1 + ids[0]] == "so"


def test_the_corpus_has_the_words_to_be_asked_for():
    tokenizer, ids = shared.corpus("shakespeare", 2000)
    assert tokenizer.size == 2001 and len(ids) > 150_000
    assert set(shared.SHOWN) < set(tokenizer.symbols)
    assert isinstance(tokenizer, data.WordTokenizer) and ids.min() == 0 and ids.max() == 1999
