"""The losses as modules, for those who keep one beside their model; the functions themselves are minigen.mse_loss etc.

Each holds the options of its function and is called with its tensors: `MSELoss()(y, target)`.
"""

from collections.abc import Callable
from typing import Any

from minigen.autograd import Tensor, ops
from minigen.autograd.ops.loss_base import REDUCTIONS
from minigen.errors import ArgumentError
from minigen.layers.module import Module


class Loss(Module):
    """Base of the losses as modules: a function of `minigen` and its options."""

    reductions = REDUCTIONS

    def __init__(self, function: Callable[..., Tensor], **options: Any) -> None:
        super().__init__()
        if options["reduction"] not in self.reductions:
            allowed = ", ".join(f'"{reduction}"' for reduction in self.reductions)
            raise ArgumentError(f"{type(self).__name__}: reduction is {options['reduction']!r}; use one of {allowed}")
        self.function, self.options = function, options

    def forward(self, *tensors: Any) -> Tensor:
        """The loss of the tensors, in the order of the function."""
        return self.function(*tensors, **self.options)

    def extra_repr(self) -> str:
        """The options that are set."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items() if value is not None)


class MSELoss(Loss):
    """(input - target)²."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(ops.mse_loss, reduction=reduction)


class L1Loss(Loss):
    """|input - target|."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(ops.l1_loss, reduction=reduction)


class HuberLoss(Loss):
    """Squared near, absolute beyond delta: see minigen.huber_loss."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(ops.huber_loss, reduction=reduction, delta=delta)


class SmoothL1Loss(Loss):
    """Squared near, absolute beyond beta: see minigen.smooth_l1_loss."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(ops.smooth_l1_loss, reduction=reduction, beta=beta)


class GaussianNLLLoss(Loss):
    """The negative log-likelihood of N(input, var) at target, called with (input, target, var)."""

    def __init__(self, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(ops.gaussian_nll_loss, full=full, eps=eps, reduction=reduction)


class CrossEntropyLoss(Loss):
    """Cross-entropy of logits (…, K) with class numbers (…) or probabilities (…, K): see minigen.cross_entropy."""

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        options = {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}
        super().__init__(ops.cross_entropy, **options, label_smoothing=label_smoothing)


class NLLLoss(Loss):
    """The negative log-likelihood, given log-probabilities (…, K) and class numbers (…)."""

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(ops.nll_loss, weight=weight, ignore_index=ignore_index, reduction=reduction)


class BCELoss(Loss):
    """The binary cross-entropy of probabilities."""

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(ops.binary_cross_entropy, weight=weight, reduction=reduction)


class BCEWithLogitsLoss(Loss):
    """The binary cross-entropy of logits."""

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        options = {"weight": weight, "reduction": reduction, "pos_weight": pos_weight}
        super().__init__(ops.binary_cross_entropy_with_logits, **options)


class KLDivLoss(Loss):
    """The terms of KL(target ‖ exp input), reduced; "batchmean" gives the divergence itself."""

    reductions = (*REDUCTIONS, "batchmean")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(ops.kl_div, reduction=reduction, log_target=log_target)


class MarginRankingLoss(Loss):
    """max(0, margin - target (input1 - input2))."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(ops.margin_ranking_loss, margin=margin, reduction=reduction)


class CosineEmbeddingLoss(Loss):
    """Pairs of vectors (…, D) made to point alike (target 1) or apart (-1)."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(ops.cosine_embedding_loss, margin=margin, reduction=reduction)


class TripletMarginLoss(Loss):
    """The positive made nearer to the anchor than the negative, by a margin; vectors (…, D)."""

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(ops.triplet_margin_loss, margin=margin, p=p, eps=eps, swap=swap, reduction=reduction)


class CTCLoss(Loss):
    """Labels that stand somewhere in time, called as minigen.ctc_loss; log-probabilities are (N, T, C)."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(ops.ctc_loss, blank=blank, reduction=reduction, zero_infinity=zero_infinity)
