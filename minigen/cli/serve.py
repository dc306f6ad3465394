"""`minigen serve`: a trained run asked over HTTP."""

from pathlib import Path

from minigen import flags
from minigen.catalog import first_line, open_run
from minigen.serve import server

WEAK = 16  # characters that a token has at least


def serve(argv: list[str]) -> int:
    """Answer over HTTP, in JSON, what a trained model is asked: classes of images, new images, text."""
    parser = flags.Parser(prog="minigen serve", description=first_line(serve))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a run folder, or the name of one that comes along")
    parser.add_argument(
        "--host",
        default=server.HOST,
        metavar="ADDRESS",
        help=f"(default: {server.HOST}, which only this machine reaches)",
    )
    parser.add_argument("--port", type=int, metavar="N", help=f"(default: {server.PORT}, or any that is free)")
    parser.add_argument("--token", metavar="TEXT", help="that has to be shown; made where another --host needs one")
    parser.add_argument(
        "--rate", type=flags.converter(float), default=server.RATE, metavar="X",
        help=f"requests a second of one client (default: {server.RATE:g})",
    )  # fmt: skip
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    if arguments.port is not None and not 0 <= arguments.port < 2**16:
        parser.error(f"--port {arguments.port}: use a number from 0 to 65535")
    if not 0.01 <= arguments.rate <= 1e6:
        parser.error(f"--rate {arguments.rate:g}: use a number from 0.01 to 1000000")
    token = arguments.token
    if token is not None and (len(token) < WEAK or not token.isascii() or not token.isprintable() or " " in token):
        parser.error(f"--token has {len(token)} characters; use {WEAK} ASCII characters or more, without spaces")
    run = open_run(arguments.folder)

    def ready(address: str, token: str | None, own: bool) -> None:
        print(f"{address} answers for {run.model}; GET / tells what can be asked; Ctrl-C ends it", flush=True)
        if token is not None:
            print(f"it has to be asked with the header Authorization: Bearer {token}", flush=True)
        if not own:
            print(
                "other machines can reach it: whoever has the token may use it, and on the way it can be read, as can "
                "all that is asked; put a proxy with TLS before it where you do not trust the network",
                flush=True,
            )

    server.serve(run, ready, arguments.host, arguments.port, token, arguments.rate)
    return 0
