"""Checkpoints: exact round trips, strict loading, damage of every kind, disks that refuse."""

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from minigen import random
from minigen.errors import ArgumentError, CheckpointError, RunError
from minigen.training import checkpoint


class Box:
    """Something with a state: whatever it was given. Arrays are loaded in place, as parameters are."""

    def __init__(self, **state: Any) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Any]:
        return self.state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state.get("poison"):
            raise ValueError("cannot take this")
        for key, value in state.items():
            if isinstance(value, np.ndarray) and isinstance(self.state[key], np.ndarray):
                self.state[key][...] = value
            else:
                self.state[key] = value


def same(a: Any, b: Any) -> bool:
    """Equal in type and value all the way down, NaN equal to NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def round_trip(path: Path, value: Any) -> Any:
    checkpoint.save(path, {"box": Box(value=value)}, 3)
    step, state = checkpoint.read(path)
    assert step == 3
    return state["box"]["value"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -(2**200),
        0.1,
        -0.0,
        5e-324,
        math.pi * 1e300,
        math.inf,
        -math.inf,
        math.nan,
        "",
        'a "quoted" ünïcode \n\0 string',
        [],
        [1, [2.5, None, [True]], "x"],
        (0.9, 0.999),
        {},
        {"a": {"b": {"c": [1, {"d": (1,)}]}}},
        np.float32(0.1),
        np.float64(0.1),
        np.int64(-5),
        np.bool_(True),
        {"deep": [np.arange(3), {"w": np.zeros((2, 0, 3))}]},
    ],
    ids=repr,
)
def test_values_come_back_exactly(tmp_path: Path, value: Any) -> None:
    assert same(round_trip(tmp_path / "c.safetensors", value), value)


@pytest.mark.parametrize("dtype", sorted(checkpoint.DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 4), (2, 0, 3), (2, 3, 4)])
def test_arrays_come_back_exactly(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    bits = np.random.default_rng(0).integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    array = np.asarray(bits[..., 0] > 99 if dtype == "bool" else bits.view(dtype)[..., 0])
    assert same(round_trip(tmp_path / "c.safetensors", array), array)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(24.0)[::-3],
        np.broadcast_to(np.arange(3.0), (4, 3)),
        np.arange(6, dtype=">f4").reshape(2, 3),
    ],
    ids=["fortran", "transposed", "reversed", "broadcast", "big-endian"],
)
def test_memory_order_does_not_matter(tmp_path: Path, array: np.ndarray) -> None:
    np.testing.assert_array_equal(round_trip(tmp_path / "c.safetensors", array), array)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_generators_continue_their_stream(tmp_path: Path, bits: type) -> None:
    rng = np.random.Generator(bits(7))
    rng.integers(0, 10, dtype=np.uint32)  # leaves half a word in the generator's buffer
    checkpoint.save(tmp_path / "c", {"rng": rng}, 0)
    expected = rng.random(5)
    other = np.random.Generator(bits(8))
    checkpoint.load(tmp_path / "c", {"rng": other})
    np.testing.assert_array_equal(other.random(5), expected)


def test_tensors_have_readable_names(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    checkpoint.save(tmp_path / "c", {"model": Box(**{"0.weight": np.ones(2)}), "adam": Box(m=[np.ones(1)])}, 1)
    assert sorted(load_file(tmp_path / "c")) == ["adam.m.0", "model.0.weight"]


def test_equal_states_give_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        checkpoint.save(tmp_path / name, {"m": Box(w=np.ones(3), b=np.zeros(2)), "rng": random.generator(1)}, 4)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({}, "empty"),
        ({"x": 3}, "x is int"),
        ({"x": Box(a=object())}, "x.a is object"),
        ({"x": Box(a={1: 2})}, "key 1"),
        ({"x": Box(a={"$array": 2})}, "[$]array"),
        ({"x": Box(a=np.array(["text"]))}, "dtype <U4"),
        ({"x": Box(a=np.ones(1, complex))}, "complex128"),
        ({"x": Box(**{"a.b": np.ones(1), "a": {"b": np.ones(1)}})}, "two arrays are named x.a.b"),
    ],
)
def test_what_cannot_be_stored_is_named(tmp_path: Path, state: Any, word: str) -> None:
    with pytest.raises((CheckpointError, ArgumentError), match=word):
        checkpoint.save(tmp_path / "c", state, 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"w": np.zeros((3, 2), np.float32), "lr": 0.1}, ["m.w is (2, 3) float32 in the file", "(3, 2) float32 here"]),
        ({"w": np.zeros((2, 3)), "lr": 0.1}, ["float32 in the file", "float64 here"]),
        ({"v": np.zeros((2, 3), np.float32), "lr": 0.1}, ["the file has no m.v", "m.w is in the file"]),
        ({"w": np.zeros((2, 3), np.float32)}, ["m.lr is in the file, but not"]),
        ({"w": np.zeros((2, 3), np.float32), "lr": "high"}, ["m.lr is a number in the file, but a string here"]),
        ({"w": 1.0, "lr": 0.1}, ["m.w is an array in the file, but a number here"]),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(tmp_path: Path, other: dict, words: list[str]) -> None:
    path = tmp_path / "c"
    checkpoint.save(path, {"a": Box(x=1), "m": Box(w=np.ones((2, 3), np.float32), lr=0.1)}, 0)
    first, second = Box(x=2), Box(**other)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path, {"a": first, "m": second})
    for word in [str(path), *words]:
        assert word in str(caught.value)
    assert first.state == {"x": 2} and same(second.state, other)


def test_an_object_that_refuses_late_undoes_the_others(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "c", {"a": Box(x=np.ones(2)), "b": Box(poison=True)}, 0)
    first, second = Box(x=np.zeros(2)), Box(poison=False)
    with pytest.raises(CheckpointError, match="b: cannot take this"):
        checkpoint.load(tmp_path / "c", {"a": first, "b": second})
    np.testing.assert_array_equal(first.state["x"], np.zeros(2))
    assert second.state == {"poison": False}


def test_none_stands_for_anything_not_there_yet(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "c", {"a": Box(best=None, order=np.arange(3))}, 0)
    box = Box(best=0.5, order=None)
    checkpoint.load(tmp_path / "c", {"a": box})
    assert same(box.state, {"best": None, "order": np.arange(3)})


def test_partial_loading_takes_only_what_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c"
    checkpoint.save(path, {"model": Box(w=np.ones(2)), "rng": random.generator(0)}, 9)
    box = Box(w=np.zeros(2))
    with pytest.raises(CheckpointError, match="rng is in the file"):
        checkpoint.load(path, {"model": box})
    assert checkpoint.load(path, {"model": box}, partial=True) == 9
    np.testing.assert_array_equal(box.state["w"], np.ones(2))
    with pytest.raises(CheckpointError, match="the file has no critic"):
        checkpoint.load(path, {"critic": box}, partial=True)


def small_checkpoint(path: Path) -> tuple[bytes, dict[str, Any]]:
    state = {"model": Box(w=np.arange(4, dtype=np.float32)), "rng": random.generator(5), "n": Box(best=0.25, tag="x")}
    checkpoint.save(path, state, 12)
    return path.read_bytes(), checkpoint.read(path)[1]


def test_every_altered_byte_is_detected_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "c"
    data, state = small_checkpoint(path)
    undetected = []
    for position in range(len(data)):
        for flip in (1, 0x80):
            damaged = bytearray(data)
            damaged[position] ^= flip
            path.write_bytes(damaged)
            try:
                step, read = checkpoint.read(path)
            except CheckpointError as error:
                assert str(path) in str(error)
            else:
                assert step == 12 and same(read, state), f"byte {position} was altered unnoticed"
                undetected.append(position)
    assert len(undetected) < 40  # white space, and the version that is only told, not used


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 100, -1, -17])
def test_a_truncated_file_is_damaged(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "c"
    data, _ = small_checkpoint(path)
    path.write_bytes(data[:keep])
    box = Box(w=np.zeros(4, np.float32))
    with pytest.raises(CheckpointError, match="damaged") as caught:
        checkpoint.load(path, {"model": box}, partial=True)
    assert str(path) in str(caught.value) and "copy" in str(caught.value)
    np.testing.assert_array_equal(box.state["w"], np.zeros(4))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 a zip", b"\x80\x04pickle", b"\xff" * 64, b"{}", bytes(64)])
def test_a_foreign_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c").write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.read(tmp_path / "c")


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    save_file({"w": np.ones(2)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="not a checkpoint written by minigen"):
        checkpoint.read(tmp_path / "foreign")
    newer = json.dumps({"format": 99, "minigen": "9.9", "sha256": ""})
    save_file({"w": np.ones(2)}, tmp_path / "newer", {"minigen": newer})
    with pytest.raises(CheckpointError, match=r"format 99 \(minigen 9.9\).*install"):
        checkpoint.read(tmp_path / "newer")
    for document in ("[]", "{", '{"format": 1}', "3", "null"):
        save_file({"w": np.ones(2)}, tmp_path / "odd", {"minigen": document})
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoint.read(tmp_path / "odd")
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        checkpoint.read(tmp_path / "none")
    with pytest.raises(CheckpointError, match="damaged: it is no regular file"):
        checkpoint.read(tmp_path)


@pytest.mark.parametrize(
    ("function", "code", "word"),
    [
        ("fsync", errno.ENOSPC, "disk is full"),
        ("fsync", errno.EDQUOT, "quota"),
        ("replace", errno.EROFS, "read-only"),
        ("replace", errno.EACCES, "permission"),
        ("fsync", errno.EIO, "Input/output"),
    ],
)
def test_a_disk_that_refuses_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, code: int, word: str
) -> None:
    path = tmp_path / "c"
    checkpoint.save(path, {"b": Box(x=1)}, 1)

    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, function, refuse)
    with pytest.raises(RunError, match=word) as caught:
        checkpoint.save(path, {"b": Box(x=2)}, 2)
    assert str(path) in str(caught.value)
    assert checkpoint.read(path) == (1, {"b": {"x": 1}})
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*part of this path is a file"):
        checkpoint.save(tmp_path / "file" / "c", {"b": Box(x=1)}, 1)


FULL_DISK = """
import resource, sys
import numpy as np
from minigen.errors import RunError
from minigen.training import checkpoint
class Box:
    def __init__(self, w): self.w = w
    def state_dict(self): return {"w": self.w}
    def load_state_dict(self, state): self.w = state["w"]
checkpoint.save(sys.argv[1], {"b": Box(np.ones(3))}, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    checkpoint.save(sys.argv[1], {"b": Box(np.ones(100_000))}, 2)
except RunError as error:
    assert "file size" in str(error), error
else:
    raise SystemExit("the limit did not hold")
step, state = checkpoint.read(sys.argv[1])
assert step == 1 and (state["b"]["w"] == np.ones(3)).all()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits there")
def test_a_file_that_cannot_grow_leaves_the_old_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "c")], check=True, timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_another_precision_is_named(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "c", {"b": Box(w=np.ones(3), v=np.ones((2, 2)), n=np.arange(3))}, 1)
    half = {"w": np.ones(3, np.float32), "v": np.ones((2, 2), np.float32)}
    with pytest.raises(CheckpointError, match=r"trained in float64: set MINIGEN_DTYPE=float64$"):
        checkpoint.load(tmp_path / "c", {"b": Box(**half, n=np.arange(3))})
    for other in ({"n": np.arange(4)}, {"n": np.arange(3), "m": 0}, {"n": np.ones(3)}):
        with pytest.raises(CheckpointError, match="Build the model with the recipe"):
            checkpoint.load(tmp_path / "c", {"b": Box(**half, **other)})
