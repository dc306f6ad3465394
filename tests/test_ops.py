"""Every operation against its oracle, its own differences, and PyTorch: values, gradients of order 1 and 2."""

from functools import cache
from typing import Any

import numpy as np
import op_cases
import pytest

import minigen as mg
from minigen.autograd import ops
from minigen.autograd.function import Function, Output
from minigen.autograd.fused import FusedFunction
from minigen.autograd.verify.gradcheck import gradcheck
from minigen.autograd.verify.sample import Fixed, Sample
from minigen.autograd.verify.samples import SAMPLES
from minigen.autograd.verify.verification import verify

NOT_DIFFERENTIABLE = {  # new tensors, booleans and places; tested in test_op_values.py, tests/autograd/test_creation.py
    *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
    *("zeros", "ones", "full", "arange", "linspace", "eye", "zeros_like", "ones_like", "full_like"),
    *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "bernoulli", "multinomial"),
    *("isclose", "allclose", "argmax", "argmin", "argsort", "searchsorted", "unique"),
    *("one_hot", "nonzero", "any", "all", "count_nonzero", "isnan", "isinf", "isfinite"),
    *("logical_and", "logical_or", "logical_xor", "logical_not"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"),
}
NO_SAMPLE = {"astype"}  # leaves float64, where differences work; tested in test_op_values.py
SMALL = [case for case in SAMPLES if sum(array.size for array in case.arrays(mg.random.generator(0))) <= 30]

each_case = pytest.mark.parametrize("case", SAMPLES, ids=lambda case: case.name)


def rng() -> np.random.Generator:
    return mg.random.generator(7)


def outputs(case: Sample, inputs: list[Any]) -> list[mg.Tensor]:
    y = case.call(*inputs)
    return list(y) if isinstance(y, (list, tuple)) else [y]


def assert_close(actual: Any, expected: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


# ---------------------------------------------------------------- every operation has its cases


def test_every_operation_has_a_sample_and_an_oracle():
    public = {name for name in ops.__all__ if name.islower()} - NOT_DIFFERENTIABLE - NO_SAMPLE
    sampled = {case.operation for case in SAMPLES}
    assert sampled == public
    assert sampled == set(op_cases.ORACLES)


def test_every_operation_is_exported():
    assert [name for name in ops.__all__ if not hasattr(mg, name)] == []


def test_an_input_is_fixed_only_where_no_gradient_can_be_checked():
    fixed = {case.operation for case in SAMPLES if any(isinstance(maker, Fixed) for maker in case.inputs)}
    signs = {"hinge_loss", "margin_ranking_loss", "cosine_embedding_loss"}  # their targets are -1 or 1
    assert fixed == {"batch_norm", *signs}  # running values are no inputs of the graph


def test_sample_names_are_distinct():
    names = [case.name for case in SAMPLES]
    assert len(set(names)) == len(names)


def test_every_node_of_the_operations_is_reached():
    """No Function is left that no sample runs, forward or at second order."""
    reached: set[str] = set()
    for case in SAMPLES:
        xs = case.tensors(rng())
        inputs = [x for x in xs if isinstance(x, mg.Tensor)]
        ys = [y for y in outputs(case, xs) if y.requires_grad]
        gys = [mg.tensor(np.ones(y.shape), requires_grad=True) for y in ys]
        first = [g for g in mg.grad(ys, inputs, gys, create_graph=True, allow_unused=True) if g is not None]
        reached |= names_behind([*ys, *first])
        second = [g for g in first if g.requires_grad]
        ggs = [mg.tensor(np.ones(g.shape), requires_grad=True) for g in second]
        third = mg.grad(second, [*inputs, *gys], ggs, create_graph=True, allow_unused=True) if second else ()
        reached |= names_behind([g for g in third if g is not None])
    assert {kind.__name__ for kind in kinds_of(Function)} - reached == {
        "AsType",
        "OneHot",
    }  # the latter of whole numbers


def names_behind(tensors: list[mg.Tensor]) -> set[str]:
    stack, seen = [x.node for x in tensors if x.node is not None], {}
    while stack:
        node = stack.pop()
        if isinstance(node, Function) and id(node) not in seen:
            seen[id(node)] = node
            stack.extend(node.edges)
    return {type(node).__name__ for node in seen.values()}


def kinds_of(base: type) -> set[type]:
    """Subclasses of `base` defined in minigen that are operations, not bases of others."""
    found = set()
    for kind in base.__subclasses__():
        found |= kinds_of(kind)
        if not kind.__subclasses__() and kind.__module__.startswith("minigen.autograd.ops"):
            found.add(kind)
    return found


# ---------------------------------------------------------------- values, dtypes, gradients


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-5)])
@each_case
def test_forward(case: Sample, dtype: Any, tolerance: float):
    arrays = case.arrays(rng(), dtype)
    before = [array.copy() for array in arrays]
    ys = outputs(case, arrays)
    expected = op_cases.oracle(case, [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays])
    assert [(y.shape, y.dtype) for y in ys] == [(e.shape, dtype if e.dtype.kind == "f" else e.dtype) for e in expected]
    for y, e in zip(ys, expected, strict=True):
        assert_close(y.data, e, tolerance)
    for array, original in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, original)


@each_case
def test_gradients(case: Sample):
    assert gradcheck(case.call, case.tensors(rng()))


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_gradients_full(case: Sample):
    assert gradcheck(case.call, case.tensors(rng()), mode="full")


@each_case
def test_gradient_dtype(case: Sample):
    xs = case.tensors(rng(), np.float32)
    ys = [y for y in outputs(case, xs) if y.requires_grad]
    inputs = [x for x in xs if isinstance(x, mg.Tensor)]
    gradients = mg.grad(ys, inputs, [mg.tensor(np.ones(y.shape, np.float32)) for y in ys], allow_unused=True)
    assert [(g.shape, g.dtype) for g in gradients if g is not None] == [(x.shape, np.float32) for x in inputs]


@each_case
def test_memory_layout_does_not_matter(case: Sample):
    def laid_out(array: np.ndarray) -> np.ndarray:
        """First axis backwards, last axis with gaps, order of the axes reversed."""
        wide = np.zeros((2, *array.shape[::-1]), array.dtype)
        view = wide[0].T[::-1] if array.ndim else wide[0, ...]
        view[...] = array
        return view

    def run(change: Any) -> tuple[list[Any], list[Any]]:
        made = zip(case.arrays(rng()), case.differentiable(), strict=True)
        xs = [mg.Tensor(change(a), requires_grad=True) if wanted else change(a) for a, wanted in made]
        ys = [y for y in outputs(case, xs) if y.requires_grad]
        gys = [mg.Tensor(change(np.cos(np.arange(y.size)).reshape(y.shape))) for y in ys]
        return ys, list(mg.grad(ys, [x for x in xs if isinstance(x, mg.Tensor)], gys, allow_unused=True))

    for actual, expected in zip(run(laid_out), run(lambda a: a), strict=True):
        for a, e in zip(actual, expected, strict=True):
            assert_close(a.data, e.data, 1e-12)


FUSED = {
    "linear": {"Linear"},
    "conv2d": {"Conv2d"},
    "conv_transpose2d": {"ConvTranspose2d"},
    "gaussian_kl": {"GaussianKL"},
    "mse_loss": {"SquaredError"},
    "cross_entropy": {"CrossEntropy"},
    "ctc_loss": {"CTC"},
    "binary_cross_entropy_with_logits": {"BCEWithLogits"},
    "batch_norm": {"BatchNorm", "BatchNormInference"},
    "layer_norm": {"LayerNorm"},
    "group_norm": {"GroupNorm"},
    "instance_norm": {"GroupNorm"},
    "scaled_dot_product_attention": {"Attention"},
    "self_attention": {"SelfAttention"},
    "rnn": {"RNN"},
    "lstm": {"LSTM"},
    "gru": {"GRU"},
}


def test_every_fused_operation_is_compared():
    assert {kind.__name__ for kind in kinds_of(FusedFunction)} == set().union(*FUSED.values())


def is_fused(case: Sample) -> bool:
    """Class weights beside label smoothing, weights of single terms, and soft targets are written in primitives."""
    if case.operation == "cross_entropy" and (
        {"weight", "label_smoothing"} <= set(case.options) or case.arrays(rng())[1].dtype.kind == "f"
    ):
        return False
    weighted = len(case.inputs) > 2 or "pos_weight" in case.options
    return case.operation in FUSED and not (case.operation == "binary_cross_entropy_with_logits" and weighted)


@pytest.mark.parametrize("case", [case for case in SAMPLES if is_fused(case)], ids=lambda case: case.name)
def test_fused_kernel_equals_its_composition(case: Sample):
    xs = case.tensors(rng())
    ys = outputs(case, xs)
    node = ys[0].node
    if isinstance(node, Output):
        node = node.edges[0]
    assert isinstance(node, FusedFunction)
    assert node.name in FUSED[case.operation]
    inputs = [x if isinstance(x, mg.Tensor) else mg.tensor(x) for x in xs[: len(node.needs)]]
    composed = node.compose(*inputs)
    composed = list(composed) if isinstance(composed, tuple) else [composed]
    gys = [mg.tensor(np.cos(np.arange(y.size)).reshape(y.shape)) for y in ys]
    wanted = [x for x in inputs if x.requires_grad]
    for fused, primitive in zip(
        [*ys, *mg.grad(ys, wanted, gys)], [*composed, *mg.grad(composed, wanted, gys)], strict=True
    ):
        assert_close(fused.data, primitive.data, 1e-12)


def test_verification_covers_all_and_passes():
    rows = verify([case for case in SAMPLES if case.operation in ("add", "getitem", "batch_norm")])
    assert [row.operation for row in rows] == ["add", "getitem", "batch_norm"]
    assert all(row.passed and 0 < max(row.errors) < 1e-8 and row.samples > 1 for row in rows)


# ---------------------------------------------------------------- PyTorch


@cache
def torch_and_twins() -> tuple[Any, dict[str, Any]]:
    torch = pytest.importorskip("torch")
    return torch, op_cases.twins(torch)


# 1e-10 and 1e-4 are relative to the largest entry of each array: single entries near zero come from cancellation.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@each_case
def test_parity_with_torch(case: Sample, dtype: Any, tolerance: float):
    torch, twins = torch_and_twins()
    ours = case.tensors(rng(), dtype)
    theirs = [torch.tensor(np.array(x.data if isinstance(x, mg.Tensor) else x)) for x in ours]
    for x, t in zip(ours, theirs, strict=True):
        t.requires_grad_(isinstance(x, mg.Tensor))
    twin = twins.get(case.operation)
    expected = twin(*theirs, **case.options) if twin else None
    if expected is None:
        return  # PyTorch has no such operation, or option
    expected = list(expected) if isinstance(expected, (list, tuple)) else [expected]
    ys = outputs(case, ours)
    for y, e in zip(ys, expected, strict=True):
        assert_close(y.data, e.detach().numpy(), tolerance)
    if not ys[0].requires_grad:
        return
    ys, expected = [y for y in ys if y.requires_grad], [e for e in expected if e.requires_grad]
    gys = [rng().normal(size=y.shape).astype(dtype) for y in ys]
    inputs = [x for x in ours if isinstance(x, mg.Tensor)]
    gradients = mg.grad(ys, inputs, [mg.tensor(gy) for gy in gys])
    torch.autograd.backward(expected, [torch.tensor(gy) for gy in gys])
    for g, t in zip(gradients, [t for t in theirs if t.requires_grad], strict=True):
        assert g is not None
        assert_close(g.data, t.grad.numpy(), tolerance)
