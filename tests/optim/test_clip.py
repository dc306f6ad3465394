"""Clipping against its definition and against PyTorch."""

import math

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError

GRADIENTS = [np.array([[3.0, -4.0], [0.5, 0.0]]), np.array(12.0), None, np.array([-1.0, 2.0])]


def parameters() -> list[Tensor]:
    out = []
    for g in GRADIENTS:
        p = mg.tensor(np.ones_like(g) if g is not None else np.ones(3), requires_grad=True)
        p.grad = None if g is None else Tensor(g.copy())
        out.append(p)
    return out


def target(kind: str):
    """The parameters, and what to hand to the clipping function."""
    listed = parameters()
    gradients = [p.grad for p in listed]
    if kind == "list":
        return listed, listed
    optimizer = optim.SGD(listed, lr=1.0)
    if kind == "optimizer, through backward":
        for p, g in zip(listed, gradients, strict=True):
            p.grad = None
            if g is not None:
                (p * g).sum().backward()
    return listed, optimizer


KINDS = pytest.mark.parametrize("kind", ["list", "optimizer", "optimizer, through backward"])


def found(listed) -> list[np.ndarray | None]:
    return [None if p.grad is None else p.grad.data for p in listed]


@KINDS
@pytest.mark.parametrize("max_norm", [1.0, 5.0, 100.0])
def test_norm(kind, max_norm):
    torch = pytest.importorskip("torch")
    theirs = [torch.ones(() if g is None else g.shape, dtype=torch.float64, requires_grad=True) for g in GRADIENTS]
    for p, g in zip(theirs, GRADIENTS, strict=True):
        p.grad = None if g is None else torch.tensor(g)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm).item()
    listed, clipped = target(kind)
    assert optim.clip_grad_norm(clipped, max_norm) == pytest.approx(expected, rel=1e-12)
    for ours, p in zip(found(listed), theirs, strict=True):
        if ours is None:
            assert p.grad is None
        else:
            np.testing.assert_allclose(ours, p.grad.numpy(), rtol=1e-12)


@KINDS
def test_value(kind):
    listed, clipped = target(kind)
    optim.clip_grad_value(clipped, 2.5)
    for ours, g in zip(found(listed), GRADIENTS, strict=True):
        if g is None:
            assert ours is None
        else:
            np.testing.assert_array_equal(ours, np.clip(g, -2.5, 2.5))


@KINDS
def test_weights(kind):
    listed, clipped = target(kind)
    for i, p in enumerate(listed):
        p.data[...] = (i - 1) * 0.5
    versions = [p.version[0] for p in listed]
    optim.clip_weights(clipped, 0.25)
    for i, p in enumerate(listed):
        np.testing.assert_array_equal(p.data, np.clip((i - 1) * 0.5, -0.25, 0.25))
    assert all(p.version[0] > before for p, before in zip(listed, versions, strict=True))


@KINDS
def test_a_step_takes_the_clipped_gradients(kind):
    listed, clipped = target(kind)
    optim.clip_grad_norm(clipped, 1.0)
    optimizer = clipped if isinstance(clipped, optim.Optimizer) else optim.SGD(listed, lr=1.0)
    optimizer.step()
    moved = sum(((p.data - 1) ** 2).sum() for p in listed)
    assert moved == pytest.approx(1.0, rel=1e-5)


@KINDS
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_gradients_stay_visible(kind, bad):
    listed, clipped = target(kind)
    first = listed[0].grad
    assert first is not None
    first.data[0, 0] = bad
    norm = optim.clip_grad_norm(clipped, 1.0)
    assert not np.isfinite(norm)
    optim.clip_grad_value(clipped, 1e3)
    grad = listed[0].grad
    assert grad is not None and np.isnan(grad.data[0, 0])


def test_gradient_in_a_graph_is_replaced_not_overwritten():
    p = mg.tensor([1.0, 2.0], requires_grad=True)
    (p**3).sum().backward(create_graph=True)
    kept = p.grad
    assert kept is not None
    optim.clip_grad_norm([p], 0.1)
    np.testing.assert_array_equal(kept.data, [3, 12])
    assert p.grad is not None and np.linalg.norm(p.grad.data) == pytest.approx(0.1, rel=1e-5)


def test_no_gradients_at_all():
    assert optim.clip_grad_norm([mg.tensor([1.0], requires_grad=True)], 1.0) == 0


@pytest.mark.parametrize("limit", [0, -1, np.nan, np.inf])
def test_bad_limit(limit):
    with pytest.raises(ArgumentError, match="max_norm"):
        optim.clip_grad_norm(parameters(), limit)
    with pytest.raises(ArgumentError, match="max_value"):
        optim.clip_grad_value(parameters(), limit)
    with pytest.raises(ArgumentError, match="clip_weights: limit"):
        optim.clip_weights(parameters(), limit)


@pytest.mark.parametrize("norm_type", [1, 2, math.inf])
@pytest.mark.parametrize("flat", [False, True])
def test_norms_of_other_kinds_equal_torchs(norm_type: float, flat: bool):
    torch = pytest.importorskip("torch")
    values = [np.array([[3.0, -4.0], [0.5, 1.0]]), np.array(-7.0), np.array([2.0])]
    ours = [mg.tensor(value, requires_grad=True) for value in values]
    theirs = [torch.tensor(value, requires_grad=True) for value in values]
    optimizer = optim.SGD(ours, lr=0.1) if flat else None
    for p, q in zip(ours, theirs, strict=True):
        (p * p).sum().backward()
        (q * q).sum().backward()
    norm = optim.clip_grad_norm(optimizer or ours, 1.5, norm_type)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, 1.5, norm_type).item())
    for p, q in zip(ours, theirs, strict=True):
        assert p.grad is not None
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-7)


def test_unknown_norms_are_refused():
    p = mg.tensor([1.0], requires_grad=True)
    for norm_type in (3, 0, "inf", None):
        with pytest.raises(ArgumentError, match="norm_type"):
            optim.clip_grad_norm([p], 1.0, norm_type)  # pyright: ignore[reportArgumentType]
