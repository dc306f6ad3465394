"""Every exercise of the course: its answer is right, its stub is not, each planted mistake is called by its name."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.exercises.checking import NOT_YET, array_of, check_file, check_function, difference, made_cases, outcomes
from minigen.exercises.exercise import Exercise, Lesson, file_to_fill_in, imports_for
from minigen.exercises.lessons import lesson_numbers, load_lesson

ROOT = Path(__file__).resolve().parents[2]
LESSONS = [load_lesson(number) for number in lesson_numbers()]
EXERCISES = [pytest.param(one, id=f"{lesson.number}-{one.name}") for lesson in LESSONS for one in lesson.exercises]
MISTAKES = [
    pytest.param(one, words, id=f"{lesson.number}-{one.name}-{i}")
    for lesson in LESSONS
    for one in lesson.exercises
    for i, words in enumerate(one.mistakes)
]
NOWHERE = Path("exercise.py")


def number_of(lesson: Lesson) -> str:
    return str(lesson.number)


def check(exercise: Exercise, function: Any) -> str:
    return check_function(exercise, function, NOWHERE).words


def in_file(lesson: Lesson, folder: Path, text: str) -> list[str]:
    """What is said of each function of a file."""
    path = folder / lesson.file_name
    path.write_text(text)
    return [verdict.words for verdict in check_file(path, lesson.exercises)]


@pytest.mark.parametrize("lesson", LESSONS, ids=number_of)
def test_the_answers_are_right_with_the_imports_of_the_file(lesson: Lesson, tmp_path: Path):
    answers = [inspect.getsource(one.answer) for one in lesson.exercises]
    words = in_file(lesson, tmp_path, "\n\n".join([*imports_for(lesson), *answers]))
    assert words == ["right"] * len(lesson.exercises)


@pytest.mark.parametrize("lesson", LESSONS, ids=number_of)
def test_the_file_to_fill_in_runs_and_nothing_of_it_is_filled_in(lesson: Lesson, tmp_path: Path):
    text = file_to_fill_in(lesson)
    assert in_file(lesson, tmp_path, text) == [NOT_YET] * len(lesson.exercises)
    assert max(map(len, text.splitlines())) <= 120
    for one in lesson.exercises:
        assert one.hints and inspect.cleandoc(one.answer.__doc__ or "").splitlines()[0] in text
        assert one.hints[0][:40] in text and all(hint not in text for hint in one.hints[1:])


@pytest.mark.parametrize("lesson", LESSONS, ids=number_of)
def test_a_lesson_has_a_page_a_title_and_few_exercises(lesson: Lesson):
    (page,) = (ROOT / "docs" / "course").glob(f"{lesson.number:02}_*.md")
    assert f"# {lesson.number}. {lesson.title}\n".lower() in page.read_text().lower()
    assert 2 <= len(lesson.exercises) <= 3


@pytest.mark.parametrize("exercise", EXERCISES)
def test_cases_are_the_same_each_time_and_mistakes_are_several(exercise: Exercise):
    first, second = made_cases(exercise), made_cases(exercise)
    assert len(first) >= 2
    assert all(isinstance(arguments, tuple) for arguments in first)
    for before, after in zip(first, second, strict=True):
        assert not [1 for a, b in zip(before, after, strict=True) if not callable(a) and difference(a, b, 0.0)]
    assert len(exercise.mistakes) >= 2
    assert all(outcome.error is None for outcome in outcomes(exercise.answer, exercise))


@pytest.mark.parametrize(("exercise", "words"), MISTAKES)
def test_a_planted_mistake_is_called_by_its_name(exercise: Exercise, words: str):
    assert check(exercise, exercise.mistakes[words]) == words


def last_part(result: Any) -> np.ndarray:
    """The last array, or number, of a result."""
    return array_of(result[-1] if isinstance(result, tuple) else result)


def off_by_one(exercise: Exercise) -> tuple[Callable[..., Any], str]:
    """A function that is off by 1 in the last number of the last case that has one, and what is said of it."""
    cases = made_cases(exercise)
    lasts = [last_part(exercise.answer(*case)) for case in cases]
    wrong = max(i for i, last in enumerate(lasts) if last.size)
    last = lasts[wrong]
    index = tuple(n - 1 for n in last.shape)
    one = np.zeros(last.shape, last.dtype)
    one[index] = 1
    calls = iter(range(len(cases)))

    def off(value: Any) -> Any:
        if last.dtype == bool:
            return value ^ one if value.shape else bool(value) ^ True
        return mg.tensor(one) + value if isinstance(value, mg.Tensor) else value + (one if last.shape else 1)

    def function(*arguments: Any) -> Any:
        y = exercise.answer(*arguments)
        if next(calls, None) != wrong:
            return y
        return (*y[:-1], off(y[-1])) if isinstance(y, tuple) else off(y)

    where = f"{list(index)} is " if index else "is "
    return function, f"{where}…, should be {last[index]:.8g} (case {wrong + 1} of {len(cases)}, "


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_number_that_is_off_is_told_with_its_place_and_case(exercise: Exercise):
    function, expected = off_by_one(exercise)
    words = check(exercise, function)
    assert all(part in words for part in expected.split("…"))
