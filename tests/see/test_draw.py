"""Drawings: what is computed of what is on them, whole and in order, however much is folded, and nothing overlaps."""

import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigen as mg
from minigen import layers
from minigen.autograd.modes import modes
from minigen.errors import ArgumentError
from minigen.see.draw import svg_of, thumbnail
from minigen.see.graph import Box, by_chain, by_module, folded, heard
from minigen.see.layout import Layout

SVG = "{http://www.w3.org/2000/svg}"


def network() -> layers.Module:
    rng = mg.random.generator(0)
    block = layers.Sequential(layers.Linear(6, 6, rng=rng), layers.Tanh(), layers.Linear(6, 6, rng=rng), layers.Tanh())
    return layers.Sequential(block, layers.Linear(6, 2, rng=rng))


def step(model: layers.Module) -> Callable[[], mg.Tensor]:
    x = mg.tensor(mg.random.generator(1).standard_normal((5, 6), np.float32))

    def run() -> mg.Tensor:
        loss = (model(x) ** 2).mean()
        loss.backward()
        return loss

    return run


def titles(boxes: list[Box]) -> list[str]:
    return [box.title for box in boxes]


def shown(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_graph_is_walked():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = (x * x + 1.0).sum()
    y.backward(retain_graph=True)
    drawing = mg.draw(y)
    assert titles(drawing.boxes) == ["input", "Multiply", "Add", "Sum"]
    assert [box.inputs for box in drawing.boxes] == [[], [0], [1], [2]]
    assert drawing.boxes[0].gradient is not None and drawing.boxes[0].gradient.tolist() == [2, 4, 6]
    text = shown(drawing.svg)
    assert "1 2 3" in text and "gradient 2 4 6" in text and "17" in text and "scalar float32" in text
    assert mg.draw(x).boxes[0].title == "input"  # a leaf alone


def test_parameters_have_names_and_the_graph_of_a_gradient_is_drawn():
    model = network()
    loss = (model(mg.tensor(np.ones((2, 6), np.float32))) ** 2).sum()
    names = {box.title for box in mg.draw(loss, model=model).boxes if box.kind == "parameter"}
    assert names == {"weight", "bias"}
    (gradient,) = mg.grad(loss, [model.parameters()[0]], create_graph=True)
    first, second = mg.draw(loss), mg.draw((gradient**2).sum(), most=500)
    assert len(second.boxes) > len(first.boxes) + 5
    shared = [box for box in second.boxes if box.kind == "parameter"]
    assert len(shared) == len({id(box.value) for box in shared})  # each stands once


def test_listening_gives_modules_values_gradients_times_and_changes_nothing():
    model = network()
    run = step(model)
    plain = run().item()
    expected = [p.grad.numpy().copy() for p in model.parameters() if p.grad is not None]
    for p in model.parameters():
        p.grad = None
    drawing = mg.draw(run)
    assert drawing.result.item() == plain and modes.observers == ()
    for p, gradient in zip(model.parameters(), expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), gradient)  # pyright: ignore[reportOptionalMemberAccess]
    products = [box for box in drawing.boxes if box.title == "Linear"]
    assert [box.module for box in products] == [
        *(("Sequential", "0", "0"), ("Sequential", "0", "2"), ("Sequential", "1"))
    ]
    assert all(box.seconds > 0 and box.backward_seconds > 0 and box.bytes for box in products)
    assert all(box.value is not None and box.gradient is not None for box in products)
    assert products[2].shape == (5, 2)
    weights = [box for box in drawing.boxes if box.title == "weight"]
    assert all(box.gradient is not None for box in weights) and len(weights) == 3
    inputs = [box for box in drawing.boxes if box.kind == "input"]
    assert inputs[0].shape == (5, 6)


def whole(boxes: list[Box]) -> None:
    """Each comes after those that it is made of, and all are there."""
    for i, box in enumerate(boxes):
        assert all(j < i for j in box.inputs)


def test_modules_are_closed_from_within_and_nothing_is_lost():
    boxes, _ = heard(step(network()), (), {})
    count = sum(box.kind == "operation" for box in boxes)
    for most in (500, 14, 8, 4, 1):
        few = folded(boxes, most)
        whole(few)
        assert sum(box.operations for box in few if box.kind in ("operation", "group")) == count
    closed = by_module(boxes, 2)
    assert [box.title for box in closed if box.kind == "group"] == ["0", "1"]
    (block,) = [box for box in closed if box.title == "0"]
    assert block.operations == 4 and block.module == ("Sequential", "0") and block.shape == (5, 6)
    assert len(by_chain(closed)) < len(closed)


def test_a_module_that_is_left_and_entered_again_is_not_closed_around_what_is_between():
    class Again(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Linear(3, 3, rng=mg.random.generator(0))

        def forward(self, x: mg.Tensor) -> mg.Tensor:
            return self.inner(mg.tanh(self.inner(x)))

    boxes, _ = heard(Again(), (mg.tensor(np.ones((2, 3), np.float32)),), {})
    closed = by_module(boxes, 2)
    whole(closed)
    assert [box.title for box in closed if box.kind != "input"] == ["inner", "Tanh", "Linear"]


GRAPHS = st.integers(1, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, max(i - 1, 0)), max_size=min(3, i), unique=True) for i in range(n)])
)


@given(GRAPHS, st.data())
def test_boxes_do_not_overlap_and_lines_run_downwards(graph: tuple[list[int], ...], data: st.DataObject):
    widths = data.draw(st.lists(st.floats(10, 200), min_size=len(graph), max_size=len(graph)))
    layout = Layout(graph, widths, gap=5)
    for level in layout.levels:
        for left, right in itertools.pairwise(level):
            apart = (layout.widths[left] + layout.widths[right]) / 2 + 5
            assert layout.x[right] - layout.x[left] >= apart - 1e-6
    for line in layout.lines:
        steps = [layout.row[b] - layout.row[a] for a, b in itertools.pairwise(line)]
        assert steps and set(steps) == {1}
    assert len(layout.lines) == sum(map(len, graph)) and min(layout.x) >= 0


@given(GRAPHS, st.data())
def test_folding_keeps_order(graph: tuple[list[int], ...], data: st.DataObject):
    paths = st.lists(st.sampled_from("ab"), max_size=3).map(tuple)
    boxes = [Box("operation", f"{i}", module=data.draw(paths), inputs=list(before)) for i, before in enumerate(graph)]
    for few in (by_module(boxes, 1), by_module(boxes, 2), by_chain(boxes), folded(boxes, 3)):
        whole(few)
        assert sum(box.operations for box in few) == len(boxes)
        svg_of(few)


def test_pictures_of_values():
    image = np.zeros((2, 8, 8, 1), np.float32)
    image[0, 2:4] = 1
    assert thumbnail(image).startswith("data:image/png;base64,")
    for array in (None, np.zeros(5), np.zeros((300, 300)), np.full((4, 4), np.nan), np.zeros((0, 4)), np.array("text")):
        assert thumbnail(array) == ""
    assert thumbnail(np.ones((4, 4)))  # all alike
    assert thumbnail(np.array([[1.7e308, -1.7e308], [1, 2]]))


def test_names_are_escaped_and_files_written(tmp_path: Path):
    box = Box("operation", '<script>"&', module=("<b>\x01",), value=np.ones(1))
    svg = svg_of([box])
    assert '<script>"&' in shown(svg) and "<script>" not in svg and "<b>�" in shown(svg)
    drawing = mg.draw(lambda: mg.tensor([1.0]) + 1.0)
    drawing.save(tmp_path / "a.svg")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag == f"{SVG}svg"
    assert drawing._repr_svg_() == drawing.svg and "boxes" in repr(drawing)
    with pytest.raises(ArgumentError, match=r"does not end in .svg"):
        drawing.save(tmp_path / "a.png")


def test_refusals():
    with pytest.raises(ArgumentError, match="got int; pass a tensor, or a function"):
        mg.draw(3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="computed nothing"):
        mg.draw(lambda: None)
    with pytest.raises(ArgumentError, match="takes no arguments"):
        mg.draw(mg.tensor([1.0]), 2)
    with pytest.raises(ArgumentError, match="most is 0"):
        mg.draw(mg.tensor([1.0]), most=0)
    with pytest.raises(ArgumentError, match="model is int"):
        mg.draw(mg.tensor([1.0]), model=3)  # pyright: ignore[reportArgumentType]
