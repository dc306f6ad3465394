"""Reports: all of a run is in the page, as JSON that no run can break out of, and the page may load nothing else."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from minigen import plots
from minigen.cli import main
from minigen.errors import ArgumentError
from minigen.pages import page, save_report
from minigen.pages.document import SAMPLES, curve, document
from minigen.pages.report import PAGE
from minigen.plots.film import evenly
from minigen.training import RunFolder

NASTY = '</script><img src=x onerror=alert(1)>&amp;"'


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A folder as a training of 50 epochs leaves it, with a nasty name in it."""
    folder = tmp_path / "runs" / "vae-1"
    (folder / "samples").mkdir(parents=True)
    recipe = {"data": NASTY, "lr": 0.1}
    (folder / "recipe.json").write_text(json.dumps({"model": "vae", "minigen": "0", "recipe": recipe}))
    results = {"fid": 1.25, "fid_floor": 0.5, "fid_spread": 0.1}
    (folder / "run.json").write_text(json.dumps({"step": 50, "seconds": 3725, "trained": True, "results": results}))
    rows = [f"{i},{1 / i},{'nan' if i == 3 else i},{i if i % 10 == 0 else ''}" for i in range(1, 51)]
    (folder / "metrics.csv").write_text("\n".join(["step,d_loss,g_loss,test_fid", *rows]) + "\n")
    for i in range(1, 51):
        plots.save_grid(folder / "samples" / f"step-{i:06d}.png", np.full((1, 2, 2, 1), i / 50))
    plots.save_grid(folder / "neighbours.png", np.zeros((1, 2, 2, 1)))
    (folder / "alarms.txt").write_text("step 3: collapse <b>\n")
    return RunFolder.open(folder)


class Parts(HTMLParser):
    """The tags of a page, and what stands in its scripts, styles and policy."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.inside: list[str] = []
        self.policy = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        assert not {"src", "href", "onerror", "onload", "style"} & set(given), (tag, given)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] in ("script", "style") and data.strip():
            self.inside.append(data)


def test_all_of_a_run_is_in_its_page_and_nothing_of_it_is_html(run: RunFolder):
    html = page([run])
    parts = Parts(html)
    assert parts.tags.count("script") == 2 and parts.tags.count("style") == 1 and "img" not in parts.tags
    style, content, script = parts.inside
    (shown,) = json.loads(content)
    assert shown["recipe"] == {"data": NASTY, "lr": "0.1"}
    assert (shown["name"], shown["time"]) == ("vae-1", "1 h 02 min")
    assert shown["results"] == {"fid": "1.25 ± 0.1 (floor 0.5)"} and list(shown["meanings"]) == ["fid"]
    assert "floor" in shown["beside"] and shown["alarms"] == "step 3: collapse <b>\n"
    assert shown["panels"][0] == {"title": "loss", "names": ["d_loss", "g_loss"]}
    assert shown["curves"]["g_loss"][2] == [3, None]
    assert shown["curves"]["test_fid"] == [[10 * i, 10 * i] for i in range(1, 6)]
    assert len(shown["samples"]) == SAMPLES and [shown["samples"][i]["step"] for i in (0, -1)] == [1, 50]
    picture = base64.b64decode(shown["samples"][-1]["source"].removeprefix("data:image/png;base64,"))
    assert picture == run.samples()[-1].read_bytes()
    assert [one["name"] for one in shown["pictures"]] == ["neighbours"]
    for text, kind in ((script, "script"), (style, "style")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in parts.policy
    assert "default-src 'none'" in parts.policy and "img-src data:" in parts.policy


def test_the_script_puts_in_text_and_loads_nothing():
    script = "".join((PAGE / name).read_text() for name in ("base.js", "charts.js", "report.js"))
    style = (PAGE / "base.css").read_text()
    risky = r"(inner|outer)HTML|insertAdjacentHTML|document\.write|eval\(|Function\(|fetch\(|import\(|https?:"
    assert not re.search(risky, script.replace("http://www.w3.org/2000/svg", ""))
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_the_command_writes_one_run_or_several(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    assert main(["report", str(run.path)]) == 0
    assert capsys.readouterr().out.strip() == str(run.path / "report.html")
    out = tmp_path / "both.html"
    assert main(["report", str(run.path), str(run.path), "-o", str(out)]) == 0
    assert len(json.loads(Parts(out.read_text()).inside[1])) == 2
    monkeypatch.chdir(tmp_path)
    assert main(["report", "classifier"]) == 0 and (tmp_path / "classifier.html").exists()  # which comes with minigen
    assert main(["report", str(run.path), "-o", str(tmp_path / "x.png")]) == 2
    assert "does not end in .html" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none")]) == 1
    with pytest.raises(ArgumentError, match="no runs"):
        save_report(out, [])


def test_a_run_that_has_only_begun_and_one_of_text(tmp_path: Path):
    folder = tmp_path / "new"
    (folder / "samples").mkdir(parents=True)
    (folder / "recipe.json").write_text(json.dumps({"model": "gpt", "minigen": "0", "recipe": {}}))
    shown = document(RunFolder.open(folder), plots.file_address)
    assert (shown["panels"], shown["samples"], shown["results"], shown["state"]) == ([], [], {}, "not finished")
    (folder / "samples" / "step-000002.txt").write_text("ROMEO:\n")
    assert document(RunFolder.open(folder), plots.file_address)["samples"] == [{"step": 2, "text": "ROMEO:\n"}]
    (folder / "samples" / "step-000002.txt").write_bytes(b"\xff\xfe")
    (problem,) = document(RunFolder.open(folder), plots.file_address)["problems"]
    assert problem.startswith("step-000002.txt: is not UTF-8") and problem in page([RunFolder.open(folder)])


def test_long_curves_are_thinned():
    history = {"step": list(range(10_000)), "loss": [float(i) for i in range(10_000)]}
    points = curve(history, "loss")
    assert len(points) == 2000 and points[0] == [0, 0.0] and points[-1] == [9999, 9999.0]
    assert evenly([1, 2, 3], 3) == [1, 2, 3] and evenly(list(range(10)), 4) == [0, 3, 6, 9]
