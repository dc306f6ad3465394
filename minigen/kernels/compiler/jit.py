"""The decorators of all that is compiled, in the form that works with this Numba.

jit      a kernel, called from Python
part     a function that kernels call, compiled inside them
inline   a few lines that kernels and parts share, put into each of them before it is compiled
tasks    one of many tasks; the result is called from Python, and hands them to threads
fma      a · b + c, rounded once
"""

import functools
from collections.abc import Callable
from typing import Any

from minigen.kernels.compiler import process
from minigen.kernels.compiler.choice import INNER
from minigen.kernels.compiler.numba_plain import inline as inline
from minigen.kernels.noting import noting

process.tune()

if INNER:
    from minigen.kernels.compiler.numba_inner import fma as fma
    from minigen.kernels.compiler.numba_inner import jit as compiled
    from minigen.kernels.compiler.numba_inner import part as part
    from minigen.kernels.compiler.numba_inner import tasks as tasks
else:
    from minigen.kernels.compiler.numba_plain import fma as fma
    from minigen.kernels.compiler.numba_plain import jit as compiled
    from minigen.kernels.compiler.numba_plain import part as part
    from minigen.kernels.compiler.numba_plain import tasks as tasks


def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel, called from Python only, which writes into arrays among its arguments."""
    kernel = compiled(function)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        result = kernel(*arguments)
        if noting.notes is not None:
            noting.notes.call(kernel, arguments)
        return result

    return call
