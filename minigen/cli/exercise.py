"""`minigen exercise`: the exercises of the course, given out and checked."""

import inspect
from pathlib import Path

from minigen import flags
from minigen.catalog import first_line
from minigen.errors import ArgumentError
from minigen.exercises.checking import check_file
from minigen.exercises.exercise import Lesson, file_to_fill_in
from minigen.exercises.lessons import lesson_numbers, load_lesson
from minigen.files import write_atomic


def exercise(argv: list[str]) -> int:
    """Give out the exercises of a lesson, a file to fill in, and check them; without a number, list the lessons."""
    parser = flags.Parser(prog="minigen exercise", description=first_line(exercise))
    parser.add_argument("lesson", nargs="?", type=flags.converter(int), metavar="N", help="number of the lesson")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the file is, or will be (default: here)")
    parser.add_argument("--hint", action="store_true", help="show the further hints for what is not right yet")
    parser.add_argument("--answer", action="store_true", help="show the answers, and how they are written here")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    if arguments.lesson is None:
        return list_lessons()
    lesson = known(arguments.lesson)
    path = arguments.folder / lesson.file_name
    if arguments.answer:
        print("\n\n".join(inspect.getsource(one.answer) for one in lesson.exercises), end="")
        return 0
    if not path.exists():
        return give_out(lesson, path)
    return check(lesson, path, arguments.hint)


def known(number: int) -> Lesson:
    """The exercises of lesson `number`. Raises ArgumentError when there are none."""
    numbers = lesson_numbers()
    if number not in numbers:
        raise ArgumentError(f"there is no lesson {number} with exercises; there are {numbers[0]} to {numbers[-1]}")
    return load_lesson(number)


def list_lessons() -> int:
    """Print number, title and functions of each lesson that has exercises."""
    for lesson in map(load_lesson, lesson_numbers()):
        print(f"{lesson.number:>3}  {lesson.title}: {', '.join(one.name for one in lesson.exercises)}")
    return 0


def give_out(lesson: Lesson, path: Path) -> int:
    """Write the file to fill in. Raises RunError when the disk refuses."""
    write_atomic(path, file_to_fill_in(lesson).encode())
    names = ", ".join(one.name for one in lesson.exercises)
    print(f"{path}: fill in {names}; the same command then checks them")
    return 0


def check(lesson: Lesson, path: Path, with_hints: bool) -> int:
    """Print a line for each function, and the hints for those that are not right. 0 when all are."""
    verdicts = check_file(path, lesson.exercises)
    width = max(len(verdict.name) for verdict in verdicts)
    for verdict, one in zip(verdicts, lesson.exercises, strict=True):
        print(f"{verdict.name:<{width}}  {verdict.words}")
        for i, hint in enumerate(one.hints if with_hints and not verdict.right else ()):
            print(f"{'':<{width}}  hint {i + 1}: {hint}")
    wrong = sum(not verdict.right for verdict in verdicts)
    if not wrong:
        print("all right")
    return 1 if wrong else 0
