"""Sample calls of the operations on sequences; `samples.py` joins them to the others."""

from collections.abc import Iterator
from typing import Any

from minigen.autograd.verify.sample import Sample, integers, normal, sample

MASK = ((True, True, True), (True, False, False))  # of 2 sequences of 3 steps
GAPS = ((False, True, False), (True, False, True))


def sequences() -> Iterator[Sample]:
    """Recurrent layers: floats and whole numbers, with and without a mask; one step, one sequence, one unit."""
    for name, states, gates, biases in (("rnn", 1, 1, 1), ("lstm", 2, 4, 4), ("gru", 1, 3, 4)):

        def inputs(n: int, c: int, h: int, states: int = states, gates: int = gates, biases: int = biases) -> Any:
            state, weights = [normal(n, h)] * states, [normal(c, gates * h), normal(h, gates * h), normal(biases * h)]
            return *state, *weights

        yield sample(name, normal(2, 3, 2), *inputs(2, 2, 3))
        yield sample(name, normal(2, 3, 2), *inputs(2, 2, 2), mask=MASK)
        yield sample(name, integers(3, 2, 3), *inputs(2, 3, 2))
        yield sample(name, integers(3, 2, 3), *inputs(2, 3, 2), mask=GAPS)
        yield sample(name, normal(1, 1, 1), *inputs(1, 1, 1))
    yield sample("rnn", normal(2, 3, 2), *[normal(2, 3), normal(2, 3), normal(3, 3), normal(3)], nonlinearity="relu")
