"""What the page is told: runs, their changes while they train, their files; and what is wrong, in words."""

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from pages_helpers import HOST, TOKEN, ask, request

from minigen.cli import main
from minigen.errors import RunError
from minigen.pages import connections
from minigen.pages.connections import listening, settings
from minigen.pages.guard import Guard
from minigen.pages.server import PAGE, Server
from minigen.pages.shelf import Shelf
from minigen.training import RunFolder
from minigen.training.lock import RunLock


def test_the_list_has_own_runs_and_those_that_come_with_minigen(server: Guard, runs: Path):
    found = {run["name"]: run for run in ask(server, "api/runs")["runs"]}
    assert set(found) >= {folder.name for folder in runs.iterdir()} | {"shipped:dcgan", "shipped:classifier"}
    vae = found["vae"]
    assert (vae["model"], vae["step"], vae["live"]) == ("vae", 4, False)
    assert vae["recipe"]["latent"] == "3"


def test_a_run_is_told_with_addresses_that_work(server: Guard):
    run = ask(server, "api/runs/vae")
    assert run["rooms"] == ["latent"] and run["layers"]
    assert run["curves"]["loss"] and run["samples"]
    for one in (*run["samples"], *run["pictures"]):
        answer = request(server, f"/{TOKEN}/{one['source']}")
        assert answer.status == 200 and answer.headers["content-type"] == "image/png"
        assert answer.body[:4] == b"\x89PNG"


def test_layers_are_told_round_by_round(server: Guard):
    (last,) = ask(server, "api/runs/vae/layers")["rounds"]
    assert last["step"] == 4
    assert set(last["weights"]) == set(last["gradients"]) >= {"mu.weight", "logvar.bias"}


def test_while_a_run_trains_its_stamp_changes_and_it_is_live(tmp_path: Path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps({"model": "vae", "minigen": "0", "recipe": {"lr": 1.0}}))
    shelf = Shelf(tmp_path)
    before = shelf.overview()[0]
    with RunLock(folder):
        (folder / "metrics.csv").write_text("step,loss\n1,2.0\n")
        after = shelf.overview()[0]
    assert before["stamp"] != after["stamp"]
    assert (before["live"], after["live"], shelf.overview()[0]["live"]) == (False, True, False)


def test_the_lock_of_a_killed_process_is_not_live(tmp_path: Path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "recipe.json").write_text(json.dumps({"model": "vae", "minigen": "0", "recipe": {}}))
    (folder / "lock").write_text(json.dumps({"pid": 2**22 + 1, "host": socket.gethostname(), "since": "now"}))
    assert not Shelf(tmp_path).overview()[0]["live"]


def test_one_damaged_run_does_not_hide_the_others(tmp_path: Path):
    for name, text in (("good", '{"model": "vae", "recipe": {}}'), ("bad", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.json").write_text(text)
    found = {run["name"]: run for run in Shelf(tmp_path).overview()}
    assert "damaged" in found["bad"]["problem"] and found["good"]["model"] == "vae"
    server = Server(tmp_path).application(TOKEN, (HOST,))
    assert request(server, f"/{TOKEN}/api/runs/bad").status == 404


def test_fifty_runs_are_listed(tmp_path: Path):
    for i in range(50):
        (tmp_path / f"vae-{i}").mkdir()
        (tmp_path / f"vae-{i}" / "recipe.json").write_text(json.dumps({"model": "vae", "recipe": {"seed": i}}))
    assert len([run for run in Shelf(tmp_path).overview() if ":" not in run["name"]]) == 50


def test_a_run_folder_itself_and_one_that_comes_with_minigen_can_be_viewed(runs: Path):
    assert next(iter(Shelf(runs / "gpt").places())) == "gpt"
    assert Shelf(runs / "nowhere").places()  # those that come with minigen


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("api/runs/vae/rooms/latent?z=1,2", "use 3 numbers"),
        ("api/runs/vae/rooms/latent?z=a,b,c", "use 3 numbers"),
        ("api/runs/vae/rooms/latent?z=nan,1,1", "use 3 numbers"),
        ("api/runs/vae/rooms/latent?x=inf", "use a number"),
        ("api/runs/vae/rooms/latent?image=99999", "there are 40 test images"),
        ("api/runs/vae/rooms/latent?seed=1.5", "whole number"),
        ("api/runs/told/rooms/latent?class=10", "from 0 to 9"),
        ("api/runs/ddpm/rooms/walk?steps=101", "from 1 to 100"),
        ("api/runs/ddpm/rooms/walk?n=1000", "from 1 to 16"),
        ("api/runs/ddpm/rooms/walk?sampler=best", "use ddim, ancestral"),
        ("api/runs/gpt/rooms/symbols?prompt=%E2%98%83", "☃"),
        ("api/runs/gpt/rooms/symbols?write=10000", "from 1 to 400"),
        ("api/runs/glove/rooms/words?prompt=xyzzy", "is not among"),
        ("api/runs/glove/rooms/words?prompt=", "give a word"),
        ("api/plane?do=train", "use look, step, new"),
        ("api/plane?do=step&n=1000000", "from 1 to 200"),
    ],
)
def test_a_bad_question_is_answered_in_words(server: Guard, address: str, words: str):
    answer = request(server, f"/{TOKEN}/{address}")
    assert answer.status == 400, answer.body
    assert words in answer.json["problem"]


@pytest.mark.parametrize("address", ["rooms/words", "rooms/none", "rooms/latent/more", "layers/more", "files"])
def test_what_is_not_there_is_not_found(server: Guard, address: str):
    assert request(server, f"/{TOKEN}/api/runs/gpt/{address}").status == 404


def test_the_page_loads_only_its_own_parts(server: Guard):
    html = request(server, f"/{TOKEN}/").body.decode()
    names = [path.name for path in PAGE.iterdir()]
    for name in ("base.js", "charts.js", "view.js", "view.css"):
        assert f'"page/{name}"' in html and request(server, f"/{TOKEN}/page/{name}").status == 200
    assert "report.html" in names and request(server, f"/{TOKEN}/page/none.js").status == 404
    assert request(server, f"/{TOKEN}/page/..%2fserver.py").status == 404
    for path in PAGE.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text, path
        assert "innerHTML" not in text and "eval(" not in text and "insertAdjacentHTML" not in text, path


def test_a_run_without_a_checkpoint_has_no_rooms_yet(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "recipe.json").write_text('{"model": "vae", "recipe": {}}')
    server = Server(tmp_path).application(TOKEN, (HOST,))
    assert ask(server, "api/runs/a")["rooms"] == []
    assert RunFolder.open(tmp_path / "a").layers.rounds() == []


def test_connections_that_ask_nothing_neither_block_the_page_nor_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connections, "PATIENCE", 1.0)
    uvicorn = pytest.importorskip("uvicorn")
    with listening("view", "127.0.0.1", 0, 0) as place:
        address, running = place.getsockname(), uvicorn.Server(settings(answering, "critical"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [place]}, daemon=True)
        thread.start()
        idle = [socket.create_connection(address, 20) for _ in range(100)]
        for one in idle[:50]:
            one.sendall(b"GET / HT")
        idle[0].sendall(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert idle[0].recv(1000).startswith(b"HTTP/1.1 200")
        assert {one.recv(1000) for one in idle[1:]} == {b""}  # closed
        running.should_exit = True
        thread.join()
        for one in idle:
            one.close()


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """An application that has nothing to say."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def test_a_port_that_is_taken():
    with listening("view", "127.0.0.1", 0, 0) as place:
        number = place.getsockname()[1]
        assert place.getsockname()[0] == "127.0.0.1"
        place.listen()
        with pytest.raises(RunError, match=f"port {number} can not be had"):
            listening("view", "127.0.0.1", number, 0)


@pytest.mark.parametrize("line", [["view", "--port", "99999"], ["view", "nowhere"], ["view", "a", "b"]])
def test_a_wrong_command_line_ends_with_one_line(line: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(line) != 0
    assert capsys.readouterr().err.count("\n") == 1
