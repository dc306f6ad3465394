"""Runs every promise, and holds docs/promises.md to them: `python tests/test_promises.py` writes the page anew."""

import importlib
from pathlib import Path

import pytest
from promises import Promise

PAGE = Path(__file__).resolve().parent.parent / "docs" / "promises.md"
HEAD = """# What happens when something is off

Each line is a test (`tests/test_promises.py`). "Warns" is once in a process, and can be switched off
(`MINIGEN_ADVICE=0`, `mg.config.advice = False`).
"""
FILES = sorted(Path(__file__).parent.glob("promises_*.py"))
CASES: dict[str, list[Promise]] = {
    path.stem.removeprefix("promises_"): importlib.import_module(path.stem).CASES for path in FILES
}


def page() -> str:
    """docs/promises.md, a table for each subject."""
    lines = [HEAD]
    for subject, cases in CASES.items():
        title = subject.replace("_", " ").capitalize()
        lines += [f"## {title}", "", "| Case | What minigen does |", "|---|---|", *(case.row for case in cases), ""]
    return "\n".join(lines)


@pytest.mark.parametrize("case", [case for cases in CASES.values() for case in cases], ids=lambda case: case.case[:60])
def test_promise(case: Promise, tmp_path: Path):
    case.check(tmp_path)


def test_the_page_says_what_is_tested():
    assert PAGE.read_text() == page()


if __name__ == "__main__":
    PAGE.write_text(page())
