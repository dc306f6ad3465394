"""L-BFGS beside PyTorch's, step by step, on problems with and without curvature that changes; its state."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.errors import ArgumentError, CheckpointError
from minigen.training import checkpoint

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 6)), rng.normal(size=20)
STARTS: dict[str, list[np.ndarray]] = {
    "rosenbrock": [np.array([-1.2, 1.0]), np.array([0.5, -0.3])],
    "least squares": [np.zeros(6)],
    "logistic": [np.full(6, 0.1), np.array(0.0)],
}


def loss_of(problem: str, parameters: list[Any], log1p_exp: Callable[[Any], Any], x: Any, y: Any) -> Any:
    """The same in minigen and PyTorch."""
    if problem == "rosenbrock":
        return sum(((1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2) for p in parameters)
    if problem == "least squares":
        return ((x @ parameters[0] - y) ** 2).sum()
    z = x @ parameters[0] + parameters[1]
    return (log1p_exp(z) - (y > 0) * z).mean() + 0.01 * (parameters[0] ** 2).sum()


def made(problem: str, values: list[np.ndarray], **options: Any) -> tuple[optim.LBFGS, Callable[[], mg.Tensor]]:
    parameters = [mg.tensor(value, requires_grad=True, dtype=np.float64) for value in values]
    optimizer = optim.LBFGS(parameters, **options)

    def closure() -> mg.Tensor:
        optimizer.zero_grad()
        positive = mg.tensor((Y > 0).astype(np.float64)) if problem == "logistic" else mg.tensor(Y)
        loss = loss_of(problem, parameters, mg.softplus, mg.tensor(X), positive)
        loss.backward()
        return loss

    return optimizer, closure


@pytest.mark.parametrize("problem", STARTS)
@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 4},
        {"line_search_fn": "strong_wolfe", "lr": 0.3, "max_iter": 7, "max_eval": 9},
        {"lr": 0.02, "max_iter": 5},
        {"lr": 0.05, "history_size": 3},
    ],
)
def test_equals_torch(problem: str, options: dict[str, Any]):
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(value, requires_grad=True) for value in STARTS[problem]]
    reference = torch.optim.LBFGS(theirs, **options)

    def torch_closure() -> Any:
        reference.zero_grad()
        loss = loss_of(problem, theirs, torch.nn.functional.softplus, torch.tensor(X), torch.tensor(Y))
        loss.backward()
        return loss

    ours, closure = made(problem, STARTS[problem], **options)
    for _ in range(8):
        expected, found = reference.step(torch_closure), ours.step(closure)
        np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-6, atol=1e-12)
        for a, b in zip(ours.parameters, theirs, strict=True):
            np.testing.assert_allclose(a.data, b.detach().numpy(), rtol=1e-6, atol=1e-7)
        assert ours.evaluations == reference.state[theirs[0]]["func_evals"]


def test_finds_the_minimum():
    ours, closure = made("rosenbrock", STARTS["rosenbrock"], line_search_fn="strong_wolfe", max_iter=100)
    ours.step(closure)
    for p in ours.parameters:
        np.testing.assert_allclose(p.data, [1, 1], atol=1e-3)
    ours, closure = made("least squares", STARTS["least squares"], line_search_fn="strong_wolfe", max_iter=100)
    ours.step(closure)
    np.testing.assert_allclose(ours.parameters[0].data, np.linalg.lstsq(X, Y)[0], atol=1e-5)


def test_resume_is_exact():
    options: dict[str, Any] = {"line_search_fn": "strong_wolfe", "max_iter": 3, "history_size": 4}
    whole, closure = made("rosenbrock", STARTS["rosenbrock"], **options)
    for _ in range(3):
        whole.step(closure)
    state, kept = whole.state_dict(), [p.data.copy() for p in whole.parameters]
    again, other = made("rosenbrock", kept, **options)
    again.load_state_dict(state)
    for _ in range(3):
        assert whole.step(closure).item() == again.step(other).item()
    for a, b in zip(whole.parameters, again.parameters, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_a_state_that_does_not_fit_changes_nothing():
    ours, closure = made("rosenbrock", STARTS["rosenbrock"])
    ours.step(closure)
    before = ours.state_dict()
    for wrong, message in (
        ({**before, "history": [pair[:, :1] for pair in before["history"]]}, "history"),
        ({**before, "history": "none"}, "history"),
        ({**before, "scale": "x"}, "scale"),
        ({**before, "iterations": -1}, "iterations"),
        ({key: value for key, value in before.items() if key != "history"}, "expected"),
        (optim.SGD([mg.tensor([1.0], requires_grad=True)]).state_dict(), "is of SGD"),
    ):
        with pytest.raises(CheckpointError, match=message):
            ours.load_state_dict(wrong)
    after = ours.state_dict()
    assert all(np.array_equal(after[key], before[key]) for key in before)


def test_a_checkpoint_holds_the_history(tmp_path: Path):
    """Which is longer than that of an optimizer just made."""
    whole, closure = made("rosenbrock", STARTS["rosenbrock"], max_iter=3, line_search_fn="strong_wolfe")
    whole.step(closure)
    checkpoint.save(tmp_path / "c", {"optimizer": whole}, 1)
    again, other = made("rosenbrock", [p.data for p in whole.parameters], max_iter=3, line_search_fn="strong_wolfe")
    checkpoint.load(tmp_path / "c", {"optimizer": again})
    assert whole.step(closure).item() == again.step(other).item()
    for a, b in zip(whole.parameters, again.parameters, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_frozen_parameters_and_those_without_gradient_stay():
    ours, closure = made("rosenbrock", STARTS["rosenbrock"], line_search_fn="strong_wolfe", max_iter=3)
    ours.step(closure)
    first, second = ours.parameters
    first.requires_grad_(False)
    kept, version = first.data.copy(), second.version[0]
    ours.step(closure)
    np.testing.assert_array_equal(first.data, kept)
    assert second.version[0] > version


def test_what_a_step_needs():
    ours, closure = made("rosenbrock", STARTS["rosenbrock"])
    with pytest.raises(ArgumentError, match=r"pass step\(closure\)"):
        ours.step()
    with pytest.raises(ArgumentError, match="the closure gave None"):
        ours.step(lambda: None)
    with pytest.raises(ArgumentError, match="longer list"):
        ours.add_param_group({"params": [mg.tensor([1.0], requires_grad=True)]})
    p, q = (mg.tensor([1.0], requires_grad=True) for _ in range(2))
    with pytest.raises(ArgumentError, match="several groups"):
        optim.LBFGS([{"params": [p]}, {"params": [q]}])
    with mg.no_grad():
        assert ours.step(closure).item() > 0
