"""What TensorBoard is told is what the run folder says: read back by TensorBoard's own reader."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigen.catalog import load_model
from minigen.cli import main
from minigen.training import Run
from minigen.training.insides import BINS
from minigen.training.tracking import FOLDER, TensorBoard

pytest.importorskip("tensorboardX")
reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.fixture
def digits(tmp_path: Path) -> str:
    """An archive of 60 images."""
    rng = np.random.default_rng(0)
    path = tmp_path / "digits.npz"
    np.savez(path, images=rng.integers(0, 255, (60, 8, 8), np.uint8), labels=np.arange(60) % 2)
    return str(path)


def read_back(folder: Path) -> Any:
    """All that was told."""
    all_of = dict.fromkeys(("scalars", "images", "histograms"), 0)
    found = reader.EventAccumulator(str(folder / FOLDER), size_guidance=all_of)
    return found.Reload()


def test_all_is_told_once_also_by_a_run_that_was_killed_and_goes_on(tmp_path: Path, digits: str):
    folder = tmp_path / "run"
    line = [
        "train",
        "vae",
        "--data",
        digits,
        "--hidden",
        "8",
        "--batch-size",
        "6",
        "--no-eval",
        "--track",
        "tensorboard",
    ]
    assert main([*line, "--max-steps", "12", "--out", str(folder)]) == 0
    run = Run.open(folder)
    lost = TensorBoard(run)  # of one that is killed after two steps more, before it saves
    for step in (13, 14):
        lost.logged(step, {"loss": -1.0})
    lost.writer.flush()
    assert main(["train", "--resume", str(folder), "--max-steps", "24", "--no-eval", "--track", "tensorboard"]) == 0
    told, history = read_back(folder), Run.open(folder).history()
    for name in ("loss", "test_negative_elbo"):
        expected = [(s, v) for s, v in zip(history["step"], history[name], strict=True) if v is not None]
        found = [(event.step, event.value) for event in told.Scalars(name)]
        assert [step for step, _ in found] == [step for step, _ in expected]
        np.testing.assert_allclose([v for _, v in found], [v for _, v in expected], rtol=1e-6)
    sheets = [event.step for event in told.Images("samples")]
    assert sheets == [int(path.stem.removeprefix("step-")) for path in Run.open(folder).samples()]
    rounds = Run.open(folder).layers.rounds()
    events = told.Histograms("weights/mu.weight")
    assert [event.step for event in events] == [one["step"] for one in rounds]
    last = events[-1].histogram_value
    low, high, *counts = rounds[-1]["weights"]["mu.weight"]
    assert (last.min, last.max, last.num) == (low, high, sum(counts))
    assert len(last.bucket) >= BINS


def test_the_recipe_stands_beside_the_results_and_texts_are_told(tmp_path: Path):
    story = tmp_path / "story.txt"
    story.write_text("to be or not to be\n" * 60)
    module = load_model("gpt")
    recipe = module.Recipe(text=str(story), layers=1, heads=1, dim=8, context=8, max_steps=2)
    run = Run.create(tmp_path / "run", "gpt", recipe)
    TensorBoard(run)
    module.train(recipe, run)
    run.finish(nats=1.5, note="words")
    told = read_back(run.path)
    assert "samples/text_summary" in told.Tags()["tensors"]
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= set(told.summary_metadata)
    assert told.Scalars("nats")[-1].value == 1.5


def test_without_the_library_it_is_said(tmp_path: Path, digits: str, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    folder = tmp_path / "run"
    assert main(["train", "vae", "--data", digits, "--track", "tensorboard", "--out", str(folder)]) == 2
    assert "pip install 'minigen[track]'" in capsys.readouterr().err
    assert not folder.exists()
