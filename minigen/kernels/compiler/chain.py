"""Calls of compiled kernels that follow each other, as one function of machine code: what a recorded step runs.

Python pays for every call: it looks at the types of the arguments, and takes arrays apart. Here the arguments are
known, and so are written into the code: addresses, lengths, numbers. Rests on Numba's inner interfaces, as
`numba_inner.py` does; without them, or when a kernel is not what it should be, calls are made one by one.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core.typing.typeof import typeof

from minigen.kernels.compiler.numba_inner import plain

Kernel = tuple[Any, tuple[Any, ...]]  # a compiled kernel and its arguments


def overload(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    """The code of a kernel for arguments of these types; None when there is none, or it is no compiled kernel."""
    overloads = getattr(kernel, "overloads", None)
    if not isinstance(overloads, dict):
        return None
    kinds: tuple[Any, ...] = tuple([plain(typeof(argument)) for argument in arguments])
    return overloads.get(kinds)


def literals(kind: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """An argument as the numbers that machine code is given for it: ("address", 4096), ("number", 3), …"""
    if isinstance(kind, types.BaseTuple):
        parts: Any = kind
        for part, item in zip(parts, value, strict=True):
            yield from literals(part, item)
    elif isinstance(kind, types.Array):  # owner, parent, elements, bytes of each, address, lengths, distances
        yield "address", 0
        yield "address", 0
        yield "number", value.size
        yield "number", value.itemsize
        yield "address", value.__array_interface__["data"][0]
        for number in (*value.shape, *value.strides):
            yield "number", number
    else:
        yield "number", value.item() if isinstance(value, np.generic) else value


def written(kind: Any, what: str, value: Any) -> Any:
    """A number or an address in the code."""
    if what == "address":
        return ir.Constant(ir.IntType(64), value).inttoptr(kind)
    return ir.Constant(kind, int(value) if isinstance(value, bool) else value)


def chains(groups: Sequence[Sequence[Kernel]]) -> list[Callable[[], bool]]:
    """For each group a function that makes its calls, each of which has an `overload`; whether one failed."""
    if not groups:
        return []
    context = groups[0][0][0].targetctx
    module = ir.Module("chains")
    module.triple, module.data_layout = binding.get_process_triple(), str(context.codegen()._data_layout)
    for i, group in enumerate(groups):
        emit(context, module, f"chain{i}", group)
    compiled = binding.parse_assembly(str(module))
    engine = binding.create_mcjit_compiler(compiled, binding.Target.from_default_triple().create_target_machine(opt=0))
    engine.finalize_object()
    calls: list[Callable[[], bool]] = []
    for i, group in enumerate(groups):
        call: Any = ctypes.PYFUNCTYPE(ctypes.c_bool)(engine.get_function_address(f"chain{i}"))
        call.engine, call.group = engine, group  # which hold the code, and the arrays
        calls.append(call)
    return calls


def emit(context: Any, module: Any, name: str, group: Sequence[Kernel]) -> None:
    """The function of one group."""
    status_kind, word = ir.IntType(32), ir.IntType(64)
    builder = ir.IRBuilder(ir.Function(module, ir.FunctionType(status_kind, []), name).append_basic_block())
    results: dict[str, Any] = {}
    excuse = None
    for kernel, arguments in group:
        code = overload(kernel, arguments)
        kinds, result = code.signature.args, code.signature.return_type
        kind = context.call_conv.get_function_type(result, kinds)
        given, raised, *rest = kind.args
        place = results.get(str(given))
        if place is None:
            place = results[str(given)] = builder.alloca(given.pointee)
        excuse = builder.alloca(raised.pointee) if excuse is None else excuse
        values = [pair for part, value in zip(kinds, arguments, strict=True) for pair in literals(part, value)]
        entry = ir.Constant(word, code.library.get_pointer_to_function(code.fndesc.llvm_func_name))
        constants = [written(part, *pair) for part, pair in zip(rest, values, strict=True)]
        status = builder.call(builder.inttoptr(entry, kind.as_pointer()), [place, excuse, *constants])
        failed = builder.icmp_signed("!=", status, ir.Constant(status_kind, 0))
        raised_none = builder.icmp_signed("!=", status, ir.Constant(status_kind, -2))
        failed = builder.and_(failed, raised_none)
        if result == types.boolean:
            said = builder.load(place)
            failed = builder.or_(failed, builder.icmp_unsigned("!=", said, ir.Constant(given.pointee, 0)))
        with builder.if_then(failed, likely=False):
            builder.ret(ir.Constant(status_kind, 1))
    builder.ret(ir.Constant(status_kind, 0))
