"""Promises of run folders: one writer, checkpoints that belong where they lie, nothing overwritten without a word."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen as mg
from minigen import layers, optim
from minigen.data import ArrayDataset, DataLoader
from minigen.errors import CheckpointError, GradientError, RunError
from minigen.files import keep_aside
from minigen.training import Run, RunFolder, Steps
from minigen.training.lock import RunLock

CASES: list[Promise] = []
FILES = ("checkpoint.safetensors", "metrics.csv")


@dataclasses.dataclass(frozen=True)
class Recipe:
    lr: float = 1.0
    epochs: int = 3
    max_steps: int | None = None


def walk(run: Run, data: np.ndarray | None = None, loss: Callable[[int], float] = lambda step: 1.0) -> Run:
    """Trains a model of one weight over epochs of four steps."""
    recipe = run.load_recipe(Recipe)
    model = layers.Linear(1, 1, rng=mg.random.generator(0))
    optimizer = optim.SGD(model.parameters(), lr=recipe.lr)
    loader = DataLoader(ArrayDataset(np.arange(4) if data is None else data), 1)
    state = {"model": model, "optimizer": optimizer, "loader": loader}
    with Steps(run, loader, state, epochs=recipe.epochs, max_steps=recipe.max_steps) as steps:
        for _ in steps:
            model.weight.data[:] = steps.step
            steps.log(every=1, loss=loss(steps.step))
            if steps.sample_due:
                steps.text_path().write_text(f"step {steps.step}")
    run.finish()
    return run


def trained(folder: Path, **fields: Any) -> Run:
    """A finished run."""
    return walk(Run.create(folder, "walk", Recipe(**fields)))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(folder: Path, match: str, error: type[Exception] = CheckpointError, **options: Any) -> None:
    """Going on with the run raises `error`, in one line, and changes nothing."""
    before = contents(folder)
    with pytest.raises(error, match=match) as caught:
        walk(Run.open(folder), **options)
    assert "\n" not in str(caught.value) and contents(folder) == before


@promise(CASES, "`--resume` of a run that another process trains", "RunError: which process, where, since when")
def one_writer(folder: Path) -> None:
    trained(folder / "run")
    with RunLock(folder / "run"):
        with pytest.raises(RunError, match=rf"process {os.getpid()} on .* since 20"):
            walk(Run.open(folder / "run"))
        run = RunFolder.open(folder / "run")  # and reading goes on
        assert run.saved() and run.history() and run.samples()


@promise(CASES, "Two runs' checkpoints exchanged", "CheckpointError: which field of recipe.json differs")
def exchanged_checkpoints(folder: Path) -> None:
    trained(folder / "a")
    trained(folder / "b", lr=2.0)
    shutil.copy(folder / "b" / FILES[0], folder / "a" / FILES[0])
    refused(folder / "a", r"does not belong to this run: in .*recipe.json lr is 1.0, and was 2.0")
    with pytest.raises(CheckpointError, match="does not belong"):
        RunFolder.open(folder / "a").saved()


@promise(CASES, "A checkpoint of another model", "CheckpointError: of which one it is")
def checkpoint_of_another_model(folder: Path) -> None:
    trained(folder / "a")
    walk(Run.create(folder / "b", "stroll", Recipe()))
    shutil.copy(folder / "b" / FILES[0], folder / "a" / FILES[0])
    refused(folder / "a", "it is of stroll, and this is a run of walk")


@promise(CASES, "A longer run's checkpoint, of the same recipe", "CheckpointError: metrics.csv does not go with it")
def newer_checkpoint(folder: Path) -> None:
    trained(folder / "a", max_steps=4)
    trained(folder / "b", max_steps=8)
    shutil.copy(folder / "b" / FILES[0], folder / "a" / FILES[0])
    text = (folder / "a" / "recipe.json").read_text().replace('"max_steps": 4', '"max_steps": 8')
    (folder / "a" / "recipe.json").write_text(text)
    refused(folder / "a", r"metrics.csv is not what was logged up to step 8")


@promise(CASES, "An older checkpoint put back", "Goes on from it and says so; the log until then is kept aside")
def older_checkpoint(folder: Path) -> None:
    run = trained(folder / "run", epochs=1)
    shutil.copy(run.path / FILES[0], folder / "old")
    run = Run.open(run.path)
    run.change_recipe(Recipe(epochs=3))
    walk(run)
    before = contents(run.path)
    shutil.copy(folder / "old", run.path / FILES[0])
    walk(Run.open(run.path))
    after = contents(run.path)
    assert after["metrics.csv-old-1"] == before["metrics.csv"] == after["metrics.csv"]
    assert after[FILES[0]] == before[FILES[0]]


@promise(CASES, "recipe.json edited by hand", "CheckpointError: which field, and what it was")
def edited_recipe(folder: Path) -> None:
    trained(folder / "run")
    file = folder / "run" / "recipe.json"
    file.write_text(file.read_text().replace('"lr": 1.0', '"lr": 0.5'))
    refused(folder / "run", "lr is 0.5, and was 1.0 when it was trained; put back")
    with pytest.raises(CheckpointError, match=r"lr is 0.5"):
        RunFolder.open(folder / "run").load_recipe(Recipe)


@promise(CASES, "Training data replaced by as many others", "CheckpointError: they are not those of the run")
def replaced_data(folder: Path) -> None:
    trained(folder / "run")
    refused(folder / "run", "training data are not those .* put them back, or train anew", data=np.arange(1, 5))


@promise(CASES, "The checkpoint of a run removed", "CheckpointError: which step was saved; nothing is overwritten")
def missing_checkpoint(folder: Path) -> None:
    trained(folder / "run")
    (folder / "run" / FILES[0]).unlink()
    refused(folder / "run", r"safetensors is missing, but run.json says that step 12 was saved; put it back, or")


@promise(CASES, "... and run.json, too", "Starts again; metrics.csv and samples are kept aside, as it says")
def missing_checkpoint_and_summary(folder: Path) -> None:
    trained(folder / "run")
    before = contents(folder / "run")
    for name in (FILES[0], "run.json"):
        (folder / "run" / name).unlink()
    walk(Run.open(folder / "run"))
    after = contents(folder / "run")
    for name in before:
        kept = name.replace("metrics.csv", "metrics.csv-old-1").replace("samples", "samples-old-1")
        assert name == "run.json" or after[kept] == before[name] == after[name]


@promise(CASES, "A row of metrics.csv altered", "CheckpointError: metrics.csv is not what was logged")
def altered_log(folder: Path) -> None:
    trained(folder / "run")
    file = folder / "run" / FILES[1]
    file.write_text(file.read_text().replace("2,1\n", "2,0.5\n"))
    refused(folder / "run", r"metrics.csv is not what was logged up to step 12, .* or move metrics.csv away to go on")


@promise(CASES, "metrics.csv removed", "Says that the curves begin after the step saved, and goes on")
def missing_log(folder: Path) -> None:
    run = trained(folder / "run", epochs=1)
    (run.path / FILES[1]).unlink()
    run = Run.open(run.path)
    run.change_recipe(Recipe(epochs=2))
    assert walk(run).history()["step"] == [5, 6, 7, 8]


@promise(CASES, "A run folder of an earlier minigen, without digests", "Loads, and goes on")
def older_folder(folder: Path) -> None:
    run = trained(folder / "run", epochs=1)
    found = mg.training.checkpoint.read_whole(run.checkpoint_path)
    restored = {name: Stored(state) for name, state in found.state.items()}
    mg.training.checkpoint.save(run.checkpoint_path, restored, found.step)
    run = Run.open(run.path)
    run.change_recipe(Recipe(epochs=2))
    assert walk(run).step == 8


class Stored(dict):
    """A state that only stands there to be saved."""

    def state_dict(self) -> dict[str, Any]:
        return self

    def load_state_dict(self, state: Any) -> None:
        raise NotImplementedError


@promise(CASES, "A pipe, or a folder, where a file of the run belongs", "One error that names it, and no hang")
def pipes_and_folders(folder: Path) -> None:
    for number, name in enumerate(("recipe.json", "metrics.csv", "checkpoint.safetensors", "run.json", "curves.png")):
        for make in (os.mkfifo, os.mkdir):
            path = folder / f"run-{number}-{make.__name__}"
            trained(path)
            (path / name).unlink()
            make(path / name)
            if make is os.mkfifo and name in ("run.json", "curves.png"):
                walk(Run.open(path))  # they are written anew
            else:
                with pytest.raises((RunError, CheckpointError), match=name):
                    walk(Run.open(path))


@promise(CASES, "A file where the folder of samples belongs", "RunError before the first step")
def no_samples(folder: Path) -> None:
    trained(folder / "run")
    shutil.rmtree(folder / "run" / "samples")
    (folder / "run" / "samples").write_text("mine")
    refused(folder / "run", "samples is no folder", RunError)


@promise(CASES, "Something kept aside twice", "…-old-1, then …-old-2")
def kept_aside_twice(folder: Path) -> None:
    for text in ("first", "second"):
        (folder / "file").write_text(text)
        keep_aside(folder / "file")
    assert contents(folder) == {"file-old-1": b"first", "file-old-2": b"second"}


@promise(CASES, "A loss that stays thrice above its start", "GradientError with step, loss and learning rate")
def diverging_loss(folder: Path) -> None:
    run = Run.create(folder / "run", "walk", Recipe(epochs=9))
    with pytest.raises(GradientError, match=r"at step 18: loss is 1000, and was 1 at the start \(learning rate 1\)"):
        walk(run, loss=lambda step: 1.0 if step < 11 else 1e3)
    assert mg.training.checkpoint.read(run.checkpoint_path)[0] == 8  # and not 12, which was ill already


@promise(CASES, "A run that ends while its loss is far above its start", "GradientError; the checkpoint before is kept")
def diverging_at_the_end(folder: Path) -> None:
    run = Run.create(folder / "run", "walk", Recipe(epochs=3))
    with pytest.raises(GradientError, match=r"at step 12: loss far above the start .* step 8 is intact"):
        walk(run, loss=lambda step: 1.0 if step < 10 else 1e3)
