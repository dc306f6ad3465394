"""Who may ask, and what a browser may do with the answer: the checks before every request to the page's server.

The server listens on the loopback address, which other programs of this machine, and pages of other sites that are open
in the same browser, can reach too. So the address holds a token; `Host` must name us, or a site whose name was turned
to 127.0.0.1 (DNS rebinding) could read; `Origin` and `Sec-Fetch-Site`, where a browser sends them, must be ours; and
there is nothing but GET. Answers forbid everything that the page does not need.
"""

import hmac
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from minigen.errors import RunError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FORBIDDEN = {"\0"} if os.name == "posix" else set("\0\\:")  # in the name of a file
LONGEST = 20_000  # bytes of a request's path and query

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """An ASGI application around another one, which sees only what may pass, with the token taken off the path.

    hosts: what `Host` may be, such as "127.0.0.1:8642".
    """

    def __init__(self, application: Application, token: str, hosts: tuple[str, ...]) -> None:
        self.application, self.token, self.hosts = application, token, hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self.refusal(scope)
        if refusal is not None:
            await answer(send, *refusal)
            return

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        prefix = "/" + self.token
        await self.application({**scope, "path": scope["path"][len(prefix) :]}, receive, hardened)

    def refusal(self, scope: Message) -> tuple[int, str] | None:
        """The status and the words with which a request is turned away; None: it may pass."""
        if (words := foreign(headers_of(scope), self.hosts)) is not None:
            return 403, words
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "only GET: nothing can be written here"
        if len(scope["path"]) + len(scope["query_string"]) > LONGEST:
            return 414, f"the request is longer than {LONGEST:,} bytes"
        first, slash, _ = scope["path"][1:].partition("/")
        if not slash or not hmac.compare_digest(first.encode(), self.token.encode()):
            return 403, "the token is missing or wrong: use the whole address that `minigen view` printed"
        return None


def headers_of(scope: Message) -> dict[str, list[str]]:
    """The values of each header of a request."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def foreign(headers: dict[str, list[str]], hosts: tuple[str, ...] | None) -> str | None:
    """What shows that a request comes from a page of somebody else; None: nothing. hosts: None takes any one."""
    host = headers.get("host", [])
    if len(host) != 1 or (hosts is not None and host[0] not in hosts):
        return f"Host must be {hosts[0] if hosts else 'given once'}"
    if any(origin != f"http://{host[0]}" for origin in headers.get("origin", [])):
        return "pages of other sites may not ask (Origin)"
    if any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])):
        return "pages of other sites may not ask (Sec-Fetch-Site)"
    return None


async def answer(send: Send, status: int, words: str) -> None:
    """A refusal, as plain text."""
    body = words.encode()
    headers = HEADERS | {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def inside(folder: Path, path: str) -> Path:
    """The regular file that `path` names inside the folder. Raises RunError for one that leaves it, or for a link.

    No part of the way from the folder to the file may be a symbolic link, also not to somewhere inside.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or set(part) & FORBIDDEN for part in parts):
        raise RunError(f"no file {path!r} in this run")
    place = folder
    for part in parts:
        place = place / part
        if place.is_symlink():
            raise RunError(f"{path!r} is a link, which is not followed")
    if not place.is_file():
        raise RunError(f"no file {path!r} in this run")
    return place
