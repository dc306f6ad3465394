"""Names of PyTorch that minigen calls otherwise, or does without: one table, from which errors say the name here.

    >>> mg.cat
    mg.cat: a name of PyTorch; use mg.concatenate(tensors, axis)

Everything here works when a name was not found, or a keyword not taken; a name that exists costs nothing.
docs/from_pytorch.md is written from this table.
"""

import difflib
import functools
import importlib.util
import inspect
import opcode
import sys
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, TypeVar

from minigen.errors import KeywordError, MissingNameError

C = TypeVar("C", bound=type)

CPU = "leave it out; everything is in the memory of the CPU"
FLOATS = "use float32 or float64, which are all that is trained"
CALLED = "it is called "
IN_PLACE = "write `x[...] = …` under mg.no_grad(), or make a new tensor"
DRAW = "draw with a generator, rng.normal(size=x.shape), and write `x[...] = …`"
INIT = "pass init= to the layer, or write into the parameter under mg.no_grad()"

# place → name of PyTorch → what to do here
NAMES: dict[str, dict[str, str]] = {
    "mg": {
        "nn": "layers are in mg.layers, functions such as mg.relu(x) in mg itself",
        "functional": "functions such as mg.relu(x) are in mg itself",
        "F": "functions such as mg.relu(x) are in mg itself",
        "utils": "use mg.data.DataLoader, mg.optim.clip_grad_norm(parameters, max_norm)",
        "cat": "use mg.concatenate(tensors, axis)",
        "concat": "use mg.concatenate(tensors, axis)",
        "unsqueeze": "use mg.expand_dims(x, axis)",
        "permute": "use mg.transpose(x, axes)",
        "movedim": "use mg.transpose(x, axes)",
        "view": "use mg.reshape(x, shape)",
        "clamp": "use mg.clip(x, min, max)",
        "mm": "use mg.matmul(x, y), or x @ y",
        "bmm": "use mg.matmul(x, y), or x @ y",
        "mv": "use mg.matmul(x, y), or x @ y",
        "pow": "use mg.power(x, y), or x ** y",
        "sub": "use mg.subtract(x, y), or x - y",
        "mul": "use mg.multiply(x, y), or x * y",
        "div": "use mg.divide(x, y), or x / y",
        "true_divide": "use mg.divide(x, y), or x / y",
        "neg": "use mg.negative(x), or -x",
        "eq": "use mg.equal(x, y), or x == y",
        "ne": "use mg.not_equal(x, y), or x != y",
        "gt": "use mg.greater(x, y), or x > y",
        "ge": "use mg.greater_equal(x, y), or x >= y",
        "lt": "use mg.less(x, y), or x < y",
        "le": "use mg.less_equal(x, y), or x <= y",
        "absolute": "use mg.abs(x)",
        "amax": "use mg.max(x, axis)",
        "amin": "use mg.min(x, axis)",
        "broadcast_to": "use mg.expand(x, shape)",
        "interpolate": "use mg.resize(x, size, scale_factor, mode)",
        "logsigmoid": "use mg.log_sigmoid(x)",
        "from_numpy": "use mg.tensor(array), which copies it",
        "as_tensor": "use mg.tensor(array)",
        "FloatTensor": "use mg.tensor(data)",
        "LongTensor": "use mg.tensor(data)",
        "manual_seed": "make a generator, rng = mg.random.generator(seed), and pass it as rng=",
        "Generator": "use mg.random.generator(seed)",
        "inference_mode": "use mg.no_grad()",
        "set_grad_enabled": "use mg.no_grad() or mg.enable_grad()",
        "is_tensor": "use isinstance(x, mg.Tensor)",
        "Size": "shapes are tuples",
        "device": CPU,
        "cuda": CPU,
        "backends": CPU,
        "set_default_dtype": "set mg.config.dtype",
        "get_default_dtype": "read mg.config.dtype",
        "set_num_threads": "set mg.config.threads",
        "get_num_threads": "read mg.config.threads",
        "compile": "leave it out; kernels are compiled when they are first called",
        **dict.fromkeys(
            ("float", "float32", "float64", "double", "int64", "long", "int32", "uint8", "bool"),
            'dtypes are NumPy\'s: numpy.float32, or "float32"',
        ),
        **dict.fromkeys(("half", "float16", "bfloat16", "amp"), FLOATS),
    },
    "mg.autograd": {
        "Function": "use mg.Function",
        "grad": "use mg.grad(outputs, inputs)",
        "backward": "use x.backward()",
        "no_grad": "use mg.no_grad()",
        "gradcheck": "use mg.gradcheck(function, inputs)",
        "set_detect_anomaly": "use mg.detect_anomaly()",
        "detect_anomaly": "use mg.detect_anomaly()",
        "Variable": "use mg.tensor(data, requires_grad=True)",
    },
    "Tensor": {
        "view": "use x.reshape(shape)",
        "view_as": "use x.reshape(y.shape)",
        "reshape_as": "use x.reshape(y.shape)",
        "permute": "use x.transpose(axes)",
        "t": "use x.T",
        "mT": "use x.swapaxes(-1, -2)",
        "unsqueeze": "use mg.expand_dims(x, axis)",
        "expand_as": "use mg.expand(x, y.shape)",
        "to": "for a dtype use x.astype(dtype); for a device " + CPU,
        "cuda": CPU,
        "cpu": CPU,
        "device": CPU,
        "is_cuda": CPU,
        "pin_memory": CPU,
        "type": "use x.astype(dtype), or read x.dtype",
        "float": 'use x.astype("float32")',
        "double": 'use x.astype("float64")',
        "long": 'use x.astype("int64")',
        "int": 'use x.astype("int32")',
        "bool": 'use x.astype("bool")',
        "half": FLOATS,
        "bfloat16": FLOATS,
        "dim": "read x.ndim",
        "ndimension": "read x.ndim",
        "numel": "read x.size",
        "nelement": "read x.size",
        "contiguous": "leave it out; operations take any layout",
        "clamp": "use x.clip(min, max)",
        "pow": "use x ** y",
        "add": "use x + y",
        "sub": "use x - y",
        "mul": "use x * y",
        "div": "use x / y",
        "neg": "use -x",
        "mm": "use x @ y",
        "bmm": "use x @ y",
        "eq": "use x == y",
        "ne": "use x != y",
        "gt": "use x > y",
        "ge": "use x >= y",
        "lt": "use x < y",
        "le": "use x <= y",
        "amax": "use x.max(axis)",
        "amin": "use x.min(axis)",
        "grad_fn": "read x.node",
        **dict.fromkeys(("add_", "sub_", "mul_", "div_", "zero_", "fill_", "clamp_", "pow_", "exp_", "neg_"), IN_PLACE),
        **dict.fromkeys(("normal_", "uniform_"), DRAW),
    },
    "Module": {
        "to": "for a dtype use module.astype(dtype); for a device " + CPU,
        "cuda": CPU,
        "cpu": CPU,
        "float": 'use module.astype("float32")',
        "double": 'use module.astype("float64")',
        "half": FLOATS,
        "bfloat16": FLOATS,
        "register_parameter": "assign it: self.name = mg.layers.Parameter(array)",
        "add_module": "assign it: self.name = module",
        "register_module": "assign it: self.name = module",
        "compile": "leave it out; kernels are compiled when they are first called",
    },
    "mg.layers": {
        **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), "use mg.layers.BatchNorm, for any axes"),
        "MultiheadAttention": "use mg.layers.MultiHeadAttention(dim, heads, rng=rng)",
        "TransformerEncoderLayer": "use mg.layers.TransformerBlock(dim, heads, rng=rng)",
        "TransformerDecoderLayer": "use mg.layers.TransformerBlock(dim, heads, rng=rng) with is_causal=True",
        **dict.fromkeys(
            ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), "use mg.layers.InstanceNorm, for any axes"
        ),
        **dict.fromkeys(("ConstantPad2d", "ZeroPad2d"), "use mg.layers.Pad(padding)"),
        **dict.fromkeys(
            ("ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"), "use mg.layers.Pad(padding, mode), as mg.pad"
        ),
        "UpsamplingNearest2d": "use mg.layers.Upsample(scale)",
        "UpsamplingBilinear2d": 'use mg.layers.Upsample(scale, "bilinear", align_corners=True)',
        "Unflatten": "use mg.layers.Reshape(shape)",
        "functional": "functions such as mg.relu(x) are in mg itself",
        "utils": "use mg.optim.clip_grad_norm(parameters, max_norm), mg.layers.spectral_norm(layer, rng=rng)",
        "parameter": "use mg.layers.Parameter",
    },
    "mg.layers.init": {
        **dict.fromkeys(
            (
                "xavier_uniform_",
                "xavier_normal_",
                "kaiming_uniform_",
                "kaiming_normal_",
                "normal_",
                "uniform_",
                "zeros_",
                "ones_",
                "constant_",
                "orthogonal_",
            ),
            INIT,
        ),
    },
    "mg.optim": {
        "lr_scheduler": "schedules are in mg.optim itself: mg.optim.StepLR, mg.optim.CosineLR",
        "clip_grad_norm_": "use mg.optim.clip_grad_norm(parameters, max_norm)",
        "clip_grad_value_": "use mg.optim.clip_grad_value(parameters, max_value)",
        "CosineAnnealingLR": "use mg.optim.CosineLR",
        "swa_utils": "use mg.optim.EMA",
    },
    "mg.data": {
        "TensorDataset": "use mg.data.ArrayDataset(*arrays)",
        "default_collate": "leave it out; items are put together by mg.data.DataLoader",
        "utils": "data sets and loaders are in mg.data itself",
    },
}

# keyword of PyTorch → what to do here, said where a function of minigen does not take it
KEYWORDS: dict[str, str] = {
    "dim": "it is called axis",
    "dims": "it is called axis",
    "keepdim": "it is called keepdims",
    "unbiased": "use ddof=1 for the unbiased variance, ddof=0 for that of a population",
    "correction": "it is called ddof",
    "inplace": "leave it out; nothing works in place",
    "batch_first": "leave it out; sequences are (N, T, C) everywhere",
    "device": CPU,
    "non_blocking": CPU,
    "pin_memory": CPU,
    "out": "leave it out; results are new tensors",
    "generator": "it is called rng",
    "num_workers": "leave it out; batches are made in this process",
    "persistent_workers": "leave it out; batches are made in this process",
    "worker_init_fn": "leave it out; batches are made in this process",
    "prefetch_factor": "leave it out; batches are made in this process",
    "num_features": "it is the first argument",
    "normalized_shape": "use num_features; it is the last axis that is normalized",
    "embed_dim": "it is called dim",
    "d_model": "it is called dim",
    "num_heads": "it is called heads",
    "nhead": "it is called heads",
    "dim_feedforward": "use mlp_ratio, the multiple of dim",
    "attn_mask": "use mask, with True where steps may be looked at",
    "key_padding_mask": "use mask, with True where steps may be looked at",
    "track_running_stats": "leave it out; nothing is kept from batch to batch",
    "num_embeddings": "it is called num",
    "embedding_dim": "it is called dim",
    "padding_mode": "use mg.pad(x, …) before the layer",
    "size_average": "use reduction",
    "memory_format": "leave it out; images are (N, H, W, C)",
    **dict.fromkeys(("foreach", "fused", "capturable"), "leave it out; a step is one pass over all parameters"),
    "last_epoch": "leave it out; a schedule is restored by load_state_dict",
    "verbose": "leave it out; read the optimizer's lr",
}


def describe(place: str, name: str, known: Iterable[str]) -> str:
    """What to say of a name that `place` does not have."""
    here = NAMES.get(place, {}).get(name)
    if here is not None:
        return f"{place}.{name}: a name of PyTorch; {here}"
    near = difflib.get_close_matches(name, [each for each in known if each[0] != "_"], 1, 0.7)
    return f"{place} has no {name}" + (f"; did you mean {near[0]}?" if near else "")


def module_names(module: str) -> Callable[[str], Any]:
    """A `__getattr__` for a module: raises MissingNameError, or ImportError for `from module import name`."""
    place = "mg" + module.removeprefix("minigen")

    def missing(name: str) -> Any:
        if name.startswith("_"):  # what notebooks and other programs ask for
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        package = hasattr(sys.modules[module], "__path__")
        if name not in NAMES.get(place, {}) and package and importlib.util.find_spec(f"{module}.{name}"):
            raise MissingNameError(f"{place}.{name} is loaded by `import {module}.{name}`")
        text = describe(place, name, dir(sys.modules[module]))
        caller = sys._getframe(1)
        if caller.f_code.co_code[caller.f_lasti] == opcode.opmap["IMPORT_FROM"]:  # which drops the text of other errors
            raise ImportError(text, name=module)
        raise MissingNameError(text)

    return missing


class Elsewhere:
    """Stands in a class for a name of PyTorch: it is missing, as `hasattr` says, but the error tells the name here."""

    def __init__(self, place: str, name: str) -> None:
        self.__doc__ = describe(place, name, ())

    def __get__(self, instance: object, owner: type) -> Any:
        raise MissingNameError(self.__doc__)


def class_names(place: str) -> Callable[[C], C]:
    """Decorator: the class gets an Elsewhere for each name in the table. Attributes of its own come first."""

    def decorate(cls: C) -> C:
        for name in NAMES[place]:
            if not hasattr(cls, name):
                setattr(cls, name, Elsewhere(place, name))
        return cls

    return decorate


def visible(instance: object) -> list[str]:
    """The names that `dir(instance)` shows: all but those that only stand for names of PyTorch."""
    own, cls = getattr(instance, "__dict__", {}), type(instance)
    names = object.__dir__(instance)
    return [n for n in names if n in own or not isinstance(inspect.getattr_static(cls, n, None), Elsewhere)]


class Count(int):
    """A number that is called like PyTorch's `x.size()` by mistake."""

    __slots__ = ()

    def __call__(self, *axis: object) -> Any:
        raise KeywordError(
            f"x.size is the number of elements, {int(self)}, as in NumPy; for lengths use x.shape, or x.shape[axis]"
        )

    def __reduce__(self) -> Any:
        return int, (int(self),)


def explains_keywords(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose TypeError for a keyword it does not take says what to do instead."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if not kwargs or error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from inside the function
            problem = keyword_problem(function, args, kwargs)
            if problem is None:
                raise
            raise KeywordError(problem) from None

    return call


def keyword_problem(function: Callable[..., Any], args: tuple[Any, ...], keywords: Iterable[str]) -> str | None:
    """What is wrong with the first of the keywords that the function does not take; None when it takes them all."""
    code = function.__code__
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    name = type(args[0]).__name__ if function.__name__ == "__init__" and args else function.__name__
    for keyword in keywords:
        if keyword not in taken:
            here = KEYWORDS.get(keyword, "")
            if here and (not here.startswith(CALLED) or here.removeprefix(CALLED) in taken):
                return f"{name}: {keyword} is a keyword of PyTorch; {here}"
            near = difflib.get_close_matches(keyword, taken, 1, 0.7)
            return f"{name} takes no keyword {keyword}" + (f"; did you mean {near[0]}?" if near else "")
    return None


def explain_functions(namespace: dict[str, Any], exported: Iterable[str]) -> None:
    """The functions that `minigen` exports explain their keywords, if they take options.

    Inside minigen the functions themselves are called, by way of their modules.
    """
    for name in exported:
        thing = namespace[name]
        if isinstance(thing, FunctionType) and (thing.__defaults__ or thing.__kwdefaults__ or has_axis(thing)):
            namespace[name] = explained = explains_keywords(thing)
            explained.__module__ = namespace["__name__"]  # where pickle finds it


def has_axis(function: FunctionType) -> bool:
    """Whether a function has a parameter that PyTorch calls dim."""
    return "axis" in function.__code__.co_varnames[: function.__code__.co_argcount]


def explain_constructors(namespace: dict[str, Any], exported: Iterable[str]) -> None:
    """The classes that a package of minigen exports, and their bases in it, explain the keywords of their constructors.

    Not those elsewhere: every step makes many a Tensor, which is the base of Parameter.
    """
    things = [namespace.get(name) for name in exported]  # a function may still follow
    bases = {base for thing in things if isinstance(thing, type) for base in thing.__mro__}
    for cls in [base for base in bases if base.__module__.startswith(namespace["__name__"])]:
        init: Any = vars(cls).get("__init__")
        if isinstance(init, FunctionType) and not hasattr(init, "__wrapped__"):
            setattr(cls, "__init__", explains_keywords(init))  # noqa: B010  # which a type checker would refuse
