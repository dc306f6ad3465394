"""The schedules that are PyTorch's by name, over their whole course, with two groups; and their states."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.errors import ArgumentError, CheckpointError
from minigen.training import checkpoint

STEPS = 24
Made = Callable[[Any, Any], Any]  # (schedules, optimizer) → a schedule

MAKE: dict[str, Made] = {
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [9, 3, 3, 20], 0.5),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "LinearLR": lambda s, o: s.LinearLR(o),
    "LinearLR down": lambda s, o: s.LinearLR(o, 1.0, 0.1, 10),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 10, 2.0),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + t)),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4),
    "longer restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, max_lr=1.5 if s is optim else [1.5, 0.15], total_steps=STEPS + 1),
    "OneCycleLR linear": lambda s, o: s.OneCycleLR(
        o, max_lr=1.5 if s is optim else [1.5, 0.15], total_steps=30, pct_start=0.5, anneal_strategy="linear",
        cycle_momentum=False, div_factor=10, final_div_factor=100,
    ),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=5), s.ExponentialLR(o, 0.8), s.StepLR(o, 2, 0.5)], [5, 15]
    ),
    "constant, then linear": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 99), s.LinearLR(o, 1.0, 0.2, 6)], [4]),
}  # fmt: skip
each_schedule = pytest.mark.parametrize("name", MAKE)


def ours(kind: str = "Adam", lr: float = 0.8) -> optim.Optimizer:
    first, second = (mg.tensor([1.0], requires_grad=True) for _ in range(2))
    return getattr(optim, kind)([{"params": [first]}, {"params": [second], "lr": lr / 10}], lr=lr)


def theirs(torch: Any, kind: str = "Adam") -> Any:
    first, second = (torch.ones(1, requires_grad=True) for _ in range(2))
    return getattr(torch.optim, kind)([{"params": [first]}, {"params": [second], "lr": 0.08}], lr=0.8)


@each_schedule
@pytest.mark.filterwarnings("ignore")  # torch's own, about its order of calls
def test_equals_torch(name: str):
    torch = pytest.importorskip("torch")
    optimizer, reference = ours(), theirs(torch)
    schedule, expected = MAKE[name](optim, optimizer), MAKE[name](torch.optim.lr_scheduler, reference)
    for _ in range(STEPS):
        found = schedule.get_last_lr()
        np.testing.assert_allclose(found, [g["lr"] for g in reference.param_groups], rtol=1e-9, atol=1e-15)
        assert found == [group["lr"] for group in optimizer.param_groups]
        np.testing.assert_allclose(
            [group["betas"][0] for group in optimizer.param_groups], [g["betas"][0] for g in reference.param_groups]
        )
        reference.step()
        expected.step()
        schedule.step()


def test_one_cycle_turns_the_momentum_of_sgd():
    torch = pytest.importorskip("torch")
    optimizer, reference = ours("SGD"), theirs(torch, "SGD")
    schedule = optim.OneCycleLR(optimizer, 1.0, 10)
    expected = torch.optim.lr_scheduler.OneCycleLR(reference, [1.0, 0.1], 10)
    for _ in range(9):
        assert optimizer.param_groups[1]["momentum"] == pytest.approx(reference.param_groups[1]["momentum"])
        reference.step()
        expected.step()
        schedule.step()


def test_one_cycle_that_turns_momentum_on_goes_on_from_a_checkpoint(tmp_path: Path):
    def run(optimizer: optim.Optimizer, schedule: optim.OneCycleLR) -> list[float]:
        for p in optimizer.parameters:
            p.grad = p.detach() * 1.0
        optimizer.step()
        schedule.step()
        return [p.item() for p in optimizer.parameters]

    whole, again = ours("SGD"), ours("SGD")
    schedule = optim.OneCycleLR(whole, 0.5, 10)
    run(whole, schedule)
    checkpoint.save(tmp_path / "c", {"optimizer": whole, "schedule": schedule}, 1)
    other = optim.OneCycleLR(again, 0.5, 10)
    for p, q in zip(whole.parameters, again.parameters, strict=True):
        np.copyto(q.data, p.data)
    checkpoint.load(tmp_path / "c", {"optimizer": again, "schedule": other})
    assert [run(whole, schedule) for _ in range(3)] == [run(again, other) for _ in range(3)]


@each_schedule
@pytest.mark.parametrize("stop", [0, 2, 7])
def test_resume_is_exact(name: str, stop: int):
    def trace(schedule: Any, count: int) -> list[Any]:
        seen = []
        for _ in range(count):
            schedule.step()
            seen.append([(group["lr"], group["betas"]) for group in schedule.optimizer.param_groups])
        return seen

    whole = MAKE[name](optim, ours())
    trace(whole, stop)
    state, optimizer_state = whole.state_dict(), whole.optimizer.state_dict()
    expected = trace(whole, 10)
    again = MAKE[name](optim, ours(lr=0.3))
    again.optimizer.load_state_dict(optimizer_state)
    again.load_state_dict(state)
    assert trace(again, 10) == expected
    with pytest.raises(CheckpointError, match="expected"):
        again.load_state_dict({"t": 1})


def test_a_sequence_with_other_schedules_is_refused_and_changes_nothing():
    optimizer = ours()
    schedule = MAKE["SequentialLR"](optim, optimizer)
    schedule.step()
    state, lr = schedule.state_dict(), optimizer.lr
    for wrong in ({**state, "schedulers": []}, {**state, "schedulers": [state["schedulers"][0], {}, {}]}):
        with pytest.raises(CheckpointError, match=r"saved"):
            schedule.load_state_dict(wrong)
    assert (optimizer.lr, schedule.t) == (lr, 1)


def test_a_new_schedule_starts_from_the_lr_that_there_is():
    """Only the first value of a schedule made just now is looked through."""
    optimizer = ours()
    first = optim.LinearLR(optimizer, 0.5)
    assert optimizer.lr == 0.4
    assert optim.ExponentialLR(optimizer, 0.5).base_lr == 0.8
    optimizer.lr = 0.4  # which is meant, although the schedule has set the same
    assert optim.ExponentialLR(optimizer, 0.5).base_lr == 0.4
    first.step()
    assert optim.ExponentialLR(optimizer, 0.5).base_lr == optimizer.lr != 0.8


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda o: optim.ExponentialLR(o, 0.5), "ExponentialLR(gamma=0.5, base_lr=0.8, t=0, lr=0.8)"),
        (lambda o: optim.MultiStepLR(o, [2]), "MultiStepLR(milestones=[2], gamma=0.1, base_lr=0.8, t=0, lr=0.8)"),
        (
            lambda o: optim.ReduceLROnPlateau(o, patience=3),
            "ReduceLROnPlateau(mode='min', factor=0.1, patience=3, threshold=0.0001, cooldown=0, min_lr=0, best=inf, "
            "waited=0, lr=0.8)",
        ),
    ],
)
def test_repr(make: Any, words: str):
    assert repr(make(ours())) == words


def test_the_metric_of_a_plateau_may_be_a_tensor():
    optimizer = ours()
    schedule: Any = optim.ReduceLROnPlateau(optimizer, patience=0)
    for metric in (mg.tensor(1.0, requires_grad=True), mg.tensor([1.0]), np.float32(2.0)):
        schedule.step(metric)
    assert schedule.get_last_lr() == pytest.approx([0.008, 0.0008])
    with pytest.raises(ArgumentError, match="pass one number"):
        schedule.step("1.0")


OTHER = ours()
FREE: Any = optim  # whose options no type checker looks at


@pytest.mark.parametrize(
    "make",
    [
        lambda o: FREE.MultiStepLR(o, 3),
        lambda o: FREE.MultiStepLR(o, [1.5]),
        lambda o: FREE.ExponentialLR(o, 0),
        lambda o: FREE.LinearLR(o, -0.1),
        lambda o: FREE.PolynomialLR(o, 0),
        lambda o: FREE.LambdaLR(o, 0.5),
        lambda o: FREE.LambdaLR(o, lambda t: -1),
        lambda o: FREE.CosineAnnealingWarmRestarts(o, 0),
        lambda o: FREE.OneCycleLR(o, 0, 10),
        lambda o: FREE.OneCycleLR(o, 1.0, 1),
        lambda o: FREE.OneCycleLR(o, 1.0, 10, pct_start=2),
        lambda o: FREE.OneCycleLR(o, 1.0, 10, anneal_strategy="cosine"),
        lambda o: FREE.OneCycleLR(ours("Adagrad"), 1.0, 10),
        lambda o: FREE.SequentialLR(o, [], []),
        lambda o: FREE.SequentialLR(o, [FREE.StepLR(o, 1)], [1]),
        lambda o: FREE.SequentialLR(o, [FREE.ReduceLROnPlateau(o)], []),
        lambda o: FREE.SequentialLR(o, [FREE.StepLR(OTHER, 1)], []),
        lambda o: FREE.WarmupLR(o, 1, after="cosine"),
        lambda o: FREE.StepLR(OTHER.parameters, 1),
    ],
)
def test_bad_options(make: Any):
    with pytest.raises(ArgumentError, match=r"LR|Restarts"):
        make(ours())
