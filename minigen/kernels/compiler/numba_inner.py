"""What rests on Numba's inner interfaces, which any release may change: this file, and `chain.py`, have to follow.

    jit     compiles a kernel; its cache on disk is safe between processes
    part    compiles a function only inside each kernel that calls it
    tasks   shares a kernel's tasks out to Numba's pool of threads, in the place of a loop over numba.prange

`ir`, `cgutils`, `types` and `intrinsic` are for those who write LLVM's instructions: `tile/emitter.py` and its users.
When something here is missing or fails its self-test (`choice.py`), `numba_plain.py` does the same more slowly.

Numba makes every function a library of machine code of its own, for Python to call, and optimises it once more inside
each caller, and again inside the callers of those. A part is typed and translated, and then left alone: the kernel it
is linked into optimises all of its parts together, once. A loop over prange it compiles five times, wrapper in wrapper.
Here a task is a part of the one function that Python calls, which packs the arguments and hands them to the pool.
"""

import contextlib
import functools
import hashlib
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from tracemalloc import is_tracing
from types import FunctionType
from typing import Any, Literal

import numba
from llvmlite import binding, ir
from numba import extending, types
from numba.core import cgutils, sigutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, CompileResult, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.serialize import dumps
from numba.core.typed_passes import NativeLowering

from minigen.config import config
from minigen.kernels.compiler import kept
from minigen.kernels.compiler.cache import announce, usable_folder
from minigen.kernels.compiler.numba_plain import OPTIONS
from minigen.kernels.compiler.process import POOL, SETTINGS, start_pool
from minigen.kernels.noting import noting

# Settings of Numba that change the code it makes.
CODE_SETTINGS = (
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "CPU_NAME",
    "CPU_FEATURES",
)


def cpu_features() -> set[str]:
    """Names of the vector extensions that Numba compiles for, with its own overrides from the environment."""
    if SETTINGS.CPU_FEATURES is not None:
        return {name[1:] for name in SETTINGS.CPU_FEATURES.split(",") if name.startswith("+")}
    return {name for name, present in binding.get_host_cpu_features().items() if present}


def intrinsic(function: Callable[..., Any]) -> Any:
    """numba.extending.intrinsic; typed, since a call leaves out `typingctx`."""
    return extending.intrinsic(function)


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a · b + c, rounded once. A compiler that may fuse a product and a sum does not do so everywhere."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fma(*values)

    return a(a, a, a), generate


class KernelCache:
    """What Numba asks for the code of one kernel, and gives it to: a file for each signature and processor.

    Numba's own cache numbers its files through an index, without a lock, and loads whatever it finds.
    """

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self.source = f"{function.__module__}.{function.__qualname__}"
        self.cache_path = str(folder)
        self.folder = folder

    def path(self, signature: Any, codegen: Any) -> Path:
        """The file of this kernel's code for a signature and a processor."""
        settings = [getattr(SETTINGS, name, None) for name in CODE_SETTINGS]
        key = repr((self.source, signature, codegen.magic_tuple(), sys.implementation.cache_tag, settings))
        return self.folder / f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """The compiled kernel; None when it has to be compiled."""
        target_context.refresh()  # Numba may have learned of other types since
        contents = kept.read(self.path(signature, target_context.codegen()))
        if contents is not None:
            with contextlib.suppress(Exception):  # of another release of a package that Numba builds on
                return CompileResult._rebuild(target_context, *pickle.loads(contents))
        announce()
        return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep a kernel that was just compiled."""
        if compiled.library.has_dynamic_globals:  # addresses of this process
            return
        try:
            kept.write(self.path(signature, compiled.codegen), dumps(compiled._reduce()))
        except Exception as error:
            say_unsaved(self.folder, getattr(error, "strerror", None) or str(error))

    def flush(self) -> None:
        """What Numba calls to have everything compiled anew: files that are replaced when they are written again."""


@functools.cache
def say_unsaved(folder: Path, problem: str) -> None:
    """Say, once, that compiled kernels are lost when this process ends."""
    warnings.warn(f"minigen: compiled kernels can not be saved in {folder} ({problem})", stacklevel=2)


def jit(function: Callable[..., Any]) -> Any:
    """Compile a kernel, called from Python, on its first call; the result is kept on disk."""
    dispatcher = compiled(function)
    folder = usable_folder()
    if folder is None:
        announce_first(dispatcher)
    else:
        dispatcher._cache = KernelCache(function, folder)
    return dispatcher


def part(function: Callable[..., Any]) -> Any:
    """Compile a function inside those kernels alone that call it, which takes half the time. Python can not call it."""
    dispatcher = compiled(function, pipeline_class=PartCompiler, no_cpython_wrapper=True)

    def add_overload(result: Any) -> None:  # Numba would also enter it among the functions that Python calls
        dispatcher.overloads[tuple(result.signature.args)] = result

    dispatcher.add_overload = add_overload
    return dispatcher


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Numba's dispatcher of a function, with the settings of all kernels."""
    options |= OPTIONS | {"no_cfunc_wrapper": True}  # no wrapper for C to call
    dispatcher: Any = numba.njit(**options)(function)
    merge_signatures(dispatcher)
    return dispatcher


def merge_signatures(dispatcher: Any) -> None:
    """Compile once for signatures that differ only in how an index is typed.

    Numba would compile a function called with the constant 0, or with an unsigned number, apart.
    """
    compile_now = dispatcher.compile

    def compile_merged(signature: Any) -> Any:
        arguments, _ = sigutils.normalize_signature(signature)
        return compile_now(tuple(plain(argument) for argument in arguments))

    dispatcher.compile = compile_merged


def plain(kind: Any) -> Any:
    """The type itself of a constant; int64 for uint64."""
    kind = types.unliteral(kind)
    return types.intp if kind == types.uintp else kind


def announce_first(dispatcher: Any) -> None:
    """Without a cache, speak up when `dispatcher` first compiles."""
    compile_now = dispatcher.compile

    def compile_and_say(signature: Any) -> Any:
        announce()
        return compile_now(signature)

    dispatcher.compile = compile_and_say


class PartLibrary(JITCodeLibrary):
    """LLVM code to link into other libraries, not optimised, and never given to the machine."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class PartLowering(NativeLowering):
    """Translates a typed function to LLVM code in a PartLibrary."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> Literal[True]:
        name = state.func_id.func_qualname
        state.library = PartLibrary(state.targetctx.codegen(), name)
        state.flags.no_compile = True
        super().run_pass(state)

        def entry(*_: object) -> None:
            raise TypeError(f"{name} is a part of kernels, and can not be called from Python")

        state.targetctx.insert_user_function(entry, state.cr.fndesc, [state.library])  # callers find it by its entry
        state.cr = state.cr._replace(cfunc=entry)
        return True


class PartCompiler(CompilerBase):
    """Numba's usual passes, with PartLowering in the place of its own."""

    def define_pipelines(self) -> list[Any]:
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.add_pass_after(PartLowering, NativeLowering)
        manager.passes = [entry for entry in manager.passes if entry[0] is not NativeLowering]
        manager.finalize()
        return [manager]


def tasks(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function(i, *arguments)`, one task. The result, called with (count, *arguments), runs 0 ≤ i < count.

    Tasks run on up to `config.threads` threads, each of which takes an equal run of them, so no two may write to the
    same place; `threads=1` keeps them on the calling thread, which is faster when there is little to do. So does
    tracemalloc, for which an allocation in another thread would wait for the calling one, for ever. Called
    from Python only. Raises MemoryError when a task could not get memory.
    """
    launch = launcher(function)

    @functools.wraps(function)
    def call(count: int, *arguments: Any, threads: int | None = None) -> None:
        workers = 1 if count == 1 or is_tracing() else min(count, threads or config.threads, POOL.size)
        if launch()(count, workers, arguments):
            raise MemoryError(f"{function.__name__}: a task could not get memory")
        if noting.notes is not None:
            noting.notes.call(launch(), (count, workers, arguments))

    return call


def launcher(function: Callable[..., None]) -> Callable[[], Any]:
    """Makes, once, on its first call, a copy of `run` for one kind of task."""

    @functools.cache
    def launch() -> Any:
        start_pool()  # which the copies call by name
        copy: Any = FunctionType(run.__code__, {"start": starter(part(function))}, f"{function.__name__}_launch")
        copy.__module__ = function.__module__  # the cache keeps it under this and the name
        copy.__qualname__ = f"{function.__module__}.{copy.__name__}"
        return jit(copy)

    return launch


start: Any = None


def run(count, workers, arguments):
    """What Python calls. Each kind of task has a copy, in which `start` is its own."""
    return start(count, workers, arguments)


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
