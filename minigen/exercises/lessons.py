"""Which lessons have exercises: every module lesson_NN.py beside this one, nothing registered."""

import importlib
from pathlib import Path

from minigen.exercises.exercise import Lesson

PREFIX = "lesson_"


def lesson_numbers() -> list[int]:
    """The lessons that have exercises, in order; none is imported."""
    stems = [path.stem.removeprefix(PREFIX) for path in Path(__file__).parent.glob(f"{PREFIX}*.py")]
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def load_lesson(number: int) -> Lesson:
    """The exercises of one lesson."""
    module = importlib.import_module(f"minigen.exercises.{PREFIX}{number:02}")
    return Lesson(number, module, module.EXERCISES)
