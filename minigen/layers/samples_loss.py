"""Sample calls of the losses as layers; `samples.py` joins them to the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from minigen.autograd.tensor import Tensor
from minigen.autograd.verify.sample import Maker, distinct, exactly, integers, normal, positive, signs, uniform
from minigen.layers import loss


@dataclass(frozen=True)
class LossSample:
    """One call of one loss: what makes it, its tensors, and arrays that are not differentiated."""

    make: Callable[[], loss.Loss]
    inputs: tuple[Maker, ...]
    fixed: tuple[Maker, ...] = ()

    @property
    def operation(self) -> str:
        """The loss's name."""
        return type(self.make()).__name__

    @property
    def name(self) -> str:
        """Readable and distinct: the loss with its options."""
        return repr(self.make())

    def tensors(self, rng: np.random.Generator) -> list[Any]:
        """Fresh float64 inputs."""
        return [*(Tensor(make(rng), requires_grad=True) for make in self.inputs), *(make(rng) for make in self.fixed)]

    def call(self, *inputs: Any) -> Any:
        """The loss of the inputs."""
        return self.make()(*inputs)


def samples() -> Iterator[LossSample]:
    """Each loss, with options other than their defaults."""
    x, far, p = normal(3, 4), distinct(3, 4), uniform(0.05, 0.95, 3, 4)
    yield LossSample(loss.MSELoss, (x, x))
    yield LossSample(partial(loss.L1Loss, "sum"), (far, exactly(np.full((3, 4), 0.03))))
    yield LossSample(partial(loss.HuberLoss, delta=0.7), (x, x))
    yield LossSample(partial(loss.SmoothL1Loss, beta=0.7), (x, x))
    yield LossSample(partial(loss.GaussianNLLLoss, full=True), (x, x, positive(3, 4)))
    weight = (0.5, 2.0, 1.0, 3.0)
    yield LossSample(partial(loss.CrossEntropyLoss, weight, 1, label_smoothing=0.1), (x,), (exactly([1, 0, 3]),))
    yield LossSample(partial(loss.NLLLoss, weight, reduction="sum"), (x,), (integers(4, 3),))
    yield LossSample(partial(loss.BCELoss, weight), (p, p))
    yield LossSample(partial(loss.BCEWithLogitsLoss, pos_weight=weight), (x, p))
    yield LossSample(partial(loss.KLDivLoss, "batchmean", log_target=True), (x, x))
    yield LossSample(partial(loss.MarginRankingLoss, 0.3), (x, x), (signs(3, 4),))
    yield LossSample(partial(loss.CosineEmbeddingLoss, 0.1), (x, x), (signs(3),))
    yield LossSample(partial(loss.TripletMarginLoss, swap=True), (x, x, x))
    yield LossSample(partial(loss.CTCLoss, 3), (normal(1, 4, 4),), (exactly([[1, 1]]), exactly([4]), exactly([2])))
