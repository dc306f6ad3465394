"""Run folders: creating, opening, resuming, and what is refused."""

import dataclasses
import errno
import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from minigen import random
from minigen.data import ArrayDataset, DataLoader
from minigen.errors import ArgumentError, CheckpointError, GradientError, RunError
from minigen.files import write_atomic
from minigen.training import Run, Steps
from minigen.training import run as training_run


@dataclasses.dataclass(frozen=True)
class Recipe:
    epochs: int = 2
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    max_steps: int | None = None
    kind: Literal["mlp", "conv"] = "mlp"
    augment: bool = False


class Model:
    """A random walk: enough of a model to show whether a resumed run equals the uninterrupted one."""

    def __init__(self) -> None:
        self.w = np.zeros(3, np.float32)

    def state_dict(self) -> dict[str, Any]:
        return {"w": self.w}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.w[...] = state["w"]


def train(run: Run, total: int, stop: int | None = None, crash: int | None = None) -> None:
    """A walk that is logged every step and saved every fifth, by the protocol of the loops."""
    model, rng = Model(), random.generator(3)
    loader = DataLoader(ArrayDataset(np.arange(7)), 1)
    loss = np.float32(0)
    with Steps(run, loader, {"model": model, "rng": rng, "loader": loader}, steps=total, round_length=5) as steps:
        for _ in steps:
            model.w += rng.standard_normal(3, np.float32)
            loss = np.square(model.w).sum()
            steps.log(every=1, loss=loss)
            if steps.check_due:
                steps.record(test_loss=loss / 2)
            if steps.step == crash:
                raise MemoryError
            steps.progress.interrupted = steps.step == stop
    run.finish(loss=float(loss))


def fresh() -> dict[str, Any]:
    """A state that a checkpoint of the walk can be loaded into."""
    return {"model": Model(), "rng": random.generator(0), "loader": DataLoader(ArrayDataset(np.arange(7)), 1)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_resumed_run_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    train(Run.create(tmp_path / "whole", "walk", Recipe()), 23)
    folder = tmp_path / "parts"
    with pytest.raises(MemoryError):  # before the first save
        train(Run.create(folder, "walk", Recipe()), 23, crash=4)
    with pytest.raises(MemoryError):
        train(Run.open(folder), 23, crash=13)
    with open(folder / "metrics.csv", "a") as file:
        file.write("14,0.5")  # a row that a crash cut short
    train(Run.open(folder), 23, stop=17)
    train(Run.open(folder), 23)
    for name in ("metrics.csv", "checkpoint.safetensors", "recipe.json", "curves.png"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert names(folder) == [
        *("checkpoint.safetensors", "curves.png", "metrics.csv", "metrics.csv-old-1", "recipe.json", "run.json"),
        "samples",
    ]


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.create(tmp_path / "run", "walk", Recipe())
    train(run, 23, stop=7)
    assert run.interrupted
    assert f"minigen train walk --resume {tmp_path / 'run'}" in capsys.readouterr().out
    run = Run.open(tmp_path / "run")
    train(run, 23)
    assert not run.interrupted and "--resume" not in capsys.readouterr().out


def test_run_json_holds_steps_time_and_results(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "walk", Recipe())
    train(run, 5)
    first = json.loads((tmp_path / "run" / "run.json").read_text())
    assert first["step"] == 5 and set(first["results"]) == {"loss"}
    again = Run.open(tmp_path / "run")
    again.restore(fresh())
    assert again.seconds >= first["seconds"] > 0
    (tmp_path / "run" / "run.json").write_text("{ half")
    assert Run.open(tmp_path / "run").restore(fresh()) == 5


def test_load_takes_the_model_alone(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "walk", Recipe())
    with pytest.raises(CheckpointError, match="has not saved one yet"):
        run.load({"model": Model()})
    train(run, 6)
    before = (tmp_path / "run" / "metrics.csv").read_bytes()
    model = Model()
    assert Run.open(tmp_path / "run").load({"model": model}) == 6 and model.w.any()
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == before


def test_a_damaged_checkpoint_leaves_log_and_objects_alone(tmp_path: Path) -> None:
    train(Run.create(tmp_path / "run", "walk", Recipe()), 7)
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-2])
    before = (tmp_path / "run" / "metrics.csv").read_bytes()
    model = Model()
    with pytest.raises(CheckpointError, match="damaged"):
        Run.open(tmp_path / "run").restore(fresh() | {"model": model})
    assert not model.w.any() and (tmp_path / "run" / "metrics.csv").read_bytes() == before


def test_a_damaged_log_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    train(Run.create(tmp_path / "run", "walk", Recipe()), 7)
    (tmp_path / "run" / "metrics.csv").write_text("no header\n")
    model, run = Model(), Run.open(tmp_path / "run")
    with pytest.raises(RunError, match=r"metrics.csv is damaged"):
        run.restore(fresh() | {"model": model})
    assert not model.w.any()
    assert run.load({"model": model}) == 7 and model.w.any()


def test_create_takes_new_and_empty_folders_only(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert Run.create(tmp_path / "empty", "vae", Recipe()).recipe["betas"] == [0.9, 0.999]
    assert Run.create(tmp_path / "a" / "b" / "c", "vae", Recipe()).sample_path(938).name == "step-000938.png"
    kept = (tmp_path / "empty" / "recipe.json").read_bytes()
    with pytest.raises(RunError, match=r"not empty.*--out.*--resume"):
        Run.create(tmp_path / "empty", "gan", Recipe())
    assert (tmp_path / "empty" / "recipe.json").read_bytes() == kept
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file; choose another folder with --out"):
        Run.create(tmp_path / "file", "vae", Recipe())
    with pytest.raises(RunError, match=r"cannot create .*part of this path is a file"):
        Run.create(tmp_path / "file" / "run", "vae", Recipe())


def test_of_two_who_create_a_run_at_once_one_comes_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, data: bytes) -> None:
        with pytest.raises(RunError, match=r"is being trained by process"):
            Run.create(tmp_path / "run", "gan", Recipe())
        write_atomic(path, data)

    monkeypatch.setattr(training_run, "write_atomic", write)
    assert Run.create(tmp_path / "run", "vae", Recipe()).model == Run.open(tmp_path / "run").model == "vae"
    assert names(tmp_path / "run") == ["recipe.json", "samples"]


@pytest.mark.parametrize("recipe", [Recipe, {"epochs": 1}, None])
def test_create_wants_a_recipe(tmp_path: Path, recipe: Any) -> None:
    with pytest.raises(ArgumentError, match="Recipe dataclass"):
        Run.create(tmp_path / "run", "vae", recipe)
    assert not list(tmp_path.iterdir())


def test_create_refuses_what_json_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="JSON"):
        Run.create(tmp_path / "run", "vae", Recipe(lr=object()))  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())


def test_a_changed_recipe_is_kept(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "vae", Recipe())
    run.change_recipe(Recipe(epochs=9))
    run.restore({"model": Model()})
    assert run.recipe["epochs"] == 9 and Run.open(tmp_path / "run").load_recipe(Recipe) == Recipe(epochs=9)


def test_finish_without_a_log_draws_nothing(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "vae", Recipe())
    run.finish(note="dry run")
    assert names(tmp_path / "run") == ["recipe.json", "run.json", "samples"]
    with pytest.raises(ArgumentError, match="results"):
        run.finish(model=object())


def test_a_recipe_is_not_changed_when_the_run_can_not_go_on(tmp_path: Path) -> None:
    train(Run.create(tmp_path / "run", "walk", Recipe()), 7)
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-2])
    run = Run.open(tmp_path / "run")
    run.change_recipe(Recipe(epochs=9))
    with pytest.raises(CheckpointError, match="damaged"):
        run.restore(fresh())
    assert Run.open(tmp_path / "run").load_recipe(Recipe) == Recipe()


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_divergence_does_not_reach_the_checkpoint(tmp_path: Path, value: float, word: str) -> None:
    run, model = Run.create(tmp_path / "run", "walk", Recipe()), Model()
    model.w[:] = np.finfo(np.float32).max  # finite, though its sum is not
    run.save({"model": model}, 5)
    before = run.checkpoint_path.read_bytes()
    model.w[1] = value
    with pytest.raises(GradientError, match=rf"before step 9: {word} in model.w; the checkpoint of step 5 is.*--lr"):
        run.save({"model": model}, 9)
    assert run.checkpoint_path.read_bytes() == before and run.step == 5
    with pytest.raises(GradientError, match="nothing was saved before"):
        Run.create(tmp_path / "new", "walk", Recipe()).save({"model": model}, 9)


@pytest.mark.parametrize("existed", [False, True])
def test_a_full_disk_at_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool) -> None:
    folder = tmp_path / "runs" / "walk-1"
    if existed:
        folder.mkdir(parents=True)

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(RunError, match=r"cannot create .*No space left") as caught:
        Run.create(folder, "walk", Recipe())
    assert "--resume" not in str(caught.value) and "intact" not in str(caught.value)
    assert list(tmp_path.rglob("*")) == ([folder.parent, folder] if existed else [])


def test_a_folder_is_resumable_only_with_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(RunError, match="not empty") as caught:
        Run.create(tmp_path, "walk", Recipe())
    assert "--resume" not in str(caught.value)
