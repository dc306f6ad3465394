"""The decorators of all that is compiled, in the form that works with this Numba.

jit      a kernel, called from Python
part     a function that kernels call, compiled inside them
inline   a few lines that kernels and parts share, put into each of them before it is compiled
tasks    one of many tasks; the result is called from Python, and hands them to threads
"""

from minigen.kernels.compiler import process
from minigen.kernels.compiler.choice import INNER
from minigen.kernels.compiler.numba_plain import inline as inline

process.tune()

if INNER:
    from minigen.kernels.compiler.numba_inner import jit as jit
    from minigen.kernels.compiler.numba_inner import part as part
    from minigen.kernels.compiler.numba_inner import tasks as tasks
else:
    from minigen.kernels.compiler.numba_plain import jit as jit
    from minigen.kernels.compiler.numba_plain import part as part
    from minigen.kernels.compiler.numba_plain import tasks as tasks
