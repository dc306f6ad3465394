"""Runs gradcheck over sample calls and tells the result as a table; behind `minigen gradcheck`.

The samples of the operations stand in `samples.py` beside this file, those of the layers in `minigen.layers.samples`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from minigen.autograd.verify.gradcheck import Settings, largest_errors
from minigen.autograd.verify.samples import SAMPLES
from minigen.errors import GradientError, NotTwiceDifferentiable
from minigen.random import generator


class Checkable(Protocol):
    """What `verify` needs of a sample: see `minigen.autograd.verify.sample.Sample`."""

    @property
    def operation(self) -> str:
        """The operation or layer; samples of one operation make one row."""
        ...

    def tensors(self, rng: np.random.Generator) -> list[Any]:
        """Fresh float64 inputs."""
        ...

    @property
    def call(self) -> Callable[..., Any]:
        """The function of these inputs."""
        ...


@dataclass
class Row:
    """Result for one operation: its largest relative error at each order over all samples, and what went wrong."""

    operation: str
    samples: int = 0
    errors: list[float] = field(default_factory=lambda: [0.0, 0.0])
    once_only: str = ""  # why there is no second derivative
    failure: str = ""  # the first failed check

    @property
    def passed(self) -> bool:
        """Whether every gradient that exists is right."""
        return not self.failure


def verify(samples: Iterable[Checkable] = SAMPLES, order: int = 2, seed: int = 0) -> list[Row]:
    """One row for each operation in `samples` (default: all operations), checked at order 1 and, if asked, 2."""
    return list(verify_each(samples, order, seed))


def verify_each(samples: Iterable[Checkable] = SAMPLES, order: int = 2, seed: int = 0) -> Iterator[Row]:
    """As `verify`, row by row, in the order of the first samples."""
    groups: dict[str, list[Checkable]] = {}
    for sample in samples:
        groups.setdefault(sample.operation, []).append(sample)
    for operation, group in groups.items():
        row = Row(operation)
        for sample in group:
            check_into(row, sample, order, seed)
        yield row


def check_into(row: Row, sample: Checkable, order: int, seed: int) -> None:
    """Check one sample and note the result in `row`."""
    row.samples += 1
    settings = Settings(eps=1e-5, rtol=1e-6, atol=0.0, mode="projection", rng=generator(seed))
    try:
        for i, error in enumerate(largest_errors(sample.call, sample.tensors(settings.rng), order, settings)):
            row.errors[i] = max(row.errors[i], error)
    except NotTwiceDifferentiable as error:
        row.once_only = row.once_only or str(error)
    except GradientError as error:
        row.failure = row.failure or str(error)
