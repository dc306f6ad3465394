"""char_rnn: what it carries from step to step, that it learns, and what its measure and its writing are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_helpers import trained

import minigen as mg
from minigen import data
from minigen.errors import ArgumentError, DataError, MinigenError
from minigen.models.language import char_rnn
from minigen.random import generator
from minigen.training import checkpoint

CELLS: list[char_rnn.Cell] = ["rnn", "lstm", "gru"]
SMALL: dict[str, Any] = {"hidden": 16, "batch_size": 4, "length": 10}


def model_of(cell: char_rnn.Cell, symbols: int = 7, **fields: Any) -> Any:
    return char_rnn.CharRNN(symbols, char_rnn.Recipe(cell=cell, **(SMALL | fields)), generator(0)).eval()


@pytest.fixture
def alphabets(tmp_path: Path) -> str:
    """A text in which every character follows from the one before."""
    path = tmp_path / "alphabets.txt"
    path.write_text("abcdefghijklmnopqrstuvwxyz\n" * 1500)
    return str(path)


@pytest.mark.parametrize("cell", CELLS)
def test_the_network_has_the_papers_shapes(cell: char_rnn.Cell):
    model = model_of(cell, 65, hidden=256)
    shapes = {name: p.shape for name, p in model.named_parameters()}
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[cell]
    assert shapes["embedding.weight"] == (65, 256)
    assert shapes["out.weight"] == (256, 65)
    for layer in (0, 1):
        assert shapes[f"recurrent.w_x_{layer}"] == shapes[f"recurrent.w_h_{layer}"] == (256, gates * 256)
    logits, _ = model(np.zeros((3, 5), np.int64))
    assert logits.shape == (3, 5, 65)


@pytest.mark.parametrize("cell", CELLS)
def test_a_text_in_pieces_is_the_text_as_a_whole(cell: char_rnn.Cell):
    model, ids = model_of(cell), generator(1).integers(0, 7, (4, 30))
    carried = char_rnn.Carried(char_rnn.Recipe(cell=cell, **SMALL))
    with mg.no_grad():
        whole, _ = model(ids)
        pieces = []
        for i in range(0, 30, 10):
            logits, state = model(ids[:, i : i + 10], carried.get())
            carried.put(state)
            pieces.append(logits.numpy())
        np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole.numpy(), atol=1e-5)
        carried.clear()
        np.testing.assert_array_equal(model(ids[:, :10], carried.get())[0].numpy(), pieces[0])


def test_the_carried_state_has_no_graph():
    model, carried = model_of("lstm").train(), char_rnn.Carried(char_rnn.Recipe(**SMALL))
    carried.put(model(np.zeros((4, 10), np.int64))[1])
    assert not any(part.requires_grad for part in carried.get())


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_what_follows_from_what(cell: char_rnn.Cell, alphabets: str, tmp_path: Path):
    fields = {"hidden": 32, "layers": 1, "length": 16, "dropout": 0.0, "lr": 1e-2}
    run = trained("char_rnn", tmp_path / "run", text=alphabets, cell=cell, epochs=1, **fields)
    assert char_rnn.evaluate(run)["nats_per_character"] < 0.1
    text = "".join(char_rnn.generate(run, char_rnn.Request(prompt="xy", n=12, temperature=0), generator(0)))
    assert text == "xyz\nabcdefghij"


@pytest.mark.parametrize("cell", CELLS)
def test_a_run_resumes_in_the_middle_and_over_the_end_of_an_epoch(cell: char_rnn.Cell, story: str, tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text(Path(story).read_text()[:400])
    fields = {"text": str(text), "cell": cell, "epochs": 9, **SMALL}  # 360 characters: 8 steps an epoch
    whole = trained("char_rnn", tmp_path / "whole", max_steps=19, **fields)
    for first in (7, 8):
        parts = trained("char_rnn", tmp_path / str(first), max_steps=first, **fields)
        recipe = char_rnn.Recipe(max_steps=19, **fields)
        parts.change_recipe(recipe)
        char_rnn.train(recipe, parts)
        assert parts.checkpoint_path.read_bytes() == whole.checkpoint_path.read_bytes(), first
        assert (parts.path / "metrics.csv").read_bytes() == (whole.path / "metrics.csv").read_bytes()
    assert sorted(path.name for path in (whole.path / "samples").iterdir()) == [
        f"step-{step:06d}.txt" for step in (8, 16, 19)
    ]


def test_the_state_is_cleared_at_the_end_of_an_epoch_and_kept_in_its_middle(story: str, tmp_path: Path):
    text = tmp_path / "text.txt"
    text.write_text(Path(story).read_text()[:400])
    for steps in (8, 7):  # 360 characters in 4 streams, 8 times 10
        run = trained("char_rnn", tmp_path / str(steps), text=str(text), max_steps=steps, **SMALL)
        saved = checkpoint.read(run.checkpoint_path)[1]
        assert saved["loader"]["position"] == steps % 8
        assert [array.any() for array in saved["carried"]["arrays"]] == [steps == 7] * 2


def test_the_measure_is_the_mean_over_the_whole_text():
    model, ids = model_of("gru"), generator(1).integers(0, 7, 900)
    with mg.no_grad():
        logits, _ = model(ids[None, :-1])
    expected = mg.cross_entropy(logits, ids[None, 1:]).item()
    for mode in (True, False):
        assert abs(char_rnn.measure(model.train(mode), ids, 64) - expected) < 1e-5
        assert model.training == mode  # as it was


def test_bytes_say_what_the_text_does_not_have(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text("Grüße aus Köln. " * 40, encoding="utf-8")
    run = trained("char_rnn", tmp_path / "run", text=str(path), tokens="byte", max_steps=1, **SMALL)
    assert char_rnn.load(run).out.weight.shape == (16, 256)
    assert "".join(char_rnn.generate(run, char_rnn.Request(prompt="日本", n=10), generator(0))).startswith("日本")
    run = trained("char_rnn", tmp_path / "characters", text=str(path), max_steps=1, **SMALL)
    with pytest.raises(DataError, match="日"):
        list(char_rnn.generate(run, char_rnn.Request(prompt="日本", n=10), generator(0)))


def test_a_text_that_has_changed_is_refused(alphabets: str, tmp_path: Path):
    run = trained("char_rnn", tmp_path / "run", text=alphabets, max_steps=2, **SMALL)
    Path(alphabets).write_text("abcdefghijklmnopqrstuvwxy!\n" * 1500)
    with pytest.raises(MinigenError, match="training data are not those"):
        char_rnn.train(char_rnn.Recipe(text=alphabets, max_steps=3, **SMALL), run)
    with pytest.raises(DataError, match="'!'"):
        char_rnn.evaluate(run)


@pytest.mark.parametrize(
    "field", [{"hidden": 0}, {"layers": 0}, {"length": 0}, {"clip": 0.0}, {"dropout": 1.0}, {"dropout": -0.1}]
)
def test_a_bad_recipe_is_refused(field: dict[str, Any]):
    with pytest.raises(ArgumentError, match=next(iter(field))):
        char_rnn.Recipe(**field)


def test_the_built_in_text_is_the_default():
    tokenizer, training, validation = char_rnn.corpus("shakespeare", "char")
    assert len(training) + len(validation) == len(data.shakespeare())
    assert tokenizer.decode(training[:50]) == data.shakespeare()[:50]
