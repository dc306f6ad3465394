"""Groups of parameters beside PyTorch's, their options, ratios of learning rates, and their states."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError, CheckpointError

SHAPES = [(3, 4), (), (5,), (2, 1, 3), (0,)]
FIRST = [1, 3]  # the parameters of the first group
CASES: list[tuple[str, dict, dict]] = [
    ("SGD", {"momentum": 0.9}, {"lr": 0.3, "weight_decay": 0.1}),
    ("SGD", {}, {"momentum": 0.5, "nesterov": True}),
    ("RMSprop", {"alpha": 0.9}, {"lr": 0.2, "momentum": 0.5}),
    ("Adagrad", {}, {"eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {}, {"betas": (0.5, 0.6), "lr": 0.01}),
    ("AdamW", {"weight_decay": 0.3}, {"weight_decay": 0.0}),
]
each_case = pytest.mark.parametrize(("kind", "options", "own"), CASES)


def arrays(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape)) for shape in SHAPES]


def tensors() -> list[Tensor]:
    return [mg.tensor(array, requires_grad=True) for array in arrays(0)]


def grouped(parameters: list, own: dict) -> list[dict]:
    rest = [p for i, p in enumerate(parameters) if i not in FIRST]
    return [{"params": [parameters[i] for i in FIRST], **own}, {"params": rest}]


def run(optimizer: optim.Optimizer, parameters: list[Tensor], seeds: Any, skip: int = 3) -> None:
    for seed in seeds:
        optimizer.zero_grad()
        for i, (p, g) in enumerate(zip(parameters, arrays(seed), strict=True)):
            if (seed + i) % skip:
                (p * g).sum().backward()
        optimizer.step()


@each_case
def test_equals_torch(kind: str, options: dict, own: dict):
    torch = pytest.importorskip("torch")
    ours, theirs = tensors(), [torch.tensor(array, requires_grad=True) for array in arrays(0)]
    optimizer = getattr(optim, kind)(grouped(ours, own), lr=0.05, **options)
    reference = getattr(torch.optim, kind)(grouped(theirs, own), lr=0.05, **options)
    for seed in range(1, 12):
        run(optimizer, ours, [seed])
        for i, (q, g) in enumerate(zip(theirs, arrays(seed), strict=True)):
            q.grad = torch.tensor(g) if (seed + i) % 3 else None
        reference.step()
        for groups in (optimizer.param_groups, reference.param_groups):
            groups[0]["lr"] *= 0.9
            groups[1]["weight_decay"] = 0.01 * seed
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11)


@each_case
def test_resume_is_exact(kind: str, options: dict, own: dict):
    whole, parts = tensors(), tensors()
    optimizer = getattr(optim, kind)(grouped(whole, own), lr=0.05, **options)
    run(optimizer, whole, range(1, 4))
    optimizer.param_groups[0]["lr"] = 0.02
    optimizer.lr, optimizer.weight_decay = 0.07, 0.25
    state = optimizer.state_dict()
    for p, q in zip(whole, parts, strict=True):
        q.data = p.data.copy()
    other = getattr(optim, kind)(grouped(parts, own), lr=0.01, **options)
    group = other.param_groups[0]
    other.load_state_dict(pickle.loads(pickle.dumps(state)))
    assert other.param_groups[0] is group
    for one, its in ((optimizer, whole), (other, parts)):
        run(one, its, range(4, 6))
        one.lr = 0.03
        run(one, its, range(6, 8))
    assert [p.tolist() for p in whole] == [p.tolist() for p in parts]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_are_of_the_same_groups(duplicate: Any):
    parameters = tensors()
    optimizer = optim.AdamW(grouped(parameters, {"lr": 0.2}), no_decay=[parameters[3], parameters[2]])
    run(optimizer, parameters, [1, 2])
    optimizer.lr = 0.1
    twins, twin = duplicate((parameters, optimizer))
    assert {id(p) for group in twin.param_groups for p in group["params"]} == {id(p) for p in twins}
    for one, its in ((optimizer, parameters), (twin, twins)):
        one.lr = 0.05
        run(one, its, [3, 4])
    assert [p.tolist() for p in twins] == [p.tolist() for p in parameters]
    twin.param_groups[1]["eps"] = 1e-2
    assert optimizer.param_groups[1]["eps"] == 1e-8


def test_added_parameters_start_anew():
    torch = pytest.importorskip("torch")
    ours, theirs = tensors(), [torch.tensor(array, requires_grad=True) for array in arrays(0)]
    optimizer = optim.Adam(ours[:2], lr=0.05, betas=(0.5, 0.9))
    reference = torch.optim.Adam(theirs[:2], lr=0.05, betas=(0.5, 0.9))
    for seed in range(1, 9):
        if seed == 4:
            optimizer.add_param_group({"params": ours[2:], "lr": 0.01})
            reference.add_param_group({"params": theirs[2:], "lr": 0.01})
        run(optimizer, ours, [seed], skip=100)
        for q, g in zip(theirs, arrays(seed), strict=True):
            q.grad = torch.tensor(g)
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11)


def test_the_optimizers_rate_keeps_the_ratios_also_through_zero():
    parameters = tensors()
    groups = [{"params": parameters[:1]}, {"params": parameters[1:3], "lr": 1e-4}, {"params": parameters[3:], "lr": 0}]
    optimizer = optim.Adam(groups, lr=1e-3)

    def rates() -> list[float]:
        return [group["lr"] for group in optimizer.param_groups]

    optimizer.lr = 0.0
    optimizer.lr = 2e-3
    assert optimizer.lr == 2e-3 and rates() == pytest.approx([2e-3, 2e-4, 0], rel=1e-15)
    optimizer.param_groups[1]["lr"] = 4e-3
    optimizer.lr = 1e-3
    assert rates() == pytest.approx([1e-3, 2e-3, 0], rel=1e-15)
    for group in optimizer.param_groups:  # the way of PyTorch
        group["lr"] = 0.5
    optimizer.lr = 0.25
    assert rates() == [0.25, 0.25, 0.25]


def test_the_first_rate_that_is_not_zero_leads():
    parameters = tensors()
    optimizer = optim.SGD([{"params": parameters[:2], "lr": 0.0}, {"params": parameters[2:]}], lr=0.4)
    schedule = optim.StepLR(optimizer, 1, 0.5)
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.0, 0.2]


@pytest.mark.parametrize("kind", ["StepLR", "CosineLR", "WarmupLR"])
def test_schedules_keep_the_ratios(kind: str):
    parameters = tensors()
    optimizer = optim.SGD([{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.1}], lr=0.4)
    schedule = getattr(optim, kind)(optimizer, 3)
    for _ in range(7):
        schedule.step()
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(first / 4, rel=1e-15) and first == optimizer.lr


def test_options_are_attributes_and_stay_in_their_range():
    parameters = tensors()
    optimizer = optim.SGD(grouped(parameters, {"momentum": 0.5}), lr=0.1)
    assert optimizer.momentum == 0.5 and "momentum=0.5" in repr(optimizer) and "2 parameters" in repr(optimizer)
    optimizer.weight_decay = 0.2
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.2, 0.2]
    group: Any = optimizer.param_groups[1]
    wrong: list[tuple[Any, str]] = [
        (lambda: group.__setitem__("lr", -1), "lr is -1"),
        (lambda: group.update(momentum=2), "momentum is 2"),
        (lambda: group.__setitem__("nesterov", True), "nesterov=True needs momentum"),
        (lambda: group.__setitem__("betas", (0, 0)), "no option 'betas'; its options are lr, momentum"),
        (lambda: group.pop("lr"), "keeps all its options"),
        (lambda: group.__setitem__("params", []), "add_param_group"),
        (lambda: setattr(optimizer, "momentum", None), "momentum is None"),
    ]
    for change, message in wrong:
        with pytest.raises(ArgumentError, match=message):
            change()
    with pytest.raises(AttributeError, match="betas"):
        _ = optimizer.betas


def test_momentum_that_is_set_later_has_its_memory():
    torch = pytest.importorskip("torch")
    for kind in ("SGD", "RMSprop"):
        ours, theirs = tensors(), [torch.tensor(array, requires_grad=True) for array in arrays(0)]
        optimizer, reference = (getattr(m, kind)(ps, lr=0.05) for m, ps in ((optim, ours), (torch.optim, theirs)))
        optimizer.momentum = 0.9
        reference.param_groups[0]["momentum"] = 0.9
        for seed in range(1, 5):
            run(optimizer, ours, [seed], skip=100)
            for q, g in zip(theirs, arrays(seed), strict=True):
                q.grad = torch.tensor(g)
                if kind == "RMSprop":  # which looks for it only at the start
                    reference.state[q].setdefault("momentum_buffer", torch.zeros_like(q))
                    reference.state[q].setdefault("square_avg", torch.zeros_like(q))
                    reference.state[q].setdefault("step", torch.zeros(()))
            reference.step()
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11)


def test_groups_that_are_none():
    p, q = tensors()[:2]
    wrong: list[tuple[Any, str]] = [
        ({"params": [p]}, "got one dict"),
        ([{"lr": 0.1}], 'group 0 has no "params"'),
        ([{"params": [p]}, q], "item 1 of parameters is Tensor; pass only dicts"),
        ([{"params": [p]}, {"params": [p]}], "given twice"),
        ([{"params": [p], "weight_decy": 0.1}], "no option 'weight_decy'"),
        ([{"params": [p], "lr": -0.1}], "lr is -0.1"),
        ([{"params": "weights"}], "item 0 of params is str"),
        ([{"params": []}], "no parameters"),
        ([("scale", 3)], "item 0 of parameters is int"),
    ]
    for parameters, message in wrong:
        with pytest.raises(ArgumentError, match=message):
            optim.Adam(parameters)
    optimizer = optim.Adam([{"params": p}, {"params": []}])
    for group, message in (
        (q, "got Tensor"),
        ({"params": [p]}, "given twice"),
        ({"params": q, "lr": "x"}, "lr is 'x'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            optimizer.add_param_group(group)  # pyright: ignore[reportArgumentType]
    assert len(optimizer.param_groups) == 2 and len(optimizer.parameters) == 1


def test_the_refusal_of_another_dtype_names_the_parameter():
    p, scale = mg.tensor([1.0], requires_grad=True), mg.tensor(np.ones(2), requires_grad=True)
    with pytest.raises(ArgumentError, match=r"parameter 2, scale, \(2,\), is float64, while others are float32"):
        optim.Adam([("weight", p), ("bias", mg.tensor(1.0, requires_grad=True)), ("scale", scale)])
    with pytest.raises(ArgumentError, match=r"parameter 1, \(2,\), is float64, .*model.astype"):
        optim.Adam([p, scale])


def test_states_of_other_groups_are_refused():
    def adam(*sizes: int) -> optim.Adam:
        left = tensors()
        return optim.Adam([{"params": [left.pop(0) for _ in range(size)]} for size in sizes])

    state = adam(2, 3).state_dict()
    for sizes in ((3, 2), (5,), (2, 2, 1)):
        with pytest.raises(CheckpointError, match="groups"):
            adam(*sizes).load_state_dict(state)
    with pytest.raises(CheckpointError, match="groups"):
        adam(2, 3).load_state_dict(adam(5).state_dict())
    state["groups"][1]["eps"] = -1
    with pytest.raises(CheckpointError, match="eps is -1"):
        adam(2, 3).load_state_dict(state)


def test_a_single_group_has_the_state_it_always_had():
    parameters = tensors()
    optimizer = optim.Adam(parameters, lr=0.1)
    optimizer.lr = 0.2
    assert list(optimizer.state_dict()) == ["optimizer", "lr", "shapes", "steps", "m", "v"]
    optimizer.eps = 0.3
    other = optim.Adam(tensors())
    other.load_state_dict(optimizer.state_dict())
    assert other.eps == 0.3 and other.lr == 0.2


def test_gradients_set_to_zero_still_count():
    parameters = tensors()
    optimizer = optim.SGD(parameters, lr=0.1, momentum=0.9)
    run(optimizer, parameters, [1], skip=100)
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad is not None and not p.grad.data.any() for p in parameters)
    before = parameters[0].data.copy()
    optimizer.step()
    assert (parameters[0].data != before).all()
