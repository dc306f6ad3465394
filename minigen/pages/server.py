"""`minigen view`: the page over run folders, served on the loopback address; it reads and draws samples, and no more.

/TOKEN/                         the page
/TOKEN/page/NAME                its scripts and styles
/TOKEN/api/runs                 all runs, each with a stamp that changes with its folder
/TOKEN/api/runs/NAME            one run: results, curves, samples, rooms
/TOKEN/api/runs/NAME/layers     weights, gradients and outputs by layer and round
/TOKEN/api/runs/NAME/files/…    its pictures and texts
/TOKEN/api/runs/NAME/rooms/…    what a room tells of itself; with a query, its answer
/TOKEN/api/plane                the game in the plane
"""

import json
import math
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from minigen.data.limits import shown
from minigen.errors import ArgumentError, DataError, MinigenError, RunError
from minigen.pages.asked import check_wanted, waiting
from minigen.pages.connections import listening, settings
from minigen.pages.document import document
from minigen.pages.guard import Guard, inside
from minigen.pages.plane import Games
from minigen.pages.rooms import ROOMS, drawing_room
from minigen.pages.shelf import Kept, Shelf
from minigen.training import RunFolder

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PAGE = Path(__file__).parent / "page"
REPORT = "report."  # the parts of the page that need no server
FILES = {".png": "image/png", ".gif": "image/gif", ".txt": "text/plain; charset=utf-8"}
PARTS = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
PORT = 8642
DIVERGED = "the model gives numbers that are not finite: its training has diverged"


class Server:
    """The answers, from a shelf of runs. One computation runs at a time, since each takes all the cores."""

    def __init__(self, root: str | Path) -> None:
        self.shelf = Shelf(root)
        self.rooms = Kept(lambda run, name: ROOMS[name](run))
        self.plane = Games()
        self.computing = threading.Lock()

    def runs(self, request: "Request") -> Any:
        """The list."""
        return {"root": str(self.shelf.root.name), "runs": self.shelf.overview()}

    def run(self, request: "Request") -> Any:
        """One run."""
        name = request.path_params["name"]
        run = self.shelf.open(name)
        found = document(run, lambda path: file_address(name, run, path))
        rooms = [room for room, kind in ROOMS.items() if run.checkpoint_path.is_file() and kind.fits(run)]
        draws = drawing_room(run) if rooms and not found["samples"] else None
        return found | {"name": name, "rooms": rooms, "draws": draws, "layers": bool(run.layers.rounds())}

    def layers(self, request: "Request") -> Any:
        """How its layers were spread."""
        return {"rounds": self.shelf.open(request.path_params["name"]).layers.rounds()}

    def room(self, request: "Request") -> Any:
        """A room of a run."""
        run, name = self.shelf.open(request.path_params["name"]), request.path_params["room"]
        if name not in ROOMS or not ROOMS[name].fits(run):
            raise RunError(f"there is no {name!r} for {run.model}")
        with self.computing, np.errstate(all="ignore"):
            check_wanted()  # it may have waited long for its turn
            try:
                room = self.rooms.get(run, name)
                found = room.ask(request.query_params) if request.query_params else room.about()
                json.dumps(found, allow_nan=False)
            except (ValueError, np.linalg.LinAlgError) as error:
                raise error if isinstance(error, MinigenError) else DataError(f"{run.path.name}: {DIVERGED}") from error
            return found

    def play(self, request: "Request") -> Any:
        """The game in the plane."""
        with self.computing:
            return self.plane.ask(request.query_params)

    def application(self, token: str, hosts: tuple[str, ...]) -> Guard:
        """Everything behind its guard."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        base = "/api/runs/{name}"
        routes = [
            Route("/", lambda request: part("view.html")),
            Route("/page/{name}", lambda request: part(request.path_params["name"])),
            Route("/api/runs", told(self.runs)),
            Route(base, told(self.run)),
            Route(base + "/layers", told(self.layers)),
            Route(base + "/files/{path:path}", self.file),
            Route(base + "/rooms/{room}", told(self.room)),
            Route("/api/plane", told(self.play)),
        ]
        inner: Any = Starlette(routes=routes)
        inner.router.redirect_slashes = False  # the address would lack the token
        return Guard(inner, token, hosts)

    def file(self, request: "Request") -> "Response":
        """A picture or a text of a run."""
        from starlette.responses import FileResponse

        try:
            run = self.shelf.open(request.path_params["name"])
            path = inside(run.path.resolve(), request.path_params["path"])
        except (MinigenError, OSError, ValueError) as error:
            return problem(error, 404)
        if path.suffix not in FILES:
            return problem(RunError(f"{path.name} is neither a picture nor a text"), 404)
        return FileResponse(path, media_type=FILES[path.suffix])


def file_address(name: str, run: RunFolder, path: Path) -> str:
    """Where the page finds a file of a run; with its time of change, so that a new picture is not taken for the old."""
    place = quote(os.fsencode(path.relative_to(run.path).as_posix()))
    return f"api/runs/{quote(name, safe='')}/files/{place}?{path.stat().st_mtime_ns}"


def told(answer: Callable[["Request"], Any]) -> Callable[["Request"], "Response"]:
    """The answer as JSON; what is wrong with a question, or with a run, as words."""

    def respond(request: "Request") -> "Response":
        from anyio import from_thread

        waiting.set(lambda: not from_thread.run(request.is_disconnected))
        try:
            return as_json(answer(request), 200)
        except MinigenError as error:
            return problem(error, 404 if isinstance(error, RunError) else 400)
        except (OSError, MemoryError) as error:
            return problem(error, 503)

    return respond


def as_json(content: Any, status: int) -> "Response":
    """Plain values; numbers that are not finite as null, and letters that are none as they are."""
    from starlette.responses import Response

    try:
        text = json.dumps(content, allow_nan=False)
    except ValueError:
        text = json.dumps(without_nan(content), allow_nan=False)
    return Response(text, status, media_type="application/json")


def without_nan(value: Any) -> Any:
    """The same with None in the place of NaN and infinity."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def problem(error: BaseException, status: int) -> "Response":
    """What went wrong, for the page to show."""
    return as_json({"problem": shown(str(error) or type(error).__name__)}, status)


def part(name: str) -> "Response":
    """A file of the page itself."""
    from starlette.responses import FileResponse

    known = {path.name for path in PAGE.iterdir() if path.suffix in PARTS and not path.name.startswith(REPORT)}
    if name not in known:
        return problem(RunError(f"no {name!r} here"), 404)
    return FileResponse(PAGE / name, media_type=f"{PARTS[Path(name).suffix]}; charset=utf-8")


def serve(root: str | Path, port: int | None, ready: Callable[[str], None]) -> None:
    """Serve the runs in a folder on 127.0.0.1 until Ctrl-C; `ready` is told the address, which holds a token.

    port: None takes PORT, or any that is free. Raises ArgumentError without the libraries, RunError where the port is
    taken.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ArgumentError("view: needs starlette and uvicorn: pip install 'minigen[view]'")
    import uvicorn

    server = Server(root)
    server.shelf.places()
    with listening("view", "127.0.0.1", port, PORT) as place:
        number, token = place.getsockname()[1], secrets.token_urlsafe(24)
        names = ("127.0.0.1", "localhost")
        hosts = tuple(f"{name}:{number}" for name in names) + (names if number == 80 else ())
        application = server.application(token, hosts)
        ready(f"http://{hosts[0]}/{token}/")
        with suppress(KeyboardInterrupt):  # which is how one ends it
            uvicorn.Server(settings(application, "warning")).run(sockets=[place])


@contextmanager
def doorway(address: str) -> Iterator[str]:
    """The address of a private file that leads to `address`: all users can see what a browser is called with."""
    with tempfile.TemporaryDirectory(prefix="minigen-view-") as folder:
        door = Path(folder) / "open.html"
        door.touch(0o600)
        door.write_text(f'<meta http-equiv="refresh" content="0; url={address}"><a href="{address}">minigen</a>')
        yield door.as_uri()
