"""A run served on a real socket, and asking it."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from minigen.pages.connections import listening, settings
from minigen.serve.server import Server


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    json: Any

    @property
    def problem(self) -> str:
        """What it complains of, which is one line."""
        assert "\n" not in self.json["problem"] and "Traceback" not in self.json["problem"]
        return self.json["problem"]


@dataclass
class Address:
    """Where it is served."""

    port: int

    @property
    def host(self) -> str:
        """As it stands in the header."""
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """An answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            found = connection.getresponse()
            return Answer(found.status, {name.lower(): value for name, value in found.getheaders()}, json.load(found))
        finally:
            connection.close()

    def post(self, path: str, **fields: Any) -> Answer:
        """The answer to a question."""
        return self.ask("POST", path, json.dumps(fields).encode())

    def good(self, path: str, **fields: Any) -> Any:
        """The answer to a question that has one."""
        answer = self.post(path, **fields)
        assert answer.status == 200, answer.json
        return answer.json


@contextmanager
def served(server: Server, token: str | None = None, own: bool = True) -> Iterator[Address]:
    """The answers of a server, on a free port of the loopback address."""
    with listening("serve", "127.0.0.1", 0, 0) as place:
        address = Address(place.getsockname()[1])
        application = server.application((address.host,) if own else None, token)
        serving = uvicorn.Server(settings(application, "critical"))
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [place]}, daemon=True)
        thread.start()
        try:
            yield address
        finally:
            serving.should_exit = True
            thread.join()
