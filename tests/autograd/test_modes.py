"""Switches and safeguards: no_grad, detach, detect_anomaly, in-place changes, refusals."""

import inspect
from typing import Any

import numpy as np
import pytest
from autograd_helpers import Square, gradient, leaf

import minigen as mg
from minigen.autograd.tensor import Tensor
from minigen.errors import GradientError, ShapeError

# ---------------------------------------------------------------- modes


def test_no_grad_and_enable_grad():
    x = leaf(2.0)
    with mg.no_grad():
        assert not mg.is_grad_enabled()
        assert not (x * x).requires_grad
        with mg.enable_grad():
            assert (x * x).requires_grad
    assert mg.is_grad_enabled()

    @mg.no_grad()
    def function() -> Tensor:
        return x * x

    assert not function().requires_grad
    with pytest.raises(ZeroDivisionError), mg.no_grad():
        raise ZeroDivisionError
    assert mg.is_grad_enabled()


def test_detach_cuts_the_graph_and_shares_memory():
    x = leaf(2.0)
    d = (x * 3.0).detach()
    assert not d.requires_grad
    (x * d).backward()
    assert gradient(x) == [6.0]
    y = leaf(1.0)
    assert y.detach().data is y.data


def test_the_sweep_records_nothing_by_default():
    x = leaf(2.0)
    (g,) = mg.grad(x * x, x)
    assert g is not None
    assert not g.requires_grad


def test_retain_grad():
    x = leaf(2.0)
    a = x * 3.0
    a.retain_grad()
    (a * a).backward()
    assert gradient(a) == [12.0]


# ---------------------------------------------------------------- anomalies


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def test_detect_anomaly_names_the_operation_that_made_nan():
    x = leaf(-1.0, 1.0)
    line = here() + 2
    with pytest.raises(GradientError) as caught, mg.detect_anomaly():
        mg.sqrt(x)
    assert f"{__file__}:{line}" in str(caught.value)
    assert "Sqrt, forward: NaN" in str(caught.value)
    assert "made of (2,) from" in str(caught.value)
    assert "mg.sqrt(x)" in str(caught.value)


def test_detect_anomaly_names_the_operation_whose_backward_made_infinity():
    x = leaf(0.0, 1.0)
    line = here() + 2
    with pytest.raises(GradientError) as caught, mg.detect_anomaly():
        y = mg.sqrt(x)
        (y * 2.0).sum().backward()
    assert f"Sqrt, backward of the one called at {__file__}:{line}" in str(caught.value)
    assert "infinity" in str(caught.value)
    assert "mg.sqrt(x)" in str(caught.value)


def test_detect_anomaly_checks_what_a_kernel_gives_too():
    with (
        pytest.raises(
            GradientError, match=r"Square, backward: NaN .* made of \(1,\) without a finite .*; called at .*Square\(\)"
        ),
        mg.detect_anomaly(),
    ):
        Square()(leaf(1.0)).backward(mg.tensor(np.array([np.nan])))


def test_without_detect_anomaly_nan_passes_through():
    assert np.isnan(mg.sqrt(leaf(-1.0)).item())


# ---------------------------------------------------------------- versions


def change_by_index(x: Tensor) -> None:
    x[0] = 7.0


def change_by_view(x: Tensor) -> None:
    mg.reshape(x, (1, -1))[0, 0] = 7.0


def change_by_slice(x: Tensor) -> None:
    x[1:][0] = 7.0


def change_by_detached(x: Tensor) -> None:
    x.detach()[0] = 7.0


def change_as_an_optimizer(x: Tensor) -> None:
    x.data -= 0.1
    x.bump_version()


def change_by_copy(x: Tensor) -> None:
    x.copy_(np.zeros(2))


CHANGES = [change_by_index, change_by_view, change_by_slice, change_by_detached, change_as_an_optimizer, change_by_copy]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_input_is_noticed(change: Any):
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (x * w).sum()
    with mg.no_grad():
        change(w)
    with pytest.raises(GradientError, match=r"Multiply: input 1, \(2,\), was changed in place"):
        y.backward()


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_output_is_noticed(change: Any):
    y = mg.exp(leaf(1.0, 2.0))
    z = y.sum()
    with mg.no_grad():
        change(y)
    with pytest.raises(GradientError, match=r"Exp: its output, .* was changed in place"):
        z.backward()


def test_a_change_that_nobody_saved_is_allowed():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (x + w).sum()
    with mg.no_grad():
        change_by_index(w)
    y.backward()
    assert gradient(x) == [1.0, 1.0]


def test_a_change_before_use_is_allowed():
    x = leaf(1.0, 2.0)
    with mg.no_grad():
        change_by_index(x)
    (x * x).sum().backward()
    assert gradient(x) == [14.0, 4.0]


def test_a_wrong_backward_is_refused():
    class Wrong(mg.Function):
        def forward(self, x: np.ndarray) -> np.ndarray:
            return x.sum(keepdims=True)

        def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
            return (gy,)

    with pytest.raises(GradientError, match=r"Wrong.backward gave \(1,\) .* for input 0, which is \(2,\)"):
        Wrong()(leaf(1.0, 2.0)).backward()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.tensor([1.0]).backward(), GradientError, "does not require a gradient"),
        (lambda: (leaf(1.0, 2.0) * 2).backward(), ShapeError, r"output has shape \(2,\).*\.sum\(\)"),
        (lambda: (leaf(1.0, 2.0) * 2).backward(mg.tensor([1.0])), ShapeError, "they must be equal"),
        (lambda: mg.grad(leaf(1.0), leaf(1.0)), GradientError, "do not depend on input 0"),
        (lambda: mg.grad(3.0, leaf(1.0)), GradientError, "expected a Tensor, got float"),  # pyright: ignore
        (lambda: mg.grad(leaf(1.0), mg.tensor([1.0])), GradientError, "does not require a gradient"),
        (lambda: mg.grad(leaf(1.0), leaf(1.0), [None, None]), ShapeError, "1 outputs but 2 grad_outputs"),
        (lambda: leaf(1.0).__setitem__(0, 2.0), GradientError, "no_grad"),
        (lambda: mg.tensor([1.0]).__setitem__(0, leaf(2.0)[0]), GradientError, "detach"),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        call()
