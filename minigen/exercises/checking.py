"""Is a reader's function right, and if not, what is wrong with it: one line for each function of a lesson.

A function is held against the answer on every case. Where it differs, it is held against the planted mistakes: when it
gives the same as one of them on all cases, that one's words are said; else the first number that is off.
"""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import minigen as mg
from minigen.autograd import Tensor
from minigen.errors import DataError, MinigenError
from minigen.exercises.exercise import Exercise, signature_of

SEED = 0  # of the cases
FEW = 6  # numbers of an argument that a message shows
NUMBERS = (bool, int, float, np.generic)
NOT_YET = "not filled in yet"


class Verdict(NamedTuple):
    """What is said of one function."""

    name: str
    right: bool
    words: str


@dataclass(frozen=True)
class Outcome:
    """What a function did with one case.

    error: what it raised; else result, the gradients of a fixed weighting of it by the argument's name, and which
    arguments it changed in place.
    """

    result: Any = None
    error: Exception | None = None
    gradients: Mapping[str, np.ndarray] = field(default_factory=dict)
    changed: Sequence[str] = ()


def check_file(path: Path, exercises: Sequence[Exercise]) -> list[Verdict]:
    """One verdict for each exercise. Raises DataError when the file itself can not be run, OSError without one."""
    written = run_file(path)
    return [check_function(exercise, written.get(exercise.name), path) for exercise in exercises]


def run_file(path: Path) -> dict[str, Any]:
    """The names that a file of Python defines. Raises DataError, of one line, when it can not be run."""
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), names)
    except SyntaxError as error:
        raise DataError(f"{path.name}, line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise DataError(f"{path.name}{line_in(path, error, ', ')}: {named(error)}") from error
    return names


def check_function(exercise: Exercise, function: Any, path: Path) -> Verdict:
    """What is to be said of one function of the file; None stands for one that is not there."""
    words = complaint(exercise, function, path)
    return Verdict(exercise.name, not words, words or "right")


def complaint(exercise: Exercise, function: Any, path: Path) -> str:
    """What is wrong with a function, in one line; "" when it is right."""
    if not callable(function):
        return f"missing: {path.name} defines no function {signature_of(exercise)}"
    given, wanted = outcomes(function, exercise), outcomes(exercise.answer, exercise)
    if isinstance(given[0].error, NotImplementedError):
        return NOT_YET
    differences = [difference_of(a, b, exercise.tolerance) for a, b in zip(given, wanted, strict=True)]
    if not any(differences):
        return harm_done(exercise, function, given)
    for words, wrong in exercise.mistakes.items():
        if all(same(a, b, exercise.tolerance) for a, b in zip(given, outcomes(wrong, exercise), strict=True)):
            return words
    case = next(i for i, words in enumerate(differences) if words)
    error, pattern = given[case].error, pattern_of(given, wanted, exercise.tolerance)
    where = f"case {case + 1} of {len(given)}, {shown_case(exercise, case)}"
    if error is not None:
        return f"{line_in(path, error, '', ': ')}{named(error)} ({where})"
    return f"{differences[case]}{pattern} ({where})"


def pattern_of(given: Sequence[Outcome], wanted: Sequence[Outcome], tolerance: float) -> str:
    """What is wrong with all results alike: the sign, a factor, the order of the axes; "" where nothing is."""
    pairs = [(one.result, other.result) for one, other in zip(given, wanted, strict=True)]
    if not all(isinstance(x, (Tensor, np.ndarray, *NUMBERS)) for pair in pairs for x in pair):
        return ""
    arrays = [(array_of(a).astype(complex), array_of(b).astype(complex)) for a, b in pairs]
    if all(a.ndim > 1 and not difference(a.T, b, tolerance) for a, b in arrays):
        return "; it is the transpose of what it should be"
    if any(a.shape != b.shape for a, b in arrays):
        return ""
    flat = [x for a, b in arrays for x in (a[b != 0] / b[b != 0]).ravel()]
    if not flat or not np.isfinite(flat).all():
        return ""
    factor = flat[0].real
    if any(difference(a, factor * b, tolerance) for a, b in arrays) or abs(factor) < tolerance:
        return ""
    wrong_sign = abs(factor + 1) <= tolerance
    return "; the sign is wrong throughout" if wrong_sign else f"; it is {factor:.4g} times that throughout"


def harm_done(exercise: Exercise, function: Callable[..., Any], given: Sequence[Outcome]) -> str:
    """What is wrong with a function whose results are right: its arguments are changed, or the check of gradients."""
    changed = sorted({name for outcome in given for name in outcome.changed})
    if changed:
        verb = "is" if len(changed) == 1 else "are"
        return f"the results are right, but {' and '.join(changed)} {verb} changed in place; work on a copy"
    if exercise.gradcheck:
        for arguments in made_cases(exercise):
            if variables(arguments):
                try:
                    mg.gradcheck(function, list(arguments), order=1)
                except MinigenError as error:
                    return str(error)
    return ""


# ---------------------------------------------------------------- running


def made_cases(exercise: Exercise) -> list[tuple[Any, ...]]:
    """The argument tuples, made anew, so that nothing done to earlier ones is left in them."""
    return list(exercise.cases(mg.random.generator(SEED)))


def outcomes(function: Callable[..., Any], exercise: Exercise) -> list[Outcome]:
    """What a function does with each case."""
    names = list(inspect.signature(exercise.answer).parameters)
    untouched = made_cases(exercise)
    cases = zip(made_cases(exercise), untouched, strict=True)
    return [outcome(function, arguments, before, names, exercise.gradcheck) for arguments, before in cases]


def outcome(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    before: tuple[Any, ...],
    names: Sequence[str],
    with_gradients: bool,
) -> Outcome:
    """What a function does with the arguments; `before` is what they were."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():  # NaN and infinity are told in the results
            warnings.simplefilter("ignore")
            result = function(*arguments)
            gradients = gradients_of(result, arguments, names) if with_gradients else {}
    except Exception as error:
        return Outcome(error=error)
    pairs = zip(names, arguments, before, strict=False)
    changed = [name for name, now, was in pairs if holds_array(was) and difference(now, was, 0.0)]
    return Outcome(result, None, gradients, changed)


def gradients_of(result: Any, arguments: Sequence[Any], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The gradient of Σ weights · result in each argument that requires one: 0 where nothing depends on it."""
    ys = [y for y in (result if isinstance(result, tuple) else (result,)) if isinstance(y, Tensor) and y.requires_grad]
    xs = [arguments[i] for i in variables(arguments)]
    weights = [np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype) for y in ys]  # of any kind, but no two alike
    found = mg.grad(ys, xs, weights, allow_unused=True) if ys and xs else [None] * len(xs)
    pairs = zip(variables(arguments), xs, found, strict=True)
    return {names[i]: np.zeros_like(x.data) if g is None else g.data for i, x, g in pairs}


def variables(arguments: Sequence[Any]) -> list[int]:
    """The places of the tensors that require a gradient."""
    return [i for i, x in enumerate(arguments) if isinstance(x, Tensor) and x.requires_grad]


# ---------------------------------------------------------------- comparing


def same(a: Outcome, b: Outcome, tolerance: float) -> bool:
    """Whether two outcomes are alike: equal results and gradients, or errors of one kind."""
    if a.error is not None or b.error is not None:
        return type(a.error) is type(b.error)
    return not difference_of(a, b, tolerance)


def difference_of(given: Outcome, wanted: Outcome, tolerance: float) -> str:
    """How an outcome differs from the one that is wanted; "" when it does not."""
    if given.error is not None:
        return named(given.error)
    words = difference(given.result, wanted.result, tolerance)
    if not words:
        for name, gradient in wanted.gradients.items():
            if found := difference(given.gradients[name], gradient, tolerance):
                return f"the result is right, but its gradient in {name}{found if found[0] == '[' else f' {found}'}"
    return words


def difference(given: Any, wanted: Any, tolerance: float) -> str:
    """Where two results differ first, as "is …, should be …" behind the place; "" when they agree."""
    if kind(given) != kind(wanted):
        return f"is {kind(given)}, should be {kind(wanted)}"
    if isinstance(wanted, (tuple, list)):
        found = ((i, difference(a, b, tolerance)) for i, (a, b) in enumerate(zip(given, wanted, strict=True)))
        return next((f"result {i}: {words}" for i, words in found if words), "")
    if not isinstance(wanted, (Tensor, np.ndarray, *NUMBERS)):
        return "" if given == wanted else f"is {given!r}, should be {wanted!r}"
    a, b = array_of(given), array_of(wanted)
    if a.shape != b.shape:
        return f"has shape {a.shape}, should be {b.shape}"
    if b.ndim and (a.dtype.kind != b.dtype.kind or (b.dtype.kind == "f" and a.dtype != b.dtype)):
        return f"has dtype {a.dtype}, should be {b.dtype}"
    wrong = np.argwhere(~np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))
    if not len(wrong):
        return ""
    index = tuple(map(int, wrong[0]))
    place = f"{list(index)} " if index else ""
    found, sought = (f"{x[index]:.8g}" for x in (a, b))
    beside = f", a difference of {a[index] - b[index]:.2g}" if found == sought else ""
    return f"{place}is {found}, should be {sought}{beside}"


def kind(value: Any) -> str:
    """What a result is; a number of Python and one of NumPy are of one kind."""
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, NUMBERS) or (isinstance(value, np.ndarray) and not value.ndim):
        return "a number"
    names = {np.ndarray: "an array", Tensor: "a Tensor", type(None): "nothing (does it return?)"}
    return names.get(type(value), f"a {type(value).__name__}")


def array_of(value: Any) -> np.ndarray:
    """A number, an array or a tensor as an array."""
    return value.data if isinstance(value, Tensor) else np.asarray(value)


def holds_array(value: Any) -> bool:
    """Whether an argument is something that could be written into."""
    return isinstance(value, (Tensor, np.ndarray))


# ---------------------------------------------------------------- words


def named(error: BaseException) -> str:
    """`ValueError: what it says`, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")


def line_in(path: Path, error: BaseException, before: str = "", after: str = "") -> str:
    """`line 7`: where in the file an error came from, the innermost such place; "" when from elsewhere."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(path) else line
        trace = trace.tb_next
    return f"{before}line {line}{after}" if line else ""


def shown_case(exercise: Exercise, case: int) -> str:
    """The arguments of a case: small ones as they are, of larger ones the shape."""
    names = inspect.signature(exercise.answer).parameters
    return ", ".join(shown(name, value) for name, value in zip(names, made_cases(exercise)[case], strict=False))


def shown(name: str, value: Any) -> str:
    """One argument in few words."""
    if isinstance(value, (Tensor, np.ndarray)):
        array = array_of(value)
        numbers = np.array2string(array, precision=4, separator=", ").replace("\n", "")
        return f"{name} = {numbers}" if 0 < array.size <= FEW else f"{name} of shape {array.shape}"
    text = getattr(value, "__name__", None) or repr(value)
    return f"{name} = {text if len(text) <= 60 else text[:57] + '…'}"
