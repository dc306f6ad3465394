"""What the check of exercises says of files that do not run, and of functions that are wrong in all sorts of ways."""

from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen.errors import DataError
from minigen.exercises.checking import check_file, difference
from minigen.exercises.exercise import Exercise


def centred(x: np.ndarray, scale: float) -> np.ndarray:
    """scale · (x - mean of x), over the last axis."""
    return scale * (x - x.mean(axis=-1, keepdims=True))


def halves(x: np.ndarray) -> tuple[np.ndarray, float]:
    """x / 2, and its sum."""
    return x / 2, float(x.sum() / 2)


def cube(x: mg.Tensor) -> mg.Tensor:
    """x³."""
    return x * x * x


EXERCISES = [
    Exercise(
        answer=centred,
        cases=lambda rng: [(rng.standard_normal((3, 3)), 2.0), (np.array([1.0, 3.0]), -1.0)],
        mistakes={
            "the mean is over all axes": lambda x, scale: scale * (x - x.mean()),
            "keepdims is missing": lambda x, scale: scale * (x - x.mean(axis=-1)),
        },
    ),
    Exercise(answer=halves, cases=lambda rng: [(np.arange(4.0),)], mistakes={}),
    Exercise(
        answer=cube,
        cases=lambda rng: [(mg.tensor(rng.standard_normal(3), requires_grad=True),), (mg.tensor(2.0),)],
        mistakes={"a factor is taken as a constant": lambda x: x.detach() * x * x},
        gradcheck=True,
    ),
]
RIGHT = """
import numpy as np
import minigen as mg
def centred(x, scale):
    return scale * (x - x.mean(axis=-1, keepdims=True))
def halves(x):
    return x / 2, x.sum() / 2
def cube(x):
    return x ** 3
"""


def said(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What is said of each function of the right file, with these changes."""
    text, path = RIGHT, folder / "exercise_99.py"
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return [verdict.words for verdict in check_file(path, EXERCISES)]


def test_what_is_right_is_right(tmp_path: Path):
    assert said(tmp_path) == ["right"] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["exercise_99.py"]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("def halves(x):", "def halves(x:", "exercise_99.py, line 6: "),
        ("def halves", "halfway / 2\ndef halves", "exercise_99.py, line 6: NameError: name 'halfway' is not defined"),
        ("import numpy", "raise SystemExit(3)\nimport numpy", "exercise_99.py, line 2: SystemExit: 3"),
        ("import numpy", "import numpie", "exercise_99.py, line 2: ModuleNotFoundError: No module named 'numpie'"),
    ],
)
def test_a_file_that_does_not_run_is_one_line(tmp_path: Path, old: str, new: str, error: str):
    with pytest.raises(DataError) as caught:
        said(tmp_path, (old, new))
    assert str(caught.value).startswith(error)
    assert "\n" not in str(caught.value)


CENTRED = "return scale * (x - x.mean(axis=-1, keepdims=True))"
CASE = "(case 1 of 2, x of shape (3, 3), scale = 2.0)"


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("return scale * (x - x.mean())", "the mean is over all axes"),
        ("return scale * (x - x.mean(axis=-1))", "keepdims is missing"),
        ("return scale * x + np.ones(2)", "line 5: ValueError: operands could not be broadcast together"),
        ("pass", "is nothing (does it return?), should be an array"),
        ("return 3", "is a number, should be an array"),
        ("return [x]", "is a list of 1, should be an array"),
        ("return x[..., :1]", "has shape (3, 1), should be (3, 3)"),
        ("return x.astype(np.float32)", "has dtype float32, should be float64"),
        ("return x > 0", "has dtype bool, should be float64"),
        ("return mg.tensor(x)", "is a Tensor, should be an array"),
        ("x -= x.mean(axis=-1, keepdims=True); return scale * x", "x is changed in place; work on a copy"),
        ("return -scale * (x - x.mean(axis=-1, keepdims=True))", "; the sign is wrong throughout"),
        ("return 2 * scale * (x - x.mean(axis=-1, keepdims=True))", "; it is 2 times that throughout"),
        ("raise NotImplementedError", "not filled in yet"),
        ("raise KeyError", "line 5: KeyError"),
        ("return centred(x, scale)", "line 5: RecursionError"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, new: str, words: str):
    found, *others = said(tmp_path, (CENTRED, new))
    assert words in found
    assert others == ["right"] * 2
    assert CASE in found or "case" not in found


def test_numbers_that_look_alike_are_told_apart():
    words = difference(np.array([1.0]), np.array([1.00000003]), 1e-8)
    assert words == "[0] is 1, should be 1, a difference of -3e-08"


def test_a_function_that_is_missing_or_takes_other_arguments(tmp_path: Path):
    missing, taken, _ = said(tmp_path, ("def centred", "def centered"), ("def halves(x)", "def halves()"))
    assert missing == "missing: exercise_99.py defines no function centred(x, scale)"
    assert "TypeError: halves() takes 0 positional arguments but 1 was given" in taken


def test_parts_of_a_tuple_are_told_apart(tmp_path: Path):
    _, words, _ = said(tmp_path, ("x.sum() / 2", "x.sum()"))
    assert words == "result 1: is 6, should be 3 (case 1 of 1, x = [0., 1., 2., 3.])"


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("return x * x * x.detach()", "a factor is taken as a constant"),
        ("return x * (x * x).detach()", "the result is right, but its gradient in x[0] is "),
        ("return x.detach() ** 3", "the result is right, but its gradient in x[0] is 0, should be "),
        ("return x.numpy() ** 3", "line 9: GradientError: numpy: the tensor requires a gradient"),
    ],
)
def test_gradients_are_checked(tmp_path: Path, new: str, words: str):
    assert words in said(tmp_path, ("return x ** 3", new))[-1]
