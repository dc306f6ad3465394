"""Checkpointing: the same numbers and gradients as without, of every order, in less memory; what differs is noticed."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError, GradientError


def seeded(seed: int = 0) -> np.random.Generator:
    return mg.random.generator(seed)


def leaf(*shape: int, seed: int = 0) -> mg.Tensor:
    return mg.tensor(seeded(seed).normal(size=shape), requires_grad=True)


def plain(f: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
    return f(*inputs, **options)


def same(first: Any, second: Any) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


# ---------------------------------------------------------------- the same as without


def test_gradients_of_both_orders_reach_inputs_parameters_and_what_is_reached_by_itself():
    x, w, v = leaf(4, 3), leaf(3, 3, seed=1), leaf(3, seed=2)

    def run(through: Callable[..., Any]) -> list[mg.Tensor]:
        h = mg.tanh(x @ w)  # reached by f itself, and its input was made from it: w is reached on three ways
        y = through(lambda a: mg.sin(a @ w) * v + h, h * 2.0)
        first = mg.grad((y**2).sum(), [x, w, v], create_graph=True)
        total = mg.stack([(g**2).sum() for g in first]).sum()
        return [y, *first, *mg.grad(total, [x, w, v])]

    for a, b in zip(run(mg.checkpoint), run(plain), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


def test_gradcheck_through_a_checkpoint():
    w = leaf(3, 2, seed=1)
    assert mg.gradcheck(lambda x, w: mg.checkpoint(lambda x: mg.tanh(x @ w).std(0), x), (leaf(4, 3), w))
    assert mg.gradcheck(lambda x: mg.checkpoint(lambda x: mg.checkpoint(mg.exp, x * 2.0) * x, x), leaf(3))


def net(seed: int = 0) -> layers.Sequential:
    rng = seeded(seed)
    return layers.Sequential(
        *(layers.Linear(6, 8, rng=rng), layers.BatchNorm(8), layers.Tanh(), layers.Dropout(0.5, rng=rng)),
        layers.Linear(8, 3, rng=rng),
    )


@pytest.mark.parametrize("parts", [1, 2])
def test_training_is_the_same_with_dropout_batch_norm_and_an_optimizer(parts: int):
    def train(through: Callable[..., Any]) -> tuple[list[np.ndarray], list[float]]:
        model, losses = net(), []
        optimizer = mg.optim.Adam(model.parameters(), lr=0.05)
        x, labels = seeded(1).normal(size=(16, 6)).astype(np.float32), np.arange(16) % 3
        for _ in range(4):
            optimizer.zero_grad()
            y = mg.tensor(x)
            stretches = [list(model)] if parts == 1 else [list(model)[:3], list(model)[3:]]
            for stretch in stretches:
                y = through(layers.Sequential(*stretch), y)
            loss = mg.cross_entropy(y, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return list(model.state_dict().values()), losses

    (state, losses), (expected, expected_losses) = train(mg.checkpoint), train(plain)
    assert losses == expected_losses
    for a, b in zip(state, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_generators_go_on_as_without():
    drawn = []
    for through in (mg.checkpoint, plain):
        rng, own = seeded(3), seeded(4)
        y = through(
            lambda x, r, o: x * mg.rand(5, rng=r) * o.normal(size=5),
            leaf(5),
            rng,
            own,
            **{"rng": own} if through is mg.checkpoint else {},
        )
        y.sum().backward()
        drawn.append([y.tolist(), rng.random(), own.random()])
    assert drawn[0] == drawn[1]


def test_several_results_options_and_results_without_gradient():
    x = leaf(4)

    def f(x: mg.Tensor, scale: float = 1.0) -> tuple[mg.Tensor, ...]:
        return x * scale, x.argmax(), x, mg.exp(x)

    a, places, same_x, b = mg.checkpoint(f, x, scale=3.0)
    assert (places.item(), places.requires_grad) == (x.argmax().item(), False)
    same([a, same_x, b], [x * 3.0, x, mg.exp(x)])
    (g,) = mg.grad(b.sum() + (a * 2.0).sum(), x, retain_graph=True)
    np.testing.assert_allclose(g.data, np.exp(x.data) + 6.0)
    (same_x * 5.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [5.0] * 4
    (only,) = mg.checkpoint(lambda x: [x * 2.0], x)
    assert only.node is not None
    assert mg.checkpoint(lambda x: x, x).tolist() == x.tolist()


def test_nothing_is_kept_where_nothing_is_recorded():
    x = leaf(3)
    with mg.no_grad():
        assert mg.checkpoint(mg.exp, x).node is None
    assert mg.checkpoint(mg.exp, x.detach()).node is None


def test_a_second_sweep_runs_again_only_if_the_graph_is_kept():
    x = leaf(3)
    y = mg.checkpoint(mg.exp, x).sum()
    first = mg.grad(y, x, retain_graph=True)
    same(first, mg.grad(y, x))
    with pytest.raises(mg.errors.GraphFreedError):
        mg.grad(y, x)


# ---------------------------------------------------------------- memory


def test_memory_of_one_stretch_instead_of_all():
    def peak(through: Callable[..., Any]) -> int:
        x = mg.tensor(np.ones(50_000, np.float32), requires_grad=True)

        def stretch(h: mg.Tensor) -> mg.Tensor:
            for _ in range(10):
                h = mg.sin(h * 1.01)
            return h

        tracemalloc.start()
        h = x
        for _ in range(10):
            h = through(stretch, h)
        h.sum().backward()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert x.grad is not None
        return most

    assert peak(mg.checkpoint) < 0.4 * peak(plain)


# ---------------------------------------------------------------- what is noticed


def counted() -> Callable[[mg.Tensor], mg.Tensor]:
    calls = []

    def f(x: mg.Tensor) -> mg.Tensor:
        calls.append(1)
        return x * float(len(calls))

    return f


def other_shape() -> Callable[[mg.Tensor], mg.Tensor]:
    calls = []

    def f(x: mg.Tensor) -> mg.Tensor:
        calls.append(1)
        return x[len(calls) :]

    return f


def other_tensors() -> Callable[[mg.Tensor], mg.Tensor]:
    leaves = [mg.tensor(np.ones(6), requires_grad=True) for _ in range(2)]
    return lambda x: x * leaves.pop()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (counted, "checkpoint: the function gave other numbers when it ran again; .* rng="),
        (other_shape, "checkpoint: the function gave other shapes"),
        (other_tensors, "checkpoint: the function used other tensors"),
        (lambda: (lambda rng: lambda x: x * rng.normal(size=6))(seeded()), "other numbers when it ran again; .* rng="),
    ],
)
def test_another_result_of_the_second_run_is_noticed(make: Any, message: str):
    y = mg.checkpoint(make(), leaf(6)).sum()
    with pytest.raises(GradientError, match=message):
        y.backward()


@pytest.mark.parametrize("requires_grad", [False, True])
def test_a_changed_input_is_noticed(requires_grad: bool):
    x, w = mg.tensor(np.ones(3), requires_grad=requires_grad), leaf(3)
    y = mg.checkpoint(lambda x: mg.sin(x * w), x).sum()
    with mg.no_grad():
        x[0] = 5.0
    with pytest.raises(GradientError, match=r"Checkpoint: input .* was changed in place"):
        y.backward()


def test_a_changed_parameter_is_noticed():
    w = leaf(3)
    y = mg.checkpoint(lambda x: mg.sin(x * w), leaf(3)).sum()
    with mg.no_grad():
        w[0] = 5.0
    with pytest.raises(GradientError, match="was changed in place"):
        y.backward()


def test_hooks_see_a_gradient_once():
    x, w = leaf(3), leaf(3)
    h = x * 2.0
    seen = []
    for tensor in (x, w, h):
        tensor.register_hook(lambda g: (seen.append(g), g * 3.0)[1])
    mg.checkpoint(lambda a: mg.sin(a * w), h).sum().backward()
    slope = np.cos(h.data * w.data)
    assert len(seen) == 3 and w.grad is not None and x.grad is not None
    np.testing.assert_allclose(w.grad.data, 3 * slope * h.data)
    np.testing.assert_allclose(x.grad.data, 9 * slope * w.data * 2)


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="checkpoint: item 0 of rng is int; pass a generator, or a list"):
        mg.checkpoint(mg.exp, leaf(2), rng=[3])
    with pytest.raises(ArgumentError, match="checkpoint: f is None; pass a function, or a module"):
        mg.checkpoint(None, leaf(2))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ArgumentError, match="checkpoint: the result is NoneType; return a Tensor"):
        mg.checkpoint(lambda x: None, leaf(2))
    with pytest.raises(ArgumentError, match="checkpoint: item 1 of the result is float"):
        mg.checkpoint(lambda x: (x, 1.0), leaf(2))
