"""Sample calls of the losses, with every reduction; `samples.py` joins them to the others."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigen.autograd.verify.sample import (
    Fixed,
    Sample,
    away,
    distinct,
    exactly,
    integers,
    normal,
    positive,
    sample,
    signs,
    uniform,
)

GAPS = exactly([[1, -100, 4], [-100, 0, 3]])
ROWS = exactly([[1, 1, 2], [2, 3, 0], [0, 0, 0]])
PAIRS = normal(6, 4), normal(6, 4), Fixed(exactly([1.0, -1.0, 1.0, -1.0, -1.0, -1.0]))
WEIGHT = (0.5, 2.0, 0.25, 1.5, 3.0)


def losses() -> Iterator[Sample]:
    """Each loss with every reduction, its options with the mean, which is the most work; and the penalties."""
    for reduction in ("mean", "sum", "none"):
        yield from plain({"reduction": reduction})
    yield from of_numbers()
    yield from of_classes()
    yield from of_margins()
    yield sample("l1_penalty", away(2, 3), away(4))
    yield sample("l2_penalty", normal(2, 3), normal(4))


def plain(how: dict[str, Any]) -> Iterator[Sample]:
    """Each loss once."""
    x, p = normal(3, 4), uniform(0.05, 0.95, 3, 4)
    yield sample("mse_loss", x, x, **how)
    yield sample("l1_loss", distinct(3, 4), exactly(np.full((3, 4), 0.03)), **how)
    yield sample("huber_loss", uniform(-3.0, 3.0, 3, 4), x, **how)
    yield sample("smooth_l1_loss", uniform(-3.0, 3.0, 3, 4), x, **how)
    yield sample("gaussian_kl", x, x, **how)
    yield sample("gaussian_nll_loss", x, x, positive(3, 4), **how)
    yield sample("binary_cross_entropy", p, p, **how)
    yield sample("binary_cross_entropy_with_logits", x, p, **how)
    yield sample("kl_div", x, p, **how)
    yield sample("cross_entropy", normal(4, 5), uniform(0.0, 1.0, 4, 5), **how)
    for name in ("cross_entropy", "nll_loss"):
        yield sample(name, normal(4, 5), integers(5, 4), **how)
        yield sample(name, normal(2, 3, 5), GAPS, **how, weight=WEIGHT)
    yield sample("hinge_loss", x, Fixed(signs(3, 4)), **how)
    yield sample("margin_ranking_loss", x, x, Fixed(signs(3, 4)), **how, margin=0.3)
    yield sample("cosine_embedding_loss", *PAIRS, **how)
    yield sample("triplet_margin_loss", *[normal(5, 3)] * 3, **how)
    yield sample("ctc_loss", normal(3, 5, 4), ROWS, **how, input_lengths=(5, 4, 3), target_lengths=(3, 2, 0))


def of_numbers() -> Iterator[Sample]:
    """Options of the losses of numbers and of distributions."""
    x, far = normal(3, 4), uniform(-3.0, 3.0, 3, 4)
    yield sample("huber_loss", far, x, delta=0.4)
    yield sample("smooth_l1_loss", far, x, beta=0.4)
    yield sample("smooth_l1_loss", distinct(3, 4), exactly(np.full((3, 4), 0.03)), beta=0.0)
    yield sample("gaussian_nll_loss", x, x, positive(3, 1), full=True)
    yield sample("gaussian_nll_loss", x, x, positive(3))


def of_classes() -> Iterator[Sample]:
    """Options of the losses of classes and probabilities."""
    x, p, weight = normal(3, 4), uniform(0.05, 0.95, 3, 4), uniform(0.5, 2.0, 4)
    yield sample("binary_cross_entropy", p, p, weight)
    name = "binary_cross_entropy_with_logits"
    yield sample(name, x, p, uniform(0.5, 2.0, 3, 1))
    yield sample(name, x, p, pos_weight=(0.5, 2.0, 1.0, 3.0))
    yield sample(name, x, p, weight, pos_weight=3.0)
    yield sample("kl_div", x, p, reduction="batchmean")
    yield sample("kl_div", x, x, log_target=True)
    yield sample("cross_entropy", normal(4, 5), integers(5, 4), label_smoothing=0.1)
    yield sample("cross_entropy", normal(4, 5), uniform(0.0, 1.0, 4, 5), weight=WEIGHT, label_smoothing=0.1)
    yield sample("cross_entropy", normal(2, 3, 5), GAPS, label_smoothing=0.1)
    yield sample("cross_entropy", normal(2, 3, 5), GAPS, label_smoothing=0.1, weight=WEIGHT)
    for name in ("cross_entropy", "nll_loss"):
        yield sample(name, normal(4, 5), integers(5, 4), weight=WEIGHT)
        yield sample(name, normal(2, 3, 5), GAPS)
        yield sample(name, normal(4, 5), exactly([2, 0, 3, 2]), ignore_index=2)


def of_margins() -> Iterator[Sample]:
    """Options of the losses of margins and of alignments."""
    yield sample("cosine_embedding_loss", *PAIRS, margin=-0.4)
    triplets = [normal(4, 3)] * 3
    for options in ({"p": 1.0}, {"p": np.inf}, {"p": 3.0, "margin": 0.5}, {"swap": True}):
        yield sample("triplet_margin_loss", *triplets, **options)
    lengths = {"input_lengths": (2, 3), "target_lengths": (1, 2)}
    yield sample("ctc_loss", normal(2, 3, 4), exactly([0, 1, 1]), **lengths, blank=3)
    lengths = {"input_lengths": (2, 2), "target_lengths": (2, 1)}  # the first has no room for the blank in 1, 1
    yield sample("ctc_loss", normal(2, 2, 3), exactly([1, 1, 2]), **lengths, zero_infinity=True)
