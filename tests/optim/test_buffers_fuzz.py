"""Random programs that exchange, keep, assign, add, clip, copy and step, beside a model of separate arrays."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.autograd.tensor import Tensor

SHAPES = [(2, 2), (2, 2), (3,), ()]
LR, MOMENTUM = 0.1, 0.9


class Pair:
    """Parameters with an optimizer, and beside them plain arrays, each of which is nobody else's."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        arrays = [np.asarray(rng.normal(size=shape)) for shape in SHAPES]
        self.parameters = [mg.tensor(array, requires_grad=True) for array in arrays]
        self.optimizer = optim.SGD(self.parameters, lr=LR, momentum=MOMENTUM)
        self.ema = optim.EMA(self, 0.5)
        self.values = [array.copy() for array in arrays]
        self.grads: list[np.ndarray | None] = [None] * len(SHAPES)
        self.velocity = [np.zeros(shape) for shape in SHAPES]
        self.average = [array.copy() for array in arrays]
        self.kept: list[tuple[Any, np.ndarray]] = []
        self.left: list[tuple[list[Tensor], list[np.ndarray], list[np.ndarray | None]]] = []  # originals of copies

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        return [(str(i), p) for i, p in enumerate(self.parameters)]

    def check(self) -> None:
        for p, value, g in zip(self.parameters, self.values, self.grads, strict=True):
            np.testing.assert_allclose(p.data, value, rtol=1e-12)
            assert (p.grad is None) == (g is None)
            if p.grad is not None and g is not None:
                np.testing.assert_allclose(p.grad.data, g, rtol=1e-12)
        for kept, value in self.kept:
            np.testing.assert_allclose(kept.data if isinstance(kept, Tensor) else kept, value, rtol=1e-12)
        for tensors, values, grads in self.left:
            for p, value, g in zip(tensors, values, grads, strict=True):
                np.testing.assert_array_equal(p.data, value)
                assert g is None or p.grad is None or (p.grad.data == g).all()

    def some(self) -> int:
        return int(self.rng.integers(len(SHAPES)))

    # What programs do

    def backward(self) -> None:
        loss: Any = 0.0
        for i, p in enumerate(self.parameters):
            kind = self.rng.integers(4)
            if kind == 0:
                continue
            c = self.rng.normal(size=p.shape)
            if kind == 1 and p.ndim == 2:  # a kernel that writes into the place
                loss = loss + mg.linear(c, p).sum()
                g = np.repeat(c.sum(0)[:, None], 2, axis=1)
            else:
                loss = loss + (p * c).sum()
                g = c
            before = self.grads[i]
            self.grads[i] = g if before is None else before + g
        if isinstance(loss, Tensor):
            loss.backward(create_graph=bool(self.rng.integers(8) == 0))

    def step(self) -> None:
        self.optimizer.step()
        for i, g in enumerate(self.grads):
            if g is not None:
                self.velocity[i] = MOMENTUM * self.velocity[i] + g
                self.values[i] = self.values[i] - LR * self.velocity[i]
        arrays = [p.data for p, g in zip(self.parameters, self.grads, strict=True) if g is not None]
        arrays += [p.grad.data for p in self.parameters if p.grad is not None]
        assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])

    def zero(self) -> None:
        which = self.rng.integers(3)
        i = self.some()
        if which == 0:
            self.optimizer.zero_grad()
            self.grads = [None] * len(SHAPES)
        elif which == 1:
            self.parameters[i].grad = None
            self.grads[i] = None
        else:
            self.optimizer.zero_grad(set_to_none=False)
            self.grads = [None if g is None else np.zeros_like(g) for g in self.grads]

    def exchange(self) -> None:
        p, q = self.parameters[:2]
        if self.rng.integers(2):
            p.data, q.data = q.data, p.data
            self.values[:2] = self.values[1::-1]
        else:
            p.grad, q.grad = q.grad, p.grad
            self.grads[:2] = self.grads[1::-1]

    def share(self) -> None:
        p, q = self.parameters[:2]
        if self.rng.integers(2):
            p.data = q.data.T
            self.values[0] = self.values[1].T.copy()
            self.optimizer.flat.gather()  # until then they share it, as in PyTorch
        else:
            p.grad = q.grad
            self.grads[0] = self.grads[1]

    def keep_grad(self) -> None:
        p = self.parameters[self.some()]
        if p.grad is not None:
            ways: list[Any] = [
                lambda t: t,
                lambda t: t.data,
                lambda t: t.numpy(),
                lambda t: t.detach(),
                lambda t: t.data.T,
                lambda t: t.data[..., :1] if t.ndim else t.data.reshape(1),
            ]
            if p.grad.requires_grad:
                p.grad = p.grad.detach()
            kept = ways[self.rng.integers(len(ways))](p.grad)
            self.kept.append((kept, np.array(kept.data if isinstance(kept, Tensor) else kept)))

    def keep_data(self) -> None:
        p = self.parameters[i := self.some()]
        kept = p.data if self.rng.integers(2) else p.data.T
        self.kept.append((kept, kept.copy()))
        p.data = p.data * 0.5
        self.values[i] = self.values[i] * 0.5

    def assign(self) -> None:
        i = self.some()
        value = np.array(self.rng.normal(size=SHAPES[i]), order="F")
        if self.rng.integers(2):
            self.parameters[i].data = value
            self.values[i] = value.copy()
        else:
            self.parameters[i].grad = value if self.rng.integers(2) else Tensor(value)  # pyright: ignore
            self.grads[i] = value.copy()
        self.kept.append((value, value.copy()))

    def clip(self) -> None:
        self.kept = []  # it writes into the gradients that there are, as PyTorch's does
        norm = optim.clip_grad_norm(self.optimizer if self.rng.integers(2) else self.parameters, 0.5)
        expected = np.sqrt(sum((g**2).sum() for g in self.grads if g is not None))
        np.testing.assert_allclose(norm, expected, rtol=1e-12, atol=1e-12)
        scale = min(1.0, 0.5 / (norm + 1e-6))
        self.grads = [None if g is None else g * scale for g in self.grads]

    def copy(self) -> None:
        if any(p.grad is not None and p.grad.requires_grad for p in self.parameters):
            return
        before = self.parameters
        both = self.parameters, self.optimizer
        self.parameters, self.optimizer = (
            copy.deepcopy(both) if self.rng.integers(2) else pickle.loads(pickle.dumps(both))
        )
        self.left.append((before, [p.data.copy() for p in before], [g if g is None else g.copy() for g in self.grads]))
        mine = [p.data for p in self.parameters] + [p.grad.data for p in self.parameters if p.grad is not None]
        theirs = [p.data for p in before] + [p.grad.data for p in before if p.grad is not None]
        assert not any(np.shares_memory(a, b) for a in mine for b in theirs)
        self.ema.parameters = dict(self.named_parameters())

    def reload(self) -> None:
        state = self.optimizer.state_dict()
        self.optimizer.load_state_dict(state)

    def averaged(self) -> None:
        self.ema.update()
        self.average = [0.5 * a + 0.5 * v for a, v in zip(self.average, self.values, strict=True)]
        with self.ema.applied():
            for p, a in zip(self.parameters, self.average, strict=True):
                np.testing.assert_allclose(p.data, a, rtol=1e-12)


OPERATIONS = [
    *("backward", "backward", "backward", "step", "step", "zero", "exchange", "share", "keep_grad", "keep_grad"),
    *("keep_data", "assign", "clip", "copy", "reload", "averaged"),
]


@pytest.mark.parametrize("seed", [*range(25), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(25, 500))])
def test_random_programs(seed: int):
    pair = Pair(np.random.default_rng(seed))
    program = []
    try:
        for _ in range(40):
            program.append(OPERATIONS[pair.rng.integers(len(OPERATIONS))])
            getattr(pair, program[-1])()
            pair.check()
    except AssertionError as error:
        raise AssertionError(f"{program[-12:]}: {error}") from error
