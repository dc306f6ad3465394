"""What a user may like: files are read as they are distributed, figures are the paper's, baselines are beaten."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.cli import main
from minigen.cli.train import train_and_evaluate
from minigen.errors import ArgumentError, CheckpointError, DataError
from minigen.models.applications import recommender
from minigen.models.parts import preferences
from minigen.random import generator
from minigen.training import Run, RunFolder


def ratings(users: int = 12, items: int = 8) -> list[tuple[str, str, float]]:
    return [(f"u{u}", f"m{i}", 5.0 if (u + i) % 2 else 3.0) for u in range(users) for i in range(2 * items)]


def trained(folder: Path, **fields: Any) -> Run:
    recipe = recommender.Recipe(**{"hidden": 32, "latent": 8, **fields})
    run = Run.create(folder, "recommender", recipe)
    train_and_evaluate(recommender, recipe, run)
    return run


# ---------------------------------------------------------------- data


@pytest.mark.parametrize(
    ("name", "heading", "line"),
    [
        ("ratings.csv", "userId,movieId,rating,timestamp\n", "{},{},{},964982703\n"),
        ("u.data", "", "{}\t{}\t{}\t881250949\n"),
        ("ratings.dat", "", "{}::{}::{}::978300760\n"),
        ("mine.csv", "Item;User;Stars\n", "{1};{0};{2}\n"),
    ],
)
def test_files_of_ratings_are_read_as_they_are_distributed(name: str, heading: str, line: str, tmp_path: Path):
    file = tmp_path / name
    file.write_text(heading + "".join(line.format(*row) for row in ratings()))
    found = preferences.read(str(file))
    assert found.users == 12 and len(found.names) == 16 and found.chances is None
    liked = {found.names[i] for i in found.items[found.starts[0] : found.starts[1]]}
    assert liked == {item for user, item, stars in ratings() if user == "u0" and stars >= 4}
    (x,) = preferences.Rows(found, np.array([1, 3]), "x").batch(slice(None))
    assert x.shape == (2, 16) and x.dtype == np.float32 and x.sum() == 16


def test_without_stars_every_line_is_liked(tmp_path: Path):
    file = tmp_path / "pairs.csv"
    file.write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item, _ in ratings()))
    assert preferences.read(str(file)).starts[1] == 16


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("user,stars\n1,2\n", "no column item"),
        ("film,item\n1,2\n", "no column user"),
        ("a\nb\n", "one column"),
        ("user,item\n1,2\n1\n", "line 3: has 1 columns"),
        ("user,item,rating\n1,2,good\n", "'good' is no number of stars"),
        ("user,item\n" + "".join(f"1,{i}\n" for i in range(9)), "1 users like 5 items or more"),
    ],
)
def test_a_file_that_is_none_is_explained(text: str, words: str, tmp_path: Path):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=words):
        preferences.read(str(file))
    with pytest.raises(DataError, match="can not be read as ratings"):
        preferences.read(str(tmp_path / "nowhere.csv"))


def test_generated_users_like_what_their_chances_say():
    found = preferences.generated(users=400, items=200, seed=1)
    assert found.chances is not None
    np.testing.assert_allclose(found.chances.sum(1), 1)
    (x,) = preferences.Rows(found, np.arange(400), "x").batch(slice(None))
    assert (found.chances * x).sum(1).mean() > 1.3 * (x.sum(1) / 200).mean()
    again = preferences.generated(users=400, items=200, seed=1)
    np.testing.assert_array_equal(found.items, again.items)
    parts = preferences.split(found)
    assert [len(part) for part in parts] == [320, 40, 40] and len(np.unique(np.concatenate(parts))) == 400


# ---------------------------------------------------------------- figures


def test_a_fifth_is_to_be_found():
    x = (generator(0).random((30, 40)) < 0.4).astype(np.float32)
    known, wanted = preferences.hidden(x)
    np.testing.assert_array_equal(known + wanted, x)
    np.testing.assert_array_equal(wanted.sum(1), np.maximum(x.sum(1) // 5, 1))


def test_figures_are_those_of_the_paper():
    scores = np.array([[5.0, 4, 3, 2, 1, 0]])
    known, wanted = np.array([[1.0, 0, 0, 0, 0, 0]]), np.array([[0.0, 0, 1, 0, 1, 0]])
    order = preferences.ranked(scores, known, 100)
    assert order.tolist() == [[1, 2, 3, 4, 5, 0]]  # what is known comes last
    assert preferences.recall(order, wanted, 1) == 0 and preferences.recall(order, wanted, 2) == 0.5
    assert preferences.recall(order, wanted, 4) == 1
    gained = (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    assert preferences.ndcg(order, wanted, 100) == pytest.approx(gained)
    assert preferences.figures(wanted, known, wanted) == {"ndcg_100": 1.0, "recall_20": 1.0, "recall_50": 1.0}


# ---------------------------------------------------------------- runs


def test_it_beats_popularity_and_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    few = preferences.generated(users=1500, items=200, seed=0)
    monkeypatch.setattr(preferences, "generated", lambda: few)
    results = trained(tmp_path / "run", hidden=64, latent=24, epochs=40, lr=3e-3, annealing_steps=200).results
    assert results["ndcg_100_truth"] > results["ndcg_100"] > results["ndcg_100_neighbours"] + 0.005
    assert results["ndcg_100_neighbours"] > results["ndcg_100_popularity"] + 0.05
    assert results["recall_20"] > results["recall_20_neighbours"]


def test_a_run_resumes_and_recommends(tmp_path: Path):
    file = tmp_path / "ratings.csv"
    file.write_text("user,item,rating\n" + "".join(f"{u},{i},{s}\n" for u, i, s in ratings(30)))
    fields: dict[str, Any] = {"ratings": str(file), "batch_size": 7, "ema": 0.9}
    whole = trained(tmp_path / "whole", **fields, max_steps=9)
    trained(tmp_path / "halves", **fields, max_steps=5)
    assert main(["train", "--resume", str(tmp_path / "halves"), "--max-steps", "9"]) == 0
    halves = RunFolder.open(tmp_path / "halves")
    assert halves.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()
    lines = [*recommender.generate(halves, recommender.Request(prompt="m1; m3", n=4), generator(0))]
    assert len(lines) == 4 and not any(line.startswith(("m1 ", "m3 ")) for line in lines)
    assert len([*recommender.generate(halves, recommender.Request(), generator(0))]) == 10
    with pytest.raises(DataError, match="'film'"):
        next(recommender.generate(halves, recommender.Request(prompt="film"), generator(0)))
    assert mg.load(halves.path).preprocessing(["m1"]).sum() == 1
    names = recommender.Names(["a"])
    with pytest.raises(CheckpointError):
        names.load_state_dict({"names": "b"})


def test_bad_recipes_are_refused():
    bad: list[dict[str, Any]] = [{"beta": -1.0}, {"dropout": 1.0}, {"hidden": 0}, {"annealing_steps": 0}]
    for fields in bad:
        with pytest.raises(ArgumentError):
            recommender.Recipe(**fields)
