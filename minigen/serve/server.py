"""`minigen serve`: one trained run asked over HTTP, in JSON.

GET  /           what can be asked: fields with types, limits and defaults
GET  /health     whether it is there, and how many wait
POST /predict    images → classes and their probabilities      } those that fit the model,
POST /sample     → new images                                   } see questions.py
POST /generate   a prompt → a text                              }

Every answer is a JSON object; one that is refused has a single line under "problem", never a traceback. There are no
files here: nothing is given out but what the model computes.
"""

import asyncio
import ipaddress
import json
import secrets
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from minigen.catalog import load_model
from minigen.config import config
from minigen.data.limits import shown
from minigen.errors import ArgumentError, CheckpointError, MinigenError, RunError
from minigen.pages.asked import waiting
from minigen.pages.connections import listening, settings
from minigen.serve.gate import BODY, Gate, Refusal, body_of, from_json
from minigen.serve.questions import QUESTIONS, Question
from minigen.serve.turns import SECONDS, WAITING, Buckets, FullError, Turns
from minigen.training import RunFolder

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PORT = 8643
HOST = "127.0.0.1"
RATE = 50.0  # requests a second of one client


class Server:
    """The answers of one run. Raises ArgumentError for a model that can not be asked, RunError for a damaged run."""

    def __init__(self, run: RunFolder, rate: float = RATE) -> None:
        self.run, self.buckets, self.turns = run, Buckets(rate), Turns()
        module = load_model(run.model)
        fitting = {path: kind for path, kind in QUESTIONS.items() if kind.fits(run, module)}
        if not fitting:
            raise ArgumentError(
                f"serve: {run.model} can not be asked over HTTP; models can that read images of classes, draw from "
                "noise, or write"
            )
        self.questions: dict[str, Question] = {path: kind(run) for path, kind in fitting.items()}
        with np.errstate(all="ignore"):
            for question in self.questions.values():
                question.answer(question.smallest)  # what is damaged shows now, and kernels are compiled

    def about(self) -> dict[str, Any]:
        """What can be asked."""
        limits = {"bytes": BODY, "a_second": self.buckets.rate, "waiting": WAITING, "seconds": SECONDS}
        ask = {f"POST {path}": question.about() for path, question in self.questions.items()}
        return {"run": shown(self.run.path.name), "model": self.run.model, "ask": ask, "limits": limits}

    def application(self, hosts: tuple[str, ...] | None = None, token: str | None = None) -> Gate:
        """Everything behind its gate."""
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route

        async def about(request: "Request") -> "Response":
            return as_json(self.about())

        async def health(request: "Request") -> "Response":
            return as_json({"well": True, "waiting": max(self.turns.there - 1, 0)})

        async def other(request: "Request", error: Exception) -> "Response":
            status = getattr(error, "status_code", 404)
            known = ", ".join(["GET /", "GET /health", *(f"POST {path}" for path in self.questions)])
            asked = f"{request.method} {request.url.path}"[:100]
            return as_json({"problem": f"{shown(asked)} is nothing that can be asked here; {known} are"}, status)

        routes = [Route("/", about), Route("/health", health)]
        routes += [Route(path, self.endpoint(one), methods=["POST"]) for path, one in self.questions.items()]
        inner: Any = Starlette(routes=routes, exception_handlers={HTTPException: other})
        inner.router.redirect_slashes = False
        return Gate(inner, hosts, token, self.buckets)

    def endpoint(self, question: Question) -> Callable[["Request"], Any]:
        """The function that answers requests of one kind."""

        async def respond(request: "Request") -> "Response":
            try:
                content = await body_of(request)
                return as_json(await self.turn(request, lambda: question.answer(from_json(content))))
            except Exception as error:
                refusal = refusal_of(error)
                return as_json({"problem": refusal.words}, refusal.status, refusal.headers)

        return respond

    async def turn(self, request: "Request", compute: Callable[[], Any]) -> Any:
        """compute(), when it is its turn, and given up when the client has gone."""
        gone = threading.Event()
        waiting.set(lambda: not gone.is_set())

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            gone.set()

        def quietly() -> Any:
            with np.errstate(all="ignore"):
                return compute()

        watching = asyncio.create_task(watch())
        try:
            return await self.turns.take(quietly)
        except RunError:
            if gone.is_set():
                raise Refusal(503, "nobody waits for this any more") from None
            raise
        finally:
            gone.set()
            watching.cancel()


def refusal_of(error: Exception) -> Refusal:
    """What those who asked are told of an error. What is no fault of theirs is told in the server's window instead."""
    words = " ".join(str(error).split())
    match error:
        case Refusal():
            return error
        case FullError():
            return Refusal(503, f"{WAITING} others wait already; ask again later", {"Retry-After": "1"})
        case RecursionError():
            return Refusal(400, "the request is nested too deeply; send lists of numbers, or PNG files in base64")
        case MemoryError():
            return Refusal(503, "there is not enough memory for this; ask for less at once")
        case MinigenError() if not isinstance(error, (RunError, CheckpointError)):
            return Refusal(400, words)
    print(f"minigen: {words or type(error).__name__}", file=sys.stderr)
    if config.debug:
        traceback.print_exception(error)
    status = 503 if isinstance(error, (OSError, CheckpointError)) else 500
    return Refusal(status, "the run can not answer, and its server says why in its window; ask who runs it")


def as_json(content: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> "Response":
    """Plain values."""
    from starlette.responses import Response

    return Response(json.dumps(content, allow_nan=False), status, headers, "application/json")


def serve(
    run: RunFolder,
    ready: Callable[[str, str | None, bool], None],
    host: str = HOST,
    port: int | None = None,
    token: str | None = None,
    rate: float = RATE,
) -> None:
    """Serve a run until Ctrl-C.

    ready: is told the address, the token if one has to be shown, and whether only this machine can reach it. port: None
    takes PORT, or any that is free. token: None makes one where `host` can be reached from elsewhere.
    Raises ArgumentError without the libraries, RunError where the address can not be had.
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ArgumentError("serve: needs starlette and uvicorn: pip install 'minigen[view]'")
    import uvicorn

    with listening("serve", host, port, PORT) as place:
        address, number = place.getsockname()[:2]
        own = ipaddress.ip_address(address).is_loopback
        name = f"[{address}]" if ":" in address else address
        names = tuple(dict.fromkeys((name, "127.0.0.1", "localhost")))
        hosts = tuple(f"{one}:{number}" for one in names) + (names if number == 80 else ()) if own else None
        token = token if own or token else secrets.token_urlsafe(24)
        application = Server(run, rate).application(hosts, token)
        ready(f"http://{name}:{number}/", token, own)
        with suppress(KeyboardInterrupt):  # which is how one ends it
            uvicorn.Server(settings(application, "critical")).run(sockets=[place])
