"""Ctrl-C that can not be swallowed.

Python drops what is raised in a callback out of compiled code, or while an object is taken down, and Ctrl-C may come
just there: while Numba hands a kernel to its cache. Python says so to `sys.unraisablehook`, and KeyboardInterrupt is
raised once more a moment later, when that callback is over.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

LATER = 0.02  # seconds


@contextlib.contextmanager
def not_swallowed() -> Iterator[None]:
    """Inside, a KeyboardInterrupt that Python drops comes again. Nothing is changed outside the main thread."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    hook, alarm = sys.unraisablehook, signal.getsignal(signal.SIGALRM)

    def dropped(what: Any) -> None:
        if what.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, LATER)
        else:
            hook(what)

    sys.unraisablehook = dropped
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if alarm is None else alarm)
