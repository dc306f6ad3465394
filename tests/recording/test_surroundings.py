"""What a step reads around itself, and changes there, is seen when it changes, or refused by name."""

import collections
import functools
import itertools
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers, optim
from minigen.random import generator

pytestmark = pytest.mark.filterwarnings("ignore::minigen.advice.Advice")

BATCHES = [np.random.default_rng(i).normal(size=(4, 3)).astype(np.float32) for i in range(12)]
TEMPERATURE = mg.tensor(np.array([2.0], np.float32))
SETTINGS = types.ModuleType("settings")
SETTINGS.__dict__.update(beta=1.0)


class Model:
    """A model, its optimizer, and what a step can read."""

    gain = 1.0
    __slots__ = ("__dict__", "slot")

    def __init__(self) -> None:
        self.model: Any = layers.Sequential(
            layers.Linear(3, 4, rng=generator(0)), layers.Linear(4, 2, rng=generator(1))
        )
        self.optimizer = optim.SGD(self.model.parameters(), 0.1)
        self.schedule = optim.ExponentialLR(self.optimizer, 0.9)
        self.scale, self.slot, self.beta = 1.0, 1.0, 1.0
        self.history: list[Any] = []
        self.settings: dict[str, Any] = {"weights": [1.0, 2.0], "act": mg.relu, "list": [], "nested": {"a": {"b": 1.0}}}
        self.count = 0
        self.rng = generator(3)
        SETTINGS.__dict__.update(beta=1.0)
        Model.gain = 1.0
        if "extra" in vars(self):
            vars(self).pop("extra")

    @property
    def doubled(self) -> float:
        return self.beta * 2.0

    def factor(self) -> float:
        return self.scale

    def update(self, x: np.ndarray, factor: Any = 1.0) -> mg.Tensor:
        loss = (self.model(mg.tensor(x)) ** 2).mean() * factor
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


def state(model: Model) -> list[bytes]:
    return [p.data.tobytes() for p in model.model.parameters()]


def side_by_side(body: Callable[..., Any], between: Callable[[Model, int], Any] | None = None) -> Any:
    """Run body(model, x) plain and recorded; the recorded step, after every bit was compared."""
    steps, models, results = [], [Model(), Model()], []
    for model, record in zip(models, (False, True), strict=True):
        step = functools.partial(body, model)
        steps.append(mg.record(step) if record else step)
    for record in (False, True):  # one after the other, since classes and modules are changed, too
        model = models[record]
        model.__init__()
        run = []
        for i, x in enumerate(BATCHES):
            if between is not None:
                between(model, i)
            result = steps[record](x)
            values = result.data.tobytes() if isinstance(result, mg.Tensor) else repr(result)
            run.append((values, state(model), len(model.history), model.count))
        results.append(run)
    for i, (plain, recorded) in enumerate(zip(*results, strict=True)):
        assert plain == recorded, i
    return steps[1]


def at(i: int, change: Callable[[Model], Any]) -> Callable[[Model, int], Any]:
    return lambda model, now: change(model) if now == i else None


SEEN = {
    "a helper's attribute": (lambda m, x: m.update(x, m.factor()), lambda m: setattr(m, "scale", 3.0)),
    "a property": (lambda m, x: m.update(x, m.doubled), lambda m: setattr(m, "beta", 3.0)),
    "a class": (lambda m, x: m.update(x, m.gain), lambda m: setattr(Model, "gain", 3.0)),
    "an instance over its class": (lambda m, x: m.update(x, m.gain), lambda m: setattr(m, "gain", 3.0)),
    "a slot": (lambda m, x: m.update(x, m.slot), lambda m: setattr(m, "slot", 3.0)),
    "getattr": (lambda m, x: m.update(x, getattr(m, "beta")), lambda m: setattr(m, "beta", 3.0)),  # noqa: B009
    "hasattr": (lambda m, x: m.update(x, 3.0 if hasattr(m, "extra") else 1.0), lambda m: setattr(m, "extra", 1)),
    "a module": (lambda m, x: m.update(x, SETTINGS.beta), lambda _: setattr(SETTINGS, "beta", 3.0)),
    "the sign of zero": (lambda m, x: m.update(x, m.scale) if m.scale else mg.tensor(x) * m.scale, lambda m: None),
    "a list in a dict": (
        lambda m, x: m.update(x, m.settings["weights"][0]),
        lambda m: m.settings.update(weights=[3.0, 2.0]),
    ),
    "a function in a dict": (
        lambda m, x: m.update(m.settings["act"](mg.tensor(x))),
        lambda m: m.settings.update(act=mg.tanh),
    ),
    "a list that was empty": (
        lambda m, x: m.update(x, functools.reduce(lambda a, b: a * b, m.settings["list"], 1.0)),
        lambda m: m.settings["list"].append(3.0),
    ),
    "deep inside": (
        lambda m, x: m.update(x, m.settings["nested"]["a"]["b"]),
        lambda m: m.settings["nested"]["a"].update(b=3.0),
    ),
    "the length of a list": (
        lambda m, x: m.update(x, float(len(m.settings["list"]) + 1)),
        lambda m: m.settings["list"].append(mg.tensor([1.0])),
    ),
    "a layer that is added": (lambda m, x: m.update(x), lambda m: m.model.append(layers.Tanh())),
    "a hook": (lambda m, x: m.update(x), lambda m: m.model[0].register_forward_hook(lambda a, b, y: y * 2.0)),
    "a hook before": (
        lambda m, x: m.update(x),
        lambda m: m.model[0].register_forward_pre_hook(lambda _, given: (given[0] * 2.0,)),
    ),
    "a hook of a leaf": (lambda m, x: m.update(x), lambda m: m.model[0].bias.register_hook(lambda g: g * 2.0)),
    "a forward": (
        lambda m, x: m.update(x),
        lambda m: setattr(m.model[0], "forward", lambda x: mg.concatenate([mg.tensor(x)[:, :2] * 2] * 2, axis=1)),
    ),
    "a step": (lambda m, x: m.update(x), lambda m: setattr(m.optimizer, "step", lambda: None)),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_changes_around_a_step_is_seen(name: str) -> None:
    body, change = SEEN[name]
    step = side_by_side(body, at(6, change))
    assert step.repeated >= 4


REFUSED = {
    "a norm times two": (
        lambda m, x: (m.update(x), optim.clip_grad_norm(m.optimizer, 1.0) * 2)[1],
        "is used in Python",
    ),
    "a norm as int": (lambda m, x: (m.update(x), int(optim.clip_grad_norm(m.optimizer, 1.0)))[1], "is used in Python"),
    "a norm compared": (lambda m, x: (m.update(x), optim.clip_grad_norm(m.optimizer, 1.0) > 1)[1], "is used in Python"),
    "a norm as limit": (
        lambda m, x: (m.update(x), optim.clip_grad_norm(m.optimizer, optim.clip_grad_norm(m.optimizer, 9.0)))[0],
        "is used in Python",
    ),
    "a norm in a tensor": (
        lambda m, x: (m.update(x), mg.tensor(optim.clip_grad_norm(m.optimizer, 1.0)))[1],
        "made in NumPy, or elsewhere|is used in Python",
    ),
    "lr": (lambda m, x: (m.update(x), m.schedule.step(), m.optimizer.lr)[2], "an optimizer's lr is read"),
    "lr of the loss": (lambda m, x: m.update(x, m.optimizer.lr), "an optimizer's lr is read"),
    "last lr": (lambda m, x: (m.schedule.step(), m.update(x, m.schedule.get_last_lr()[0]))[1], "param_groups are read"),
    "weights": (
        lambda m, x: m.update(x, float(np.sum([(v**2).sum() for v in m.model.state_dict().values()]))),
        r"values are read: state_dict\(\)",
    ),
    "data of a global": (lambda m, x: m.update(x, float(TEMPERATURE.data.mean())), r"reads a value: \.data"),
    "an iterator": (lambda m, x: m.update(x, float(next(m.numbers))), "an iterator|next is called"),
    "a loop over an iterator": (lambda m, x: m.update(x, float(*itertools.islice(m.numbers, 1))), "an iterator"),
    "history": (lambda m, x: (m.history.append(1.0), m.update(x))[1], "append is called"),
    "a branch that is never taken": (lambda m, x: m.update(x, x.item() if len(x) == 1 else 1.0), None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_go_stale_is_refused(name: str) -> None:
    body, reason = REFUSED[name]
    step = side_by_side(body, lambda model, i: setattr(model, "numbers", itertools.count(i)))
    assert (step.problem is None) == (reason is None)
    if reason is not None:
        assert re.search(reason, step.problem)


class Counted:
    """An instance that is called, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: np.ndarray) -> mg.Tensor:
        self.calls += 1
        return mg.tensor(x) * 2.0


def test_an_instance_that_counts_its_calls() -> None:
    counted = Counted()
    step = mg.record(counted)
    for x in BATCHES:
        step(x)
    assert counted.calls == len(BATCHES) and "sets the attribute calls" in str(step.problem)


def test_a_list_and_an_array_around_the_step_that_grow_in_place() -> None:
    history, total = [0], np.zeros(3, np.float32)

    def grows(x: np.ndarray) -> mg.Tensor:
        h = history
        h += [1]
        return mg.tensor(x) * 2.0

    def adds(x: np.ndarray) -> mg.Tensor:
        np.add(total, 1, out=total)
        return mg.tensor(x) * 2.0

    for body in (grows, adds):
        step = mg.record(body)
        for x in BATCHES:
            step(x)
        assert step.problem is not None
    assert len(history) == len(BATCHES) + 1 and (total == len(BATCHES)).all()


@pytest.mark.parametrize(
    "write",
    [
        lambda a: a.__setitem__(0, 7.0),
        lambda a: a.fill(3.0),
        lambda a: np.copyto(a, 5.0),
        lambda a: np.add(a, 1, out=a),
        lambda a: a.__iadd__(1),
    ],
)
def test_what_a_step_writes_into_its_arguments_is_there(write: Callable[[np.ndarray], Any]) -> None:
    def body(x: np.ndarray) -> mg.Tensor:
        write(x)
        return mg.tensor(x) * 1.0

    step, ours, theirs = mg.record(body), np.zeros(3, np.float32), np.zeros(3, np.float32)
    for _ in range(4):
        assert (step(ours).data == body(theirs).data).all() and (ours == theirs).all()
    assert step.problem is not None


def test_containers_that_are_written_to() -> None:
    def fills(x: np.ndarray, out: dict[str, Any], kept: list[Any]) -> mg.Tensor:
        out["calls"] = out.get("calls", 0) + 1
        kept.append(x)
        return mg.tensor(x) * 1.0

    step, out, kept = mg.record(fills), {}, []
    for x in BATCHES[:4]:
        step(x, out, kept)
    assert out["calls"] == 4 and len(kept) == 4 and step.problem is not None


def test_arguments_with_gradients_and_those_that_are_parameters() -> None:
    layer = layers.Linear(3, 2, rng=generator(0))
    for argument in (layer.weight, layer.weight.detach(), layer.weight.data, (layer(BATCHES[0]) * 1.0)):
        step = mg.record(lambda w: (layer.weight * 1.0).sum().detach() + mg.tensor(w).sum())
        for _ in range(4):
            step(argument)
        assert step.repeated == 0 and step.problem is not None


def test_the_same_array_twice_and_forms_that_look_alike() -> None:
    step = mg.record(lambda x, y: mg.tensor(x) * (2.0 if x is y else 3.0))
    for x in BATCHES[:6]:
        assert (step(x, x).data == x * np.float32(2)).all() and (step(x, x.copy()).data == x * np.float32(3)).all()
    named = mg.record(lambda x, d=None, y=None: mg.tensor(x) * (2.0 if y is not None else 3.0))
    for x in BATCHES[:4]:
        assert (named(x, {"y": x}).data == x * np.float32(3)).all() and (named(x, y=x).data == x * np.float32(2)).all()
    signed = mg.record(lambda s: 1.0 / mg.tensor(s))
    with np.errstate(divide="ignore"):
        for _ in range(4):
            assert signed(np.float32(0.0)).item() == np.inf and signed(np.float32(-0.0)).item() == -np.inf
    changing = mg.record(lambda x, s: mg.tensor(x) * mg.tensor(s))
    for i, x in enumerate(BATCHES):
        assert (changing(x, np.float32(i)).data == x * np.float32(i)).all()
    assert changing.problem is None and changing.repeated == len(BATCHES) - 2


@dataclass
class Batch:
    x: np.ndarray
    notes: dict[str, Any] = field(default_factory=dict)


class Lookup(dict):
    def __getattr__(self, name: str) -> Any:
        return self[name]


def test_containers_of_other_kinds_are_passed_as_they_are() -> None:
    pair = collections.namedtuple("pair", "x y")
    cases: list[tuple[Callable[..., Any], Callable[[np.ndarray], Any]]] = [
        (lambda b: mg.tensor(b.x) * 2.0, lambda x: pair(x, x)),
        (lambda b: mg.tensor(b.x) * 2.0, lambda x: Lookup(x=x)),
        (lambda b: mg.tensor(b.x) * 2.0, Batch),
    ]
    for body, make in cases:
        step = mg.record(body)
        for x in BATCHES:
            assert (step(make(x)).data == x * np.float32(2)).all()
    masked = mg.record(lambda x: mg.tensor(x) * 2.0)
    with pytest.raises(mg.errors.DTypeError, match="mask"):
        masked(np.ma.masked_array(BATCHES[0], BATCHES[0] > 0))


def test_empty_batches_and_integers_divided_by_zero() -> None:
    layer = layers.Linear(3, 2, rng=generator(0))
    step = mg.record(lambda x: layer(mg.tensor(x)).detach())
    for n in (0, 4, 0, 4, 0, 4, 0, 4):
        assert step(np.ones((n, 3), np.float32)).shape == (n, 2)
    assert step.problem is None and step.repeated == 4
    divided = mg.record(lambda a, b: mg.tensor(a) // mg.tensor(b))
    for _ in range(4):
        assert divided(np.array([7, 8]), np.array([2, 3])).tolist() == [3, 2]
    with pytest.raises(mg.errors.ArgumentError, match="division of integers by 0"):
        divided(np.array([7, 8]), np.array([2, 0]))


def test_generators_are_not_recorded() -> None:
    def gen(x: np.ndarray) -> Iterator[int]:
        yield 1

    async def later(x: np.ndarray) -> None: ...

    for function in (gen, later):
        with pytest.raises(mg.errors.ArgumentError, match="is a generator or a coroutine"):
            mg.record(function)
