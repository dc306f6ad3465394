"""The models, one file each, to be read from top to bottom like the paper. `minigen train NAME` finds them here.

A model's file holds

    Recipe                       a frozen dataclass; its fields are the command line's flags, their comments the help
    train(recipe, run)           the visible loop; `run` is the folder that it fills, see minigen.training.Run
    load(run) -> Module          the trained networks
    evaluate(run) -> dict        figures on test data, by name; draws pictures into the folder
    sample(run, n, rng)          n images, float32 (n, H, W, C) in [0, 1]; absent where nothing can be drawn
    generate(run, prompt, n, choice, rng)  for text, in place of `sample`: an iterator over the pieces of a text, n
                                 symbols that go on from the prompt, or what n and the prompt mean to the model;
                                 choice: see Choice in _text.py
    COUNT                        the n of `generate` when the user gives none; absent: 500
    EXTENDABLE                   the recipe's fields that may grow with --resume; absent: ("epochs", "max_steps")

A new file with the first four is a new command; nothing has to be registered. Files whose names begin with "_" hold
what several models share.
"""

import math
from typing import Any

from minigen.errors import ArgumentError


def require_positive(recipe: Any, *names: str) -> None:
    """Raises ArgumentError unless the named numbers of a recipe, other than None, are finite and above 0."""
    for name in names:
        value = getattr(recipe, name)
        if value is not None and not 0 < value < math.inf:
            raise ArgumentError(f"{name.replace('_', '-')} is {value}; use a number above 0")
