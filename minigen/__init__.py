"""minigen: a deep-learning engine on NumPy and Numba, whose training step can be read in an afternoon.

    >>> import minigen as mg
    >>> x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])

Functions live here, as in NumPy; layers in `mg.layers`, optimizers in `mg.optim`, data sets in `mg.data`, services for
training loops in `mg.training`, pictures in `mg.plots`, measures in `mg.metrics`, PyTorch's weights in `mg.interop`.
The models are in `minigen.models`; `mg.load("runs/vae-1")` gives one that was trained.
"""

from typing import TYPE_CHECKING

from minigen import startup  # isort: skip  # before all that takes time

from minigen import torch_names
from minigen.autograd import Tensor, tensor
from minigen.autograd.checkpointing import checkpoint
from minigen.autograd.dlpack import from_dlpack
from minigen.autograd.engine import grad
from minigen.autograd.function import Function
from minigen.autograd.functional import hessian, hvp, jacobian, jvp, vjp
from minigen.autograd.fused import FusedFunction
from minigen.autograd.modes import enable_grad, is_grad_enabled, no_grad
from minigen.autograd.observe import detect_anomaly
from minigen.autograd.ops import *
from minigen.autograd.verify.gradcheck import gradcheck
from minigen.catalog import load
from minigen.errors import MinigenError
from minigen.layers.summary import summary
from minigen.recording import record
from minigen.see import check, draw, explain, profile
from minigen.training.saved import save

from minigen import (  # isort: skip  # after the functions: a submodule's name must win over a star import
    autograd,
    data,
    errors,
    interop,
    kernels,
    layers,
    metrics,
    optim,
    plots,
    random,
    training,
)

from minigen.config import config  # isort: skip  # the settings, not the module

if not TYPE_CHECKING:  # which would take any name for one of these
    torch_names.explain_functions(globals(), [*autograd.ops.__all__, "tensor"])
    __getattr__ = torch_names.module_names(__name__)

__version__ = "0.1.0"
