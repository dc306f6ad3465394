"""Run folders that are half written, damaged, hostile or gone: each is a problem of its own, and links lead nowhere."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages_helpers import HOST, TOKEN, ask, request

from minigen import plots
from minigen.cli import main
from minigen.errors import ArgumentError, RunError
from minigen.pages import server as serving
from minigen.pages.asked import waiting, while_wanted
from minigen.pages.document import LETTERS, document
from minigen.pages.guard import Guard
from minigen.pages.plane import TABS, Games
from minigen.pages.rooms import ROOMS
from minigen.pages.server import Server, doorway, serve
from minigen.pages.shelf import Shelf
from minigen.training import RunFolder
from minigen.training.insides import BINS, LayerLog


def folder(root: Path, name: str = "run", model: str = "vae", **recipe: Any) -> Path:
    """A run that has just begun."""
    place = root / name
    (place / "samples").mkdir(parents=True)
    (place / "recipe.json").write_text(json.dumps({"model": model, "recipe": recipe}))
    return place


def served(root: Path) -> Guard:
    return Server(root).application(TOKEN, (HOST,))


def told(root: Path, name: str = "run") -> Any:
    """What the page is told of a run."""
    return ask(served(root), f"api/runs/{name}")


def test_names_and_texts_that_are_no_text(tmp_path: Path):
    folder(tmp_path, "good")
    os.mkdir(os.fsencode(tmp_path) + b"/caf\xe9")
    with open(os.fsencode(tmp_path) + b"/caf\xe9/recipe.json", "w") as file:
        file.write('{"model": "\\ud800", "recipe": {"a": "\\udcff"}}')
    names = [run["name"] for run in ask(served(tmp_path), "api/runs")["runs"] if run.get("own")]
    assert sorted(names) == ["caf\\udce9", "good"]
    assert told(tmp_path, "caf\\udce9")["recipe"] == {"a": "\udcff"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path):
    folder(tmp_path, "good")
    closed = folder(tmp_path, "closed")
    closed.chmod(0)
    try:
        assert "good" in [run["name"] for run in Shelf(tmp_path).overview()]
    finally:
        closed.chmod(0o700)


def test_what_is_being_written_is_no_sample(tmp_path: Path):
    samples = folder(tmp_path) / "samples"
    plots.save_grid(samples / "step-000001.png", np.zeros((1, 2, 2)))
    for name in ("step-000002.png.77.tmp", "step-000003.jpg", "step-²"):
        (samples / name).write_bytes(b"\xff")
    (samples / "step-².png").write_bytes(b"")
    (samples / "step-4.png").mkdir()
    found = told(tmp_path)
    assert [one["step"] for one in found["samples"]] == [1, 0] and not found["problems"]


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("metrics.csv", "step,loss\n1\n", "metrics.csv"),
        ("metrics.csv", "step,loss\n1,nan\n2,1e17\n3,inf\n", None),
        ("metrics.csv", "", "metrics.csv"),
        ("run.json", '{"step": 1, "seconds": 1, "results": {"fid": 1, "fid_spread": "x"}, "data": 5}', None),
        (
            "run.json",
            '{"step": 1, "seconds": 1, "results": {"fid": 1, "fid_spread": []}, "data": {"classes": 5}}',
            "run.json",
        ),
        ("alarms.txt", "\udcff", "alarms.txt"),
        ("samples/step-1.txt", "\udcff", "step-1.txt"),
        ("layers.jsonl", '{"step": 1e999, "weights": {}, "gradients": {}, "outputs": {}}\n', None),
    ],
)
def test_a_damaged_part_is_a_problem_of_its_own(tmp_path: Path, file: str, text: str, problem: str | None):
    (folder(tmp_path, lr=1.0) / file).write_bytes(text.encode(errors="surrogateescape"))
    found = told(tmp_path)
    assert found["recipe"] == {"lr": "1.0"} and found["rooms"] == [] and found["layers"] is False
    assert [words.partition(":")[0] for words in found["problems"]] == ([] if problem is None else [problem])


@pytest.mark.parametrize("value", ["NaN", '"x"', "[1]", "1e400", "null"])
def test_layers_that_are_none_end_the_rounds(tmp_path: Path, value: str):
    spread = [0, 1, *[2] * BINS]
    good = json.dumps({"step": 1, "weights": {"a": spread}, "gradients": {}, "outputs": {}})
    (tmp_path / "layers.jsonl").write_text(good + "\n" + good.replace("[0,", f"[{value},") + "\n")
    log = LayerLog(tmp_path / "layers.jsonl")
    assert [one["step"] for one in log.rounds()] == [1]
    log.trim(5)
    assert (tmp_path / "layers.jsonl").read_text().count("\n") == 1


def test_links_lead_nowhere(tmp_path: Path):
    secret = tmp_path / "secret.txt"
    secret.write_text("not for the page")
    runs = tmp_path / "runs"
    for name in ("recipe.json", "run.json", "metrics.csv", "checkpoint.safetensors", "layers.jsonl", "alarms.txt"):
        place = folder(runs, name.partition(".")[0])
        (place / name).unlink(missing_ok=True)
        (place / name).symlink_to(secret)
    linked = folder(runs, "samples")
    (linked / "samples").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "step-1.txt").write_text("not for the page")
    (linked / "samples").symlink_to(tmp_path / "elsewhere")
    inner = folder(runs, "inner")
    (inner / "samples" / "step-1.txt").symlink_to(secret)
    (inner / "picture.png").symlink_to(secret)
    application = served(runs)
    for place in runs.iterdir():
        answer = request(application, f"/{TOKEN}/api/runs/{place.name}")
        assert b"not for the page" not in answer.body
        assert (answer.status == 200) is (place.name == "inner"), place
    assert ask(application, "api/runs/inner")["samples"] == []
    for name in ("samples", "inner"):  # a report of it, to be passed on
        content = json.dumps(document(RunFolder.open(runs / name), plots.file_address))
        assert "not for the page" not in content


def test_of_a_long_text_the_end_is_shown(tmp_path: Path):
    with open(folder(tmp_path) / "alarms.txt", "w") as file:
        file.truncate(50 * 2**20)
        file.seek(0, 2)
        file.write("the end")
    alarms = told(tmp_path)["alarms"]
    assert len(alarms) <= LETTERS + 1 and alarms.endswith("the end")


def test_a_run_that_goes_while_it_is_viewed(tmp_path: Path):
    place = folder(tmp_path)
    application = served(tmp_path)
    ask(application, "api/runs/run")
    (place / "recipe.json").unlink()
    answer = request(application, f"/{TOKEN}/api/runs/run")
    assert answer.status == 404 and "any more" in answer.json["problem"]


def test_pictures_of_any_name_can_be_fetched(tmp_path: Path):
    place = folder(tmp_path, "a b#c?%20")
    for name in ("a#b?c%20 d.png", "e:f\\g.png"):
        plots.save_grid(place / name, np.zeros((1, 2, 2)))
    application = served(tmp_path)
    found = ask(application, "api/runs/a%20b%23c%3F%2520")["pictures"]
    assert len(found) == 2
    assert all(request(application, f"/{TOKEN}/{one['source']}").status == 200 for one in found)
    assert request(application, f"/{TOKEN}/api/runs/run/files/{'a' * 5000}.png").status == 404


@pytest.mark.parametrize("room", ["latent", "symbols", "words", "walk"])
def test_a_model_that_has_diverged_is_said(room: str, runs: Path, monkeypatch: pytest.MonkeyPatch):
    name = {"latent": "vae", "symbols": "gpt", "words": "glove", "walk": "ddpm"}[room]
    real = RunFolder.load_weights
    for value, words in ((np.nan, "not finite"), (1e30, "diverged")):

        def diverged(self: RunFolder, model: Any, averaged: Any = None, value: float = value) -> None:
            real(self, model, averaged)
            for p in model.parameters():
                p.data[:] = value

        monkeypatch.setattr(RunFolder, "load_weights", diverged)
        questions = {"latent": "?x=1", "symbols": "?prompt=a", "words": "", "walk": "?steps=2"}
        answer = request(served(runs), f"/{TOKEN}/api/runs/{name}/rooms/{room}{questions[room]}")
        assert answer.status in (200, 400), answer.body  # 1e30 times 0 is a number
        if answer.status == 400 or np.isnan(value):
            assert words in answer.json["problem"]


def test_without_its_test_images_a_decoder_can_still_be_asked(runs: Path, monkeypatch: pytest.MonkeyPatch):
    run = RunFolder.open(runs / "vae")
    monkeypatch.setitem(run.recipe, "data", "nowhere.npz")
    monkeypatch.setattr(run, "check_recipe", lambda origin: None)
    room = ROOMS["latent"](run)
    assert room.about()["encodes"] is False
    assert room.ask({"x": "1", "y": "0"})["picture"]
    assert room.ask({"from": "1", "to": "2", "steps": "3"})["picture"]  # between two draws


def test_what_nobody_waits_for_ends():
    assert list(while_wanted("abc")) == ["a", "b", "c"]
    mark = waiting.set(lambda: False)
    try:
        with pytest.raises(RunError, match="nobody waits"):
            list(while_wanted("abc"))
    finally:
        waiting.reset(mark)


def test_each_tab_has_a_game_of_its_own_and_a_bad_beginning_changes_nothing():
    games = Games()
    assert games.ask({"game": "a", "do": "step", "n": "3"})["step"] == 3
    assert games.ask({"game": "b"})["step"] == 0
    before = games.ask({"game": "a"})
    with pytest.raises(ArgumentError):
        games.ask({"game": "a", "do": "new", "data": "ring", "g_lr": "5"})
    assert games.ask({"game": "a"}) == before
    for i in range(TABS):
        games.ask({"game": str(i)})
    assert len(games.games) == TABS


# ---------------------------------------------------------------- the command


def test_it_is_opened_through_a_file_for_this_user_alone():
    with doorway("http://127.0.0.1:1/secret/") as address:
        file = Path(address.removeprefix("file://"))
        assert "secret" not in address and "/secret/" in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
    assert not file.exists()


def test_port_80_has_its_usual_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hosts: list[Any] = []
    uvicorn = pytest.importorskip("uvicorn")

    class Place:
        def __enter__(self) -> "Place":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def getsockname(self) -> tuple[str, int]:
            return "127.0.0.1", 80

    monkeypatch.setattr(serving, "listening", lambda *_: Place())
    monkeypatch.setattr(Server, "application", lambda self, token, names: hosts.append(names))
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    serve(tmp_path, 80, lambda address: None)
    assert "127.0.0.1" in hosts[0] and "localhost" in hosts[0]


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Any):
    real = serving.find_spec
    monkeypatch.setattr(serving, "find_spec", lambda name: None if name == "starlette" else real(name))
    assert main(["view", "--no-browser"]) == 2
    assert "pip install 'minigen[view]'" in capsys.readouterr().err
    assert main(["view", sys.executable]) == 2
    assert "is a file" in capsys.readouterr().err
