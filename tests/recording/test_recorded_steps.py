"""A recorded step and the same step unrecorded, side by side: every bit of results, parameters, moments and draws."""

import cProfile
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from recorded_world import Step, World, batches, side_by_side, training, values

import minigen as mg
from minigen import layers, optim
from minigen.autograd.observe import Observer, observe
from minigen.errors import DataError
from minigen.random import generator


def test_a_step_of_training() -> None:
    step = side_by_side(training).step
    assert step.problem is None and step.repeated == 6 and step.__name__ == "step"


def test_shapes_have_lists_of_their_own() -> None:
    data = [batch for pair in zip(batches(5), batches(5, 7), strict=True) for batch in pair]
    step = side_by_side(training, data).step
    assert step.problem is None and len(step.forms) == 2 and step.repeated == 6


@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
def test_arrays_that_lie_otherwise(order: str) -> None:
    def laid(x: np.ndarray) -> np.ndarray:
        if order == "F":
            return np.asfortranarray(x)
        if order == "strided":
            return np.repeat(x, 2, 1)[:, ::2]
        return x[::-1].copy()[::-1] if order == "reversed" else x

    assert side_by_side(training, [(laid(x), y) for x, y in batches()]).step.repeated == 6


def test_tensors_as_arguments_and_numbers_that_stay() -> None:
    def make(world: World) -> Step:
        def step(pair: Any, scale: float, *, shift: float) -> Any:
            loss = (world.model(pair[0]) * scale + shift).mean()
            world.optimizer.zero_grad()
            loss.backward()
            world.optimizer.step()
            return [loss, (loss * 2.0).detach()]

        return lambda x, y: step((mg.tensor(x), y), 0.5, shift=1.0)

    assert side_by_side(make).step.repeated == 6


def written(weight: mg.Tensor) -> None:
    with mg.no_grad():
        weight.copy_(np.ones(weight.shape, np.float32))


@pytest.mark.parametrize(
    "change",
    [
        lambda world, i: world.model.train(i % 4 != 3),
        lambda world, i: setattr(world.optimizer, "lr", 1e-2 * 0.9**i),
        lambda world, i: i == 4 and world.model.load_state_dict(World(training, False).model.state_dict()),
        lambda world, i: i == 4 and setattr(world.model[0].weight, "data", np.ones((6, 8), np.float32)),
        lambda world, i: i == 4 and written(world.model[0].weight),
        lambda world, i: world.model[0].weight.requires_grad_(i not in (3, 4)),
        lambda world, i: i == 4 and world.optimizer.load_state_dict(World(training, False).optimizer.state_dict()),
        lambda world, i: i == 5 and world.model.zero_grad(),
        lambda world, i: setattr(world.model[3], "p", 0.25 if i > 4 else 0.5),
        lambda world, i: world.rng.random(i),
        lambda world, i: i == 4 and setattr(world.model[1], "momentum", 0.5),
    ],
    ids=["mode", "lr", "load", "data", "copy_", "freeze", "moments", "zero", "p", "draws", "momentum"],
)
def test_what_changes_between_calls(change: Callable[[World, int], Any]) -> None:
    step = side_by_side(training, batches(12), change).step
    assert step.problem is None and step.repeated >= 4


def test_a_gradient_that_somebody_holds_keeps_its_values() -> None:
    world, kept = World(training, True), []
    for x, y in batches(8):
        world.step(x, y)
        g = world.model[0].weight.grad
        kept.append((g, g.data.copy()))
    for g, values_then in kept:
        assert (g.data == values_then).all()


def test_gradients_that_add_up_over_calls() -> None:
    def make(world: World) -> Step:
        def step(x: np.ndarray, y: np.ndarray) -> mg.Tensor:
            loss = mg.cross_entropy(world.model(mg.tensor(x)), y)
            loss.backward()
            return loss

        return step

    def update(world: World, i: int) -> None:
        if i and i % 3 == 0:
            world.optimizer.step()
            world.optimizer.zero_grad()

    step = side_by_side(make, batches(16), update).step
    assert step.problem is None and step.repeated > 3


def test_without_an_optimizer_gradients_are_new_tensors() -> None:
    w = mg.tensor(np.ones(3, np.float32), requires_grad=True)

    @mg.record
    def step(x: np.ndarray) -> mg.Tensor:
        loss = (w * mg.tensor(x)).sum()
        loss.backward()
        return loss

    kept = []
    for i in range(6):
        w.grad = None
        step(np.full(3, i, np.float32))
        kept.append(w.grad)
    assert step.repeated == 4 and [g.data.tolist() for g in kept] == [[float(i)] * 3 for i in range(6)]


def test_a_function_of_the_user_is_called_again() -> None:
    class Cube(mg.Function):
        def forward(self, x: np.ndarray) -> np.ndarray:
            self.save_inputs(0)
            return x**3 if x.sum() > 0 else -(x**3)

        def backward(self, gy: mg.Tensor) -> tuple[mg.Tensor, ...]:
            x = self.saved_input(0)
            return (gy * x * x * 3.0 if x.data.sum() > 0 else gy * x * x * -3.0,)

    def make(world: World) -> Step:
        def step(x: np.ndarray, y: np.ndarray) -> mg.Tensor:
            loss = Cube()(world.model(mg.tensor(x)) * 0.1).mean()
            world.optimizer.zero_grad()
            loss.backward()
            world.optimizer.step()
            return loss

        return step

    step = side_by_side(make, batches(16)).step
    assert step.problem is None and step.repeated == 14


def test_second_order_and_draws() -> None:
    def make(world: World) -> Step:
        def step(x: np.ndarray, y: np.ndarray) -> Any:
            share = mg.rand(len(x), 1, rng=world.rng)
            between = (share * mg.tensor(x) + (1.0 - share) * mg.randn(*x.shape, rng=world.rng)).detach()
            between.requires_grad_()
            (g,) = mg.grad(world.model(between).sum(), [between], create_graph=True)
            penalty = ((((g * g).sum(1) + 1e-12).sqrt() - 1.0) ** 2).mean()
            world.optimizer.zero_grad()
            penalty.backward()
            world.optimizer.step()
            return penalty, mg.randint(0, 5, (3,), rng=world.rng), mg.randperm(4, rng=world.rng)

        return step

    step = side_by_side(make).step
    assert step.problem is None and step.repeated == 6


def test_labels_out_of_range_raise_as_in_a_plain_step() -> None:
    recorded, plain = World(training, True), World(training, False)
    for i, (x, y) in enumerate(batches(8)):
        for world in (recorded, plain):
            if i == 5:
                with pytest.raises(DataError, match=r"labels hold [345]"):
                    world.step(x, y + 3)
            world.step(x, y)
        assert all((a == b).all() for a, b in zip(recorded.state(), plain.state(), strict=True))
    assert recorded.step.problem is None and recorded.step.repeated == 6


def test_when_somebody_listens_the_step_runs_as_it_is() -> None:
    world, heard = World(training, True), []

    class Names(Observer):
        def function_ends(self, node: mg.Function, inputs: Any, outputs: Any) -> None:
            heard.append(node.name)

    for x, y in batches(4):
        world.step(x, y)
    with observe(Names()):
        world.step(*batches()[0])
    assert "CrossEntropy" in heard and world.step.repeated == 2


def test_under_a_profiler_nothing_is_noted() -> None:
    profiler = cProfile.Profile()
    plain, recorded = World(training, False), World(training, True)
    for i, batch in enumerate(batches()):
        if i in (0, 3):
            profiler.enable()
        assert values(plain.step(*batch)) == values(recorded.step(*batch)), i
        profiler.disable()
    assert recorded.step.problem is None and recorded.step.repeated == 5


def test_a_recorded_step_inside_another_and_methods() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.world = World(training, False)
            self.inner = mg.record(self.world.plain)

        @mg.record
        def step(self, x: np.ndarray, y: np.ndarray) -> Any:
            return self.inner(x, y)

    trainer, plain = Trainer(), World(training, False)
    for x, y in batches():
        assert values(trainer.step(x, y)) == values(plain.step(x, y))
    assert Trainer.step.problem is None and Trainer.step.repeated == 6


def test_two_threads() -> None:
    world, plain = World(training, True), World(training, False)
    for x, y in batches(3):
        world.step(x, y)
        plain.step(x, y)
    results: list[Any] = []
    for x, y in batches(8)[3:]:
        thread = threading.Thread(target=lambda x=x, y=y: results.append(world.step(x, y)))
        thread.start()
        thread.join()
        assert values(results[-1]) == values(plain.step(x, y))
    assert world.step.repeated == 6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_generating_under_no_grad(dtype: Any) -> None:
    rng = generator(0)
    lstm, out = layers.LSTM(4, 8, 2, rng=rng).astype(dtype), layers.Linear(8, 4, rng=rng).astype(dtype)

    def advance(x: np.ndarray, state: Any) -> Any:
        y, after = lstm(mg.tensor(x), state)
        return mg.softmax(out(y[:, -1])), after

    recorded, ours, theirs = mg.record(advance), None, None
    with mg.no_grad():
        for x in rng.normal(size=(8, 2, 1, 4)).astype(dtype):
            p, ours = recorded(x, ours)
            q, theirs = advance(x, theirs)
            assert values((p, *ours)) == values((q, *theirs))
    assert recorded.problem is None and recorded.repeated == 5


def test_the_numpy_kernels_and_the_public_numba_are_repeated_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for threads in (1, 2):
            monkeypatch.setattr(mg.config, "threads", threads)
            assert side_by_side(training).step.repeated == 6


def test_a_schedule_an_average_and_the_models_own_zero_grad() -> None:
    extras: dict[int, tuple[optim.EMA, optim.CosineLR]] = {}

    def make(world: World) -> Step:
        ema, schedule = optim.EMA(world.model, 0.9), optim.CosineLR(world.optimizer, 20)
        extras[id(world)] = ema, schedule

        def step(x: np.ndarray, y: np.ndarray) -> mg.Tensor:
            world.model.zero_grad()
            loss = mg.cross_entropy(world.model(mg.tensor(x)), y)
            loss.backward()
            world.optimizer.step()
            schedule.step()
            ema.update()
            return loss

        return step

    world = side_by_side(make)
    assert world.step.problem is None and world.step.repeated == 6
    (ours, _), (theirs, _) = extras[id(world)], next(pair for key, pair in extras.items() if key != id(world))
    assert all((ours.weights[name] == theirs.weights[name]).all() for name in ours.weights)


def test_a_checkpointed_stretch() -> None:
    def make(world: World) -> Step:
        def step(x: np.ndarray, y: np.ndarray) -> mg.Tensor:
            h = mg.checkpoint(world.model[0], mg.tensor(x))
            loss = mg.cross_entropy(world.model[4](mg.relu(h)), y)
            world.optimizer.zero_grad()
            loss.backward()
            world.optimizer.step()
            return loss

        return step

    step = side_by_side(make).step
    assert step.problem is not None or step.repeated == 6


def test_what_a_step_makes_is_let_go_while_notes_are_taken() -> None:
    rng = generator(0)
    weight = mg.randn(4, 4, rng=rng).requires_grad_()

    @mg.record
    def step(x: np.ndarray) -> mg.Tensor:
        y = mg.tensor(x) @ weight
        for _ in range(20):
            y = mg.tanh(y)
        loss = (y * y).sum()
        loss.backward()
        return loss

    step(np.ones((3, 4), np.float32))
    (variant,) = next(iter(step.forms.values()))
    assert step.problem is None and variant.notes is not None
    assert [id(leaf) for leaf in variant.notes.leaves.values()] == [id(weight)]
