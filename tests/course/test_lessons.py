"""Every lesson of docs/course opens as a notebook and runs, with small sizes, from its first cell to its last."""

import re
from pathlib import Path
from typing import Any

import jupytext
import matplotlib
import matplotlib.pyplot as plt
import pytest

from minigen.config import config
from minigen.exercises.lessons import lesson_numbers, load_lesson

ROOT = Path(__file__).resolve().parents[2]
COURSE = ROOT / "docs" / "course"
PAGES = sorted(COURSE.glob("[0-9][0-9]_*.md"))
HEADER = """---
jupyter:
  jupytext:
    text_representation:
      extension: .md
      format_name: markdown
  kernelspec:
    display_name: Python 3
    language: python
    name: python3
---

# """


def stem(page: Path) -> str:
    return page.stem


def number_of(page: Path) -> int:
    return int(page.stem[:2])


def cells(page: Path) -> list[Any]:
    """The cells of code."""
    return [cell for cell in jupytext.reads(page.read_text(), fmt="md").cells if cell.cell_type == "code"]


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """An empty folder, no windows, and settings and figures afterwards as before."""
    monkeypatch.chdir(tmp_path)
    settings = dict(vars(config))
    matplotlib.use("Agg", force=True)
    with matplotlib.rc_context():
        yield tmp_path
    plt.close("all")
    for name, value in settings.items():
        setattr(config, name, value)


@pytest.mark.parametrize("page", PAGES, ids=stem)
@pytest.mark.filterwarnings("error:minigen")
def test_it_runs_with_small_sizes(page: Path, surroundings: Path):
    names: dict[str, Any] = {"__name__": "__main__"}
    for i, cell in enumerate(cells(page)):
        exec(compile(cell.source, f"{page.name}, cell {i + 1}", "exec"), names)
        if "small" in cell.metadata:
            unknown = set(cell.metadata["small"]) - set(names)
            assert not unknown
            names.update(cell.metadata["small"])
    assert list(surroundings.iterdir()) == []


@pytest.mark.parametrize("page", PAGES, ids=stem)
def test_its_form_is_that_of_a_lesson(page: Path):
    text = page.read_text()
    assert text.startswith(HEADER + f"{number_of(page)}. ")
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells(page)) <= 1
    assert all(("small" in cell.metadata) == ("parameters" in cell.metadata.get("tags", [])) for cell in cells(page))
    assert all(f"\n## {part}\n" in text for part in ("What you have seen", "Exercises", "To read"))


@pytest.mark.parametrize("page", PAGES, ids=stem)
def test_its_equations_become_mathml_whole(page: Path):
    convert = pytest.importorskip("latex2mathml.converter").convert
    words = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    equations = [a or b for a, b in re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", words, re.DOTALL)]
    assert [equation for equation in equations if "\\" in convert(equation)] == []


@pytest.mark.parametrize("page", [*PAGES, COURSE / "README.md"], ids=stem)
def test_what_it_links_to_is_there(page: Path):
    words = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", words)
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=stem)
def test_its_exercises_are_there(page: Path):
    assert number_of(page) in lesson_numbers()
    exercises = page.read_text().partition("\n## Exercises\n")[2].partition("\n## ")[0]
    assert f"minigen exercise {number_of(page)}" in exercises
    assert [one.name for one in load_lesson(number_of(page)).exercises if f"`{one.name}" not in exercises] == []


def test_every_lesson_is_in_the_index():
    index = (COURSE / "README.md").read_text()
    for page in PAGES:
        title = re.search(r"\n# \d+\. (.*)\n", page.read_text())
        assert title is not None and f"[{title[1]}]({page.name})" in index


def test_every_number_has_one_lesson():
    assert [number_of(page) for page in PAGES] == list(range(1, len(PAGES) + 1)) == lesson_numbers()
