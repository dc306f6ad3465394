"""Promises to those who come from PyTorch: each stumble says the way here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from promises import Promise, promise

import minigen
from minigen.errors import ArgumentError, KeywordError, MissingNameError

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
