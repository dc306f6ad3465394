"""How `minigen view` and `minigen serve` listen: a socket, and connections that are closed when they ask nothing."""

import socket
from typing import TYPE_CHECKING, Any

from minigen.errors import RunError
from minigen.pages.guard import Application

if TYPE_CHECKING:
    import uvicorn

PATIENCE = 10.0  # seconds in which a connection has to ask something
CONNECTIONS = 200  # at once


def listening(command: str, host: str, port: int | None, usual: int) -> socket.socket:
    """A socket on an address of this machine; port None takes the usual one, or any that is free. Raises RunError."""
    error: OSError | None = None
    for number in (usual, 0) if port is None else (port,):
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            place = socket.socket(family, kind, protocol)  # named, or asyncio leaves Nagle's delay on: 40 ms an answer
        except OSError as failed:
            reason = failed.strerror
            raise RunError(f"{command}: {host} is no address of this machine ({reason}); leave out --host") from failed
        try:
            place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            place.bind(address)
            place.listen(128)
            return place
        except OSError as failed:
            place.close()
            error = failed
    reason = error.strerror if error else ""
    raise RunError(f"{command}: {host} port {port or usual} can not be had ({reason}); choose another --port")


def settings(application: Application, log_level: str) -> "uvicorn.Config":
    """How uvicorn serves it: as little as is needed, and nothing that a client says of itself is believed.

    The limit counts connections that ask nothing, too; those are closed after a while.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        """A connection that is closed when for PATIENCE seconds no whole request came."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(PATIENCE, self.look, None)

        def look(self, before: Any) -> None:
            """Close it if its last request is answered, and the one of the last look; else look again."""
            idle = self.cycle is None or self.cycle.response_complete
            if idle and self.cycle is before:
                self.transport.close()
            elif not self.transport.is_closing():
                self.loop.call_later(PATIENCE, self.look, self.cycle)

    served: Any = application
    return uvicorn.Config(
        served, http=Impatient, ws="none", lifespan="off", proxy_headers=False, server_header=False, access_log=False,
        log_level=log_level, limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=1,
    )  # fmt: skip
