"""Advice: a warning, once in a process, about what is allowed but hardly ever meant, with the mend.

`mg.config.advice = False`, or MINIGEN_ADVICE=0 in the environment, switches it off.
"""

import os
import sys
import warnings
from pathlib import Path
from types import FrameType

from minigen.config import config

PACKAGE = str(Path(__file__).parent) + os.sep
MODELS = PACKAGE + "models" + os.sep  # which are written as users write
given: set[str] = set()  # what was said in this process, by key


class Advice(UserWarning):
    """What is allowed but hardly ever meant."""


def advise(key: str, message: str) -> None:
    """Warn with `message`, which names the mend, unless the advice `key` was given before or advice is off.

    The warning points at the line of user code.
    """
    if config.advice and key not in given:
        given.add(key)
        frame = user_frame()
        warnings.warn_explicit(message, Advice, frame.f_code.co_filename, frame.f_lineno)


def user_frame() -> FrameType:
    """The innermost frame outside this package; the models count as outside."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGE) or file.startswith(MODELS):
            break
        frame = frame.f_back
    return frame
