"""`minigen view`: the page over run folders."""

import threading
import webbrowser
from contextlib import ExitStack
from pathlib import Path

from minigen import flags
from minigen.catalog import RUNS, first_line, open_run
from minigen.errors import ArgumentError
from minigen.pages.server import doorway, serve


def view(argv: list[str]) -> int:
    """Open a page over run folders, live while they train: samples, curves, layers, and the models to play with."""
    parser = flags.Parser(prog="minigen view", description=first_line(view))
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=RUNS,
        metavar="FOLDER",
        help=f"with the runs in it, or a run (default: {RUNS})",
    )
    parser.add_argument("--port", type=int, metavar="N", help="on 127.0.0.1 (default: 8642, or any that is free)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    if arguments.port is not None and not 0 <= arguments.port < 2**16:
        parser.error(f"--port {arguments.port}: use a number from 0 to 65535")
    folder = arguments.folder
    if folder.is_file():
        raise ArgumentError(f"view: {folder} is a file; name the folder with the runs in it")
    if not folder.is_dir() and folder != RUNS:
        folder = open_run(folder).path  # one that comes with minigen, or the error that says what is wrong
    with ExitStack() as stack:

        def ready(address: str) -> None:
            print(f"{address}\nCtrl-C ends it; who has this address can see the runs in {folder}", flush=True)
            if not arguments.no_browser:
                door = stack.enter_context(doorway(address))
                threading.Thread(target=webbrowser.open, args=(door,), daemon=True).start()  # some wait until it ends

        serve(folder, arguments.port, ready)
    return 0
