"""What tells that something is wrong: in data, in what operations make, in gradients."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.observe import Observer
from minigen.autograd.tensor import Tensor

DEAD, SATURATED = 0.75, 0.6  # shares of units from which on it is said; where items hardly differ, half of ReLUs are 0
FLAT = 0.98  # of a sigmoid's or a tanh's way to its end
LARGE = 20.0  # the largest logit of a network that has learned nothing, about
VANISHED, EXPLODED = 1e-6, 1e3  # a layer's gradient beside its weights, of the largest such; the largest gradient
ENDS = {"Softmax": "softmax", "LogSoftmax": "log-softmax", "Sigmoid": "a sigmoid"}
LOSSES = {"CrossEntropy": ("Softmax",), "BCEWithLogits": ("Sigmoid",)}  # what each of them applies itself


def of_data(x: np.ndarray, floats: Collection[np.dtype]) -> list[str]:
    """Inputs that are not finite, not scaled, of another precision than the weights' `floats`, or not channels-last."""
    problems = []
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        problems.append(f"x holds {(~np.isfinite(x)).sum():,} values that are NaN or infinite; mend or leave out those")
    elif x.dtype == np.uint8 or (
        x.dtype.kind == "f" and x.min() >= 0 and x.max() > LARGE and (x.ndim >= 3 or levels(x))
    ):
        problems.append(f"pixels run from {x.min():g} to {x.max():g}; scale them: x / 255, as float32")
    elif x.dtype.kind == "f" and (np.abs(x).max(initial=0) > 100 or 0 < np.abs(x).max(initial=0) < 0.01):
        problems.append(f"x runs from {x.min():g} to {x.max():g}; bring it near mean 0 and deviation 1")
    if x.dtype == np.float64 and floats and np.dtype(np.float64) not in floats:
        problems.append("x is float64, and the weights are float32; pass x.astype(np.float32)")
    if x.ndim == 4 and x.shape[1] in (1, 3) and min(x.shape[2:]) > 4:
        problems.append(f"x is {x.shape}, which looks channels-first; images are (N, H, W, C): x.transpose(0, 2, 3, 1)")
    return problems


def levels(x: np.ndarray) -> bool:
    """Whether rows look like flattened pictures: 64 numbers or more, all of them whole, and none above 255."""
    return x.ndim == 2 and x.shape[1] >= 64 and x.max() <= 255 and bool((x == np.rint(x)).all())


class Signs(Observer):
    """Listens to one forward, and keeps what may be a sign."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self.paths: dict[int, str] = {}
        self.makers: dict[int, tuple[str, Any]] = {}  # what made an array, by its id; kept with it
        self.units: list[str] = []
        self.losses: list[tuple[str, np.ndarray, str | None, float]] = []  # with the mean of its terms
        self.swept = False

    def module_starts(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if id(module) not in self.paths:
            for name, part in module.named_modules():
                self.paths.setdefault(id(part), name or type(module).__name__)
        self.modules.append(self.paths[id(module)])

    def module_ends(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        self.modules.pop()

    def backward_starts(self, node: Function, gys: Sequence[Tensor | None]) -> None:
        self.swept = True

    def function_ends(self, node: Function, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        if self.swept:
            return
        slope = getattr(node, "slope", None)
        kind = "ReLU" if slope == 0 else node.name
        self.makers[id(outputs[0].data)] = kind, outputs[0].data
        if node.name in LOSSES:
            maker = self.makers.get(id(inputs[0].data), (None, None))[0]
            self.losses.append((node.name, inputs[0].data, maker, mean_term(node, inputs[0].data, outputs[0].data)))
        y = outputs[0].data
        if kind == "ReLU" and y.ndim > 1 and y.size:
            self.unit(
                float((y.reshape(-1, y.shape[-1]).max(0) <= 0).mean()), DEAD, "of its ReLUs are 0 for the whole batch"
            )
        elif node.name in ("Sigmoid", "Tanh") and y.size:
            way = np.abs(2 * y - 1) if node.name == "Sigmoid" else np.abs(y)
            self.unit(float((way > FLAT).mean()), SATURATED, f"of its {node.name.lower()}s are at their ends")

    def unit(self, share: float, most: float, what: str) -> None:
        """Note a layer of which too much is dead or saturated."""
        if share > most:
            where = self.modules[-1] if self.modules else "outside modules"
            self.units.append(
                f"{where}: {share:.0%} {what}, where nothing is learned; smaller weights or a smaller learning rate "
                "help, or inputs that are scaled"
            )

    def of_units(self) -> list[str]:
        """Layers of which much is dead or saturated."""
        return self.units

    def of_start(self) -> list[str]:
        """What does not fit with the loss that is used, and a start that knows worse than nothing."""
        problems = []
        for name, logits, maker, value in self.losses:
            if maker in LOSSES[name]:
                problems.append(f"{name} is given what {ENDS[maker]} made, and applies it itself; pass the logits")
            elif maker == "ReLU":
                problems.append(
                    f"{name} is given what a ReLU made, so that no logit is below 0; leave out the last ReLU"
                )
            elif maker == "Sigmoid":
                problems.append(f"{name} is given what a sigmoid made, between 0 and 1; pass the logits")
            elif logits.size and np.abs(logits).max() > LARGE:
                problems.append(
                    f"logits run from {logits.min():.3g} to {logits.max():.3g}: the network is sure before it has "
                    "learned; use smaller weights in its last layer, or scale its inputs"
                )
            if name == "CrossEntropy" and logits.ndim > 1:
                even = math.log(max(logits.shape[-1], 2))
                if value > 2 * even + 1 and not problems:
                    problems.append(f"cross-entropy begins at {value:.3g} an item; evenly guessed it were {even:.3g}")
        return problems


def mean_term(node: Function, logits: np.ndarray, y: np.ndarray) -> float:
    """The mean of a loss's terms, whatever its reduction is."""
    total = float(np.asarray(y).mean(dtype=np.float64))
    return total / max(logits.size // logits.shape[-1], 1) if getattr(node, "reduction", "mean") == "sum" else total


def even(x: np.ndarray | None) -> bool:
    """Whether there are several units, along the last axis, and each has the same numbers."""
    return x is not None and x.ndim > 1 and x.shape[-1] > 1 and not np.ptp(x, axis=-1).any()


def cancels(name: str, gradients: Mapping[str, np.ndarray | None]) -> bool:
    """Whether this is a bias whose weight has a gradient: in a critic's last one, both terms cancel."""
    weight = gradients.get(name.removesuffix("bias") + "weight") if name.endswith("bias") else None
    return weight is not None and bool(weight.any())


def of_gradients(gradients: Mapping[str, np.ndarray | None], weights: Mapping[str, np.ndarray]) -> list[str]:
    """Parameters without a gradient, and layers whose gradient is far smaller or larger than the others'."""
    problems = []
    silent = [name for name, g in gradients.items() if g is not None and not g.any() and not cancels(name, gradients)]
    alike = [name for name, w in weights.items() if even(w) and w.any() and even(gradients.get(name))]
    if alike:
        problems.append(
            f"all units of {', '.join(alike[:4])} have the same weights, and keep them, since their gradients are the "
            "same too; draw the first weights at random"
        )
    blocked = any(w.ndim > 1 and not w.any() for w in weights.values())  # a layer begins at 0, and lets nothing through
    for words, names in (
        ("take no part in the loss", [name for name, g in gradients.items() if g is None]),
        ("have a gradient of 0 everywhere", [] if blocked else silent),
    ):
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            problems.append(f"{', '.join(names[:4])}{more} {words}; look at what forward does with them")
    ratios = {
        name: float(np.linalg.norm(g)) / (float(np.linalg.norm(weights[name])) or 1.0)
        for name, g in gradients.items()
        if g is not None and g.ndim > 1 and g.any()
    }
    if ratios:
        least, most = min(ratios, key=lambda name: ratios[name]), max(ratios, key=lambda name: ratios[name])
        if ratios[least] < VANISHED * ratios[most] and not alike:
            times = ratios[most] / ratios[least]
            problems.append(
                f"the gradient of {least} is {times:.0e} times smaller, beside its weights, than that of {most}: it "
                "vanishes on the way; ReLU, a norm, residual connections or better first weights help"
            )
    largest = max((float(np.linalg.norm(g)) for g in gradients.values() if g is not None), default=0.0)
    if largest > EXPLODED:
        problems.append(
            f"the largest gradient has a norm of {largest:.0e}; clip_grad_norm, smaller weights, or the loss's mean"
        )
    return problems
