"""Every optimizer against a plain loop and against PyTorch, and whatever users do to parameters between steps."""

from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError, CheckpointError, DTypeError, ShapeError

SHAPES = [(3, 4), (), (5,), (2, 1, 3)]
CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.5}),
    ("Adagrad", {}),
    ("Adagrad", {"eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"betas": (0.5, 0.9), "weight_decay": 0.3}),
]
LR = 0.05
each_optimizer = pytest.mark.parametrize(("kind", "options"), CASES)


class Naive:
    """The oracle: one parameter of one optimizer, in float64 and plain NumPy. `step(g)` gives its next value."""

    def __init__(self, kind: str, p: np.ndarray, lr: float, **options: Any) -> None:
        self.rule = getattr(self, kind.lower())
        self.p = p.astype(np.float64)
        self.lr = lr
        self.options = options
        self.t = 0
        self.a = np.zeros_like(self.p)
        self.b = np.zeros_like(self.p)

    def step(self, g: np.ndarray) -> np.ndarray:
        self.t += 1
        self.rule(g.astype(np.float64), **self.options)
        return self.p

    def sgd(self, g, momentum=0.0, nesterov=False, weight_decay=0.0):
        g = g + weight_decay * self.p
        self.a = momentum * self.a + g
        self.p = self.p - self.lr * (g + momentum * self.a if nesterov else self.a)

    def rmsprop(self, g, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0):
        g = g + weight_decay * self.p
        self.a = alpha * self.a + (1 - alpha) * g**2
        self.b = momentum * self.b + g / (np.sqrt(self.a) + eps)
        self.p = self.p - self.lr * self.b

    def adagrad(self, g, eps=1e-10, weight_decay=0.0):
        g = g + weight_decay * self.p
        self.a = self.a + g**2
        self.p = self.p - self.lr * g / (np.sqrt(self.a) + eps)

    def adam(self, g, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        g = g + weight_decay * self.p
        self.a = betas[0] * self.a + (1 - betas[0]) * g
        self.b = betas[1] * self.b + (1 - betas[1]) * g**2
        mean, square = self.a / (1 - betas[0] ** self.t), self.b / (1 - betas[1] ** self.t)
        self.p = self.p - self.lr * mean / (np.sqrt(square) + eps)

    def adamw(self, g, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        self.p = self.p * (1 - self.lr * weight_decay)
        self.adam(g, betas, eps)


def arrays(seed: int = 0, dtype: Any = np.float64) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


def tensors(dtype: Any = np.float64) -> list[Tensor]:
    return [mg.tensor(array, requires_grad=True) for array in arrays(0, dtype)]


def make(kind: str, parameters, **options) -> optim.Optimizer:
    return getattr(optim, kind)(parameters, lr=LR, **options)


def give(parameters, gradients) -> None:
    """Gradients through backward(), as a model would give them: of Σ p · g."""
    for p, g in zip(parameters, gradients, strict=True):
        if g is not None:
            (p * mg.tensor(g)).sum().backward()


def run(optimizer: optim.Optimizer, seeds) -> list[np.ndarray]:
    for seed in seeds:
        optimizer.zero_grad()
        give(optimizer.parameters, arrays(seed, optimizer.flat.data.dtype))
        optimizer.step()
    return [p.data.copy() for p in optimizer.parameters]


def oracle(kind, options, seeds) -> list[np.ndarray]:
    naive = [Naive(kind, array, LR, **options) for array in arrays()]
    for seed in seeds:
        for one, g in zip(naive, arrays(seed), strict=True):
            one.step(g)
    return [one.p for one in naive]


def assert_equal(found, expected, rtol=1e-12) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@each_optimizer
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_equals_the_plain_loop(kind, options, dtype, rtol):
    found = run(make(kind, tensors(dtype), **options), range(1, 9))
    assert {str(array.dtype) for array in found} == {np.dtype(dtype).name}
    assert_equal(found, oracle(kind, options, range(1, 9)), rtol)


@each_optimizer
def test_equals_torch(kind, options):
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays()]
    optimizer = getattr(torch.optim, kind)(theirs, lr=LR, **options)
    ours = make(kind, tensors(), **options)
    for seed in range(1, 12):
        gradients: list[np.ndarray | None] = [*arrays(seed)]
        if seed % 3 == 0:
            gradients[seed % len(SHAPES)] = None  # a parameter that this loss does not reach
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = None if g is None else torch.tensor(g)
        optimizer.step()
        ours.zero_grad()
        give(ours.parameters, gradients)
        ours.step()
        ours.lr = LR / seed
        optimizer.param_groups[0]["lr"] = LR / seed
    assert_equal([p.data for p in ours.parameters], [p.detach().numpy() for p in theirs], 1e-11)


def test_defaults_are_torchs():
    torch = pytest.importorskip("torch")
    for kind in ("RMSprop", "Adagrad", "Adam", "AdamW"):
        p = torch.tensor(arrays()[0], requires_grad=True)
        p.grad = torch.tensor(arrays(1)[0])
        getattr(torch.optim, kind)([p]).step()
        q = mg.tensor(arrays()[0], requires_grad=True)
        optimizer = getattr(optim, kind)([q])
        give([q], arrays(1)[:1])
        optimizer.step()
        assert_equal([q.data], [p.detach().numpy()])


@each_optimizer
def test_parameters_without_gradient_and_frozen_ones_stay(kind, options):
    optimizer = make(kind, tensors(), **options)
    parameters = optimizer.parameters
    naive = [Naive(kind, array, LR, **options) for array in arrays()]
    versions = [p.version[0] for p in parameters]
    for seed in range(1, 9):
        skip = {seed % 4} if seed < 6 else {0, 2}
        gradients = [None if i in skip else g for i, g in enumerate(arrays(seed))]
        optimizer.zero_grad()
        give(parameters, gradients)
        if seed == 7:  # frozen after it got a gradient
            parameters[1].requires_grad_(False)
            gradients[1] = None
        optimizer.step()
        parameters[1].requires_grad_(True)
        for i, (one, g) in enumerate(zip(naive, gradients, strict=True)):
            if g is not None:
                one.step(g)
                versions[i] += 1
        assert_equal([p.data for p in parameters], [one.p for one in naive])
        assert [p.version[0] for p in parameters] == versions


def test_parameters_and_gradients_are_views_of_flat_arrays():
    parameters = tensors()
    optimizer = make("SGD", parameters)
    assert_equal([p.data for p in parameters], arrays(), 0)
    give(parameters, arrays(1))
    for p in parameters:
        assert p.grad is not None
        assert np.shares_memory(p.data, optimizer.flat.data)
        assert np.shares_memory(p.grad.data, optimizer.flat.gradients)
    np.testing.assert_array_equal(optimizer.flat.gradients, np.concatenate([g.ravel() for g in arrays(1)]))


@each_optimizer
def test_assigned_values_and_gradients_count(kind, options):
    """Whoever assigns .data or .grad, in whatever layout, gets the step of those numbers."""
    optimizer = make(kind, tensors(), **options)
    p = optimizer.parameters[0]
    naive = Naive(kind, arrays()[0], LR, **options)
    for seed in range(1, 6):
        optimizer.zero_grad()
        if seed == 3:
            naive.p = naive.p + 1
            p.data = np.asfortranarray(p.data + 1)
        g = arrays(seed)[0]
        if seed % 2:
            give([p], [g])
        else:
            p.grad = Tensor(np.asfortranarray(g))
        optimizer.step()
        assert_equal([p.data], [naive.step(g)])


def test_gradient_of_a_graph_is_not_overwritten():
    """A gradient made with create_graph keeps its numbers after the step."""
    p = mg.tensor([1.0, 2.0], requires_grad=True, dtype=np.float64)
    optimizer = make("SGD", [p])
    (p**3).sum().backward(create_graph=True)
    assert p.grad is not None
    kept = p.grad
    optimizer.step()
    np.testing.assert_array_equal(kept.data, [3.0, 12.0])
    np.testing.assert_allclose(p.data, [1 - 3 * LR, 2 - 12 * LR])


def test_two_optimizers_over_the_same_parameters():
    parameters = tensors()
    first, second = make("SGD", parameters, momentum=0.9), make("Adam", parameters[1:3])
    naive = [Naive("SGD", array, LR, momentum=0.9) for array in arrays()]
    others = [Naive("Adam", array, LR) for array in arrays()]
    for seed in range(1, 6):
        first.zero_grad()
        give(parameters, arrays(seed))
        first.step()
        second.step()
        for i, g in enumerate(arrays(seed)):
            naive[i].step(g)
            if i in (1, 2):
                others[i].p = naive[i].p
                naive[i].p = others[i].step(g)
    assert_equal([p.data for p in parameters], [one.p for one in naive])


def test_gradients_add_up_until_zero_grad():
    optimizer = make("SGD", tensors())
    for seed in (1, 2):
        give(optimizer.parameters, arrays(seed))
    optimizer.step()
    expected = [p - LR * (g + h) for p, g, h in zip(arrays(), arrays(1), arrays(2), strict=True)]
    assert_equal([p.data for p in optimizer.parameters], expected)
    optimizer.zero_grad()
    assert all(p.grad is None for p in optimizer.parameters)


@each_optimizer
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_gradients_are_not_hidden(kind, options, bad):
    optimizer = make(kind, tensors(), **options)
    gradients = arrays(1)
    gradients[2][1] = bad
    give(optimizer.parameters, gradients)
    with np.errstate(invalid="ignore"):
        optimizer.step()
    finite = [np.isfinite(p.data).all() for p in optimizer.parameters]
    assert finite == [True, True, False, True]


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resume_is_exact(kind, options, dtype):
    whole = make(kind, tensors(dtype), **options)
    run(whole, range(1, 4))
    whole.lr = LR / 2
    state = whole.state_dict()
    values = [p.data.copy() for p in whole.parameters]
    expected = run(whole, range(4, 8))

    restored = make(kind, [mg.tensor(value, requires_grad=True) for value in values], **options)
    run(restored, range(20, 22))
    for p, value in zip(restored.parameters, values, strict=True):
        np.copyto(p.data, value)
    restored.load_state_dict(state)
    assert restored.lr == LR / 2
    for a, b in zip(run(restored, range(4, 8)), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_state_of_another_optimizer_is_refused_and_changes_nothing():
    optimizer = make("Adam", tensors())
    run(optimizer, range(1, 3))
    before = optimizer.state_dict()
    wrong = [
        (make("AdamW", tensors()).state_dict(), "is of AdamW"),
        ({}, "something else"),
        (make("Adam", tensors()[1:]).state_dict(), "shapes"),
        (make("Adam", tensors(np.float32)).state_dict(), "saved m is float32"),
        ({**before, "v": before["v"][:-1]}, "saved v"),
        ({key: value for key, value in before.items() if key != "v"}, "expected"),
    ]
    for state, message in wrong:
        with pytest.raises(CheckpointError, match=message):
            optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[key], before[key]) for key in ("steps", "m", "v"))
    momentum, plain = make("SGD", tensors(), momentum=0.5), make("SGD", tensors())
    with pytest.raises(CheckpointError, match="velocity"):
        plain.load_state_dict(momentum.state_dict())


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("SGD", {"lr": -1}, "lr is -1"),
        ("SGD", {"lr": float("nan")}, "lr is nan"),
        ("SGD", {"lr": float("inf")}, "lr is inf"),
        ("SGD", {"lr": "0.1"}, "lr is '0.1'"),
        ("SGD", {"momentum": 1.0}, "momentum"),
        ("SGD", {"momentum": -0.1}, "momentum"),
        ("SGD", {"weight_decay": -0.1}, "weight_decay"),
        ("SGD", {"nesterov": True}, "nesterov"),
        ("RMSprop", {"alpha": 1}, "alpha"),
        ("RMSprop", {"eps": -1}, "eps"),
        ("Adagrad", {"eps": -1}, "eps"),
        ("Adam", {"betas": (1.0, 0.9)}, "beta1"),
        ("Adam", {"betas": (0.9, -0.1)}, "beta2"),
        ("AdamW", {"weight_decay": float("nan")}, "weight_decay"),
    ],
)
def test_bad_options(kind, options, message):
    with pytest.raises(ArgumentError, match=message):
        getattr(optim, kind)(tensors(), **{"lr": LR, **options})


def test_lr_is_checked_when_set():
    optimizer = make("SGD", tensors())
    with pytest.raises(ArgumentError, match="lr is -2"):
        optimizer.lr = -2
    assert optimizer.lr == LR


def test_parameters_that_can_not_be_optimized():
    p = mg.tensor([1.0], requires_grad=True)
    wrong = [
        ([], "no parameters"),
        (p, "one Tensor"),
        ([p, p], "given twice"),
        ([np.zeros(3)], "ndarray"),
        ([p * 2], "computed from others"),
        ([p, mg.tensor([1.0], requires_grad=True, dtype=np.float64)], "float64, while others are float32"),
        ([mg.tensor([1])], "int64"),
    ]
    for parameters, message in wrong:
        with pytest.raises(ArgumentError, match=message):
            optim.Adam(parameters)


def test_arrays_of_another_shape_or_dtype_are_refused():
    for array, error in ((np.zeros((4, 3)), ShapeError), (np.zeros((3, 4), np.float32), DTypeError)):
        optimizer = make("SGD", tensors())
        optimizer.parameters[0].data = array
        with pytest.raises(error, match=r"assigned|became"):
            optimizer.step()
        with pytest.raises(error, match=r"backward: .data .*(assigned|became)"):
            (optimizer.parameters[0] * array).sum().backward()
        with pytest.raises(error, match="assigned"):
            make("SGD", tensors()).parameters[0].grad = Tensor(array)


def test_a_large_model_takes_the_parallel_kernels():
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(np.float32) for shape in ((400, 300), (300,), (300, 7))]
    gradients = [rng.normal(size=value.shape).astype(np.float32) for value in values]
    optimizer = make("Adam", [mg.tensor(value, requires_grad=True) for value in values])
    naive = [Naive("Adam", value, LR) for value in values]
    for _ in range(3):
        optimizer.zero_grad()
        give(optimizer.parameters, gradients)
        optimizer.step()
        for one, g in zip(naive, gradients, strict=True):
            one.step(g)
    assert_equal([p.data for p in optimizer.parameters], [one.p for one in naive], 1e-5)
