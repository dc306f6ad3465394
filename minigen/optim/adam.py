"""Adam and AdamW: steps of the size of the mean gradient over its root mean square."""

from collections.abc import Iterable

import numpy as np

from minigen import kernels
from minigen.autograd.tensor import Tensor
from minigen.checks import check_items, check_number
from minigen.errors import ArgumentError
from minigen.optim.flat import check_parameters
from minigen.optim.optimizer import Optimizer


class Adam(Optimizer):
    """m ← β1 m + (1 - β1) g,  v ← β2 v + (1 - β2) g²,  p ← p - lr m̂ / (√v̂ + eps).  g = ∂L/∂p + weight_decay p.

    m̂ = m / (1 - β1^t) and v̂ = v / (1 - β2^t) in step t = 1, 2, …  betas: (β1, β2), each from 0, below 1. Kingma, Ba
    (2015), Adam: a method for stochastic optimization, Algorithm 1.
    """

    moments = ("m", "v")
    m: np.ndarray
    v: np.ndarray
    decoupled = False

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ArgumentError(f"{self.name}: betas is {betas!r}; use a pair of numbers, such as (0.9, 0.999)")
        beta1, beta2 = betas
        self.betas = check_number(self.name, "beta1", beta1, 0, 1), check_number(self.name, "beta2", beta2, 0, 1)
        self.eps = check_number(self.name, "eps", eps, 0)
        self.weight_decay = check_number(self.name, "weight_decay", weight_decay, 0)
        super().__init__(parameters, lr)

    def update(self, span: slice, count: int) -> None:
        self.apply(span, count, self.weight_decay)

    def apply(self, span: slice, count: int, weight_decay: float) -> None:
        """`update` with that weight decay."""
        flat = self.flat
        kernels.adam(
            flat.data[span],
            flat.gradients[span],
            self.m[span],
            self.v[span],
            self.lr,
            *self.betas,
            self.eps,
            weight_decay,
            self.decoupled,
            count,
        )


class AdamW(Adam):
    """Adam whose weight decay acts on the parameters, not through the moments: first p ← p - lr weight_decay p.

    no_decay: those of the parameters that are not decayed, by custom biases and norms. They are put behind the others,
    so that an update is still one pass over each kind; a saved state belongs to the same no_decay.
    Loshchilov, Hutter (2019), Decoupled weight decay regularization, Algorithm 2; lr multiplies the decay, as in
    PyTorch. Raises ArgumentError for a tensor in no_decay that is not in parameters.
    """

    decoupled = True

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        no_decay: Iterable[Tensor] = (),
    ) -> None:
        exempt = {id(p) for p in check_items(self.name, "no_decay", no_decay, Tensor, "pass a list of tensors")}
        listed = sorted(check_parameters(parameters, self.name), key=lambda p: id(p) in exempt)
        decayed = [p for p in listed if id(p) not in exempt]
        if len(decayed) + len(exempt) > len(listed):
            raise ArgumentError(f"{self.name}: no_decay holds a tensor that is not a parameter; list only parameters")
        self.decayed = sum(p.size for p in decayed)  # so many numbers of flat.data, from the first on
        super().__init__(listed, lr, betas, eps, weight_decay)

    def update(self, span: slice, count: int) -> None:
        cut = min(max(self.decayed, span.start), span.stop)
        for part, decay in ((slice(span.start, cut), self.weight_decay), (slice(cut, span.stop), 0.0)):
            if part.start < part.stop:
                self.apply(part, count, decay)
