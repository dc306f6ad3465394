"""A model in evaluation mode for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import minigen as mg
from minigen import layers


@contextmanager
def evaluating(model: layers.Module) -> Iterator[None]:
    """The model in evaluation mode, and no gradients; afterwards it is in the mode that it was in."""
    training = model.training
    model.eval()
    try:
        with mg.no_grad():
            yield
    finally:
        model.train(training)
