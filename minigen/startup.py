"""The first moments of the command line: Ctrl-C then ends it at once, without a traceback out of some import.

Imported before anything that takes time. `minigen.cli.main` gives Ctrl-C back its usual meaning.
"""

import signal
import sys
import threading
from pathlib import Path


def is_command() -> bool:
    """Whether this process was started as `minigen …` or `python -m minigen …`, and not for a program of its own."""
    started = sys.argv[0] if sys.argv else ""
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if started == "-m" and "-m" in sys.orig_argv else []
    return Path(started).stem == "minigen" or module[:1] == ["minigen"]


def end_at_once() -> None:
    """Let Ctrl-C end the process as the system does, unless it is ignored or handled by somebody already."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if usual and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_again() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, after `end_at_once`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


if is_command():
    end_at_once()
