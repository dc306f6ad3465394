"""Module: what it finds in its attributes, what it saves, loads, freezes, and refuses."""

import copy

import numpy as np
import pytest

import minigen as mg
from minigen import layers, optim
from minigen.errors import ArgumentError, CheckpointError, DTypeError, GradientError
from minigen.layers import Module, Parameter


class Block(Module):
    """A module with every kind of attribute, in an order that is not alphabetical."""

    count: np.ndarray

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.second = layers.Linear(3, 2, rng=rng)
        self.scale = Parameter(np.float32(2.0))
        self.register_buffer("count", np.zeros(2, np.int64))
        self.first = layers.Sequential(layers.Linear(2, 2, bias=False, rng=rng), layers.Tanh())
        self.label = "plain attributes are left alone"

    def forward(self, x: mg.Tensor) -> mg.Tensor:
        return self.first(self.second(x)) * self.scale


NAMES = ["scale", "count", "second.weight", "second.bias", "first.0.weight"]


@pytest.fixture
def rng() -> np.random.Generator:
    return mg.random.generator(0)


@pytest.fixture
def block(rng: np.random.Generator) -> Block:
    return Block(rng)


def test_names_follow_the_order_of_assignment(block: Block):
    assert list(block.state_dict()) == NAMES
    assert [name for name, _ in block.named_parameters()] == [name for name in NAMES if name != "count"]
    assert [name for name, _ in block.named_buffers()] == ["count"]
    assert [name for name, _ in block.named_modules()] == ["", "second", "first", "first.0", "first.1"]


def test_parameter_is_a_leaf_over_a_copy():
    source = np.ones((2, 3), np.float32)
    parameter = Parameter(source)
    source[:] = 5
    assert parameter.requires_grad and parameter.is_leaf and parameter.data.sum() == 6
    with pytest.raises(DTypeError, match="int64"):
        Parameter(np.arange(3))


def test_shared_parts_stand_once(rng: np.random.Generator):
    model = layers.ModuleList([layers.Linear(2, 2, rng=rng), layers.Linear(2, 2, rng=rng)])
    first, second = model
    assert isinstance(first, layers.Linear) and isinstance(second, layers.Linear)
    second.weight = first.weight
    model.append(first)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.bias"]
    assert len(model.parameters()) == 3
    copies = [part.weight for part in copy.deepcopy(model) if isinstance(part, layers.Linear)]
    assert copies[0] is copies[1] is copies[2] is not first.weight
    np.testing.assert_array_equal(copies[0].data, first.weight.data)


def test_state_dict_holds_copies(block: Block):
    state = block.state_dict()
    for array in state.values():
        array += 1
    assert not any(np.array_equal(state[name], array) for name, array in block.state_dict().items())


def test_round_trip_is_exact_and_in_place(block: Block):
    other = Block(mg.random.generator(1))
    block.count[:] = 7
    before = {name: value.data for name, value in other.named_parameters()}
    versions = [p.version[0] for p in other.parameters()]
    buffer = other.count
    other.load_state_dict(block.state_dict())
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, block.state_dict()[name])
    assert all(value.data is before[name] for name, value in other.named_parameters())
    assert other.count is buffer
    assert [p.version[0] for p in other.parameters()] == [v + 1 for v in versions]


def test_loading_keeps_an_optimizers_views(block: Block):
    optimizer = optim.SGD(block.parameters(), lr=1.0)
    state = {name: np.ones_like(array) for name, array in block.state_dict().items()}
    block.load_state_dict(state)
    np.testing.assert_array_equal(optimizer.flat.data, np.ones_like(optimizer.flat.data))


def test_a_saved_old_value_is_noticed(block: Block):
    loss = block(mg.tensor(np.ones((1, 3), np.float32))).sum()
    block.load_state_dict(block.state_dict())
    with pytest.raises(GradientError, match="changed in place"):
        loss.backward()


def test_a_state_that_does_not_fit_is_listed_and_nothing_changes(block: Block):
    state = block.state_dict()
    del state["scale"]
    state["third.weight"] = np.zeros(1, np.float32)
    state["second.weight"] = np.zeros((4, 2), np.float32)
    state["second.bias"] = np.zeros(2, np.float64)
    state["first.0.weight"] = np.full((2, 2), 9, np.float32)
    before = block.state_dict()
    with pytest.raises(CheckpointError) as caught:
        block.load_state_dict(state)
    assert str(caught.value).splitlines() == [
        "Block.load_state_dict: the state does not fit, nothing was loaded (one of PyTorch's goes by way of "
        "mg.interop.from_torch)",
        "  missing: scale",
        "  unexpected: third.weight",
        "  second.weight: (4, 2) float32 given, (3, 2) float32 here",
        "  second.bias: (2,) float64 given, (2,) float32 here",
    ]
    for name, array in block.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_not_strict_takes_what_both_have(block: Block):
    block.load_state_dict({"scale": np.float32(3.0), "else": np.zeros(3)}, strict=False)
    assert block.scale.item() == 3.0
    with pytest.raises(CheckpointError, match="scale: \\(1,\\) float32 given"):
        block.load_state_dict({"scale": np.ones(1, np.float32)}, strict=False)


def test_train_and_eval_reach_everything(block: Block):
    assert block.training and block.eval() is block
    assert [module.training for module in block.modules()] == [False] * 5
    block.train()
    assert all(module.training for module in block.modules())


def test_frozen_passes_gradients_on_but_computes_none_inside(block: Block):
    x = mg.tensor(np.ones((1, 3), np.float32), requires_grad=True)
    block.scale.requires_grad_(False)
    with block.frozen():
        assert not any(p.requires_grad for p in block.parameters())
        loss = block(x).sum()
    loss.backward()
    assert x.grad is not None and np.abs(x.grad.data).min() > 0
    assert all(p.grad is None for p in block.parameters())
    assert [p.requires_grad for p in block.parameters()] == [False, True, True, True]  # as it was before


def test_frozen_ends_when_an_error_does(block: Block):
    with pytest.raises(KeyError), block.frozen():
        raise KeyError
    assert all(p.requires_grad for p in block.parameters())


def test_requires_grad_and_zero_grad(block: Block):
    block.requires_grad_(False)
    assert not block(mg.tensor(np.ones((1, 3), np.float32))).requires_grad
    block.requires_grad_()
    block(mg.tensor(np.ones((1, 3), np.float32))).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())


def test_apply_goes_from_the_inside_out(block: Block):
    seen = []
    assert block.apply(lambda module: seen.append(type(module).__name__)) is block
    assert seen == ["Tanh", "Linear", "Sequential", "Linear", "Block"]


def test_astype_converts_floats_only(block: Block):
    block.astype(np.float64)
    assert [str(array.dtype) for array in block.state_dict().values()] == ["float64", "int64"] + ["float64"] * 3
    assert block(mg.tensor(np.ones((1, 3)))).dtype == np.float64
    with pytest.raises(DTypeError, match="float16"):
        block.astype(np.float16)
    optimizer = optim.SGD(block.parameters(), lr=1.0)
    with pytest.raises(ArgumentError, match="optimizer holds"):
        block.astype(np.float32)
    del optimizer
    block.astype(np.float32)


def test_deepcopy_is_independent(block: Block):
    twin = copy.deepcopy(block)
    twin.load_state_dict({name: array + 1 for name, array in block.state_dict().items()})
    for name, array in twin.state_dict().items():
        np.testing.assert_array_equal(array, block.state_dict()[name] + 1)
    assert twin.second.training and all(p.requires_grad for p in twin.parameters())


def test_repr(block: Block):
    assert repr(block) == (
        "Block(\n  (second): Linear(3, 2)\n  (first): Sequential(\n"
        "    (0): Linear(2, 2, bias=False)\n    (1): Tanh()\n  )\n)"
    )


class Forgetful(Module):
    """Assigns before super().__init__()."""

    def __init__(self, value: Parameter | Module | np.ndarray) -> None:
        if isinstance(value, np.ndarray):
            self.register_buffer("part", value)
        else:
            self.part = value


@pytest.mark.parametrize("value", [Parameter(np.zeros(1, np.float32)), layers.ReLU(), np.zeros(1)])
def test_forgotten_super_init(value: Parameter | Module | np.ndarray):
    with pytest.raises(ArgumentError, match=r"Forgetful: call super\(\).__init__\(\) before"):
        Forgetful(value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale", mg.tensor(1.0), "is a Parameter and would be lost"),
        ("count", mg.tensor(1.0), "is a buffer; assign an ndarray"),
        ("parts", [layers.ReLU()], "self.parts, a list, would not be found; use ModuleList"),
        ("parts", {"a": layers.ReLU()}, "self.parts, a dict"),
        ("parts", (1, Parameter(np.zeros(1, np.float32))), "self.parts, a tuple"),
    ],
)
def test_assignments_that_would_lose_something(block: Block, name: str, value: object, message: str):
    with pytest.raises(ArgumentError, match=message):
        setattr(block, name, value)


def test_a_parameter_can_be_replaced_or_removed(block: Block):
    block.scale = Parameter(np.float32(5.0))
    block.second.bias = None
    assert [name for name, _ in block.named_parameters()] == ["scale", "second.weight", "first.0.weight"]


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        Module()(1)


def test_data_takes_the_layers_dtype():
    rng = mg.random.generator(0)
    for layer, shape in ((layers.Linear(3, 2, rng=rng), (4, 3)), (layers.Conv2d(1, 2, 3, rng=rng), (1, 5, 5, 1))):
        assert layer(np.ones(shape)).dtype == np.float32
        assert layer(np.ones(shape, np.uint8)).dtype == np.float32


def test_parameters_hidden_in_containers_are_refused():
    class Hiding(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = []

    model = Hiding()
    model.blocks.append(layers.Linear(2, 2, rng=mg.random.generator(0)))
    with pytest.raises(ArgumentError, match=r"self\.blocks, a list"):
        model.parameters()
    with pytest.raises(ArgumentError, match=r"self\.nested, a list"):
        model.nested = [[model.blocks[0]]]
