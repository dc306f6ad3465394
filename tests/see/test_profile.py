"""The profile: all time is told of once, work is counted as layers count it, nothing is left behind."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers, optim
from minigen.autograd.function import Function
from minigen.autograd.modes import modes
from minigen.cli import main
from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.kernels.noting import noting
from minigen.see.limits import Limits
from minigen.see.tables import Row, table

module = importlib.import_module("minigen.see.profile")  # the package's `profile` is the function
MACHINE = Limits(1e9, 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A clock that stands still unless it is moved."""
    time = {"now": 100.0}
    monkeypatch.setattr(module, "perf_counter", lambda: time["now"])
    return time


class Slow(Function):
    """y = x; the forward takes 3 seconds, the backward 5 and the multiplication in it none."""

    def __init__(self, clock: dict[str, float]) -> None:
        self.clock = clock

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.clock["now"] += 3
        return x.copy()

    def backward(self, gy: mg.Tensor) -> tuple[mg.Tensor]:
        self.clock["now"] += 5
        return (gy * 1.0,)


class Outer(layers.Module):
    def __init__(self, clock: dict[str, float]) -> None:
        super().__init__()
        self.inner = Inner()
        self.inner.clock = clock

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.inner(x)


class Inner(layers.Module):
    clock: dict[str, float]

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        self.clock["now"] += 7  # Python in a module
        return Slow(self.clock)(x)


def sums(rows: list[Row]) -> dict[tuple[str, str], tuple[int, float]]:
    return {(row.name, row.phase): (row.calls, row.seconds) for row in rows}


def test_all_time_is_told_of_once(clock: dict[str, float]):
    model, x = Outer(clock), mg.tensor([1.0, 2.0], requires_grad=True)
    with mg.profile() as p:
        for _ in range(2):
            model(x).sum().backward()
        clock["now"] += 11
    assert p.seconds == 2 * (7 + 3 + 5) + 11
    found = sums(p.by_operation())
    assert found[("Slow", "forward")] == (2, 6) and found[("Slow", "backward")] == (2, 10)
    assert found[("between", "")][1] == 2 * 7 + 11
    assert ("Multiply", "forward") not in found  # it is inside the backward
    by_module = sums(p.by_module())
    assert by_module[("Outer.inner", "forward")] == (2, 6) and by_module[("Outer.inner", "backward")] == (2, 10)
    assert sum(row.seconds for row in p.by_module()) == p.seconds
    text = str(p.text(machine=MACHINE))
    assert "Slow" in text and "39.0%" not in text and f"{6 / 41:.1%}" in text


def test_what_the_profile_takes_is_taken_off(clock: dict[str, float], monkeypatch: pytest.MonkeyPatch):
    real = module.multiply_adds

    def costly(*arguments: Any) -> int:
        clock["now"] += 50
        return real(*arguments)

    monkeypatch.setattr(module, "multiply_adds", costly)
    with mg.profile() as p:
        Slow(clock)(mg.tensor([1.0]))
        clock["now"] += 2
    assert p.overhead == 50 and p.seconds == 5 and p.between() == 2


def networks() -> list[tuple[layers.Module, tuple[int, ...]]]:
    rng = mg.random.generator(0)
    convolutions = layers.Sequential(
        layers.Conv2d(3, 4, 3, stride=2, padding=1, rng=rng),
        layers.ConvTranspose2d(4, 6, 4, stride=2, groups=2, rng=rng),
        layers.Flatten(),
        layers.Linear(18 * 18 * 6, 5, rng=rng),
    )
    return [
        (convolutions, (16, 16, 3)),
        (layers.LSTM(3, 5, 2, rng=rng), (7, 3)),
        (layers.GRU(3, 5, rng=rng), (7, 3)),
        (layers.RNN(3, 5, rng=rng), (7, 3)),
    ]


@pytest.mark.parametrize(("network", "shape"), networks(), ids=["images", "lstm", "gru", "rnn"])
def test_work_is_counted_as_layers_count_it(network: layers.Module, shape: tuple[int, ...]):
    x = mg.tensor(np.zeros((1, *shape), np.float32), requires_grad=True)
    with mg.profile() as p:
        y = network(x)
        (y[0] if isinstance(y, tuple) else y).sum().backward()
    forward, backward = (
        sum(row.multiply_adds for row in p.by_operation() if row.phase == phase) for phase in ("forward", "backward")
    )
    assert forward == mg.summary(network, shape).multiply_adds and backward == 2 * forward


def test_attention_is_two_products_and_views_move_nothing():
    q, k = (mg.randn(2, n, 12, rng=mg.random.generator(n)) for n in (5, 7))
    with mg.profile() as p:
        mg.scaled_dot_product_attention(q, k, k, 3)
        q.reshape(6, 20)
        mg.add(q, 1.0)
    rows = {row.name: row for row in p.by_operation()}
    assert sum(row.multiply_adds for row in rows.values()) == 2 * (2 * 3) * 5 * 7 * 4
    assert rows["Reshape"].bytes == 0 and rows["Add"].bytes == 2 * q.data.nbytes + 4


def test_optimizers_and_memory_are_seen():
    w = layers.Parameter(np.zeros(1000, np.float32))
    optimizer = optim.Adam([w])
    with mg.profile() as p:
        y = (w + 1.0) * 2.0
        held = p.memory.now
        y.sum().backward()
        del y
        optimizer.step()
        kept = p.memory.now
    assert any(row.name.startswith("Adam.") and row.phase == "step" for row in p.by_operation())
    assert 4000 <= held <= 8000 and kept < held and p.memory.peak >= held
    times = [time for time, _ in p.memory.points]
    assert times == sorted(times)


def test_a_forward_that_raises_leaves_order(clock: dict[str, float]):
    with mg.profile() as p:
        with pytest.raises(ShapeError):
            mg.matmul(mg.tensor(np.zeros((2, 3))), mg.tensor(np.zeros((2, 3))))
        Slow(clock)(mg.tensor([1.0]))
    assert sums(p.by_operation())[("Slow", "forward")] == (1, 3)
    assert modes.observers == () and noting.timer is None and not p.open


def test_refusals():
    p = mg.profile()
    p.__exit__()  # which was not entered
    with pytest.raises(ArgumentError, match="nothing was timed"):
        str(p)
    with pytest.raises(ArgumentError, match="nothing was timed"):
        p.save("never.json")
    with p:
        with pytest.raises(ArgumentError, match="another one is at work"), mg.profile():
            pass
        mg.add(mg.tensor([1.0]), 1.0)
    with pytest.raises(ArgumentError, match="used before"), p:
        pass
    with pytest.raises(ArgumentError, match="by is 'time'"):
        p.text("time")
    with pytest.raises(ArgumentError, match="top is 0"):
        p.text(top=0)
    with pytest.raises(DataError, match="multiplies"):
        p.save_roofline("never.png", MACHINE)
    assert modes.observers == () and noting.timer is None


def test_files(tmp_path: Path):
    x = mg.tensor(np.ones((8, 8), np.float32), requires_grad=True)
    with mg.profile() as p:
        mg.matmul(x, x).sum().backward()
    p.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = [event["name"] for event in events if event["ph"] == "X"]
    assert "MatMul" in names and "MatMul backward" in names
    for event in events:
        assert event["ts"] >= 0 and event["pid"] == 1 and ("dur" not in event or event["dur"] >= 0)
    product = next(event["args"] for event in events if event["name"] == "MatMul")
    assert product == {**product, "shapes": "(8, 8) (8, 8)", "multiply-adds": "512"}
    p.save_roofline(tmp_path / "roof.png", MACHINE)
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_sums_up():
    rows = [Row(f"op{i}", "forward", 1, 0.1, 10**6, 4000) for i in range(9)] + [Row("between", "", 1, 0.1)]
    lines = table(rows, 1.0, MACHINE, top=3).splitlines()
    assert len(lines) == 1 + 3 + 1 + 2 and lines[3].startswith("7 others") and lines[-1].startswith("all")
    assert "700.00   70.0%" in lines[3] and "1000.00  100.0%" in lines[-1] and lines[1].endswith("0.0        1%")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    images = mg.random.generator(0).random((40, 8, 8), np.float32)
    np.savez("images.npz", images=images)
    flags = ["--data", "images.npz", "--hidden", "8", "--batch-size", "4", "--max-steps", "5"]
    assert main(["profile", "vae", *flags]) == 0
    out = capsys.readouterr().out
    assert out.startswith("vae: 2 training steps") and "Linear" in out and "VAE.decoder" in out
    assert {path.name for path in (tmp_path / "profile-vae").iterdir()} == {"profile.txt", "trace.json", "roofline.png"}
    assert main(["profile", "vae", "--max-steps", "3"]) == 2
    assert "3 warm up" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["profile", "vae", *flags, "--out", "file"]) == 1
    assert "file can not be a folder" in capsys.readouterr().err
    (tmp_path / "page.txt").write_text("to be or not to be that is the question " * 40)
    glove = ["--text", "page.txt", "--max-steps", "4", "--batch-size", "64"]
    assert main(["profile", "glove", *glove]) == 0 and not (tmp_path / "profile-glove" / "roofline.png").exists()
    assert main(["profile"]) == 2
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["profile", "--help"])
    assert modes.observers == () and noting.timer is None
