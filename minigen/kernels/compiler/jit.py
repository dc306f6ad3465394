"""The decorators of all that is compiled, `jit`, `part` and `tasks`, in the form that works with this Numba."""

from minigen.kernels.compiler import process
from minigen.kernels.compiler.choice import INNER

process.tune()

if INNER:
    from minigen.kernels.compiler.numba_inner import jit as jit
    from minigen.kernels.compiler.numba_inner import part as part
    from minigen.kernels.compiler.numba_inner import tasks as tasks
else:
    from minigen.kernels.compiler.numba_plain import jit as jit
    from minigen.kernels.compiler.numba_plain import part as part
    from minigen.kernels.compiler.numba_plain import tasks as tasks
