"""Tasks that threads share out: `@tasks`, in the place of a loop over numba.prange.

Numba compiles such a loop five times, wrapper in wrapper. Here a task is a part (`jit.part`) of the one function that
Python calls, which packs the arguments and hands them to the same pool of threads.
"""

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
import numba.core.config
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minigen.config import config
from minigen.kernels.jit import jit, part

SETTINGS: Any = numba.core.config


def tasks(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function(i, *arguments)`, one task. The result, called with (count, *arguments), runs 0 ≤ i < count.

    Tasks run on up to `config.threads` threads, each of which takes an equal run of them, so no two may write to the
    same place; `threads=1` keeps them on the calling thread, which is faster when there is little to do. Called from
    Python only. Raises MemoryError when a task could not get memory.
    """
    name = f"{function.__name__}_launch"
    launch: Any = FunctionType(launcher.__code__, {"start": starter(part(function))}, name)
    launch.__module__, launch.__qualname__ = function.__module__, name  # under these the cache keeps it
    launch = jit(launch)

    @functools.wraps(function)
    def call(count: int, *arguments: Any, threads: int | None = None) -> None:
        load_threads()
        workers = 1 if count == 1 else min(count, threads or config.threads, SETTINGS.NUMBA_NUM_THREADS)
        if launch(count, workers, arguments):
            raise MemoryError(f"{function.__name__}: a task could not get memory")

    return call


@functools.cache
def load_threads() -> None:
    """Numba loads its pool of threads, which compiled launchers call by name."""
    numba.get_num_threads()


def launcher(count, workers, arguments):
    """What Python calls. Each kind of task has a copy, in which `start` is its own."""
    return start(count, workers, arguments)  # pyright: ignore[reportUndefinedVariable]  # noqa: F821


def starter(task: Any) -> Any:
    """An intrinsic (count, workers, arguments) that runs the tasks and returns whether one of them failed."""

    def start(typingctx: Any, count: Any, workers: Any, arguments: Any) -> Any:
        kind = typingctx.resolve_function_type(types.Dispatcher(task), (types.intp, *arguments.types), {})

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            failed = cgutils.alloca_once_value(builder, cgutils.false_bit)
            data = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, [values[2], failed]))
            share = emit_share(context, builder.module, task.overloads[kind.args], kind, data.type)
            index, byte = context.get_value_type(types.intp), cgutils.voidptr_t
            numbers = [ir.Constant(byte, None), values[0], index(1)]  # the first task's number, how many, the distance
            first, size, step = (cgutils.alloca_once_value(builder, number) for number in numbers)
            with builder.if_else(builder.icmp_signed("<=", values[1], index(1))) as (alone, together):
                with alone:
                    builder.call(share, [first, size, step, builder.bitcast(data, byte)])
                with together:
                    pool = cgutils.get_or_insert_function(
                        builder.module, ir.FunctionType(ir.VoidType(), [byte] * 5 + [index] * 3), "numba_parallel_for"
                    )
                    pointers = [builder.bitcast(value, byte) for value in (share, first, size, step, data)]
                    builder.call(pool, [*pointers, index(1), index(1), values[1]])
            return builder.load(failed)

        return types.boolean(types.intp, types.intp, arguments), generate

    return intrinsic(start)


def emit_share(context: Any, module: Any, compiled: Any, kind: Any, data: Any) -> Any:
    """The function that a thread of Numba's pool calls: some tasks, one after the other.

    Its parameters are those of a NumPy ufunc's loop: addresses of the operands, sizes, distances, and `data`, here the
    address of (arguments, address of the flag to set on failure). Its one operand's "address" is a task's number.
    """
    context.add_linking_libs([compiled.library])
    index, byte = context.get_value_type(types.intp), cgutils.voidptr_t
    parameters = [byte.as_pointer(), index.as_pointer(), index.as_pointer(), byte]
    share = ir.Function(module, ir.FunctionType(ir.VoidType(), parameters), f"{compiled.fndesc.mangled_name}.share")
    share.linkage = "internal"
    build = ir.IRBuilder(share.append_basic_block())
    first = build.ptrtoint(build.load(share.args[0]), index)
    stop = build.add(first, build.load(share.args[1]))
    arguments, failed = cgutils.unpack_tuple(build, build.load(build.bitcast(share.args[3], data)))
    function = context.declare_function(module, compiled.fndesc)

    def borrow(of: Any, value: Any) -> Any:
        """An array without an owner, so that threads do not wait for each other to count references to it."""
        if not isinstance(of, types.Array):
            return value
        array = context.make_array(of)(context, build, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        return array._getvalue()

    with cgutils.for_range_slice(build, first, stop, index(1), index) as (i, _):
        values = [i, *map(borrow, kind.args[1:], cgutils.unpack_tuple(build, arguments))]
        status, _ = context.call_conv.call_function(build, function, kind.return_type, kind.args, values)
        with build.if_then(status.is_error, likely=False):
            build.store(cgutils.true_bit, failed)
    build.ret_void()
    return share
