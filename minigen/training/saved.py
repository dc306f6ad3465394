"""Weights and states in one safetensors file: `mg.save(model, "model.safetensors")`, `mg.load("model.safetensors")`.

Never pickle, which runs whatever code a file holds. Arrays are tensors of the file, under names that other tools read,
too; numbers, strings and nested dicts, as of an optimizer, stand as JSON in its metadata, beside a SHA-256 of it all.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigen import random
from minigen.autograd.tensor import Tensor
from minigen.checks import check_path
from minigen.errors import ArgumentError, CheckpointError
from minigen.training import checkpoint
from minigen.training.checkpoint import Stateful

SUFFIX = ".safetensors"
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")


def save(obj: Stateful | Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the state of a Module, an optimizer or whatever else has a `state_dict()`, or a dict, to a file.

    A dict may hold, by names, such objects and generators, arrays, tensors, numbers, strings, None, lists, tuples and
    dicts: `mg.save({"model": model, "optimizer": optimizer, "epoch": 3}, "all.safetensors")`.
    path: ends in .safetensors. The file is written whole or not at all. Raises ArgumentError for another ending or for
    something without a state, CheckpointError for a value that can not be stored, RunError when the disk refuses.
    """
    target = checked(path, "save")
    try:
        state = plain(obj)
    except RecursionError:
        raise CheckpointError("save: the dict holds itself, or is nested too deep; keep plain ones") from None
    if not isinstance(state, dict):
        raise ArgumentError(f"save: {type(obj).__name__} has no state_dict(); pass a Module, an optimizer or a dict")
    if not state:
        raise ArgumentError(f"save: this {type(obj).__name__} is empty; there is nothing to keep")
    for key in state:
        if not isinstance(key, str) or key.startswith("$"):
            raise CheckpointError(f'save: the dict has the key {key!r}; keys are strings without a leading "$"')
    checkpoint.write(target, state, 0)


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save` wrote, as a dict of arrays and plain values; of any other safetensors file, its arrays by name.

    `model.load_state_dict(load("model.safetensors"))` puts weights back, and leaves the mode as it is: call
    `model.eval()` to use it. Weights of PyTorch go by way of `mg.interop.from_torch`. Raises ArgumentError for another
    ending, CheckpointError for a file that is missing or damaged.
    """
    source = checked(path, "load")
    if not source.is_file():
        raise CheckpointError(f"load: there is no file {source}")
    try:
        arrays, document = checkpoint.read_safetensors(source)
    except Exception as error:  # the parsers raise many kinds; whatever it is, the file cannot be read
        raise checkpoint.damaged(source, str(error)) from error
    return arrays if document is None else checkpoint.read(source)[1]


def plain(value: Any) -> Any:
    """States in the place of what has one, arrays in that of tensors."""
    if isinstance(value, Tensor):
        return value.data
    if isinstance(value, np.random.Generator):
        return random.get_state(value)
    if not isinstance(value, (Mapping, np.ndarray)) and isinstance(value, Stateful):
        value = value.state_dict()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        items = [plain(item) for item in value]
        return items if type(value) is list else tuple(items)
    return value


def checked(path: str | os.PathLike[str], operation: str) -> Path:
    """The path, if it is that of a safetensors file."""
    path = check_path(operation, path)
    if path.suffix.lower() in PICKLES:
        raise ArgumentError(
            f"{operation}: {path.name} is a name of pickles, which run the code that they hold; minigen keeps "
            "weights in safetensors files. In PyTorch: safetensors.torch.save_file(model.state_dict(), "
            "'model.safetensors'), then here mg.interop.from_torch(model, mg.load('model.safetensors'))"
        )
    if path.suffix != SUFFIX:
        raise ArgumentError(
            f"{operation}: {path.name or path} does not end in {SUFFIX}; weights are kept in such files"
        )
    return path
