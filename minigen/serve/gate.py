"""Who may ask: the checks before every request, and of what is sent no more is read than may be.

On the loopback address other programs of this machine can ask, which they may, and pages of any site that are open in
its browser, which they may not: `Host` must name this machine, or a site whose name was turned to 127.0.0.1 (DNS
rebinding) could ask, and `Origin` and `Sec-Fetch-Site`, where a browser sends them, must be ours. On any other address
a token has to be shown: `Authorization: Bearer TOKEN`. Everybody may ask so often a second and no more, wrong tokens
included.
"""

import asyncio
import hmac
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from minigen.pages.guard import HEADERS, Application, Message, Receive, Send, foreign, headers_of
from minigen.serve.turns import Buckets

if TYPE_CHECKING:
    from starlette.requests import Request

BODY = 4 * 2**20  # bytes of a request
PATIENCE = 10  # seconds in which a request has to be sent
OPEN = "/health"  # needs no token


class Refusal(Exception):
    """A request that is turned away: the status, and in one line what is wrong and what to do."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status, self.words, self.headers = status, words, dict(headers or {})


class Gate:
    """An ASGI application around another one, which sees only what may pass.

    hosts: what `Host` may be, such as "127.0.0.1:8643"; None: anything. token: what has to be shown; None: nothing.
    """

    def __init__(
        self, application: Application, hosts: tuple[str, ...] | None, token: str | None, buckets: Buckets
    ) -> None:
        self.application, self.hosts, self.token, self.buckets = application, hosts, token, buckets

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            self.check(scope)
        except Refusal as refusal:
            await refuse(send, refusal)
            return

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *encoded(HEADERS)]
            await send(message)

        await self.application(scope, receive, hardened)

    def check(self, scope: Message) -> None:
        """Raises Refusal for a request that may not pass."""
        headers = headers_of(scope)
        if (words := foreign(headers, self.hosts)) is not None:
            raise Refusal(403, words)
        wait = self.buckets.take(str((scope.get("client") or ("", 0))[0]))
        if wait:
            words = f"you ask more often than {self.buckets.rate:g} times a second; wait {wait:.2f} s"
            raise Refusal(429, words, {"Retry-After": str(math.ceil(wait))})
        if self.token is not None and scope["path"] != OPEN:
            shown = headers.get("authorization", [""])[0].removeprefix("Bearer ")
            if not hmac.compare_digest(shown.encode(), self.token.encode()):
                words = "the token is missing or wrong; send the header Authorization: Bearer TOKEN"
                raise Refusal(401, words, {"WWW-Authenticate": "Bearer"})


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def refuse(send: Send, refusal: Refusal) -> None:
    """Send a refusal, as JSON like every answer."""
    body = json.dumps({"problem": refusal.words}).encode()
    own = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    headers = encoded(HEADERS | own | refusal.headers)
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def body_of(request: "Request", most: int = BODY, seconds: float = PATIENCE) -> bytes:
    """What a request sends. Raises Refusal for what is too long, before it is read, or comes too slowly."""
    told = request.headers.get("content-length", "0")
    too_long = Refusal(413, f"the request is longer than {most:,} bytes; send fewer images at once")
    if not told.isdecimal() or int(told[:20]) > most:
        raise too_long
    content = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                content += piece
                if len(content) > most:  # where its length was not told
                    raise too_long
    except TimeoutError:
        raise Refusal(408, f"the request was not sent within {seconds:g} s; send it at once") from None
    return bytes(content)


def from_json(content: bytes) -> Any:
    """What stands in JSON; nothing at all is an empty object. Raises Refusal for what is none."""
    try:
        return json.loads(content or b"{}", parse_constant=no_number)
    except RecursionError:
        raise Refusal(400, "the request is nested too deeply; send lists of numbers, or PNG files in base64") from None
    except ValueError as error:
        reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise Refusal(400, f'the request is not JSON ({reason}); send an object such as {{"n": 1}}') from None


def no_number(name: str) -> Any:
    """NaN and infinity, which Python would read, are no JSON."""
    raise ValueError(f"{name} is no number")
