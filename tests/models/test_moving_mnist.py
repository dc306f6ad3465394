"""Bouncing digits, and what comes next: films move as they should, and only known frames are seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import data
from minigen.cli import main
from minigen.cli.train import train_and_evaluate
from minigen.errors import ArgumentError
from minigen.models.parts.bouncing import Bouncing, bounced
from minigen.models.vision import moving_mnist
from minigen.random import generator
from minigen.training import Run, RunFolder

SMALL: dict[str, Any] = {"side": 32, "known": 3, "unknown": 3, "hidden": 8, "batch_size": 4, "every": 10}


def trained(folder: Path, **fields: Any) -> Run:
    recipe = moving_mnist.Recipe(**{**SMALL, **fields})
    run = Run.create(folder, "moving_mnist", recipe)
    train_and_evaluate(moving_mnist, recipe, run, evaluating=False)
    return run


def test_ways_are_straight_and_thrown_back():
    room = np.array([10.0, 4.0])
    ways = bounced(np.array([9.0, 2.0]), np.array([2.0, -1.0]), room, 6)
    assert ways.tolist() == [[9, 2], [9, 1], [7, 0], [5, 1], [3, 2], [1, 3]]
    far = bounced(np.array([0.0, 0.0]), np.array([3.7, 2.9]), room, 1000)
    assert far.min() == 0 and far.max(0).tolist() == [10, 4]
    assert np.abs(np.diff(far, axis=0)).max() <= 5
    assert not bounced(np.array([0.0, 0.0]), np.array([3.0, 3.0]), np.array([0.0, 0.0]), 5).any()


def test_films_hold_two_digits_each_frame_and_are_the_same_for_a_seed():
    images = data.mnist("train")
    films = Bouncing(images, 10, 12, 64, seed=1)
    x = films.batch(slice(None))[0]
    assert x.shape == (10, 12, 64, 64, 1) and x.dtype == np.float32 and 0 <= x.min() <= x.max() <= 1
    bright = x.sum((2, 3, 4))
    assert (bright.max(1) < 2.1 * bright.min(1)).all()  # digits hide each other, but never leave
    assert (np.abs(np.diff(x, axis=1)).sum((2, 3, 4)) > 0).all()
    np.testing.assert_array_equal(films[3][0], Bouncing(images, 10, 12, 64, seed=1).batch(np.array([3]))[0][0])
    assert films.digest() != Bouncing(images, 10, 12, 64, seed=2).digest()
    single = Bouncing(images, 4, 3, 40, 0, digits=1).batch(slice(None))[0]
    rows = single.sum((3, 4)) > 0
    assert (rows.sum(2) <= 28).all()


def test_the_network_sees_known_frames_and_then_its_own_guesses():
    recipe = moving_mnist.Recipe(**SMALL)
    model = moving_mnist.Forecaster(recipe, generator(0)).eval()
    x = generator(1).random((2, 6, 32, 32, 1), dtype=np.float32)
    with mg.no_grad():
        logits = model(mg.tensor(x[:, :3]), 3).numpy()
        assert logits.shape == (2, 5, 32, 32, 1)
        other = x[:, :3].copy()
        other[:, 2] = 0
        changed = model(mg.tensor(other), 3).numpy()
        np.testing.assert_array_equal(changed[:, :2], logits[:, :2])
        assert np.abs(changed[:, 2:] - logits[:, 2:]).max() > 1e-3
        # a known frame that is what was guessed before gives what the guess itself gives
        told = np.concatenate([x[:, :3], mg.sigmoid(mg.tensor(logits[:, 2:3])).numpy()], 1)
        np.testing.assert_allclose(model(mg.tensor(told), 2).numpy(), logits, atol=1e-5)
    np.testing.assert_allclose(moving_mnist.guessed(model, x, recipe), 1 / (1 + np.exp(-logits[:, 2:])), atol=1e-5)


def test_a_cell_keeps_and_forgets():
    cell = moving_mnist.ConvLSTMCell(2, 3, generator(0))
    cell.gates.weight.data[...] = 0
    bias: Any = cell.gates.bias
    bias.data[...] = np.repeat([-50.0, 50.0, 50.0, 0.0], 3)  # nothing in, all kept, all shown
    c = mg.randn(1, 4, 4, 3, rng=generator(1))
    h, kept = cell(mg.randn(1, 4, 4, 2, rng=generator(2)), (mg.zeros(1, 4, 4, 3), c))
    np.testing.assert_allclose(kept.detach().numpy(), c.numpy(), rtol=1e-6)
    np.testing.assert_allclose(h.detach().numpy(), np.tanh(c.numpy()), rtol=1e-5)


def test_a_run_learns_and_resumes(tmp_path: Path):
    whole = trained(tmp_path / "whole", lr=1e-2, max_steps=25, ema=0.9)
    halves = trained(tmp_path / "halves", lr=1e-2, max_steps=15, ema=0.9)
    assert main(["train", "--resume", str(halves.path), "--max-steps", "25", "--no-eval"]) == 0
    assert halves.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes()
    losses = [loss for loss in whole.history()["loss"] if loss is not None]
    assert losses[-1] < 0.7 * losses[0]
    run = RunFolder.open(whole.path)
    results = moving_mnist.evaluate(run, count=8)
    assert 0 < results["error_1"] < 1.2 * results["error_last"] and results["error_of_last_frame"] > 0
    for name in ("prediction.gif", "errors.png"):
        assert (run.path / name).is_file()
    assert mg.load(run.path).preprocessing(np.zeros((32, 32), np.uint8)).shape == (1, 32, 32, 1)


def test_bad_recipes_are_refused():
    bad: list[dict[str, Any]] = [{"side": 30}, {"side": 24}, {"known": 0}, {"lr": float("inf")}, {"ema": 1.0}]
    for fields in bad:
        with pytest.raises(ArgumentError):
            moving_mnist.Recipe(**fields)
