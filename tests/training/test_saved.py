"""mg.save and mg.load: weights and states in safetensors files, whole or not at all, never pickle."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.errors import ArgumentError, CheckpointError, MinigenError, RunError

RNG = mg.random.generator(0)


def model() -> mg.layers.Module:
    return mg.layers.Sequential(
        mg.layers.Linear(3, 4, rng=RNG), mg.layers.BatchNorm(4), mg.layers.Linear(4, 1, rng=RNG)
    )


def test_weights_return_and_other_tools_read_them(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    one, other, path = model(), model(), tmp_path / "model.safetensors"
    mg.save(one, path)
    other.load_state_dict(mg.load(path))
    for name, array in one.state_dict().items():
        assert np.array_equal(other.state_dict()[name], array) and np.array_equal(load_file(path)[name], array)
    mg.save(one.state_dict(), str(path))
    assert set(mg.load(str(path))) == set(one.state_dict())


def test_an_optimizer_goes_on_exactly(tmp_path: Path) -> None:
    def step(module: Any, optimizer: Any) -> None:
        optimizer.zero_grad()
        (module(np.ones((5, 3), np.float32)) ** 2).sum().backward()
        optimizer.step()

    one, other = model(), model()
    optimizer = mg.optim.Adam(one.parameters(), 0.1)
    step(one, optimizer)
    mg.save({"model": one, "optimizer": optimizer, "rng": RNG, "epoch": 3, "best": None}, tmp_path / "all.safetensors")
    found = mg.load(tmp_path / "all.safetensors")
    assert found["epoch"] == 3 and found["best"] is None
    other.load_state_dict(found["model"])
    again = mg.optim.Adam(other.parameters(), 0.1)
    again.load_state_dict(found["optimizer"])
    assert mg.random.get_state(RNG) == found["rng"]
    step(one, optimizer)
    step(other, again)
    for name, array in one.state_dict().items():
        assert np.array_equal(other.state_dict()[name], array)


def test_files_of_others_give_their_arrays(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.arange(3.0), "b.c": np.ones((2, 2), np.int64)}, tmp_path / "x.safetensors")
    found = mg.load(tmp_path / "x.safetensors")
    assert found["a"].tolist() == [0, 1, 2] and found["b.c"].shape == (2, 2)


@pytest.mark.parametrize(
    ("obj", "name", "kind", "words"),
    [
        (model(), "model.pt", ArgumentError, "model.pt is a name of pickles"),
        (model(), "model.pkl", ArgumentError, "safetensors"),
        (model(), "model", ArgumentError, "does not end in .safetensors"),
        (model(), "missing/model.safetensors", RunError, "folder does not exist"),
        ([1, 2], "x.safetensors", ArgumentError, "list has no state_dict"),
        ({}, "x.safetensors", ArgumentError, "empty"),
        ({"f": print}, "x.safetensors", CheckpointError, "f is builtin_function"),
        ({1: np.ones(1)}, "x.safetensors", CheckpointError, "1"),
        ({"text": np.array(["a"])}, "x.safetensors", CheckpointError, "text has dtype"),
    ],
    ids=str,
)
def test_what_can_not_be_saved_is_refused(
    obj: Any, name: str, kind: type[MinigenError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        mg.save(obj, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_loaded_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    mg.save(model(), path)
    whole = path.read_bytes()
    for changed in (whole[:-3], whole[:40], b"", bytes([whole[0] ^ 1]) + whole[1:], whole[:-9] + b"x" + whole[-8:]):
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match="damaged"):
            mg.load(path)
    with pytest.raises(CheckpointError, match="no file"):
        mg.load(tmp_path / "other.safetensors")
    (tmp_path / "model.pth").write_bytes(b"")
    for name in ("model.pth", "missing.pt"):
        with pytest.raises(ArgumentError, match="pickles, which run the code"):
            mg.load(tmp_path / name)
    with pytest.raises(RunError):
        mg.load(tmp_path / "no-run")
