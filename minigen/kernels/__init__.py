"""Arrays in, arrays out: the numeric kernels under every operation, and the choice between their two forms.

`kernels.conv2d` and the rest resolve on first use: to the Numba module that HOME names, or to the plain NumPy twin in
`reference/` when MINIGEN_BACKEND is numpy or Numba can not be imported. So importing this package costs nothing.
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from minigen.config import config

SERIAL = 32768  # elements of an array up to which one thread is faster

MODULES: dict[str, tuple[str, ...]] = {
    "dense": ("matmul",),
    "convolution": ("conv2d", "conv2d_input_grad", "conv2d_weight_grad"),
    "pooling": ("max_pool2d", "max_pool2d_scatter", "max_pool2d_gather", "avg_pool2d", "avg_pool2d_grad"),
    "elementwise": (
        *("add", "leaky_relu", "leaky_relu_grad", "sigmoid", "sigmoid_grad", "tanh_grad", "softplus"),
        *("erf", "gelu", "gelu_grad", "elu", "elu_grad"),
    ),
    "bias": ("bias_leaky", "bias_leaky_grad", "sum_rows"),
    "mask": ("dropout",),
    "normalization": ("batch_norm", "batch_norm_inference", "batch_norm_grad", "layer_norm", "layer_norm_grad"),
    "losses": (
        *("softmax", "softmax_grad", "log_softmax", "log_softmax_grad", "cross_entropy", "cross_entropy_grad"),
        *("bce_with_logits", "bce_with_logits_sum", "bce_with_logits_grad"),
    ),
    "attention": ("attend", "attend_grad"),
    "embedding": ("scatter_rows",),
    "recurrent": ("rnn", "rnn_grad", "lstm", "lstm_grad", "gru", "gru_grad"),
    "optimizer": ("sgd", "rmsprop", "adagrad", "adam", "global_norm"),
}

HOME = {name: module for module, names in MODULES.items() for name in names}


def _numba_works() -> bool:
    """Whether Numba can be imported; says so, once, when it can not."""
    try:
        import_module("numba")
    except Exception as error:  # a broken installation raises anything
        warnings.warn(
            f"minigen: Numba can not be imported ({type(error).__name__}: {error}); "
            "using the plain NumPy kernels, which are slower",
            stacklevel=3,
        )
        return False
    return True


def __getattr__(name: str) -> Callable[..., Any]:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no kernel {name!r}")
    if config.backend == "numba" and not _numba_works():
        config.backend = "numpy"
    module = HOME[name] if config.backend == "numba" else "reference"
    kernel = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = kernel
    return kernel


def __dir__() -> list[str]:
    return sorted({*globals(), *HOME})
