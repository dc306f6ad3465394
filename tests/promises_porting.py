"""Promises to those who come from PyTorch: each stumble says the way here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen
from minigen.errors import ArgumentError, CheckpointError, GradientError, KeywordError, MissingNameError, ShapeError

mg: Any = minigen  # without its types, as wrong names are the point here
CASES: list[Promise] = []
RNG = mg.random.generator(0)


@promise(
    CASES, "`x.view(6)`, `x.permute(…)`, `x.to('cuda')`, `mg.cat`, `nn.BatchNorm2d` …", "the error says the name here"
)
def names(folder: Path) -> None:
    x = mg.ones(2, 3)
    for look, words in (
        (lambda: x.view(6), "reshape"),
        (lambda: x.permute(1, 0), "transpose"),
        (lambda: x.to("cuda"), "CPU"),
        (lambda: mg.cat([x]), "mg.concatenate"),
        (lambda: mg.layers.BatchNorm2d(3), "mg.layers.BatchNorm"),
        (lambda: mg.optim.lr_scheduler, "mg.optim.StepLR"),
    ):
        with pytest.raises(MissingNameError, match=words):
            look()


@promise(CASES, "`x.sum(dim=1, keepdim=True)`, `LSTM(…, batch_first=True)`", "KeywordError that says ours")
def keywords(folder: Path) -> None:
    with pytest.raises(KeywordError, match="dim is a keyword of PyTorch; it is called axis"):
        mg.ones(2, 3).sum(dim=1, keepdim=True)
    with pytest.raises(KeywordError, match="batch_first"):
        mg.layers.LSTM(2, 3, batch_first=True, rng=RNG)


@promise(CASES, "`x.size(0)`", "KeywordError: use x.shape")
def size(folder: Path) -> None:
    with pytest.raises(KeywordError, match=r"x\.shape"):
        mg.ones(2, 3).size(0)


@promise(CASES, "`mg.load('model.pt')`, `mg.save(model, 'model.pkl')`", "ArgumentError with the way over safetensors")
def pickles(folder: Path) -> None:
    (folder / "model.pt").write_bytes(b"\x80\x02.")
    with pytest.raises(ArgumentError, match="safetensors"):
        mg.load(folder / "model.pt")
    with pytest.raises(ArgumentError, match="safetensors"):
        mg.save(mg.layers.Linear(2, 2, rng=RNG), folder / "model.pkl")


@promise(
    CASES,
    "PyTorch's weights of a Linear that reads a flattened image",
    "ArgumentError, until `flattened=` says its shape",
)
def flattened(folder: Path) -> None:
    module = mg.layers.Sequential(
        mg.layers.Conv2d(1, 2, 3, rng=RNG), mg.layers.Flatten(), mg.layers.Linear(8, 3, rng=RNG)
    )
    state = {"0.weight": np.ones((2, 1, 3, 3)), "0.bias": np.ones(2)}
    state |= {"2.weight": np.arange(24.0).reshape(3, 8), "2.bias": np.ones(3)}
    with pytest.raises(ArgumentError, match="images are channels-last here"):
        mg.interop.from_torch(module, state)
    mg.interop.from_torch(module, state, flattened={"2": (2, 2, 2)})
    assert module[2].weight.data[:, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


@promise(CASES, "`p -= lr * p.grad` under `no_grad()`", "writes into the parameter; without no_grad a GradientError")
def updates_by_hand(folder: Path) -> None:
    layer = mg.layers.Linear(2, 2, rng=RNG)
    layer(mg.ones(1, 2)).sum().backward()
    before = [p.data.copy() for p in layer.parameters()]
    with mg.no_grad():
        for p in layer.parameters():
            p -= 0.5 * p.grad
    for old, p in zip(before, layer.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, old - 0.5 * p.grad.data)
        with pytest.raises(GradientError, match="no_grad"):
            p *= 2


@promise(CASES, "`x.transpose(0, 1)`, `x.split(2)`", "exchanges two axes; pieces of length 2, the last one shorter")
def transposed_and_split(folder: Path) -> None:
    assert mg.ones(6, 2).transpose(0, 1).shape == (2, 6) and mg.ones(6, 2, 3).transpose(0, 2).shape == (3, 2, 6)
    assert [piece.shape for piece in mg.ones(5, 2).split(2)] == [(2, 2), (2, 2), (1, 2)]


@promise(
    CASES, "PyTorch's weights where a Linear reads what is flattened, or makes an image", "`flattened=` is asked for"
)
def images_without_convolutions(folder: Path) -> None:
    nn = mg.layers
    for module, option in (
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 3, rng=RNG)), "flattened"),
        (nn.Sequential(nn.Linear(3, 12, rng=RNG), nn.Reshape(2, 2, 3)), "unflattened"),
    ):
        arrays = mg.interop.to_torch(module, flattened={})
        with pytest.raises(ArgumentError, match=f"say {option}="):
            mg.interop.from_torch(module, arrays)
        mg.interop.from_torch(module, arrays, **{option: {}})


@promise(CASES, "`load_state_dict` of PyTorch's tensors", "CheckpointError: use mg.interop.from_torch")
def tensors_of_torch(folder: Path) -> None:
    torch_tensor = type("Tensor", (), {"__module__": "torch"})
    with pytest.raises(CheckpointError, match="from_torch"):
        mg.layers.Linear(2, 2, rng=RNG).load_state_dict({"weight": torch_tensor(), "bias": torch_tensor()})


@promise(
    CASES,
    "a Function whose backward gives one Tensor, nothing, or an array",
    "GradientError: return a tuple of Tensors",
)
def gradients_of_a_function(folder: Path) -> None:
    for gradient, words in (
        (lambda g: g, "gave a Tensor; return a tuple"),
        (lambda g: None, "gave a NoneType; return a tuple"),
        (lambda g: (g.data,), "gave an array for input 0; return Tensors"),
    ):
        twice = type(
            "Twice", (mg.Function,), {"forward": lambda self, x: 2 * x, "backward": lambda self, g, f=gradient: f(g)}
        )
        with pytest.raises(GradientError, match=words):
            twice()(mg.ones(1, requires_grad=True)).sum().backward()


@promise(CASES, "`random_flip` or `random_shift` of a single image", "ShapeError: a single image is one of x[None]")
def single_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for call in (lambda x: mg.data.random_flip(x, rng), lambda x: mg.data.random_shift(x, 1, rng)):
        with pytest.raises(ShapeError, match=r"x\[None\]"):
            call(np.ones((8, 8, 3), np.float32))
