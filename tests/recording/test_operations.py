"""Every operation, recorded: a list that was made on some numbers gives on others what the operation gives.

Each sample of `minigen.autograd.verify` becomes a step: the operation, its gradient, and where there is one the
gradient of that. The list is made on two draws of the sample, and repeated on others: further draws, zeros, ones, NaN
and infinity. Bit by bit, or the step is refused for a reason that is named here.
"""

import warnings
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.autograd.verify.sample import Sample
from minigen.autograd.verify.samples import SAMPLES
from minigen.errors import MinigenError
from minigen.random import generator

# Of the others the sample's call looks into its arguments itself: test_recorded_steps.py has them.
OWN_CALLS = ("dropout", "dropout2d", "gumbel_softmax", "batch_norm")
STEPS = {sample.name: sample for sample in SAMPLES if sample.operation not in OWN_CALLS}

# What can not be repeated on other values, and why, as the recorder says it.
SIZE, NUMPY, READ = "decides by the size of its numbers", "made in NumPy, or elsewhere", "a value is read"
TWICE, BOOLEANS = "is to be differentiated again", "an index of booleans"
REFUSED = {
    **dict.fromkeys(("norm", "normalize", "std", "cdist", "cosine_similarity"), (SIZE, TWICE)),
    **dict.fromkeys(("cross_entropy", "nll_loss"), (NUMPY, TWICE)),  # with weights, or ignored labels, alone
    **dict.fromkeys(
        ("cosine_embedding_loss", "ctc_loss", "gaussian_nll_loss", "kl_div", "margin_ranking_loss"), (NUMPY,)
    ),
    **dict.fromkeys(("masked_select", "repeat_interleave"), (NUMPY,)),  # whose shapes follow from values
    **dict.fromkeys(("binary_cross_entropy", "logaddexp", "power", "remainder"), (TWICE,)),
    **dict.fromkeys(("scaled_dot_product_attention", "self_attention", "triplet_margin_loss"), (TWICE,)),
    "masked_fill": (READ,),
    "getitem": (BOOLEANS,),
}


def step_of(sample: Sample, order: int) -> Any:
    """The operation on arrays: its results, its gradients, and for order 2 the gradients of those."""
    wanted = sample.differentiable()

    def step(*arrays: np.ndarray) -> list[mg.Tensor]:
        tensors = [mg.tensor(x, requires_grad=True) if need else x for x, need in zip(arrays, wanted, strict=True)]
        y = sample.call(*tensors)
        ys = [part for part in (y if isinstance(y, (tuple, list)) else (y,)) if part.requires_grad]
        leaves = [x for x in tensors if isinstance(x, mg.Tensor)]
        results = [part.detach() for part in ys]
        loss: Any = sum((part * part).sum() for part in ys)
        gradients = mg.grad(loss, leaves, create_graph=order > 1, allow_unused=True)
        results += [g.detach() for g in gradients if g is not None]
        live = [g for g in gradients if g is not None and g.requires_grad]
        if order > 1 and live:
            again: Any = sum((g * g).sum() for g in live)
            second = mg.grad(again, leaves, allow_unused=True)
            results += [g for g in second if g is not None]
        return results

    return step


def others(sample: Sample, dtype: Any, order: int) -> list[list[np.ndarray]]:
    """Draws, and the same with zeros, ties, NaN and infinity in the places of floats; for order 2 some of them."""
    draws = [sample.arrays(generator(seed), dtype) for seed in (2, 3)]
    kinds = [np.zeros_like, np.ones_like, lambda x: np.where(np.arange(x.size).reshape(x.shape) % 2, x, np.nan)]
    kinds += [lambda x: np.where(np.arange(x.size).reshape(x.shape) % 3, x, np.inf), lambda x: x * x.dtype.type(1e30)]
    for change in kinds:
        draws.append(
            [change(x).astype(x.dtype) if x.dtype.kind == "f" else x for x in sample.arrays(generator(4), dtype)]
        )
    return draws if order == 1 else draws[1::2]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", STEPS)
def test_a_list_gives_what_the_operation_gives(name: str, order: int) -> None:
    sample, dtype = STEPS[name], np.float32
    plain = step_of(sample, order)
    recorded = mg.record(plain)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            for seed in range(5 - order):
                same(recorded(*sample.arrays(generator(seed), dtype)), plain(*sample.arrays(generator(seed), dtype)))
        except mg.errors.NotTwiceDifferentiable:
            pytest.skip("it has no second derivative")
        if recorded.problem is not None:
            assert any(reason in recorded.problem for reason in REFUSED.get(sample.operation, ())), recorded.problem
            return
        for arrays in others(sample, dtype, order):
            try:
                expected = plain(*arrays)
            except MinigenError as error:
                with pytest.raises(type(error)):
                    recorded(*arrays)
                continue
            same(recorded(*arrays), expected)
    assert recorded.repeated or recorded.problem


def same(ours: list[mg.Tensor], theirs: list[mg.Tensor]) -> None:
    """Equal to the bit."""
    assert [x.shape for x in ours] == [x.shape for x in theirs]
    for x, y in zip(ours, theirs, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x.data, y.data)  # NaN wherever there is NaN
        zero = (x.data == 0) & (y.data == 0)
        assert (np.signbit(x.data) == np.signbit(y.data))[zero].all()
