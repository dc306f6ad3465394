"""Holds docs/conventions.md to what minigen, NumPy and PyTorch do: `python tests/test_conventions.py` writes it anew.

minigen's column must be the same in both dtypes, and by kernels and by their plain twins.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conventions import ROWS, Row

import minigen as mg
from minigen import kernels
from minigen.kernels import reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "conventions.md"
HEAD = """# NaN, infinities, zeros, ties and kinks

What operations give where there is something to decide. Values are NumPy's, and gradients PyTorch's, wherever these
have the operation and no better answer is known; the rules behind the rows are:

- A NaN that goes in comes out, of maximum, max, max pooling and ReLU too. It is never the place of 0.
- At 0 the gradient of ReLU and |x| is 0, and that of leaky ReLU its slope. Equal ones share the gradient of max and
  maximum; in a window of max pooling the first takes it. What was not chosen gets 0, also of a gradient that is NaN.
- Over nothing, a sum is 0, and what has no answer (mean, max, softmax, the variance of one number) raises an error.
- A result is infinite only where its true value is too large for the dtype, and NaN only where there is none.

Each row gives the value, and after → the gradient of its sum in each input. "same" is as minigen; — is a library that
has no such operation. `tests/test_conventions.py` runs every row.
"""


def number(x: Any) -> str:
    if isinstance(x, (bool, np.bool_)):
        return str(bool(x))
    if np.isnan(x):
        return "NaN"
    return f"{x:.3g}".replace("inf", "∞")


def text(array: Any) -> str:
    array = np.asarray(array)
    if array.ndim == 0:
        return number(array[()])
    return f"[{', '.join(text(part) for part in array)}]"


def shown(value: Any, gradients: list[Any]) -> str:
    """`value → gradient`, for several inputs `→ gradient → gradient`."""
    return " → ".join([text(value), *(text(g) for g in gradients)])


def ours(row: Row, dtype: Any) -> str:
    xs = [mg.tensor(np.array(x, dtype), requires_grad=True) for x in row.inputs]
    with np.errstate(all="ignore"):
        try:
            y = row.ours(*xs)
        except mg.errors.MinigenError as error:
            return type(error).__name__
        if y.requires_grad:
            y.sum().backward()
    return shown(y.data, [x.grad.data for x in xs if x.grad is not None])


def numpys(row: Row, dtype: Any) -> str:
    if row.numpy is None:
        return "—"
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        try:
            return shown(row.numpy(*[np.array(x, dtype) for x in row.inputs]), [])
        except ValueError as error:
            return type(error).__name__


def torchs(row: Row, dtype: Any) -> str:
    torch = pytest.importorskip("torch")
    if row.torch is None:
        return "—"
    xs = [torch.tensor(np.array(x, dtype), requires_grad=True) for x in row.inputs]
    with warnings.catch_warnings(action="ignore"):
        try:
            y = row.torch(torch, *xs)
        except (RuntimeError, IndexError) as error:
            return type(error).__name__
        if y.requires_grad:
            y.sum().backward()
    return shown(y.detach().numpy(), [x.grad.numpy() for x in xs if x.grad is not None])


def line(row: Row, dtype: Any, torch: str) -> str:
    """The row of the page; `torch` is PyTorch's cell, spelt out."""
    mine = ours(row, dtype)
    inputs = ", ".join(text(np.array(x)) for x in row.inputs)
    numpy = numpys(row, dtype)
    cells = row.operation, inputs, mine, same(numpy, mine.split(" → ")[0]), same(torch, mine)
    return f"| {' | '.join(cells)} |"


def same(theirs: str, mine: str) -> str:
    return "same" if theirs == mine else theirs


def page() -> str:
    lines = [HEAD]
    for subject, rows in ROWS.items():
        lines += [f"## {subject}", "", "| Operation | Input | minigen | NumPy | PyTorch |", "|---|---|---|---|---|"]
        lines += [*(line(row, np.float32, torchs(row, np.float32)) for row in rows), ""]
    return "\n".join(lines)


CASES = [row for rows in ROWS.values() for row in rows]
LINES = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")] if PAGE.exists() else []
each_row = pytest.mark.parametrize(
    "place", range(len(CASES)), ids=[f"{row.operation} {text(np.array(row.inputs[0]))}" for row in CASES]
)


def test_the_page_has_every_row_and_its_head():
    assert len(LINES) == len(CASES)
    assert PAGE.read_text().startswith(HEAD)


@each_row
@pytest.mark.parametrize("form", ["kernels", "twins"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_row(place: int, form: str, dtype: Any, monkeypatch: pytest.MonkeyPatch):
    if form == "twins":
        for name in reference.__all__:
            monkeypatch.setattr(kernels, name, getattr(reference, name), raising=False)
    assert line(CASES[place], dtype, "?").rsplit(" | ", 1)[0] == LINES[place].rsplit(" | ", 1)[0]


@each_row
def test_row_in_torch(place: int):
    pytest.importorskip("torch")
    row = CASES[place]
    expected = LINES[place].rsplit(" | ", 1)[1].removesuffix(" |")
    assert same(torchs(row, np.float32), ours(row, np.float32)) == expected


if __name__ == "__main__":
    PAGE.write_text(page())
