"""Schedules against PyTorch's, and their exact continuation."""

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.errors import ArgumentError, CheckpointError

LR = 0.8


def optimizer(lr: float = LR) -> optim.SGD:
    return optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=lr)


MAKE = {
    "StepLR": lambda o: optim.StepLR(o, 3, 0.5),
    "CosineLR": lambda o: optim.CosineLR(o, 10, 0.05),
    "WarmupLR": lambda o: optim.WarmupLR(o, 4, 0.25),
    "WarmupLR, StepLR": lambda o: optim.WarmupLR(o, 4, 0.25, after=optim.StepLR(o, 3, 0.5)),
    "WarmupLR, CosineLR": lambda o: optim.WarmupLR(o, 2, after=optim.CosineLR(o, 6)),
}


def theirs(name, torch_optimizer, schedules):
    if name == "StepLR":
        return schedules.StepLR(torch_optimizer, 3, 0.5)
    if name == "CosineLR":
        return schedules.CosineAnnealingLR(torch_optimizer, 10, 0.05)
    start, steps = (0.01, 2) if name.endswith("CosineLR") else (0.25, 4)
    warmup = schedules.LinearLR(torch_optimizer, start, 1.0, steps)
    if name == "WarmupLR":
        return warmup
    after = (
        schedules.StepLR(torch_optimizer, 3, 0.5)
        if name.endswith("StepLR")
        else schedules.CosineAnnealingLR(torch_optimizer, 6)
    )
    return schedules.SequentialLR(torch_optimizer, [warmup, after], [steps])


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.filterwarnings("ignore")  # torch's own, about its own order of calls
def test_equals_torch(name):
    torch = pytest.importorskip("torch")
    torch_optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=LR)
    reference = theirs(name, torch_optimizer, torch.optim.lr_scheduler)
    ours = optimizer()
    schedule = MAKE[name](ours)
    for _ in range(9):
        assert ours.lr == pytest.approx(torch_optimizer.param_groups[0]["lr"], rel=1e-12)
        torch_optimizer.step()
        reference.step()
        schedule.step()


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("stop", [0, 2, 5])
def test_resume_is_exact(name, stop):
    def trace(schedule, count):
        out = []
        for _ in range(count):
            schedule.step()
            out.append(schedule.optimizer.lr)
        return out

    whole = MAKE[name](optimizer())
    trace(whole, stop)
    state, lr = whole.state_dict(), whole.optimizer.lr
    expected = trace(whole, 8)
    restored = MAKE[name](optimizer(0.3))
    restored.load_state_dict(state)
    assert restored.optimizer.lr == lr
    assert trace(restored, 8) == expected
    with pytest.raises(CheckpointError, match="expected"):
        restored.load_state_dict({"best": 1.0})


def test_cosine_stays_at_its_end():
    ours = optimizer()
    schedule = optim.CosineLR(ours, 3, 0.1)
    for _ in range(7):
        schedule.step()
    assert ours.lr == 0.1


METRICS = [5, 4, 4, 4, 4.0001, 3.9999, 3, 3, 3, 3, 3, 3, np.nan, np.inf, 3, 2, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("options", [{}, {"patience": 0}, {"patience": 2, "cooldown": 2, "min_lr": 0.05}])
def test_plateau_equals_torch(mode, options):
    torch = pytest.importorskip("torch")
    torch_optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=LR)
    options = {"patience": 1, "factor": 0.5, **options}
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(torch_optimizer, mode, **options)
    ours = optimizer()
    schedule = optim.ReduceLROnPlateau(ours, mode, **options)
    for i, metric in enumerate(METRICS):
        if i == 9:  # saved and restored on the way
            state, lr = schedule.state_dict(), ours.lr
            ours = optimizer(lr)
            schedule = optim.ReduceLROnPlateau(ours, mode, **options)
            schedule.load_state_dict(state)
        reference.step(metric)
        schedule.step(metric)
        assert ours.lr == pytest.approx(torch_optimizer.param_groups[0]["lr"], rel=1e-12)
    assert ours.lr < LR / 2


@pytest.mark.parametrize(
    "make",
    [
        lambda o: optim.StepLR(o, 0),
        lambda o: optim.StepLR(o, True),
        lambda o: optim.StepLR(o, 2, 0),
        lambda o: optim.CosineLR(o, -1),
        lambda o: optim.CosineLR(o, 5, 1.0),
        lambda o: optim.WarmupLR(o, 0),
        lambda o: optim.WarmupLR(o, 5, 1.5),
        lambda o: optim.WarmupLR(o, 5, after=optim.StepLR(optimizer(), 1)),
        lambda o: optim.ReduceLROnPlateau(o, "least"),
        lambda o: optim.ReduceLROnPlateau(o, factor=1.0),
        lambda o: optim.ReduceLROnPlateau(o, patience=-1),
    ],
)
def test_bad_options(make):
    with pytest.raises(ArgumentError, match="LR"):
        make(optimizer())
