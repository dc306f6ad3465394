"""Checkpoints: the whole state of a training run in one safetensors file, without pickle.

Arrays are tensors named by where they stand ("model.0.weight"), readable by any safetensors tool; everything else
(numbers, strings, generator states) is JSON in the file's metadata, beside the format version, the step and a SHA-256
over all of it. A file is written whole or not at all, and on loading every name, shape and dtype is checked before
anything is changed.
"""

import copy
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from minigen import random
from minigen.errors import ArgumentError, CheckpointError, MinigenError
from minigen.files import write_atomic
from minigen.torch_names import Count

FORMAT = 1
DTYPES = {
    "bool",
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
PLAIN = (bool, int, str, type(None))


@runtime_checkable
class Stateful(Protocol):
    """Whatever can be saved: its state is a dict of arrays, numbers, strings, None, lists, tuples and nested dicts."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


State = Mapping[str, Stateful | np.random.Generator]


def save(path: str | os.PathLike[str], state: State, step: int, origin: Mapping[str, Any] | None = None) -> None:
    """Write the state of every object in `state` and the number of steps done to `path`, atomically.

    origin: what the checkpoint belongs to, plain values, see minigen.training.origin. Raises CheckpointError for a
    value that cannot be stored, RunError when the disk refuses; either way a file that was at `path` before is still
    there, unharmed.
    """
    if step < 0:
        raise ArgumentError(f"checkpoint: step is {step}; it counts the steps done, from 0")
    write(path, {name: capture(owner, name) for name, owner in check_state(state).items()}, step, origin)


def write(
    path: str | os.PathLike[str], values: Mapping[str, Any], step: int, origin: Mapping[str, Any] | None = None
) -> None:
    """Write nested arrays and plain values by their names, as `save` does."""
    from safetensors.numpy import save as serialize

    tensors: dict[str, np.ndarray] = {}
    tree = {name: encode(value, name, tensors) for name, value in values.items()}
    body = {"format": FORMAT, "minigen": version(), "step": int(step), "origin": dict(origin or {}), "state": tree}
    # One metadata entry only: safetensors writes several in random order, and equal runs shall give equal files.
    document = json.dumps({**body, "sha256": digest(body, tensors)})
    write_atomic(Path(path), serialize(tensors, {"minigen": document}))


def non_finite(state: State) -> str | None:
    """Which array of `state` holds NaN or infinity, as in "NaN in model.mu.weight"; None when all are finite.

    Plain numbers may be anything: the best value so far of a run without any is infinite.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, owner in check_state(state).items():
        encode(capture(owner, name), name, arrays)
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        with np.errstate(all="ignore"):  # the sum is one quick pass; it may overflow where every element is finite
            if not np.isfinite(array.sum()) and not np.isfinite(array).all():
                return f"{'NaN' if np.isnan(array).any() else 'infinity'} in {name}"
    return None


def load(
    path: str | os.PathLike[str],
    state: State,
    partial: bool = False,
    check: Callable[["Saved"], None] | None = None,
) -> int:
    """Restore every object in `state` from `path`; returns the number of steps done when it was saved.

    The names in `state` must be those in the file; with `partial` the file may hold more (a model is loaded without
    its optimizer). check: is given what the sound file holds, and may raise, before anything is restored. Raises
    CheckpointError when the file is missing, damaged or does not fit, and then leaves every object as it was.
    """
    path = Path(path)
    found = read_whole(path)
    if check is not None:
        check(found)
    step, saved = found.step, found.state
    current = {name: copy.deepcopy(capture(owner, name)) for name, owner in check_state(state).items()}
    if partial:
        saved = {name: value for name, value in saved.items() if name in current}
    problems = list(differences(saved, current, ""))
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        dtypes = {dtype for _, dtype in problems}
        mend = "Build the model with the recipe that the checkpoint was trained with"
        if len(dtypes) == 1 and None not in dtypes:
            mend = f"The run was trained in {(dtype := dtypes.pop())}: set MINIGEN_DTYPE={dtype}"
        raise CheckpointError(f"{path} does not fit: {'; '.join(text for text, _ in problems[:5])}{more}. {mend}")
    name = ""
    try:
        for name, owner in state.items():
            restore(owner, saved[name])
    except Exception as error:
        for undo, owner in state.items():
            restore(owner, current[undo])
        raise CheckpointError(f"{path} does not fit: {name}: {error}") from error
    return step


class Saved(NamedTuple):
    """What a checkpoint holds: steps done, the state as nested dicts of arrays and plain values, and its origin."""

    step: int
    state: dict[str, Any]
    origin: dict[str, Any]  # empty in a checkpoint of an older minigen


def read(path: str | os.PathLike[str]) -> tuple[int, dict[str, Any]]:
    """(step, state) of a checkpoint; nothing is restored.

    Raises CheckpointError when the file is missing, truncated, altered, or no checkpoint of minigen.
    """
    return read_whole(path)[:2]


def read_whole(path: str | os.PathLike[str]) -> Saved:
    """All that a checkpoint holds, as `read` gives it, with its origin."""
    path = Path(path)
    tensors, document = read_safetensors(path)
    try:
        body = body_of(document, path)
        written = body.pop("sha256")
        intact = written == digest(body, tensors)
        found = Saved(body["step"], decode(body["state"], tensors), body.get("origin", {}))
        if not isinstance(found.step, int) or not isinstance(found.state, dict) or not isinstance(found.origin, dict):
            raise TypeError("step, state or origin is of another kind")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise damaged(path, f"its metadata cannot be read: {error}") from error
    if not intact:
        raise damaged(path, "its contents do not match their SHA-256")
    return found


def read_origin(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The origin that a checkpoint names, unverified, from its head alone; empty when there is none to be read."""
    try:
        origin = body_of(read_safetensors(Path(path), head=True)[1], Path(path)).get("origin", {})
        return origin if isinstance(origin, dict) else {}
    except (MinigenError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def body_of(document: str | None, path: Path) -> dict[str, Any]:
    """The JSON of minigen's entry in a file's metadata. Raises CheckpointError when it is of another format."""
    if document is None:
        raise CheckpointError(f"{path} is a safetensors file, but not a checkpoint written by minigen")
    body = json.loads(document)
    if body["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {body['format']} (minigen {body['minigen']}); this minigen reads "
            f"format {FORMAT}; install the version that wrote it"
        )
    return body


def read_safetensors(path: Path, head: bool = False) -> tuple[dict[str, np.ndarray], str | None]:
    """All tensors of a safetensors file (none for its head alone), and minigen's entry in its metadata, if any."""
    from safetensors import safe_open

    if not os.path.lexists(path):
        raise CheckpointError(f"no checkpoint at {path}; the run has not saved one yet, or the path is wrong")
    if not path.is_file():  # a pipe would be waited for
        raise damaged(path, "it is no regular file")
    try:
        with safe_open(path, framework="np") as file:
            names = [] if head else file.keys()
            return {name: file.get_tensor(name) for name in names}, (file.metadata() or {}).get("minigen")
    except Exception as error:  # the parsers raise many kinds; whatever it is, the file cannot be read
        raise damaged(path, str(error)) from error


def damaged(path: Path, why: str) -> CheckpointError:
    """The error for a file that is not what was written."""
    return CheckpointError(f"{path} is damaged: {why}. Restore it from a copy, or train again into a new folder")


def check_state(state: State) -> State:
    """`state` itself, or ArgumentError when it holds something that cannot be saved and restored."""
    if not state:
        raise ArgumentError('checkpoint: state is empty; pass {"model": model, "optimizer": optimizer, …}')
    for name, owner in state.items():
        if not isinstance(owner, (np.random.Generator, Stateful)):
            raise ArgumentError(
                f"checkpoint: {name} is {type(owner).__name__}, which has no state_dict() and load_state_dict()"
            )
    return state


def capture(owner: Stateful | np.random.Generator, name: str) -> dict[str, Any]:
    """The state of one object, as a dict."""
    state = random.get_state(owner) if isinstance(owner, np.random.Generator) else owner.state_dict()
    if not isinstance(state, Mapping):
        raise CheckpointError(f"checkpoint: {name}.state_dict() gave {type(state).__name__}; it must give a dict")
    return dict(state)


def restore(owner: Stateful | np.random.Generator, state: dict[str, Any]) -> None:
    """Put one object into a state that `capture` took."""
    if isinstance(owner, np.random.Generator):
        random.set_state(owner, state)
    else:
        owner.load_state_dict(state)


def encode(value: Any, name: str, tensors: dict[str, np.ndarray]) -> Any:
    """`value` as strict JSON; arrays and NumPy scalars go to `tensors` and leave {"$array": name} behind.

    Other marks: {"$scalar": name}, {"$tuple": [...]}, {"$float": "nan"}. Python's JSON keeps ints of any size and,
    by repr, floats exactly.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.name not in DTYPES:
            raise CheckpointError(f"checkpoint: {name} has dtype {value.dtype}, which cannot be stored")
        if name in tensors:
            raise CheckpointError(f"checkpoint: two arrays are named {name}; rename one")
        # Row-major and native byte order: safetensors writes the bytes as they lie in memory, whatever the strides.
        tensors[name] = np.asarray(value, dtype=value.dtype.newbyteorder("="), order="C")
        return {"$array" if isinstance(value, np.ndarray) else "$scalar": name}
    if type(value) in PLAIN:
        return value
    if isinstance(value, Count):  # x.size of a tensor
        return int(value)
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, (list, tuple)):
        items = [encode(item, f"{name}.{i}", tensors) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key.startswith("$"):
                raise CheckpointError(f'checkpoint: {name} has the key {key!r}; keys are strings without a leading "$"')
        return {key: encode(item, f"{name}.{key}", tensors) for key, item in value.items()}
    raise CheckpointError(
        f"checkpoint: {name} is {type(value).__name__}; state_dict() may hold arrays, numbers, strings, None, lists, "
        "tuples and dicts"
    )


def decode(value: Any, tensors: Mapping[str, np.ndarray]) -> Any:
    """The inverse of `encode`."""
    if isinstance(value, list):
        return [decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return tensors[value["$array"]]
    if "$scalar" in value:
        return tensors[value["$scalar"]][()]
    if "$tuple" in value:
        return tuple(decode(value["$tuple"], tensors))
    if "$float" in value:
        return float(value["$float"])
    return {key: decode(item, tensors) for key, item in value.items()}


def digest(body: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over the metadata and every tensor's name, dtype, shape and bytes."""
    sha = hashlib.sha256(json.dumps(body, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        sha.update(f"{name} {array.dtype.name} {array.shape}".encode())
        sha.update(array.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def differences(saved: Any, current: Any, name: str) -> Iterator[tuple[str, str | None]]:
    """What keeps a saved state from being loaded: missing and surplus names, other shapes, dtypes or kinds.

    Beside each stands the saved dtype when nothing but the float dtype differs, else None.
    """
    if isinstance(saved, dict) and isinstance(current, dict):
        for key in current:
            if key not in saved:
                yield f"the file has no {joined(name, key)}", None
            else:
                yield from differences(saved[key], current[key], joined(name, key))
        for key in saved:
            if key not in current:
                yield f"{joined(name, key)} is in the file, but not in what it is loaded into", None
    elif isinstance(saved, np.ndarray) and isinstance(current, np.ndarray):
        if (saved.shape, saved.dtype) != (current.shape, current.dtype):
            only_dtype = saved.shape == current.shape and saved.dtype.kind == current.dtype.kind == "f"
            text = f"{name} is {saved.shape} {saved.dtype} in the file, but {current.shape} {current.dtype} here"
            yield text, saved.dtype.name if only_dtype else None
    elif saved is not None and current is not None and kind(saved) != kind(current):
        yield f"{name} is {kind(saved)} in the file, but {kind(current)} here", None


def joined(name: str, key: str) -> str:
    """The dotted name of `key` inside `name`."""
    return f"{name}.{key}" if name else key


def kind(value: Any) -> str:
    """A coarse kind: ints and floats pass for each other, as do lists and tuples."""
    if isinstance(value, dict):
        return "a dict"
    if isinstance(value, np.ndarray):
        return "an array"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, (list, tuple)) else "a number"


def version() -> str:
    """The installed minigen's version, or "unknown" when it runs uninstalled from its sources."""
    from importlib import metadata  # a twentieth of what importing minigen takes

    try:
        return metadata.version("minigen")
    except metadata.PackageNotFoundError:
        return "unknown"
