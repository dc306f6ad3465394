"""Every optimizer and option beside PyTorch's over 60 steps, and the same steps again after a state is restored."""

import inspect
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.errors import ArgumentError

SHAPES = [(3, 4), (), (5,), (2, 1, 3)]
STEPS = 60
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.7, "weight_decay": 0.1}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {"amsgrad": True, "betas": (0.5, 0.9)}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.1, "betas": (0.5, 0.9)}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"weight_decay": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}),
]
OURS_ALONE: list[tuple[str, dict[str, Any]]] = [
    ("Lion", {"weight_decay": 0.1}),
    ("Muon", {}),
    ("Muon", {"nesterov": False, "adjust_lr_fn": "original", "weight_decay": 0.3}),
]
each = pytest.mark.parametrize(("kind", "options"), CASES, ids=[f"{kind} {options}" for kind, options in CASES])


def arrays(seed: int, dtype: Any = np.float64) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


def tensors(values: list[np.ndarray]) -> list[mg.Tensor]:
    return [mg.tensor(value, requires_grad=True) for value in values]


def step(optimizer: optim.Optimizer, gradients: list[np.ndarray | None]) -> None:
    optimizer.zero_grad()
    for p, g in zip(optimizer.parameters, gradients, strict=True):
        if g is not None:
            (p * mg.tensor(g)).sum().backward()
    optimizer.step()


def gradients_of(seed: int, dtype: Any = np.float64) -> list[np.ndarray | None]:
    """Now and then a parameter gets none."""
    given: list[np.ndarray | None] = [*arrays(seed, dtype)]
    if seed % 5 == 0:
        given[seed // 5 % len(SHAPES)] = None
    return given


@each
def test_each_step_equals_torchs(kind: str, options: dict[str, Any]):
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays(0)]
    reference = getattr(torch.optim, kind)(theirs, lr=0.05, **options)
    ours = getattr(optim, kind)(tensors(arrays(0)), lr=0.05, **options)
    tolerance = 1e-6 if kind == "NAdam" else 1e-10  # PyTorch keeps the product of NAdam's momenta in float32
    for seed in range(1, STEPS + 1):
        gradients = gradients_of(seed)
        for p, g in zip(theirs, gradients, strict=True):
            p.grad = None if g is None else torch.tensor(g)
        reference.step()
        step(ours, gradients)
        for a, b in zip(ours.parameters, theirs, strict=True):
            np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", ["SGD", "RMSprop", "Adagrad", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adadelta"])
def test_defaults_and_order_of_options_are_torchs(kind: str):
    torch = pytest.importorskip("torch")
    reference = getattr(torch.optim, kind)([torch.ones(1, requires_grad=True)])
    ours = getattr(optim, kind)(tensors([np.ones(1)])).param_groups[0].options()
    defaults = {name: value for name, value in reference.defaults.items() if name in ours}
    assert ours == defaults
    order = [[*inspect.signature(getattr(module, kind)).parameters] for module in (torch.optim, optim)]
    assert [name for name in order[0][1:] if name in ours] == [name for name in order[1][1:] if name in ours]


@each
def test_float32_follows_float64(kind: str, options: dict[str, Any]):
    both = [getattr(optim, kind)(tensors(arrays(0, dtype)), lr=0.05, **options) for dtype in (np.float32, np.float64)]
    for seed in range(1, 20):
        for optimizer in both:
            step(optimizer, gradients_of(seed, optimizer.flat.data.dtype))
    for a, b in zip(both[0].parameters, both[1].parameters, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a.data, b.data, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("kind", "options"), [*CASES, *OURS_ALONE])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resume_is_exact(kind: str, options: dict[str, Any], dtype: Any):
    def run(optimizer: optim.Optimizer, seeds: range) -> list[np.ndarray]:
        for seed in seeds:
            step(optimizer, gradients_of(seed, dtype))
        return [p.data.copy() for p in optimizer.parameters]

    whole = getattr(optim, kind)(tensors(arrays(0, dtype)), lr=0.05, **options)
    kept = run(whole, range(1, 8))
    state = whole.state_dict()
    expected = run(whole, range(8, 15))
    again = getattr(optim, kind)(tensors(kept), lr=0.3, **options)
    again.load_state_dict(state)
    for a, b in zip(run(again, range(8, 15)), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_lion_is_the_sign_of_its_momentum():
    ours = optim.Lion(tensors(arrays(0)), lr=0.05, betas=(0.8, 0.95), weight_decay=0.1)
    p, m = arrays(0), [np.zeros(shape) for shape in SHAPES]
    for seed in range(1, STEPS + 1):
        step(ours, [*arrays(seed)])
        for i, g in enumerate(arrays(seed)):
            update = np.sign(0.8 * m[i] + 0.2 * g)
            p[i] = p[i] - 0.05 * (update + 0.1 * p[i])
            m[i] = 0.95 * m[i] + 0.05 * g
    for a, b in zip(ours.parameters, p, strict=True):
        np.testing.assert_allclose(a.data, b, rtol=1e-12)


def test_a_large_parameter_goes_in_blocks():
    value, g = np.random.default_rng(0).normal(size=(2, 50_001)).astype(np.float32)
    small, large = (optim.NAdam(tensors([v])) for v in (value[-7:], value))
    for optimizer, gradient in ((small, g[-7:]), (large, g)):
        step(optimizer, [gradient])
    np.testing.assert_array_equal(large.parameters[0].data[-7:], small.parameters[0].data)
    assert (large.parameters[0].data != value).all()


# ---------------------------------------------------------------- Muon


@pytest.mark.parametrize("rule", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_equals_torchs_but_for_its_half_precision(rule: str, nesterov: bool):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = rng.normal(size=(8, 5))
    theirs = torch.tensor(start.T.copy(), requires_grad=True)  # (out, in)
    options: dict[str, Any] = {"lr": 0.02, "nesterov": nesterov, "adjust_lr_fn": rule}
    reference, ours = torch.optim.Muon([theirs], **options), optim.Muon(tensors([start]), **options)
    for _ in range(50):
        g = rng.normal(size=start.shape)
        theirs.grad = torch.tensor(g.T.copy())
        reference.step()
        step(ours, [g])
    moved = np.abs(start - ours.parameters[0].data).max()
    np.testing.assert_allclose(ours.parameters[0].data, theirs.detach().numpy().T, atol=0.02 * moved)


def test_muon_turns_every_direction_alike():
    rng = np.random.default_rng(1)
    for shape in ((40, 7), (7, 40), (3, 3, 4, 6)):
        ours = optim.Muon(tensors([np.zeros(shape)]), lr=1.0, weight_decay=0.0, adjust_lr_fn="original")
        step(ours, [rng.normal(size=shape) * np.geomspace(1, 50, shape[-1])])
        matrix = ours.parameters[0].data.reshape(-1, shape[-1])
        values = np.linalg.svd(matrix / np.sqrt(max(1, matrix.shape[1] / matrix.shape[0])), compute_uv=False)
        assert 0.6 < values.min() < values.max() < 1.3


def test_muon_gives_vectors_and_named_groups_to_adamw():
    values = arrays(0)[:3]
    options: dict[str, Any] = {"lr": 0.05, "weight_decay": 0.1}
    muon = optim.Muon([{"params": tensors(values), "muon": False}], **options)
    mixed, adamw = optim.Muon(tensors(values), **options), optim.AdamW(tensors(values), **options)
    for seed in range(1, 6):
        for optimizer in (muon, mixed, adamw):
            step(optimizer, [*arrays(seed)[:3]])
    for a, b, c in zip(muon.parameters, mixed.parameters, adamw.parameters, strict=True):
        np.testing.assert_array_equal(a.data, c.data)
        assert (b.data == c.data).all() == (b.ndim < 2)


# ---------------------------------------------------------------- options, closures


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("SGD", {"dampening": -1}, "dampening is -1"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "dampening 0"),
        ("Adam", {"amsgrad": "yes"}, "amsgrad is 'yes'"),
        ("NAdam", {"momentum_decay": -1}, "momentum_decay"),
        ("RAdam", {"betas": (1.0, 0.9)}, "beta1"),
        ("Adadelta", {"rho": 1}, "rho"),
        ("Adamax", {"eps": 0}, "eps"),
        ("Lion", {"betas": 0.9}, "betas"),
        ("Muon", {"adjust_lr_fn": "none"}, "adjust_lr_fn is 'none'"),
        ("Muon", {"ns_steps": 0}, "ns_steps"),
        ("LBFGS", {"line_search_fn": "armijo"}, "line_search_fn is 'armijo'"),
        ("LBFGS", {"history_size": 0}, "history_size"),
        ("LBFGS", {"max_iter": 0}, "max_iter"),
        ("Adam", {"lr": mg.tensor(0.1)}, "lr is tensor"),
        ("Adam", {"lr": np.ones(1)}, "lr is an array of shape"),
    ],
)
def test_bad_options(kind: str, options: dict[str, Any], message: str):
    with pytest.raises(ArgumentError, match=message):
        getattr(optim, kind)(tensors([np.ones(2)]), **{"lr": 0.1, **options})


def test_a_step_with_a_closure():
    """Gradients are recorded in it, whatever is switched off outside; its loss comes back."""
    one, other = optim.Adam(tensors(arrays(0))), optim.Adam(tensors(arrays(0)))

    def closure() -> mg.Tensor:
        one.zero_grad()
        loss = mg.stack([(p * p).sum() for p in one.parameters]).sum()
        loss.backward()
        return loss

    expected = sum((array**2).sum() for array in arrays(0))
    with mg.no_grad():
        assert one.step(closure).item() == pytest.approx(expected)
    step(other, [2 * p.data for p in other.parameters])
    for a, b in zip(one.parameters, other.parameters, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
