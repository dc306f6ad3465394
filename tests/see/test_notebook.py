"""What a notebook shows of tensors, modules and runs: true, short, and with nothing unescaped."""

import io
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers, plots
from minigen.random import generator
from minigen.training import RunFolder
from minigen.training.bars import NotebookBar, bar_for
from minigen.training.progress import Progress


def shown(thing: Any) -> str:
    """As Jupyter asks for it."""
    return thing._repr_html_()


def test_a_small_tensor_shows_its_numbers_and_gradient():
    x = mg.tensor([1.0, 2.0, 4.0], requires_grad=True)
    (x * x).sum().backward()
    html = shown(x)
    assert "3 float32" in html and "1 … 4" in html and "gradient: 2 … 8" in html and "[1. 2. 4.]" in html
    assert "of Multiply" in shown(x * 2.0)


def test_a_large_one_a_histogram_and_an_image_a_picture():
    rng = generator(0)
    assert "<svg" in shown(mg.randn(1000, rng=rng)) and "<pre>" not in shown(mg.randn(1000, rng=rng))
    assert "data:image/png" in shown(mg.randn(2, 8, 8, 1, rng=rng))
    assert "1 of 100 are not finite" in shown(mg.tensor(np.r_[np.nan, np.ones(99)]))
    assert "are not zero" in shown(mg.tensor(np.array([True, False])))


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.full(50, np.inf), np.zeros(()), np.arange(3), np.ones(50)])
def test_odd_tensors_are_shown_too(values: np.ndarray):
    assert "tensor" in shown(mg.tensor(values))


def test_a_module_lists_its_parts():
    class Net(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = layers.Parameter(np.ones(2, np.float32))
            self.body = layers.Sequential(layers.Linear(2, 3, rng=generator(0)), layers.ReLU())

        def extra_repr(self) -> str:
            return "<script>"

    html = shown(Net())
    assert "11 parameters" in html and "body.0" in html and "2 × 3, 3" in html and "its own" in html
    assert "<script>" not in html


def test_a_run_shows_figures_recipe_and_its_last_sample(tmp_path: Path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "recipe.json").write_text(json.dumps({"model": "vae", "recipe": {"data": "<b>"}}))
    results = {"step": 3, "seconds": 1, "trained": True, "results": {"fid": 1.5}}
    (tmp_path / "run.json").write_text(json.dumps(results))
    html = shown(RunFolder.open(tmp_path))
    assert "3 steps" in html and "1.5" in html and "&lt;b&gt;" in html and "<b>" in html
    (tmp_path / "samples" / "step-000001.txt").write_text("to be <i>")
    assert "to be &lt;i&gt;" in shown(RunFolder.open(tmp_path))
    plots.save_grid(tmp_path / "samples" / "step-000002.png", np.zeros((1, 2, 2)))
    assert "data:image/png" in shown(RunFolder.open(tmp_path))


def test_progress_in_a_notebook_is_html_renewed_in_place(monkeypatch: pytest.MonkeyPatch):
    sent: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            sent.append(html)

    def display(html: str, display_id: bool) -> Handle:
        sent.append(html)
        return Handle()

    kernel = types.ModuleType("IPython.display")
    vars(kernel).update(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", kernel)
    stream: Any = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    assert isinstance(bar_for(stream, "<vae>", 10, 0, ""), NotebookBar)
    clock = iter(range(100))
    with Progress(10, description="<vae>", stream=stream, clock=lambda: next(clock), saving=False) as progress:
        for i in range(1, 11):
            progress.update(i, loss=1.0)
    assert '<progress max="10" value="10">' in sent[-2] and "&lt;vae&gt;" in sent[-2]
    assert sent[-1] == ""
