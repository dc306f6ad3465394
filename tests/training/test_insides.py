"""layers.jsonl: what it says is so, it ends with the checkpoint, and listening changes no bit."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen import data, layers, optim
from minigen.autograd.observe import observe
from minigen.random import generator
from minigen.training import Run, Steps
from minigen.training.insides import BINS, LayerLog, Outputs, spread


@dataclass
class Recipe:
    """Of a model that is none."""

    lr: float = 0.1


def trained(folder: Path, steps: int) -> tuple[Run, layers.Module]:
    """A few steps of two dense layers, a round each two steps."""
    run = Run.create(folder, "own", Recipe())
    rng = generator(0)
    x = rng.standard_normal((8, 3)).astype(np.float32)
    model = layers.Sequential(layers.Linear(3, 4, rng=rng), layers.Tanh(), layers.Linear(4, 1, rng=rng))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loader = data.DataLoader(data.ArrayDataset(x), 4, rng=rng)

    @mg.record
    def step(x: np.ndarray) -> mg.Tensor:
        loss = (model(mg.tensor(x)) ** 2.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    state = {"model": model, "optimizer": optimizer, "loader": loader}
    with Steps(run, loader, state, steps=steps, round_length=2) as around:
        for (batch,) in around:
            around.log(1, loss=step(batch))
            if around.check_due:
                model.eval()(mg.tensor(x))  # what is measured is no part of the step
                model.train()
    return run, model


def test_a_round_has_weights_gradients_and_outputs(tmp_path: Path):
    run, model = trained(tmp_path / "a", 4)
    rounds = run.layers.rounds()
    assert [one["step"] for one in rounds] == [2, 4]
    assert set(rounds[0]["outputs"]) == {"0", "1", "2"}
    for name, p in model.named_parameters():
        assert rounds[-1]["weights"][name] == spread(p.data)
        assert p.grad is not None and rounds[-1]["gradients"][name] == spread(p.grad.data)
    assert sum(rounds[0]["outputs"]["0"][2:]) == 4 * 4  # one batch, as it was trained on


def test_going_on_leaves_the_same_file(tmp_path: Path):
    whole, _ = trained(tmp_path / "a", 4)
    run, _ = trained(tmp_path / "b", 4)
    lines = (run.path / "layers.jsonl").read_bytes()
    run.layers.trim(2)
    assert [one["step"] for one in run.layers.rounds()] == [2]
    with open(run.path / "layers.jsonl", "ab") as file:
        file.write(lines.splitlines(keepends=True)[1][:40])  # cut short by a crash
    assert [one["step"] for one in run.layers.rounds()] == [2]
    run.layers.trim(4)
    assert (run.path / "layers.jsonl").read_bytes() == lines.splitlines(keepends=True)[0]
    assert lines == (whole.path / "layers.jsonl").read_bytes()


def test_listening_changes_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, heard = trained(tmp_path / "a", 6)
    monkeypatch.setattr(Steps, "listen", lambda self: None)
    _, alone = trained(tmp_path / "b", 6)
    for p, q in zip(heard.parameters(), alone.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


def test_spreads():
    assert spread(np.zeros(0)) == [0.0, 0.0, *[0] * BINS]
    assert spread(np.array([np.nan, np.inf])) == [0.0, 0.0, *[0] * BINS]
    low, high, *counts = spread(np.array([-1.0, 3.0, np.nan, 2.9]))
    assert (low, high, sum(counts)) == (-1.0, 3.0, 3) and counts[-1] == 2
    assert sum(spread(np.full(5, 2.0))[2:]) == 5


def test_a_file_that_is_none_has_no_rounds(tmp_path: Path):
    path = tmp_path / "layers.jsonl"
    for text in ("", "[]\n", "{}\n", '{"step": "x"}\n', "\xff\n", json.dumps({"step": 1}) + "\n"):
        path.write_bytes(text.encode("latin-1"))
        assert LayerLog(path).rounds() == []
    path.unlink()
    path.mkdir()
    assert LayerLog(path).rounds() == []


def test_outputs_are_of_the_first_call_in_training():
    rng = generator(0)
    model = layers.Sequential(layers.Linear(2, 2, rng=rng), layers.ReLU())
    outputs = Outputs(model)
    with observe(outputs):
        model.eval()(mg.ones(1, 2))
        assert not outputs.spreads
        model.train()(mg.ones(3, 2))
        model(mg.ones(7, 2))
    assert sum(outputs.spreads["0"][2:]) == 6


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 1 + 1.2e-7], np.float32),
        np.array([100.0, 100.00001], np.float32),
        np.array([1e20], np.float32),
        np.array([1e8, 1e8 + 8], np.float32),
        np.array([1e-45, 3e-45], np.float32),
        np.array([-3e38, 3e38], np.float32),
        np.array([-1.7e308, 1.7e308]),
        np.array([1.0] * 50 + [1 + 2.3e-16]),
        np.array([True, False]),
        np.arange(5),
    ],
)
def test_any_numbers_have_a_spread(values: np.ndarray):
    assert sum(spread(values)[2:]) == values.size
