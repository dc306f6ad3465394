"""Run folders that are read: what opens, what a recipe must hold, what is found there, and that nothing is written."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from minigen import layers
from minigen.data import ArrayDataset, DataLoader
from minigen.errors import CheckpointError, RunError
from minigen.optim import EMA
from minigen.random import generator
from minigen.training import Run, RunFolder, Steps


@dataclasses.dataclass(frozen=True)
class Recipe:
    text: str
    epochs: int = 2
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    max_steps: int | None = None
    kind: Literal["mlp", "conv"] = "mlp"
    augment: bool = False
    ema: float | None = None


RECIPE = Recipe("shakespeare")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def trained(folder: Path, ema: float | None = None) -> layers.Linear:
    """The model of a run of four steps in `folder`, whose weights are 4, and on the way were 1, 2 and 3."""
    run = Run.create(folder, "walk", dataclasses.replace(RECIPE, ema=ema))
    model, loader = layers.Linear(2, 2, rng=generator(0)), DataLoader(ArrayDataset(np.arange(4)), 1)
    model.weight.data[:] = 0
    state = {"model": model, "loader": loader, "ema": None if ema is None else EMA(model, ema)}
    with Steps(run, loader, state, epochs=1) as steps:
        for _ in steps:
            model.weight.data[:] += 1
            steps.log(every=2, loss=1 / steps.step)
            if steps.sample_due:
                steps.text_path().write_text("walked")
    run.finish(length=4.0)
    return model


def test_everything_is_found_and_nothing_is_written(tmp_path: Path):
    trained(tmp_path / "run")
    before = contents(tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    assert (run.path, run.model, run.step, run.results) == (tmp_path / "run", "walk", 4, {"length": 4.0})
    assert run.seconds > 0 and run.load_recipe(Recipe) == RECIPE
    assert run.history() == {"step": [1, 2, 3, 4], "loss": [1, 0.5, 0.333333333, 0.25]}
    assert [path.name for path in run.pictures()] == ["curves.png"]
    assert [path.name for path in run.samples()] == ["step-000004.txt"]
    assert run.samples() == [run.sample_path(4, ".txt")]
    assert set(run.saved()) == {"model", "loader"}
    model = layers.Linear(2, 2, rng=generator(1))
    assert run.load({"model": model}) == 4 and (model.weight.data == 4).all()
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("decay", [None, 0.5])
def test_the_averaged_weights_are_loaded_where_there_are_some(tmp_path: Path, decay: float | None):
    last = trained(tmp_path / "run", decay)
    whole, part = (layers.Linear(2, 2, rng=generator(1)) for _ in range(2))
    run = RunFolder.open(tmp_path / "run")
    run.load_weights(whole, averaged=whole)
    run.load_weights(part)
    np.testing.assert_array_equal(part.weight.data, last.weight.data)
    average = 4 if decay is None else 1 / 16 + 2 / 8 + 3 / 4 + 4 / 2
    np.testing.assert_allclose(whole.weight.data, average, rtol=1e-6)


def test_a_run_without_a_checkpoint_has_done_nothing(tmp_path: Path):
    Run.create(tmp_path / "run", "walk", RECIPE)
    run = RunFolder.open(tmp_path / "run")
    assert (run.step, run.seconds, run.results, run.history(), run.samples()) == (0, 0.0, {}, {}, [])
    with pytest.raises(CheckpointError, match="has not saved one yet"):
        run.saved()


@pytest.mark.parametrize("text", ["", "{ half", "[]", "3", '{"step": 3}', '{"step": "x", "seconds": 1, "results": {}}'])
def test_a_damaged_summary_is_no_summary(tmp_path: Path, text: str):
    trained(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(text)
    run = RunFolder.open(tmp_path / "run")
    assert (run.step, run.seconds, run.results) == (0, 0.0, {})


def test_fields_that_a_run_is_older_than_have_their_defaults(tmp_path: Path):
    Run.create(tmp_path / "run", "walk", dataclasses.replace(RECIPE, epochs=7))
    path = tmp_path / "run" / "recipe.json"
    document = json.loads(path.read_text())
    del document["recipe"]["ema"], document["recipe"]["kind"]
    path.write_text(json.dumps(document))
    assert RunFolder.open(tmp_path / "run").load_recipe(Recipe) == dataclasses.replace(RECIPE, epochs=7)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"model": 3, "recipe": {}}', '{"model": "vae"}', "null", "\x80"]
)
def test_open_refuses_a_damaged_recipe(tmp_path: Path, text: str) -> None:
    (tmp_path / "recipe.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"recipe.json is damaged"):
        RunFolder.open(tmp_path)


def test_open_refuses_other_folders(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run folder"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"no recipe.json"):
        RunFolder.open(tmp_path)
    Run.create(tmp_path / "run", "vae", RECIPE)
    assert RunFolder.open(tmp_path / "run", "vae").model == "vae"
    with pytest.raises(RunError, match="a run of vae, not of gan"):
        RunFolder.open(tmp_path / "run", "gan")


def test_recipes_come_back_as_they_were(tmp_path: Path) -> None:
    recipe = Recipe("plays", epochs=7, lr=1, max_steps=5, kind="conv", augment=True)
    Run.create(tmp_path / "run", "vae", recipe)
    assert RunFolder.open(tmp_path / "run").load_recipe(Recipe) == recipe


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"text": ...}, "missing text"),
        ({"depth": 3}, "unknown depth"),
        ({"epochs": "many"}, "epochs is 'many'"),
        ({"epochs": 1.5}, "epochs is 1.5"),
        ({"epochs": True}, "epochs is True"),
        ({"augment": 1}, "augment is 1"),
        ({"betas": 0.9}, "betas is 0.9"),
        ({"max_steps": "all"}, "max_steps is 'all'"),
        ({"kind": "rnn"}, "kind is 'rnn'"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    Run.create(tmp_path / "run", "vae", RECIPE)
    path = tmp_path / "run" / "recipe.json"
    document = json.loads(path.read_text())
    fields = document["recipe"] | change
    document["recipe"] = {name: value for name, value in fields.items() if value is not ...}
    path.write_text(json.dumps(document))
    with pytest.raises(RunError, match=word):
        RunFolder.open(tmp_path / "run").load_recipe(Recipe)
