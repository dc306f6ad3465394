"""The command line: `minigen train`, `minigen sample` and so on, see COMMANDS.

Each command is a function of the rest of the command line that returns the exit code. Every error is one message that
starts with "minigen: error:", without a traceback unless --debug is given. Exit codes: 0 done, 2 a wrong command line,
1 any other error, 130 interrupted.
"""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable

from minigen import flags, startup
from minigen.benchmarks.command import main as bench
from minigen.catalog import first_line
from minigen.cli.exercise import exercise
from minigen.cli.export import export
from minigen.cli.gradcheck import gradcheck
from minigen.cli.interrupts import not_swallowed
from minigen.cli.lr import lr
from minigen.cli.profile import profile
from minigen.cli.report import report
from minigen.cli.runs import compare, list_runs
from minigen.cli.sample import evaluate, sample
from minigen.cli.search import search
from minigen.cli.serve import serve
from minigen.cli.tools import info, warmup
from minigen.cli.train import train
from minigen.cli.view import view
from minigen.config import Config, config
from minigen.errors import ArgumentError, MinigenError
from minigen.training.checkpoint import version

COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": train,
    "sample": sample,
    "eval": evaluate,
    "list": list_runs,
    "compare": compare,
    "report": report,
    "view": view,
    "serve": serve,
    "search": search,
    "lr": lr,
    "export": export,
    "gradcheck": gradcheck,
    "profile": profile,
    "bench": bench,
    "info": info,
    "warmup": warmup,
    "exercise": exercise,
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code. `argv` defaults to the process's arguments."""
    argv = sys.argv[1:] if argv is None else argv
    for stream in ("stdin", "stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed: the next file to be opened would take its number, and its output
            setattr(sys, stream, open(os.devnull, "r+"))  # noqa: SIM115  # as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a character that the terminal lacks is no reason to stop
    if "--debug" in argv:
        config.debug = True
        argv = [argument for argument in argv if argument != "--debug"]
    startup.raise_again()
    try:
        with not_swallowed():
            Config.from_environment(os.environ)
            return dispatch(argv)
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output went away, as in `minigen info | head -1`
        forget_output()
        return 1
    except (MinigenError, OSError, MemoryError) as error:
        if config.debug:
            traceback.print_exc()
        mend = "; ask for less at once: fewer images, smaller batches or networks" * isinstance(error, MemoryError)
        complain(f"error: {str(error) or type(error).__name__}{mend}")
        return 2 if isinstance(error, ArgumentError) else 1
    finally:
        if startup.is_command():
            startup.end_at_once()


def complain(message: str) -> None:
    """One line to standard error, which may be gone with the terminal."""
    with contextlib.suppress(OSError):
        print("minigen:", message, file=sys.stderr)


def forget_output() -> None:
    """Let what is left in the buffer of standard output go nowhere, so that Python does not complain at its end."""
    if sys.stdout is sys.__stdout__:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def dispatch(argv: list[str]) -> int:
    """Call the command that `argv` names with the rest of `argv`."""
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return 0 if argv else 2
    name, *rest = argv
    if name == "--version":
        print(f"minigen {version()}")
        return 0
    if name not in COMMANDS:
        raise ArgumentError(f"unknown command {name}{flags.suggestion(name, COMMANDS)} (known: {', '.join(COMMANDS)})")
    return COMMANDS[name](rest)


def overview() -> str:
    """The text of `minigen --help`."""
    lines = [f"  {name:<9} {first_line(command)}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: minigen COMMAND …",
            "       minigen --version",
            "",
            *lines,
            "",
            "minigen COMMAND --help tells more; --debug shows tracebacks.",
        ]
    )
