"""One exercise: a real answer, from which the stub that a reader fills in is made, so that the two can not differ."""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

INDENT = " " * 4
WIDTH = 110  # of a hint in the file


@dataclass(frozen=True)
class Exercise:
    """A function that a reader writes.

    answer: the function itself, pure: arrays, numbers or tensors in; an array, a number, a tensor or a tuple out.
    cases: gives the same list of argument tuples for the same generator, made anew each time.
    mistakes: a wrong function by the words that are said to a reader whose function gives the same results.
    hints: the first stands in the file to fill in, the others are given when they are asked for.
    gradcheck: the gradients are checked too, by central differences; tensors of the cases that require a gradient.
    tolerance: how far a number may be off, relative and absolute.
    """

    answer: Callable[..., Any]
    cases: Callable[[np.random.Generator], Sequence[tuple[Any, ...]]]
    mistakes: Mapping[str, Callable[..., Any]]
    hints: Sequence[str] = ()
    gradcheck: bool = False
    tolerance: float = 1e-8

    @property
    def name(self) -> str:
        """Name of the function to write."""
        return self.answer.__name__


@dataclass(frozen=True)
class Lesson:
    """The exercises of one lesson, and the module that holds them."""

    number: int
    module: ModuleType
    exercises: Sequence[Exercise]

    @property
    def title(self) -> str:
        """What the lesson is called, by the first line of the module: "Exercises of lesson 3: graphs and sweeps."."""
        return inspect.cleandoc(self.module.__doc__ or "").partition("\n")[0].partition(": ")[2].rstrip(".")

    @property
    def file_name(self) -> str:
        """Of the file to fill in."""
        return f"exercise_{self.number:02}.py"


def file_to_fill_in(lesson: Lesson) -> str:
    """The text of the file: the imports that the functions need, and each function without its body."""
    task = f"Fill in the functions, and check them: minigen exercise {lesson.number}"
    opening = f'"""Exercises of lesson {lesson.number}: {lesson.title}.\n\n{task}\n"""'
    head = "\n\n".join([opening, *imports_for(lesson)])
    return "\n\n\n".join([head, *[stub(exercise) for exercise in lesson.exercises]]) + "\n"


def stub(exercise: Exercise) -> str:
    """The function as it is written in the answer, up to the end of its docstring; then its first hint."""
    lines, function = definition(exercise.answer)
    kept = lines[: function.body[0].end_lineno]
    hints = textwrap.wrap(f"hint 1: {exercise.hints[0]}", WIDTH) if exercise.hints else []
    return "\n".join([*kept, *[f"{INDENT}# {line}" for line in hints], f"{INDENT}raise NotImplementedError"])


def signature_of(exercise: Exercise) -> str:
    """`f(x, h)`: the function's name and the names of its arguments."""
    return f"{exercise.name}({', '.join(inspect.signature(exercise.answer).parameters)})"


def definition(function: Callable[..., Any]) -> tuple[list[str], ast.FunctionDef]:
    """The lines of a function's source, and its tree."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return source.splitlines(), tree


def imports_for(lesson: Lesson) -> list[str]:
    """The lesson's imports of what an answer uses, and of its own helpers that one uses: blocks, as isort has them."""
    trees = [definition(exercise.answer)[1] for exercise in lesson.exercises]
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    statements, blocks = ast.parse(inspect.getsource(lesson.module)).body, ([], [], [])
    for node in statements:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name.partition(".")[0]) in used]
            text = ast.unparse(node)
            if node.names:
                package = text.split()[1].partition(".")[0]
                blocks[0 if package in sys.stdlib_module_names else 2 if package == "minigen" else 1].append(text)
    helpers = sorted(names_made(statements) & used - {exercise.name for exercise in lesson.exercises})
    if helpers:
        blocks[2].append(f"from {lesson.module.__name__} import {', '.join(helpers)}")
    return ["\n".join(block) for block in blocks if block]


def names_made(statements: Sequence[ast.stmt]) -> set[str]:
    """The names that these statements define: functions, classes, constants."""
    made = {node.name for node in statements if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in statements if isinstance(node, ast.Assign) for target in node.targets]
    return made | {target.id for target in targets if isinstance(target, ast.Name)}
