"""`minigen exercise`: a file is given out once, and checked from then on."""

import inspect
from pathlib import Path

import pytest

from minigen import cli
from minigen.exercises.exercise import file_to_fill_in, imports_for
from minigen.exercises.lessons import lesson_numbers, load_lesson

LESSON = load_lesson(1)
NAMES = [one.name for one in LESSON.exercises]
ANSWERS = "\n\n".join([*imports_for(LESSON), *[inspect.getsource(one.answer) for one in LESSON.exercises]])


def test_a_file_is_given_out_and_then_checked(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["exercise", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("exercise_01.py: ") and all(name in out for name in NAMES)
    path = Path("exercise_01.py")
    assert path.read_text() == file_to_fill_in(LESSON)
    assert cli.main(["exercise", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert all(line.endswith("not filled in yet") for line in lines)
    assert path.read_text() == file_to_fill_in(LESSON)
    path.write_text(ANSWERS)
    assert cli.main(["exercise", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all right"


def test_the_file_may_be_in_another_folder(workplace: Path, capsys: pytest.CaptureFixture):
    Path("mine").mkdir()
    assert cli.main(["exercise", "1", "--folder", "mine"]) == 0
    assert [str(path) for path in Path().rglob("*.py")] == ["mine/exercise_01.py"]
    assert cli.main(["exercise", "--folder", "mine", "1"]) == 1


def test_hints_are_for_what_is_not_right(workplace: Path, capsys: pytest.CaptureFixture):
    first, *others = LESSON.exercises
    text = file_to_fill_in(LESSON)
    start, end = text.index(f"def {first.name}"), text.index(f"def {others[0].name}")
    Path("exercise_01.py").write_text(text[:start] + inspect.getsource(first.answer) + "\n\n" + text[end:])
    assert cli.main(["exercise", "1", "--hint"]) == 1
    out = capsys.readouterr().out
    assert all(f"hint {i + 1}: {hint}" in out for one in others for i, hint in enumerate(one.hints))
    assert not any(hint in out for hint in first.hints)


def test_answers_are_shown_without_a_file(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["exercise", "1", "--answer"]) == 0
    out = capsys.readouterr().out
    assert all(inspect.getsource(one.answer) in out for one in LESSON.exercises)
    assert list(workplace.iterdir()) == []


def test_lessons_are_listed(workplace: Path, capsys: pytest.CaptureFixture):
    assert cli.main(["exercise"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == lesson_numbers()
    assert f"{LESSON.title}: {', '.join(NAMES)}" in lines[0]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("exercise 99", 2, f"there is no lesson 99 with exercises; there are 1 to {lesson_numbers()[-1]}"),
        ("exercise 0", 2, "there is no lesson 0 with exercises"),
        ("exercise one", 2, "'one' is not a whole number"),
        ("exercise 1 --hints", 2, "unknown flag --hints; did you mean --hint?"),
        ("exercise 1 --folder nowhere", 1, "nowhere/exercise_01.py: its folder does not exist"),
        ("exercise 1 --folder broken", 1, "exercise_01.py, line 1: "),
        ("exercise 1 --folder odd", 1, "exercise_01.py"),
    ],
)
def test_wrong_input_is_one_line(line: str, code: int, words: str, workplace: Path, capsys: pytest.CaptureFixture):
    Path("broken").mkdir()
    Path("broken/exercise_01.py").write_text("def f(:\n")
    Path("odd/exercise_01.py").mkdir(parents=True)
    assert cli.main(line.split()) == code
    error = capsys.readouterr().err
    assert error.startswith("minigen: error: ") and error.count("\n") == 1
    assert words in error
