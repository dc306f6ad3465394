"""Functions and modules of PyTorch in minigen's graph: gradients of every order, weights, and what is refused."""

import copy
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import advice, interop, layers, optim
from minigen.errors import ArgumentError, DTypeError, GradientError, NotTwiceDifferentiable

torch = pytest.importorskip("torch")
nn = torch.nn


def draw(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def variable(*shape: int, seed: int = 1) -> mg.Tensor:
    return mg.tensor(draw(*shape, seed=seed), requires_grad=True)


def at(parameter: layers.Parameter) -> np.ndarray:
    """The gradient of a weight, in PyTorch's layout."""
    assert parameter.grad is not None
    return parameter.grad.data.T


def network(*more: Any) -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2), *more)


def test_gradients_of_both_orders_are_those_of_differences() -> None:
    f = interop.from_torch_function(network().double())
    assert mg.gradcheck(lambda x, *_: f(x), (variable(5, 3), *f.parameters()), order=2)


def two_results(x: Any, y: Any) -> Any:
    return torch.sin(x) * y, (x * x).sum() * y[0], x.argmax(0)


def test_several_results_some_without_a_gradient() -> None:
    f, x, y = interop.from_torch_function(two_results), variable(4, 2), variable(4, 2, seed=2)
    first, second, places = f(x, y)
    np.testing.assert_allclose(first.data, np.sin(x.data) * y.data)
    assert places.dtype == np.int64 and not places.requires_grad
    (gx,) = mg.grad(second.sum(), [x])  # of one that is used alone
    np.testing.assert_allclose(gx.data, 2 * x.data * y.data[0].sum())
    assert mg.gradcheck(lambda a, b: f(a, b)[:2], (x, y), order=2)
    with pytest.raises(GradientError, match="do not depend on input 1"):
        mg.grad(interop.from_torch_function(lambda a, b: a * 2)(x, y).sum(), [x, y])


def test_a_third_order() -> None:
    x = mg.tensor(np.array([0.3, -0.7]), requires_grad=True)
    y = interop.from_torch_function(torch.sin)(x)
    for expected in (np.cos, lambda v: -np.sin(v), lambda v: -np.cos(v)):
        (y,) = mg.grad(y.sum(), [x], create_graph=True)
        np.testing.assert_allclose(y.data, expected(x.data))


def test_a_gradient_penalty_reaches_the_weights_on_both_sides() -> None:
    """The same critic, half of it PyTorch's, gives the gradients that PyTorch's autograd gives for the whole."""
    theirs, x = network(nn.Tanh(), nn.Linear(2, 1)).double(), draw(6, 3)
    head = interop.from_torch(layers.Linear(2, 1, rng=mg.random.generator(0)).astype("float64"), theirs[4].state_dict())
    body = interop.from_torch_function(copy.deepcopy(theirs[:4]))
    ours = mg.tensor(x, requires_grad=True)
    (gx,) = mg.grad(head(body(ours)).sum(), [ours], create_graph=True)
    ((gx * gx).sum(1) ** 2).mean().backward()
    there = torch.tensor(x, requires_grad=True)
    (tx,) = torch.autograd.grad(theirs(there).sum(), [there], create_graph=True)
    ((tx * tx).sum(1) ** 2).mean().backward()
    for name in ("0.weight", "0.bias", "2.weight"):
        np.testing.assert_allclose(at(vars(body)[name]).T, theirs.get_parameter(name).grad, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(at(head.weight), theirs[4].weight.grad, rtol=1e-9)


def test_an_optimizer_of_ours_trains_the_module_itself() -> None:
    twin, x, y = network(), draw(16, 3).astype(np.float32), draw(16, 2, seed=2).astype(np.float32)
    module = copy.deepcopy(twin)
    f = interop.from_torch_function(module)
    ours, theirs = optim.SGD(f.parameters(), lr=0.1, momentum=0.9), torch.optim.SGD(twin.parameters(), 0.1, 0.9)
    for _ in range(5):
        ours.zero_grad()
        mg.mse_loss(f(x), y).backward()
        ours.step()
        theirs.zero_grad()
        nn.functional.mse_loss(twin(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        theirs.step()
    for name, tensor in twin.named_parameters():
        np.testing.assert_allclose(module.get_parameter(name).detach(), tensor.detach(), rtol=1e-5, atol=1e-6)
        assert module.get_parameter(name).grad is None
    assert list(f.state_dict()) == list(module.state_dict())


def test_buffers_and_modes_are_shared() -> None:
    module = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    f, x = interop.from_torch_function(module), draw(8, 3).astype(np.float32)
    f(x)
    np.testing.assert_allclose(f.state_dict()["0.running_mean"], 0.1 * x.mean(0), rtol=1e-5)
    assert f.state_dict()["0.num_batches_tracked"] == 1
    outer = layers.Sequential(f).eval()
    np.testing.assert_array_equal(outer(x).data, outer(x).data)
    assert not module[1].training
    f.load_state_dict(f.state_dict() | {"0.running_mean": np.full(3, 7, np.float32)})
    np.testing.assert_array_equal(module[0].running_mean, np.full(3, 7))
    outer.astype("float64")
    assert outer(draw(8, 3)).dtype == np.float64 and module[0].running_mean.dtype == torch.float64


def test_a_checkpointed_one_moves_its_running_means_once() -> None:
    f, x = interop.from_torch_function(nn.BatchNorm1d(3).double()), variable(8, 3)
    mg.checkpoint(f, x).sum().backward()
    np.testing.assert_allclose(f.state_dict()["running_mean"], 0.1 * x.data.mean(0))
    assert f.state_dict()["num_batches_tracked"] == 1 and vars(f)["weight"].grad is not None


class Reassigning(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        self.calls = self.calls + 1
        return x * self.calls


def test_a_buffer_that_is_assigned_anew() -> None:
    f = interop.from_torch_function(Reassigning())
    for _ in range(2):
        f(draw(2))
    assert f.state_dict()["calls"] == 2


def test_dropout_is_the_same_in_both_directions_and_orders() -> None:
    f, x = interop.from_torch_function(lambda v: nn.functional.dropout(v, 0.5) ** 2), variable(50)
    y = f(x)
    (g,) = mg.grad(y.sum(), [x], create_graph=True)
    (h,) = mg.grad(g.sum(), [x])
    np.testing.assert_allclose(y.data, (x.data * (h.data != 0) * 2) ** 2)
    np.testing.assert_allclose(g.data, x.data * h.data)


def test_frozen_parts_shared_weights_and_integers() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.out = nn.Embedding(5, 3), nn.Linear(3, 5)
            self.out.weight = self.inner.weight
            self.out.bias.requires_grad_(False)

        def forward(self, ids: Any, scale: float = 1.0) -> Any:
            return self.out(self.inner(ids)) * scale

    module, ids = Tied(), np.array([1, 4, 1])
    f = interop.from_torch_function(module)
    f(ids, scale=2.0).sum().backward()
    module(torch.from_numpy(ids)).sum().mul(2).backward()
    named = dict(f.named_parameters())
    assert named.keys() == {"inner.weight", "out.bias"} and named["out.bias"].grad is None
    assert named["inner.weight"].grad is not None
    np.testing.assert_allclose(named["inner.weight"].grad.data, module.inner.weight.grad, rtol=1e-6)
    with f.frozen():
        assert not f(ids).requires_grad


def test_inputs_and_results_lie_in_memory_of_their_own() -> None:
    x = variable(30)
    np.testing.assert_array_equal(interop.from_torch_function(lambda v: v.relu_())(x).data, np.maximum(x.data, 0))
    assert (x.data < 0).any()  # it wrote into a copy
    module = nn.Linear(2, 2)
    row = interop.from_torch_function(lambda v: module.weight[0])(x)
    row.data[...] = 7
    assert not (module.weight == 7).any()
    y = interop.from_torch_function(torch.exp)(x)
    y.data[...] = 0
    y.bump_version()
    with pytest.raises(GradientError, match=r"exp: output 0.* was changed in place"):
        y.sum().backward()
    view = interop.from_torch_function(lambda v: v + v)(mg.tensor(np.broadcast_to(np.ones(1), (3,))[::-1]))
    assert view.tolist() == [2, 2, 2]


def test_the_graph_is_released_with_the_node() -> None:
    f, x = interop.from_torch_function(torch.exp), variable(2)
    y = f(x)
    y.sum().backward()
    with pytest.raises(GradientError, match="released by an earlier backward"):
        y.sum().backward()


def test_a_step_that_calls_one_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "given", set())
    f = interop.from_torch_function(network())
    optimizer = optim.SGD(f.parameters(), lr=0.1)

    @mg.record
    def step(x: np.ndarray) -> mg.Tensor:
        loss = (f(x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    with pytest.warns(advice.Advice, match="Sequential of PyTorch is called"):
        losses = [step(draw(4, 3).astype(np.float32)).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1]


class OnceOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


def test_what_can_not_be_is_said() -> None:
    x = variable(2, 3)
    with pytest.raises(ArgumentError, match=r"Linear, given \(4, 5\), \(4,\), \(2, 3\): PyTorch says .*shapes"):
        interop.from_torch_function(nn.Linear(5, 4).double())(x)
    with pytest.raises(ArgumentError, match="gave a dict; wrap a function"):
        interop.from_torch_function(lambda v: {"y": v})(x)
    with pytest.raises(ArgumentError, match="pass tensors by position"):
        interop.from_torch_function(torch.add)(x, other=x)
    with pytest.raises(DTypeError, match=r"bfloat16 is no dtype of minigen; .* x\.float\(\)"):
        interop.from_torch_function(nn.Linear(2, 2).bfloat16())
    with pytest.raises(ArgumentError, match=r"on meta, .* x\.cpu\(\)"):
        interop.from_torch_function(nn.Linear(2, 2, device="meta"))
    with pytest.raises(ArgumentError, match="f is 3; pass a function"):
        interop.from_torch_function(3)  # pyright: ignore[reportArgumentType]
    (g,) = mg.grad(interop.from_torch_function(OnceOnly.apply)(x).sum(), [x])
    assert (g.data == 2).all()
    y = interop.from_torch_function(OnceOnly.apply)(x)
    with pytest.raises(NotTwiceDifferentiable, match="apply has only a first derivative in PyTorch"):
        mg.grad((y * y).sum(), [x], create_graph=True)
