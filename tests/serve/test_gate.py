"""Who may ask is let in, and nobody else; what is too long, too slow or too often is refused; and one at a time."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from serve_helpers import Address, served

import minigen as mg
from minigen.catalog import open_run
from minigen.cli import main
from minigen.errors import ArgumentError, RunError
from minigen.pages.connections import listening
from minigen.serve import Server, gate
from minigen.serve.gate import BODY, Refusal
from minigen.serve.turns import CLIENTS, Buckets, FullError, Turns


def raw(address: Address, request: bytes) -> bytes:
    """The first bytes of what comes back when just this is sent."""
    with socket.create_connection(("127.0.0.1", address.port), timeout=60) as connection:
        connection.sendall(request)
        return connection.recv(4096)


@pytest.fixture
def asked() -> Server:
    """A server of the classifier, whose question is exchanged by tests."""
    return Server(open_run("classifier"), 1e6)


# ---------------------------------------------------------------- who


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Host": "evil.example"}, "Host must be 127.0.0.1:"),
        ({"Host": "127.0.0.1"}, "Host must be 127.0.0.1:"),
        ({"Origin": "http://evil.example"}, "(Origin)"),
        ({"Origin": "null"}, "(Origin)"),
        ({"Sec-Fetch-Site": "cross-site"}, "(Sec-Fetch-Site)"),
        ({"Sec-Fetch-Site": "same-site"}, "(Sec-Fetch-Site)"),
    ],
)
def test_pages_of_other_sites_are_refused(classifier: Address, headers: dict[str, str], words: str):
    for method, path in (("POST", "/predict"), ("GET", "/health")):
        answer = classifier.ask(method, path, headers=headers)
        assert answer.status == 403 and words in answer.problem


def test_an_own_page_may_ask(classifier: Address):
    origin = {"Origin": f"http://{classifier.host}", "Sec-Fetch-Site": "same-origin"}
    answer = classifier.ask("GET", "/", headers=origin)
    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"


def test_two_hosts_are_refused(classifier: Address):
    host = classifier.host.encode()
    assert b"400" in raw(classifier, b"GET / HTTP/1.1\r\nHost: %b\r\nHost: evil\r\n\r\n" % host).partition(b"\r\n")[0]


def test_a_token_has_to_be_shown(asked: Server):
    with served(asked, "a token of a good length", own=False) as address:
        for shown in ("", "Bearer wrong", "Bearer a token of a good lengt", "Basic a token of a good length"):
            answer = address.ask("GET", "/", headers={"Authorization": shown})
            assert answer.status == 401 and "Authorization: Bearer" in answer.problem
            assert answer.headers["www-authenticate"] == "Bearer"
        good = {"Authorization": "Bearer a token of a good length", "Host": "any.example"}
        assert address.ask("GET", "/", headers=good).status == 200
        assert address.ask("GET", "/health").status == 200


# ---------------------------------------------------------------- how much


def test_a_long_request_is_refused_before_it_is_sent(classifier: Address):
    for length in (BODY + 1, 10**12):
        head = f"POST /predict HTTP/1.1\r\nHost: {classifier.host}\r\nContent-Length: {length}\r\n\r\n"
        assert raw(classifier, head.encode()).startswith(b"HTTP/1.1 413 ")  # and no byte of it was sent


def test_a_request_of_unknown_length_is_refused_when_it_is_too_long(classifier: Address):
    head = f"POST /predict HTTP/1.1\r\nHost: {classifier.host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert raw(classifier, head + b"%x\r\n%b" % (BODY + 1, b"[" * (BODY + 1))).startswith(b"HTTP/1.1 413 ")


def test_a_request_that_comes_slowly_is_given_up():
    async def stream() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    request: Any = SimpleNamespace(headers={}, stream=stream)
    with pytest.raises(Refusal, match="was not sent within") as refused:
        asyncio.run(gate.body_of(request, seconds=0.01))
    assert refused.value.status == 408


def test_a_bucket_is_emptied_and_fills_again():
    now = [0.0]
    buckets = Buckets(2.0, lambda: now[0])
    assert [buckets.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    now[0] = 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    now[0] = 1e9
    assert [buckets.take("a") for _ in range(5)].count(0) == 4  # never more than the burst
    for i in range(2 * CLIENTS):
        buckets.take(str(i))
    assert len(buckets.levels) == CLIENTS


def test_a_flood_is_refused():
    with served(Server(open_run("classifier"), 0.01)) as address:
        assert address.ask("GET", "/health").status == 200
        for _ in range(20):
            answer = address.post("/predict", images=[])
            assert answer.status == 429 and "more often than 0.01 times a second" in answer.problem
            assert 90 <= int(answer.headers["retry-after"]) <= 100


# ---------------------------------------------------------------- whose turn


def test_one_is_computed_while_few_wait_and_more_are_refused():
    begun, go, running, most = threading.Event(), threading.Event(), [], []

    def compute() -> int:
        running.append(1)
        most.append(len(running))
        begun.set()
        go.wait()
        running.pop()
        return len(most)

    async def all_of_them() -> list[Any]:
        turns = Turns(most=2)
        first = [asyncio.create_task(turns.take(compute)) for _ in range(3)]
        await asyncio.to_thread(begun.wait)
        with pytest.raises(FullError):
            await turns.take(compute)
        go.set()
        return [*await asyncio.gather(*first), await turns.take(compute)]

    assert asyncio.run(all_of_them()) == [1, 2, 3, 4]
    assert most == [1, 1, 1, 1]


def test_full_is_told_as_503(asked: Server):
    asked.turns.most = -1
    with served(asked) as address:
        answer = address.post("/predict", images=[])
    assert answer.status == 503 and "others wait already" in answer.problem and answer.headers["retry-after"] == "1"


class Endless:
    """A question whose answer takes for ever."""

    def __init__(self) -> None:
        self.smallest: dict[str, Any] = {}
        self.begun, self.ended = threading.Event(), threading.Event()

    def about(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def answer(self, given: Any) -> dict[str, Any]:
        """Computes until it is stopped."""
        self.begun.set()
        try:
            while True:
                mg.exp(mg.tensor(np.zeros(1)))
        finally:
            self.ended.set()


def test_what_nobody_waits_for_is_given_up(asked: Server):
    question = Endless()
    asked.questions["/predict"] = question
    with served(asked) as address:
        head = f"POST /predict HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: 2\r\n\r\n{{}}"
        connection = socket.create_connection(("127.0.0.1", address.port))
        connection.sendall(head.encode())
        assert question.begun.wait(60) and not question.ended.is_set()
        connection.close()
        assert question.ended.wait(30)  # long before it would have taken too long
        assert address.ask("GET", "/health").json["waiting"] == 0


def test_what_takes_too_long_is_given_up(asked: Server):
    asked.questions["/predict"], asked.turns.seconds = Endless(), 0.05
    with served(asked) as address:
        answer = address.post("/predict")
    assert answer.status == 400 and "takes more than 0.05 s here; ask for less" in answer.problem


def test_a_fault_of_the_server_is_told_without_a_traceback(asked: Server, capsys: pytest.CaptureFixture[str]):
    class Broken(Endless):
        def answer(self, given: Any) -> dict[str, Any]:
            raise KeyError("inner matters")

    asked.questions["/predict"] = Broken()
    with served(asked) as address:
        answer = address.post("/predict")
    assert answer.status == 500 and "inner" not in answer.problem
    assert "inner matters" in capsys.readouterr().err


# ---------------------------------------------------------------- the command


def command(*arguments: str) -> subprocess.Popen[str]:
    """`minigen serve` as a process."""
    argv = [sys.executable, "-m", "minigen", "serve", *arguments]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_ends_it_in_order():
    process = command("glove", "--host", "0.0.0.0", "--port", "0")
    assert process.stdout is not None and process.stderr is not None
    first, second, third = (process.stdout.readline() for _ in range(3))
    assert first.startswith("http://0.0.0.0:") and "answers for glove" in first
    token = second.split()[-1]
    assert len(token) == 32 and "other machines can reach it" in third
    address = Address(int(first.split("/")[2].split(":")[1]))
    assert address.ask("GET", "/").status == 401
    assert address.ask("GET", "/", headers={"Authorization": f"Bearer {token}"}).json["model"] == "glove"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["classifier", "--port", "70000"], "use a number from 0 to 65535"),
        (["classifier", "--rate", "0"], "use a number from 0.01"),
        (["classifier", "--token", "short"], "--token has 5 characters; use 16"),
        (["classifier", "--host", "192.0.2.1"], "can not be had"),
        (["classifier", "--host", "no such host"], "is no address of this machine"),
        (["nowhere"], "there is no run folder nowhere"),
    ],
)
def test_a_wrong_command_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_a_port_that_is_taken_is_named():
    with (
        listening("serve", "127.0.0.1", 0, 0) as taken,
        pytest.raises(RunError, match=r"can not be had .* choose another --port"),
    ):
        listening("serve", "127.0.0.1", taken.getsockname()[1], 0)


def test_a_model_that_can_not_be_asked_is_named(tmp_path: Path):
    (tmp_path / "recipe.json").write_text('{"model": "pix2pix", "recipe": {}}')
    with pytest.raises(ArgumentError, match="pix2pix can not be asked over HTTP"):
        Server(open_run(tmp_path))
