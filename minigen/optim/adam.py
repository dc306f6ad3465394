"""Adam and AdamW: steps of the size of the mean gradient over its root mean square."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np

from minigen import kernels
from minigen.autograd.tensor import Tensor
from minigen.checks import check_flag, check_items
from minigen.errors import ArgumentError
from minigen.optim.blocks import blocks, decayed
from minigen.optim.groups import Parameters, check_betas, groups_of, names_apart, number
from minigen.optim.optimizer import Optimizer, Stretch


class Adam(Optimizer):
    """m ← β1 m + (1 - β1) g,  v ← β2 v + (1 - β2) g²,  p ← p - lr m̂ / (√v̂ + eps).  g = ∂L/∂p + weight_decay p.

    m̂ = m / (1 - β1^t) and v̂ = v / (1 - β2^t) in step t = 1, 2, …  betas: (β1, β2), each from 0, below 1. Kingma, Ba
    (2015), Adam: a method for stochastic optimization, Algorithm 1.
    amsgrad: the largest v so far takes the place of v. Reddi, Kale, Kumar (2018), On the convergence of Adam and
    beyond, Algorithm 2, with the corrections by β1 and β2 as in PyTorch. maximize: -g takes the place of g.
    """

    moments = ("m", "v")
    options: ClassVar = {
        "betas": check_betas,
        "eps": number(0),
        "weight_decay": number(0),
        "amsgrad": check_flag,
        "maximize": check_flag,
    }
    m: np.ndarray
    v: np.ndarray
    largest: np.ndarray  # of amsgrad
    decoupled = False

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
    ) -> None:
        options = {"betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, lr, **options, amsgrad=amsgrad, maximize=maximize)
        if any(group["amsgrad"] for group in self.groups):
            self.add_moment("largest")

    def update(self, span: slice, count: int, options: Mapping[str, Any]) -> None:
        flat, (beta1, beta2) = self.flat, options["betas"]
        g = flat.gradients[span]
        if options["maximize"]:
            g = -g
        if options["amsgrad"]:
            return self.update_by_largest(span, g, count, options)
        kernels.adam(
            flat.data[span],
            g,
            self.m[span],
            self.v[span],
            options["lr"],
            beta1,
            beta2,
            options["eps"],
            options["weight_decay"],
            self.decoupled,
            count,
        )

    def update_by_largest(self, span: slice, g: np.ndarray, count: int, options: Mapping[str, Any]) -> None:
        """`update` with amsgrad; g: the gradient of the span."""
        self.add_moment("largest")  # it may have been set only now
        (beta1, beta2), lr, decay = options["betas"], options["lr"], options["weight_decay"]
        for part in blocks(span):
            p, d = self.flat.data[part], g[part.start - span.start : part.stop - span.start]
            if self.decoupled:
                p *= 1 - lr * decay
            elif decay:
                d = d + decay * p
            m, v, largest = decayed(self.m[part], beta1, d), decayed(self.v[part], beta2, d * d), self.largest[part]
            np.maximum(largest, v, out=largest)
            p -= lr / (1 - beta1**count) * m / (np.sqrt(largest / (1 - beta2**count)) + options["eps"])


class AdamW(Adam):
    """Adam whose weight decay acts on the parameters, not through the moments: first p ← p - lr weight_decay p.

    no_decay: those of the parameters that are not decayed, by custom biases and norms. They are put behind the others
    of their group, so that an update is still one pass over each kind; a saved state belongs to the same no_decay.
    Loshchilov, Hutter (2019), Decoupled weight decay regularization, Algorithm 2; lr multiplies the decay, as in
    PyTorch. Raises ArgumentError for a tensor in no_decay that is not in parameters.
    """

    decoupled = True

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        maximize: bool = False,
        no_decay: Iterable[Tensor] = (),
    ) -> None:
        exempt = {id(p) for p in check_items(self.name, "no_decay", no_decay, Tensor, "pass a list of tensors")}
        groups = groups_of(parameters, self.name)
        found: set[int] = set()
        for group in groups:
            tensors, names = names_apart(group["params"], self.name)
            order = sorted(range(len(tensors)), key=lambda i: id(tensors[i]) in exempt)
            group["params"] = [(names[i], tensors[i]) for i in order]
            found |= {id(p) for p in tensors}
        if exempt - found:
            raise ArgumentError(f"{self.name}: no_decay holds a tensor that is not a parameter; list only parameters")
        super().__init__(groups, lr, betas, eps, weight_decay, amsgrad, maximize)
        bare = [sum(p.size for p in group["params"] if id(p) in exempt) for group in self.groups]
        self.cuts = [end - size for end, size in zip(self.ends, bare, strict=True)]  # behind the decayed of each group

    def pieces(self) -> Iterator[Stretch]:
        for (end, options), cut in zip_longest(super().pieces(), self.cuts):
            if cut is not None:  # of a group that was not added later
                yield cut, options
                options = {**options, "weight_decay": 0.0}
            yield end, options
