"""Calls that follow each other, joined: those of compiled kernels become one function of machine code."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from minigen.config import config


def joined(calls: Sequence[Callable[[], Any]]) -> list[Callable[[], Any]]:
    """The same calls, in fewer functions; each gives something true when a kernel could not get memory.

    calls: without arguments. Kernels come as functools.partial, with their arguments in it.
    """
    if config.backend != "numba":
        return list(calls)
    from minigen.kernels.compiler import choice

    if not choice.INNER:
        return list(calls)
    from minigen.kernels.compiler.chain import chains, overload

    result: list[Any] = []
    for call in calls:
        if not isinstance(call, functools.partial) or overload(call.func, call.args) is None:
            result.append(call)
        elif result and isinstance(result[-1], list):
            result[-1].append((call.func, call.args))
        else:
            result.append([(call.func, call.args)])
    made = iter(chains([entry for entry in result if isinstance(entry, list)]))
    return [next(made) if isinstance(entry, list) else entry for entry in result]
