"""Asking the page's server without a network, and a folder of runs to ask about."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from minigen.pages.guard import Application

TOKEN, HOST = "secret", "127.0.0.1:8642"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, from JSON."""
        return json.loads(self.body)


def request(application: Application, address: str, method: str = "GET", **headers: str) -> Answer:
    """The answer to a request; a header's name is written with _ for -, and "" leaves it out."""
    path, _, query = address.partition("?")
    given = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8642),
    }
    sent: list[Any] = []

    begun = False

    async def receive() -> dict[str, Any]:
        nonlocal begun
        if begun:  # as long as the other side stays, there is nothing more to hear
            await asyncio.Event().wait()
        begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def whole() -> None:
        await application(scope, receive, send)

    asyncio.run(whole())
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:]))


def ask(application: Application, address: str) -> Any:
    """What the page would get."""
    answer = request(application, f"/{TOKEN}/{address}")
    assert answer.status == 200, answer.body[:500]
    return answer.json
