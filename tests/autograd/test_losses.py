"""What losses do at their edges: ignored labels, weights, soft targets, alignments that do not fit, odd input."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen.errors import ArgumentError, DataError, DTypeError, ShapeError


def logits(*shape: int) -> mg.Tensor:
    return mg.tensor(mg.random.generator(3).normal(size=shape), requires_grad=True, dtype=np.float64)


def gradient(loss: mg.Tensor, x: mg.Tensor, create_graph: bool = False) -> np.ndarray:
    (g,) = mg.grad(loss, [x], create_graph=create_graph)
    assert g is not None
    return g.data


@pytest.mark.filterwarnings("ignore::minigen.advice.Advice")  # the numbers given to nll_loss are no logarithms
@pytest.mark.parametrize("function", [mg.cross_entropy, mg.nll_loss])
@pytest.mark.parametrize("options", [{}, {"weight": [1.0, 2.0, 0.0]}, {"reduction": "sum"}])
@pytest.mark.parametrize("create_graph", [False, True])
def test_what_is_ignored_has_no_influence(function: Any, options: dict[str, Any], create_graph: bool):
    """Not even when it is NaN, as padding may be."""
    x, labels = logits(4, 3), np.array([0, 1, 1, 0])
    expected = function(x, labels, **options)
    padded = mg.tensor(np.concatenate([x.data, [[np.nan, np.inf, 0.0]]]), requires_grad=True)
    loss = function(padded, np.append(labels, -100), **options)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-14)
    found = gradient(loss, padded, create_graph)
    np.testing.assert_allclose(found[:4], gradient(expected, x), rtol=1e-13)
    np.testing.assert_array_equal(found[4], 0)


def test_label_smoothing_with_class_weights_ignores_too():
    x = logits(2, 3)
    x.data[1] = np.nan
    found = mg.cross_entropy(x, [1, -100], [1.0, 2.0, 3.0], label_smoothing=0.1)
    assert found.item() == pytest.approx(
        mg.cross_entropy(x[:1], [1], [1.0, 2.0, 3.0], label_smoothing=0.1).item(), rel=1e-14
    )
    np.testing.assert_array_equal(gradient(found, x)[1], 0)


@pytest.mark.parametrize("function", [mg.cross_entropy, mg.nll_loss])
def test_all_ignored(function: Any):
    with pytest.raises(DataError, match="every label is -100, ignore_index"):
        function(logits(2, 3), [-100, -100])
    x = logits(2, 3)
    loss = function(x, [-100, -100], reduction="sum")
    assert loss.item() == 0
    np.testing.assert_array_equal(gradient(loss, x), 0)


def test_one_hot_target_equals_the_label():
    x, labels = logits(2, 4, 3), np.array([[0, 1, 2, 2], [1, 1, 0, 2]])
    soft, hard = mg.cross_entropy(x, np.eye(3)[labels]), mg.cross_entropy(x, labels)
    assert soft.item() == pytest.approx(hard.item(), rel=1e-14)
    np.testing.assert_allclose(gradient(soft, x), gradient(hard, x), rtol=1e-12)


def test_kl_of_a_certain_distribution():
    """0 log 0 is 0."""
    log_q = mg.log_softmax(logits(1, 3))
    target = mg.tensor([[0.0, 1.0, 0.0]], requires_grad=True, dtype=np.float64)
    loss = mg.kl_div(log_q, target, "batchmean")
    assert loss.item() == pytest.approx(-log_q.data[0, 1])
    assert np.isfinite(gradient(loss, target)).all()


def test_variance_is_at_least_eps():
    torch = pytest.importorskip("torch")
    x, t, var = (np.array(values) for values in ([1.0, 2.0], [0.5, 2.0], [0.0, 0.3]))
    ours = [mg.tensor(array, requires_grad=True) for array in (x, t, var)]
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, t, var)]
    mean, target, variance = ours
    loss = mg.gaussian_nll_loss(mean, target, variance, eps=0.01)
    expected = torch.nn.functional.gaussian_nll_loss(*theirs, eps=0.01)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for a, b in zip(mg.grad(loss, ours), theirs, strict=True):
        assert a is not None
        np.testing.assert_allclose(a.data, b.grad.numpy(), rtol=1e-12)


def test_equal_vectors_have_a_gradient():
    x = logits(2, 3)
    for loss in (mg.triplet_margin_loss(x, x, x), mg.cosine_embedding_loss(x * 0, x, [1, -1])):
        assert np.isfinite(gradient(loss, x)).all()


@pytest.mark.parametrize("create_graph", [False, True])
def test_alignments_that_do_not_fit(create_graph: bool):
    """1, 1 needs a blank between: three steps. The neighbour is not touched."""
    x = logits(2, 2, 3)
    arguments = [[1, 1], [1, 2]], [2, 2], [2, 2]
    losses = mg.ctc_loss(x, *arguments, reduction="none")
    assert losses.data[0] == np.inf
    assert np.isfinite(losses.data[1])
    found = gradient(losses.sum(), x, create_graph)
    assert np.isnan(found[0]).all()
    alone = gradient(mg.ctc_loss(x[1:], [[1, 2]], [2], [2], reduction="sum"), x)
    np.testing.assert_allclose(found[1], alone[1], rtol=1e-12)
    zeroed = mg.ctc_loss(x, *arguments, reduction="sum", zero_infinity=True)
    assert zeroed.item() == pytest.approx(losses.data[1])
    np.testing.assert_allclose(gradient(zeroed, x, create_graph), alone, rtol=1e-12)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_label_of_probability_zero_in_an_alignment(create_graph: bool):
    x = logits(1, 4, 3)
    x.data[0, 1, 1] = -np.inf
    found = gradient(mg.ctc_loss(x, [[1]], [4], [1]), x, create_graph)
    assert np.isfinite(found).all()
    assert found[0, 1, 1] == 0
    np.testing.assert_allclose(found.sum(-1), -1)  # some label at every step


def test_long_alignments_equal_torch():
    torch = pytest.importorskip("torch")
    rng = mg.random.generator(5)
    x = rng.normal(size=(4, 60, 12)).astype(np.float32)
    targets, steps, counts = rng.integers(1, 12, (4, 20)), [60, 41, 55, 60], [20, 20, 7, 13]
    ours, theirs = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss = mg.ctc_loss(mg.log_softmax(ours), targets, steps, counts)
    log_probs = theirs.log_softmax(-1).transpose(0, 1)
    expected = torch.nn.functional.ctc_loss(log_probs, torch.tensor(targets), torch.tensor(steps), torch.tensor(counts))
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(gradient(loss, ours), theirs.grad.numpy(), atol=1e-6)


X, T = logits(2, 4, 3), [[1, 2], [2, 0]]
BAD = [
    (lambda: mg.cross_entropy(logits(2, 3), [0, 5], ignore_index=2), DataError, "labels hold 5"),
    (lambda: mg.cross_entropy(logits(2, 3), [0, 1], 0.1), ShapeError, r"weight is \(\), expected \(3,\)"),
    (lambda: mg.cross_entropy(logits(2, 3), [0, 1], [1.0, np.nan, 1.0]), DataError, "weight holds"),
    (lambda: mg.cross_entropy(logits(2, 3), [0, 1], logits(3)), ArgumentError, "weight requires a gradient"),
    (lambda: mg.cross_entropy(logits(2, 3), [0, 1], ignore_index=True), ArgumentError, "ignore_index is True"),
    (lambda: mg.nll_loss(logits(2, 3), [0.0, 1.0]), DTypeError, "nll_loss: labels have dtype"),
    (lambda: mg.binary_cross_entropy([0.5], [0.5], [1.0, 2.0]), ShapeError, r"weight is \(2,\)"),
    (lambda: mg.binary_cross_entropy_with_logits([0.5], [0.5], pos_weight=[[1.0]]), ShapeError, "pos_weight"),
    (lambda: mg.kl_div([-0.5], [-0.5]), DataError, "log_target=True"),
    (lambda: mg.kl_div([0.5], [0.5], "most"), ArgumentError, "kl_div: reduction is 'most'"),
    (lambda: mg.mse_loss([0.5], [0.5], "batchmean"), ArgumentError, "mse_loss: reduction"),
    (lambda: mg.gaussian_nll_loss([0.5], [0.5], [-1.0]), DataError, "var holds -1"),
    (lambda: mg.gaussian_nll_loss([0.5], [0.5], [[1.0]]), ShapeError, "var is"),
    (lambda: mg.margin_ranking_loss([0.5], [0.5], [0]), DataError, "other than -1 and 1"),
    (lambda: mg.cosine_embedding_loss(logits(2, 3), logits(2, 3), [1]), ShapeError, r"target is \(1,\)"),
    (lambda: mg.triplet_margin_loss(logits(2, 3), logits(2, 3), logits(3)), ShapeError, "triplet_margin_loss: shapes"),
    (lambda: mg.triplet_margin_loss(logits(3), logits(3), logits(3), p=0.5), ArgumentError, "p is 0.5"),
    (lambda: mg.smooth_l1_loss([0.5], [0.5], beta=-1), ArgumentError, "beta is -1"),
    (lambda: mg.ctc_loss(logits(4, 3), T, [4, 4], [2, 2]), ShapeError, r"\(N, T, C\)"),
    (lambda: mg.ctc_loss(X, T, [4, 5], [2, 2]), DataError, "input_lengths hold 5"),
    (lambda: mg.ctc_loss(X, T, [4, 4], [2, 2.5]), DTypeError, "target_lengths have dtype"),
    (lambda: mg.ctc_loss(X, T, [4, 4], [2, 3]), ShapeError, "as target_lengths say"),
    (lambda: mg.ctc_loss(X, T, [4], [2, 2]), ShapeError, "one for each sequence"),
    (lambda: mg.ctc_loss(X, T, [4, 4], [2, 2]), DataError, "targets hold 0, the blank"),
    (lambda: mg.ctc_loss(X, [[1, 3], [2, 1]], [4, 4], [2, 2]), DataError, "targets hold 3"),
    (lambda: mg.ctc_loss(X, T, [4, 4], [2, 1], blank=3), ArgumentError, "blank is 3"),
    (lambda: mg.layers.CrossEntropyLoss(reduction="batchmean"), ArgumentError, "CrossEntropyLoss: reduction"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message for _, _, message in BAD])
def test_bad_input(call: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        call()


def test_a_loss_as_a_module():
    loss = mg.layers.CrossEntropyLoss(ignore_index=0, label_smoothing=0.1)
    x, labels = logits(3, 4), [1, 0, 3]
    assert loss(x, labels).item() == mg.cross_entropy(x, labels, ignore_index=0, label_smoothing=0.1).item()
    assert repr(loss) == "CrossEntropyLoss(ignore_index=0, reduction='mean', label_smoothing=0.1)"
    assert mg.layers.KLDivLoss("batchmean")(mg.log_softmax(x), mg.softmax(x * 0)).item() > 0
