"""Every attack on a server of the own machine that is known from others' holes is tried, and refused."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pages_helpers import HOST, TOKEN, request

from minigen.errors import RunError
from minigen.pages.guard import HEADERS, Guard, inside

HOME = f"/{TOKEN}/"


def test_the_page_opens_with_its_whole_address_only(server: Guard):
    assert request(server, HOME).status == 200
    for address in ("/", "", f"/{TOKEN}", "/wrong/", f"/{TOKEN}x/", f"/{TOKEN.upper()}/", "//", "/é/"):
        assert request(server, address).status == 403, address
    assert b"secret" not in request(server, "/").body


@pytest.mark.parametrize("host", ["", "evil.example:8642", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8642.evil.example"])
def test_another_host_is_refused_as_after_dns_rebinding(server: Guard, host: str):
    assert request(server, HOME, host=host).status == 403


def test_two_hosts_are_refused(server: Guard):
    async def receive() -> dict[str, Any]:
        return {}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", HOST.encode()), (b"host", b"evil.example")]
    scope = {"type": "http", "method": "GET", "path": HOME, "query_string": b"", "headers": headers}
    asyncio.run(server(scope, receive, send))
    assert sent[0]["status"] == 403


def test_the_name_localhost_will_do(server: Guard):
    host = HOST.replace("127.0.0.1", "localhost")
    assert request(server, HOME, host=host, origin=f"http://{host}").status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"https://{HOST}", f"http://{HOST}.evil.example"])
def test_pages_of_other_sites_are_refused(server: Guard, origin: str):
    assert request(server, HOME, origin=origin).status == 403
    assert request(server, HOME, origin=f"http://{HOST}").status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_marks_as_from_elsewhere_is_refused(server: Guard, site: str):
    assert request(server, HOME, sec_fetch_site=site).status == 403
    assert request(server, HOME, sec_fetch_site="same-origin").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_nothing_but_get(server: Guard, method: str):
    assert request(server, HOME, method).status == 405


def test_a_request_without_end_and_a_web_socket_are_refused(server: Guard):
    assert request(server, f"{HOME}api/runs?{'a' * 30_000}").status == 414
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    asyncio.run(server({"type": "websocket", "path": HOME, "headers": []}, receive, send))
    assert sent[0]["type"] == "websocket.close"


def test_every_answer_forbids_what_the_page_does_not_need(server: Guard):
    for address in (
        HOME,
        f"{HOME}api/runs",
        f"{HOME}api/runs/none",
        f"{HOME}page/view.js",
        "/wrong/",
        f"{HOME}nowhere",
    ):
        headers = request(server, address).headers
        assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS, address
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy


def test_paths_stay_inside_the_run(server: Guard, runs: Path):
    outside = runs.parent / "outside.txt"
    outside.write_text("not for the page")
    sample = next((runs / "vae" / "samples").iterdir()).name
    files = f"{HOME}api/runs/vae/files/"
    assert request(server, f"{files}samples/{sample}").status == 200
    for path in (
        "../../outside.txt",
        "..%2f..%2foutside.txt",
        "samples/../../../outside.txt",
        str(outside),
        "/" + str(outside),
        "samples//" + sample,
        "./samples/" + sample,
        "samples%00.png",
        "samples\\..\\..\\outside.txt",
        "samples",
        "",
        "recipe.json",  # is shown, but not as a file
        "checkpoint.safetensors",
    ):
        answer = request(server, files + path)
        assert answer.status == 404, path
        assert b"not for the page" not in answer.body
    for name in ("..", "%2e%2e", "vae%2f..", "nothing", str(runs / "vae").replace("/", "%2f")):
        assert request(server, f"{HOME}api/runs/{name}").status == 404, name


def test_links_are_not_followed(server: Guard, runs: Path, tmp_path: Path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"not for the page")
    link, linked = runs / "vae" / "link.png", runs / "linked"
    link.symlink_to(secret)
    linked.symlink_to(runs / "vae", target_is_directory=True)
    folder = runs / "vae" / "there"
    folder.symlink_to(tmp_path, target_is_directory=True)
    try:
        for path in ("link.png", "there/secret.png"):
            answer = request(server, f"{HOME}api/runs/vae/files/{path}")
            assert answer.status == 404 and b"not for" not in answer.body
        assert "linked" not in [run["name"] for run in request(server, f"{HOME}api/runs").json["runs"]]
        assert request(server, f"{HOME}api/runs/linked").status == 404
    finally:
        for path in (link, linked, folder):
            path.unlink()


def test_inside_gives_regular_files_alone(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.png").write_bytes(b"x")
    assert inside(tmp_path, "a/b.png") == tmp_path / "a" / "b.png"
    for path in ("a", "c.png", "a/../a/b.png", "C:b.png"):
        with pytest.raises(RunError, match="no file"):
            inside(tmp_path, path)
