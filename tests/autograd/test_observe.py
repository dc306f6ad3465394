"""Observers hear every operation, sweep and module, and change nothing; small ones are built here as users would."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from autograd_helpers import leaf

import minigen as mg
from minigen import layers
from minigen.autograd.function import Function
from minigen.autograd.modes import modes
from minigen.autograd.observe import Observer, observe
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError


class Diary(Observer):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def function_starts(self, node: Any, inputs: Any) -> None:
        self.entries.append(f"{node.name}(")

    def function_ends(self, node: Any, inputs: Any, outputs: Any) -> None:
        self.entries.append(f"){node.name} {[x.shape for x in inputs]} -> {[y.shape for y in outputs]}")

    def backward_starts(self, node: Any, gys: Any) -> None:
        self.entries.append(f"backward {node.name}[")

    def backward_ends(self, node: Any, gys: Any, gxs: Any) -> None:
        self.entries.append(f"]{node.name} {None if gxs is None else [g if g is None else g.tolist() for g in gxs]}")

    def module_starts(self, module: Any, args: Any, kwargs: Any) -> None:
        self.entries.append(f"{type(module).__name__}<")

    def module_ends(self, module: Any, args: Any, kwargs: Any, result: Any) -> None:
        self.entries.append(f">{type(module).__name__} {getattr(result, 'shape', type(result).__name__)}")


def test_everything_is_told_in_order_and_nested():
    diary, x = Diary(), leaf(1.0, 2.0)
    with observe(diary):
        y = layers.ReLU()(x).sum()
        y.backward()
    assert diary.entries == [
        *["ReLU<", "LeakyReLU(", ")LeakyReLU [(2,)] -> [(2,)]", ">ReLU (2,)"],
        *["Sum(", ")Sum [(2,)] -> [()]"],
        *["backward Sum[", "Reshape(", ")Reshape [()] -> [(1,)]", "Expand(", ")Expand [(1,)] -> [(2,)]"],
        *["]Sum [[1.0, 1.0]]"],
        *["backward LeakyReLU[", "LeakyReLUGrad(", ")LeakyReLUGrad [(2,), (2,)] -> [(2,)]", "]LeakyReLU [[1.0, 1.0]]"],
    ]


def test_nobody_hears_outside_the_block_nor_in_another_thread():
    diary, x = Diary(), leaf(1.0)
    with observe(diary):
        thread = threading.Thread(target=lambda: x * x)
        thread.start()
        thread.join()
    _ = x * x
    assert diary.entries == []
    assert modes.observers == ()


def test_several_listen_at_once_and_each_leaves_by_itself():
    first, second, x = Diary(), Diary(), leaf(1.0)
    with observe(first):
        with observe(second):
            _ = -x
        _ = x + 1.0
    assert [entry for entry in first.entries if "(" in entry[-1]] == ["Negative(", "Add("]
    assert [entry for entry in second.entries if "(" in entry[-1]] == ["Negative("]


def test_an_end_is_told_when_a_module_or_a_backward_raises():
    class Fails(Function):
        def forward(self, x: np.ndarray) -> np.ndarray:
            return x.copy()

        def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
            raise ZeroDivisionError

    diary = Diary()
    with observe(diary), pytest.raises(ZeroDivisionError):
        Fails()(leaf(1.0)).backward()
    assert diary.entries[-2:] == ["backward Fails[", "]Fails None"]
    with observe(diary), pytest.raises(mg.MinigenError):
        layers.Linear(2, 3, rng=mg.random.generator(0))(mg.tensor([1.0]))
    assert diary.entries[-2:] == ["Linear<", ">Linear NoneType"]
    assert modes.observers == ()


def small_step() -> tuple[layers.Sequential, Tensor]:
    rng = mg.random.generator(0)
    model = layers.Sequential(
        layers.Linear(6, 4, rng=rng), layers.ReLU(), layers.LSTM(4, 3, rng=rng), First(), layers.Linear(3, 2, rng=rng)
    )
    return model, mg.tensor(rng.standard_normal((2, 5, 6), dtype=np.float32))


class First(layers.Module):
    """y of (y, state)."""

    def forward(self, pair: Any) -> Any:
        return pair[0]


def test_listening_changes_no_bit():
    def run() -> list[Any]:
        model, x = small_step()
        (g,) = mg.grad(model(x).sum(), model.parameters()[0], create_graph=True)
        loss = model(x).sum() + (g * g).sum()
        loss.backward()
        return [loss.item(), *[None if p.grad is None else p.grad.tolist() for p in model.parameters()]]

    alone = run()
    with observe(Diary()), observe(Observer()):
        assert run() == alone


# ---------------------------------------------------------------- what is to be built on it


class Graph(Observer):
    """The graph as text: each node with the nodes or leaves it came from, and the module it was made in."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self.lines: list[str] = []

    def module_starts(self, module: Any, args: Any, kwargs: Any) -> None:
        self.modules.append(type(module).__name__)

    def module_ends(self, module: Any, args: Any, kwargs: Any, result: Any) -> None:
        self.modules.pop()

    def function_ends(self, node: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        sources = [
            edge.name if isinstance(edge, Function) else "leaf" if edge is not None else "data" for edge in node.edges
        ]
        self.lines.append(f"{'/'.join(self.modules)}: {node.name} <- {', '.join(sources)}")


def test_a_graph_can_be_drawn():
    graph = Graph()
    model, x = small_step()
    with observe(graph):
        model(x)
    assert graph.lines[0] == "Sequential/Linear: Linear <- data, leaf, leaf"
    assert "Sequential/LSTM: LSTM <- Linear, data, data, leaf, leaf, leaf" in graph.lines
    assert graph.lines[-1] == "Sequential/Linear: Linear <- LSTM[0], leaf, leaf"


class Clock(Observer):
    """Seconds by operation, forward and backward, without what ran inside."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.open: list[list[float]] = []  # start, and what ran inside

    def enter(self) -> None:
        self.open.append([time.perf_counter(), 0.0])

    def leave(self, name: str) -> None:
        start, inside = self.open.pop()
        whole = time.perf_counter() - start
        self.seconds[name] += whole - inside
        if self.open:
            self.open[-1][1] += whole

    def function_starts(self, node: Any, inputs: Any) -> None:
        self.enter()

    def function_ends(self, node: Any, inputs: Any, outputs: Any) -> None:
        self.leave(node.name)

    def backward_starts(self, node: Any, gys: Any) -> None:
        self.enter()

    def backward_ends(self, node: Any, gys: Any, gxs: Any) -> None:
        self.leave(f"{node.name} backward")


def test_times_add_up():
    clock = Clock()
    model, x = small_step()
    with observe(clock):
        start = time.perf_counter()
        model(x).sum().backward()
        whole = time.perf_counter() - start
    assert {"Linear", "LSTM", "Linear backward", "LSTM backward"} <= set(clock.seconds)
    assert 0 < sum(clock.seconds.values()) <= whole
    assert min(clock.seconds.values()) >= 0
    assert clock.open == []


def test_debug_lets_the_anomaly_detector_listen_everywhere(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mg.config, "debug", True)
    with pytest.raises(GradientError, match=r"Log, forward: NaN .* called at .*mg.log\(leaf"):
        mg.log(leaf(-1.0))
    with pytest.raises(GradientError, match=r"Sqrt, backward of the one called at .* infinity"):
        mg.sqrt(leaf(0.0)).sum().backward()
    assert mg.exp(leaf(0.0)).item() == 1.0


def test_an_observer_that_raises_leaves_the_others_in_order():
    class Stops(Observer):
        def backward_starts(self, node: Any, gys: Any) -> None:
            raise ZeroDivisionError

    diary = Diary()
    with pytest.raises(ZeroDivisionError), observe(diary), mg.detect_anomaly(), observe(Stops()):
        leaf(1.0).sum().backward()
    assert diary.entries[-2:] == ["backward Sum[", "]Sum None"]
    with pytest.raises(GradientError, match=r"^Log, forward: NaN"), mg.detect_anomaly():
        mg.log(leaf(-1.0))


def test_who_listens_twice_is_told_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mg.config, "debug", True)
    diary = Diary()
    with observe(diary), observe(diary), mg.detect_anomaly():
        _ = -leaf(1.0)
        with pytest.raises(GradientError, match=r"^Sqrt, backward of the one called at [^:]*:[^:]*: [^:]*: Divide"):
            mg.sqrt(leaf(0.0)).sum().backward()
    assert diary.entries.count("Negative(") == 1


def test_a_forward_that_the_detector_did_not_hear_has_no_line():
    y = mg.sqrt(leaf(0.0)).sum()
    with pytest.raises(GradientError, match="called before detect_anomaly began"), mg.detect_anomaly():
        y.backward()
