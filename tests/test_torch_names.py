"""Names of PyTorch: each error says the name here, and that name exists; nothing that exists is disturbed."""

import copy
import importlib
import inspect
import pickle
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import minigen
from minigen import torch_names
from minigen.errors import KeywordError, MinigenError, MissingNameError
from minigen.torch_table import KEYWORDS, NAMES

mg: Any = minigen  # without its types, as wrong names are the point here
RNG = mg.random.generator(0)
THINGS = {"Tensor": mg.tensor([[1.0, 2.0]]), "Module": mg.layers.Linear(2, 2, rng=RNG)}
THINGS |= {
    place: importlib.import_module("minigen" + place.removeprefix("mg")) for place in NAMES if place not in THINGS
}
ROWS = [(place, name) for place, names in NAMES.items() for name in names]


def resolves(text: str) -> bool:
    """Whether every name of minigen in a sentence exists, apart from those that are only spelled out."""
    for dotted in re.findall(r"mg((?:\.[A-Za-z_]\w*)+)", text):
        thing = mg
        for part in dotted[1:].split("."):
            thing = getattr(thing, part)
    for owner, name in re.findall(r"\b(x|module)\.([a-z]\w*)", text):
        getattr(THINGS["Tensor" if owner == "x" else "Module"], name)
    return True


@pytest.mark.parametrize(("place", "name"), ROWS, ids=str)
def test_a_name_of_pytorch_is_missing_and_says_one_that_is_there(place: str, name: str) -> None:
    with pytest.raises(MissingNameError, match=re.escape(f"{name}: a name of PyTorch; {NAMES[place][name]}")) as caught:
        getattr(THINGS[place], name)
    assert isinstance(caught.value, AttributeError) and isinstance(caught.value, MinigenError)
    assert not hasattr(THINGS[place], name) and name not in dir(THINGS[place])
    assert resolves(NAMES[place][name])


@pytest.mark.parametrize("place", ["mg", "mg.layers", "mg.optim", "mg.data"])
def test_a_near_miss_is_suggested(place: str) -> None:
    module = THINGS[place]
    for name in ["concatenat", "Conv2D", "Adagrat", "DataLoadr"]:
        near = {"concatenat": "concatenate", "Conv2D": "Conv2d", "Adagrat": "Adagrad", "DataLoadr": "DataLoader"}[name]
        if hasattr(module, near):
            with pytest.raises(MissingNameError, match=f"{place} has no {name}; did you mean {near}"):
                getattr(module, name)
    with pytest.raises(MissingNameError, match=r"mg has no DataLoader.*; there is mg\.data\.DataLoader$"):
        mg.DataLoader  # noqa: B018
    with pytest.raises(MissingNameError, match=f"{place} has no zzzzzz$"):
        module.zzzzzz  # noqa: B018


def test_an_import_of_a_name_says_the_name_here() -> None:
    with pytest.raises(ImportError, match=r"use mg\.layers.BatchNorm"):
        exec("from minigen.layers import BatchNorm2d")
    with pytest.raises(ImportError, match=r"use mg\.concatenate"):
        exec("from minigen import cat")
    with pytest.raises(MissingNameError, match=r"loaded by `import minigen\.cli`"):
        torch_names.module_names("minigen")("cli")
    exec("from minigen import cli")


def refused(call: Any, words: str) -> None:
    with pytest.raises(KeywordError, match=words) as caught:
        call()
    assert isinstance(caught.value, TypeError)


def test_keywords_of_pytorch_say_ours() -> None:
    x = THINGS["Tensor"]
    refused(lambda: x.sum(dim=1), "sum: dim is a keyword of PyTorch; it is called axis")
    refused(lambda: mg.max(x, axis=1, keepdim=True), "max: keepdim is .* it is called keepdims")
    refused(lambda: x.var(unbiased=False), "var: unbiased .* ddof=0")
    refused(lambda: mg.softmax(x, dim=-1), "it is called axis")
    refused(lambda: mg.concatenate([x, x], dim=0), "it is called axis")
    refused(lambda: mg.expand_dims(x, dim=0), "it is called axis")
    refused(lambda: mg.tensor([1.0], device="cpu"), "tensor: device .* leave it out")
    refused(lambda: mg.layers.LSTM(2, 3, batch_first=True, rng=RNG), "LSTM: batch_first .* leave it out")
    refused(lambda: mg.layers.ReLU(inplace=True), "ReLU: inplace .* leave it out")
    refused(lambda: mg.layers.LeakyReLU(0.2, inplace=True), "LeakyReLU: inplace")
    refused(lambda: mg.layers.LayerNorm(normalized_shape=3), "num_features")
    refused(lambda: mg.layers.Linear(2, 3, rng=RNG, device="cpu"), "Linear: device")
    refused(lambda: mg.optim.SGD([], lr=0.1, foreach=True), "SGD: foreach")
    refused(lambda: mg.data.DataLoader([1, 2], 2, num_workers=4), "DataLoader: num_workers")
    refused(lambda: mg.data.DataLoader([1, 2], 2, pin_memory=True), "DataLoader: pin_memory")
    refused(lambda: x.flatten(start_dim=1), "flatten: start_dim .* it is called start_axis")
    refused(lambda: mg.layers.Flatten(start_dim=1), "Flatten: start_dim .* it is called start_axis")
    refused(lambda: mg.optim.CosineLR(None, T_max=9), "CosineLR: T_max .* it is called steps")
    refused(lambda: x.sum(keepdms=True), "sum takes no keyword keepdms; did you mean keepdims")
    refused(lambda: x.sum(nonsense=True), "sum takes no keyword nonsense$")


def test_every_keyword_names_what_is_there() -> None:
    assert all(resolves(text) for text in KEYWORDS.values())


def test_a_type_error_from_inside_is_left_alone() -> None:
    @torch_names.explains_keywords
    def outer(x: int, **options: Any) -> None:
        (lambda axis: axis)(dim=x)  # pyright: ignore[reportCallIssue]

    with pytest.raises(TypeError, match="unexpected keyword argument 'dim'") as caught:
        outer(1, dim=2)
    assert not isinstance(caught.value, KeywordError)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        outer()  # pyright: ignore[reportCallIssue]


def test_size_is_a_number_and_says_so_when_called() -> None:
    x = THINGS["Tensor"]
    refused(lambda: x.size(), "x.size is the number of elements, 2, .* x.shape")
    refused(lambda: x.size(0), "x.shape")
    assert x.size == 2 and isinstance(x.size, int) and type(x.size + 1) is int and repr(x.size) == "2"
    assert type(pickle.loads(pickle.dumps(x.size))) is int and type(copy.copy(x.size)) is int


def test_a_name_that_a_user_gives_counts() -> None:
    class Moving(mg.layers.Module):
        def half(self) -> int:
            return 1

    module = Moving()
    module.device = "here"
    module.float = 3
    assert (module.half(), module.device, module.float) == (1, "here", 3)
    assert {"half", "device", "float"} <= set(dir(module)) and "cuda" not in dir(module)
    assert copy.deepcopy(module).float == pickle.loads(pickle.dumps(mg.layers.ReLU())).training + 2


def test_functions_keep_their_signature_and_can_be_pickled() -> None:
    for name in ("sum", "softmax", "concatenate", "tensor", "conv2d"):
        inner = getattr(mg.autograd.ops, name, mg.autograd.tensor)
        assert inspect.signature(getattr(mg, name)) == inspect.signature(inner)
        assert getattr(mg, name).__doc__ == inner.__doc__
        assert pickle.loads(pickle.dumps(getattr(mg, name))) is getattr(mg, name)
    assert list(inspect.signature(mg.layers.Linear).parameters)[:2] == ["in_features", "out_features"]


def test_other_programs_may_ask_for_anything() -> None:
    """Notebooks, NumPy and copy look for names that may be missing."""
    for thing in THINGS.values():
        for name in ("_repr_html_", "_ipython_display_", "_repr_mimebundle_", "__array_interface__", "__wrapped__"):
            assert getattr(thing, name, None) is None or callable(getattr(thing, name))
    code = "from minigen import *; assert sum is not __builtins__.sum and layers.Linear; import minigen; dir(minigen)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert np.asarray(mg.tensor([1.0])).tolist() == [1.0]
