"""What operations that choose do with NaN, infinities, zeros of either sign, ties and kinks: the rows of the page.

A row is one call in minigen, and the same in NumPy and in PyTorch where they have it. docs/conventions.md shows what
each gives, and the gradient of the sum; `tests/test_conventions.py` runs the rows and holds the page to them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import minigen as mg

NAN, INF = np.nan, np.inf
EDGE = [NAN, INF, -INF, 0.0, -0.0]
Call = Callable[..., Any]


class Row(NamedTuple):
    """One line: the operation, its inputs, and the call in each library; torch's is given torch first."""

    operation: str
    inputs: tuple[Any, ...]
    ours: Call
    numpy: Call | None
    torch: Call | None


def row(operation: str, *inputs: Any, ours: Call, numpy: Call | None = None, torch: Call | None = None) -> Row:
    return Row(operation, inputs, ours, numpy, torch)


def ones_like(x: Any) -> Any:
    return np.ones(x.shape, x.dtype)


def windows(pool: Call) -> Call:
    """Pairs of numbers as the windows of a picture one pixel high."""
    return lambda x: pool(x.reshape(1, 1, -1, 1), (1, 2)).reshape(-1)


def torch_windows(name: str) -> Call:
    return lambda torch, x: getattr(torch.nn.functional, name)(x.reshape(1, 1, 1, -1), (1, 2)).reshape(-1)


def rows_of(function: Call) -> Call:
    """A loss of labels 0, one for each row."""
    return lambda x: function(x, np.zeros(len(x.data), int), reduction="none")


def torch_rows_of(name: str) -> Call:
    return lambda torch, x: getattr(torch.nn.functional, name)(x, torch.zeros(len(x), dtype=int), reduction="none")


def pairs(name: str) -> Row:
    """maximum or minimum of two."""
    return row(
        f"`{name}(a, b)`", [NAN, 1, 2, INF], [1, NAN, 2, INF],
        ours=getattr(mg, name), numpy=getattr(np, name), torch=lambda torch, a, b: getattr(torch, name)(a, b),
    )  # fmt: skip


def unary(name: str, inputs: list[float], numpy: bool = False, functional: bool = False, label: str = "") -> Row:
    """An operation of one tensor that has the same name everywhere."""
    return row(
        f"`{label or name}`", inputs,
        ours=getattr(mg, name), numpy=getattr(np, name) if numpy else None,
        torch=lambda torch, x: getattr(torch.nn.functional if functional else torch, name)(x),
    )  # fmt: skip


def powers(exponent: float, inputs: list[float]) -> Row:
    def call(x: Any) -> Any:
        return x**exponent

    return row(f"`x ** {exponent}`", inputs, ours=call, numpy=call, torch=lambda _, x: call(x))


def extreme(name: str, inputs: list[float]) -> Row:
    return row(
        f"`{name}(x)`", inputs,
        ours=getattr(mg, name), numpy=getattr(np, name), torch=lambda torch, x: getattr(torch, f"a{name}")(x),
    )  # fmt: skip


ROWS: dict[str, list[Row]] = {
    "Activations": [
        row("`relu`", EDGE, ours=mg.relu, numpy=lambda x: np.maximum(x, 0), torch=lambda torch, x: torch.relu(x)),
        row(
            "`leaky_relu(x, 0.2)`", EDGE,
            ours=lambda x: mg.leaky_relu(x, 0.2), torch=lambda torch, x: torch.nn.functional.leaky_relu(x, 0.2),
        ),
        row(
            "`prelu(x, w)`", [INF, -INF, 0.0], [0.2],
            ours=mg.prelu, torch=lambda torch, x, w: torch.nn.functional.prelu(x, w),
        ),
        unary("elu", EDGE, functional=True),
        unary("gelu", [NAN, -INF, 0.0], functional=True),  # of ∞ PyTorch makes ∞ or NaN, as processors go
        unary("silu", EDGE, functional=True),
        unary("softplus", EDGE, functional=True),
        unary("sigmoid", EDGE),
        unary("tanh", EDGE, numpy=True),
        unary("erf", EDGE),
        row(
            "`relu(x)` and a gradient of NaN from above", [1, 0, -1],
            ours=lambda x: mg.relu(x) * NAN, torch=lambda torch, x: torch.relu(x) * NAN,
        ),
    ],
    "Elementary": [
        unary("exp", EDGE, numpy=True),
        unary("log", [*EDGE, -1], numpy=True),
        unary("log1p", [NAN, INF, -1, -2], numpy=True),
        unary("sqrt", [*EDGE, -1], numpy=True),
        unary("abs", EDGE, numpy=True),
        row("`x * log(x)`", [0], ours=lambda x: x * mg.log(x), numpy=lambda x: x * np.log(x),
            torch=lambda torch, x: x * torch.log(x)),
        row("`a / b`", [1, -1, 0, 1, INF, 1], [0, 0, 0, -0.0, INF, INF], ours=mg.divide, numpy=np.divide,
            torch=lambda _, a, b: a / b),
    ],
    "Powers": [
        *(powers(exponent, [0, -0.0, -1, NAN, INF, -INF]) for exponent in (0, 1, 2, -1, 1.5)),
        row("`a ** b`", [0, 0, 0, -1, -1, NAN, 1, INF], [0, -1, 0.5, 0.5, 2, 0, NAN, 0], ours=mg.power, numpy=np.power,
            torch=lambda torch, a, b: torch.pow(a, b)),
    ],
    "Choosing": [
        pairs("maximum"),
        pairs("minimum"),
        extreme("max", [1, 2, 2]),
        extreme("max", [1, NAN, 2]),
        extreme("max", [-INF, -INF]),
        extreme("min", [0, 0, 1]),
        extreme("max", []),
        row("`argmax(x)`", [1, 2, 2], ours=mg.argmax, numpy=np.argmax, torch=lambda torch, x: torch.argmax(x)),
        row("`argmax(x)`", [1, NAN, NAN], ours=mg.argmax, numpy=np.argmax, torch=lambda torch, x: torch.argmax(x)),
        row("`clip(x, -1, 1)`", [*EDGE, 1, -1, 2], ours=lambda x: mg.clip(x, -1, 1), numpy=lambda x: np.clip(x, -1, 1),
            torch=lambda torch, x: torch.clamp(x, -1, 1)),
        row("`where(x > 0, x, 0)`", EDGE, ours=lambda x: mg.where(x > 0, x, 0.0), numpy=lambda x: np.where(x > 0, x, 0),
            torch=lambda torch, x: torch.where(x > 0, x, torch.zeros_like(x))),
        row("`max_pool2d`, windows of two", [NAN, 1, 1, NAN, NAN, NAN, 2, 2, -INF, -INF],
            ours=windows(mg.max_pool2d), torch=torch_windows("max_pool2d")),
        row("`avg_pool2d`, windows of two", [NAN, 1, INF, -INF, INF, 1],
            ours=windows(mg.avg_pool2d), torch=torch_windows("avg_pool2d")),
        row("`a == b`", [NAN, INF, 0], [NAN, INF, -0.0], ours=mg.equal, numpy=np.equal, torch=lambda _, a, b: a == b),
        row("`a < b`", [NAN, -INF, -0.0], [1, INF, 0], ours=mg.less, numpy=np.less, torch=lambda _, a, b: a < b),
    ],
    "Sums": [
        row("`sum(x)`", [], ours=mg.sum, numpy=np.sum, torch=lambda torch, x: torch.sum(x)),
        row("`sum(x)`", [INF, -INF], ours=mg.sum, numpy=np.sum, torch=lambda torch, x: torch.sum(x)),
        row("`mean(x)`", [], ours=mg.mean, numpy=np.mean, torch=lambda torch, x: torch.mean(x)),
        row("`var(x, ddof=1)`", [1], ours=lambda x: mg.var(x, ddof=1), numpy=lambda x: np.var(x, ddof=1),
            torch=lambda torch, x: torch.var(x, correction=1)),
        row("`var(x)`", [1, INF], ours=mg.var, numpy=np.var, torch=lambda torch, x: torch.var(x, correction=0)),
        row("`std(x)`", [2, 2], ours=mg.std, numpy=np.std, torch=lambda torch, x: torch.std(x, correction=0)),
        row("`norm(x)`", [0, 0], ours=mg.norm, numpy=np.linalg.norm, torch=lambda torch, x: torch.linalg.norm(x)),
        row("`cumsum(x, 0)`", [1, INF, -INF, 1], ours=lambda x: mg.cumsum(x, 0), numpy=lambda x: np.cumsum(x, 0),
            torch=lambda torch, x: torch.cumsum(x, 0)),
    ],
    "Softmax and losses": [
        row("`softmax(x, -1)`", [[-INF, -INF], [-INF, 0], [INF, 0], [NAN, 0]],
            ours=mg.softmax, torch=lambda torch, x: torch.softmax(x, -1)),
        row("`log_softmax(x, -1)`", [[-INF, -INF], [-INF, 0], [INF, 0], [NAN, 0]],
            ours=mg.log_softmax, torch=lambda torch, x: torch.log_softmax(x, -1)),
        row("`logsumexp(x, -1)`", [[-INF, -INF], [-INF, 0], [INF, 0], [INF, INF], [NAN, 0]],
            ours=lambda x: mg.logsumexp(x, -1), numpy=lambda x: np.logaddexp.reduce(x, -1),
            torch=lambda torch, x: torch.logsumexp(x, -1)),
        row("`softmax(x, 0)`", [], ours=lambda x: mg.softmax(x, 0), torch=lambda torch, x: torch.softmax(x, 0)),
        row("`logsumexp(x, 0)`", [], ours=lambda x: mg.logsumexp(x, 0), torch=lambda torch, x: torch.logsumexp(x, 0)),
        row("`cross_entropy`, label 0", [[1, -INF], [-INF, 0], [-INF, -INF], [INF, 0]],
            ours=rows_of(mg.cross_entropy), torch=torch_rows_of("cross_entropy")),
        row("`binary_cross_entropy(p, 0)`", [0, 1],
            ours=lambda p: mg.binary_cross_entropy(p, 0 * ones_like(p), reduction="none"),
            torch=lambda torch, p: torch.nn.functional.binary_cross_entropy(p, torch.zeros_like(p), reduction="none")),
        row("`binary_cross_entropy_with_logits(x, 1)`", [NAN, INF, -INF],
            ours=lambda x: mg.binary_cross_entropy_with_logits(x, ones_like(x), reduction="none"),
            torch=lambda torch, x: torch.nn.functional.binary_cross_entropy_with_logits(
                x, torch.ones_like(x), reduction="none")),
        row("`l1_loss(x, 0)`", EDGE, ours=lambda x: mg.l1_loss(x, 0 * ones_like(x), reduction="none"),
            torch=lambda torch, x: torch.nn.functional.l1_loss(x, torch.zeros_like(x), reduction="none")),
        row("`huber_loss(x, 0)`", [NAN, INF, 1, 0],
            ours=lambda x: mg.huber_loss(x, 0 * ones_like(x), reduction="none"),
            torch=lambda torch, x: torch.nn.functional.huber_loss(x, torch.zeros_like(x), reduction="none")),
        row("`hinge_loss(x, 1)`", [NAN, 1, -INF],
            ours=lambda x: mg.hinge_loss(x, ones_like(x), reduction="none"),
            torch=lambda torch, x: torch.relu(1 - x)),
        row("`layer_norm(x)`", [[3, 3], [NAN, 1]],
            ours=lambda x: mg.layer_norm(x, np.ones(2, x.dtype), np.zeros(2, x.dtype)),
            torch=lambda torch, x: torch.nn.functional.layer_norm(x, (2,))),
    ],
}  # fmt: skip
