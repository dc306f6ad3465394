"""Functions and modules of minigen in PyTorch's graph: gradcheck, gradgradcheck, weights, and what is refused."""

import copy
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import interop, layers
from minigen.errors import ArgumentError, DTypeError

torch = pytest.importorskip("torch")
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck


def variable(*shape: int, seed: int = 1) -> Any:
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)


def network(*more: layers.Module) -> layers.Sequential:
    rng = mg.random.generator(0)
    return layers.Sequential(layers.Linear(3, 4, rng=rng), layers.Tanh(), layers.Linear(4, 2, rng=rng), *more)


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_gradients_of_both_orders_are_those_of_differences(check: Any) -> None:
    f = interop.to_torch_function(network().astype("float64"))
    assert check(lambda x, *_: f(x), (variable(5, 3), *f.parameters()))
    g = interop.to_torch_function(lambda x, y: (mg.sin(x) * y, ((x * x).sum() * y[0], mg.argmax(x, 0))))
    assert check(lambda x, y: (g(x, y)[0], g(x, y)[1][0]), (variable(4, 2), variable(4, 2, seed=2)))
    places = g(variable(4, 2), variable(4, 2))[1][1]
    assert places.dtype == torch.int64 and not places.requires_grad


def test_a_fused_layer_and_its_state() -> None:
    """An LSTM, whose kernel has a gradient of its own, equals PyTorch's."""
    ours = layers.LSTM(3, 4, rng=mg.random.generator(0)).astype("float64")
    theirs = torch.nn.LSTM(3, 4, batch_first=True).double()
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in interop.to_torch(ours).items()})
    f, x = interop.to_torch_function(ours), variable(2, 5, 3)
    (y, (h, c)), (ty, (th, tc)) = f(x), theirs(x)
    for a, b in ((y, ty), (h, th), (c, tc)):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-9)
    (g,), (tg,) = (torch.autograd.grad(z.sum() + s.sum(), [x], create_graph=True) for z, s in ((y, c), (ty, tc)))
    np.testing.assert_allclose(g.detach(), tg.detach(), rtol=1e-9)
    (h,), (th) = torch.autograd.grad((g**2).sum(), [x]), torch.autograd.grad((tg**2).sum(), [x])[0]
    np.testing.assert_allclose(h, th, rtol=1e-9)


def test_an_optimizer_of_pytorch_trains_the_module_itself() -> None:
    twin, x, y = network(), variable(16, 3).detach().float(), variable(16, 2, seed=2).detach().float()
    module = copy.deepcopy(twin)
    f = interop.to_torch_function(module)
    assert [name for name, _ in f.named_parameters()] == [name for name, _ in module.named_parameters()]
    theirs, ours = torch.optim.SGD(f.parameters(), 0.1, 0.9), mg.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    for _ in range(5):
        theirs.zero_grad()
        torch.nn.functional.mse_loss(f(x), y).backward()
        theirs.step()
        ours.zero_grad()
        mg.mse_loss(twin(x.numpy()), y.numpy()).backward()
        ours.step()
    for name, p in twin.named_parameters():
        np.testing.assert_allclose(module.get_parameter(name).data, p.data, rtol=1e-5, atol=1e-6)
        assert module.get_parameter(name).grad is None


def test_buffers_modes_and_dtypes_follow() -> None:
    module = layers.Sequential(layers.BatchNorm(3, momentum=None), layers.Dropout(0.5, rng=mg.random.generator(0)))
    f, x = interop.to_torch_function(module), variable(8, 3).detach().float()
    f(x)
    np.testing.assert_allclose(f.state_dict()["0.running_mean"], x.mean(0), rtol=1e-5)
    assert f.state_dict()["0.num_batches_tracked"] == 1
    f.eval()
    assert torch.equal(f(x), f(x)) and not module.training
    f.load_state_dict(f.state_dict() | {"0.running_mean": torch.full((3,), 7.0)})
    assert module.state_dict()["0.running_mean"].tolist() == [7, 7, 7]
    f.double()
    assert f(x.double()).dtype == torch.float64
    assert module.state_dict()["0.running_mean"].dtype == module.state_dict()["0.weight"].dtype == np.float64


def test_frozen_and_unused_ones_have_no_gradient() -> None:
    class Two(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = (layers.Linear(3, 2, rng=mg.random.generator(i)) for i in range(2))

        def forward(self, x: Any) -> Any:
            return self.used(x)

    f, x = interop.to_torch_function(Two()), variable(4, 3)
    f.used.bias.requires_grad_(False)
    loss = f(x.float()).sum()
    f.used.weight.requires_grad_(False)  # after the call, which PyTorch has noted
    f(x.float())
    f.used.weight.requires_grad_(True)
    loss.backward()
    assert f.used.bias.grad is None and f.idle.weight.grad is None
    np.testing.assert_allclose(f.used.weight.grad, np.repeat(x.detach().numpy().sum(0)[:, None], 2, 1), rtol=1e-5)
    with torch.no_grad():
        assert not f(x.float()).requires_grad


def test_results_and_gradients_lie_in_memory_of_their_own() -> None:
    x, y = variable(3), variable(3, seed=2)
    same = interop.to_torch_function(lambda v: v.reshape(3, 1))(x)
    with torch.no_grad():
        same.fill_(7)
    assert not (x == 7).any()
    interop.to_torch_function(lambda a, b: a + b)(x, y).sum().backward()
    x.grad.zero_()
    assert (y.grad == 1).all()
    result = interop.to_torch_function(mg.exp)(x)
    with torch.no_grad():
        result.fill_(7)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        result.sum().backward()


def test_what_can_not_be_is_said() -> None:
    f, x = interop.to_torch_function(network()), variable(4, 3)
    with pytest.raises(mg.errors.ShapeError, match=r"Linear\(3, 4\)"):
        f(variable(4, 5))
    with pytest.raises(ArgumentError, match="Sequential: argument 0 is a ndarray; pass a tensor of PyTorch"):
        f(np.ones((4, 3)))
    with pytest.raises(ArgumentError, match="pass tensors by position"):
        interop.to_torch_function(lambda v, w: v)(x, w=x)
    with pytest.raises(DTypeError, match="bfloat16 is no dtype of minigen"):
        f(x.bfloat16())
    with pytest.raises(ArgumentError, match="on meta"):
        f(torch.empty(4, 3, device="meta"))
    with pytest.raises(ArgumentError, match="gave a dict; lend a function"):
        interop.to_torch_function(lambda v: {"y": v})(x)
    with pytest.raises(ArgumentError, match="f is 3; pass a function"):
        interop.to_torch_function(3)  # pyright: ignore[reportArgumentType]
