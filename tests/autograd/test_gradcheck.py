"""gradcheck must object to planted errors of 0.1 % at both orders, and let everything right pass."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from autograd_helpers import Square, leaf

import minigen as mg
from minigen.autograd.ops.shape import sum_to
from minigen.autograd.tensor import Tensor
from minigen.autograd.verify.gradcheck import Settings, largest_errors
from minigen.errors import ArgumentError, DTypeError, GradientError, NotTwiceDifferentiable

MODES = ["projection", "full"]


def rng() -> np.random.Generator:
    return mg.random.generator(11)


def normal(*shape: int, scale: float = 1.0) -> Tensor:
    return mg.tensor(scale * rng().normal(size=shape), requires_grad=True)


def fresh(kind: Callable[..., mg.Function], *args: Any, **options: Any) -> Callable[..., Tensor]:
    """A function that makes a new node of `kind` at each call."""
    return lambda *inputs: kind(*args, **options)(*inputs)


class Planted(mg.Function):
    """y = x³ + b, with factors on its first derivative, its second, and one element of its first."""

    def __init__(self, first: float = 1.0, second: float = 1.0, element: float = 1.0) -> None:
        self.first, self.second, self.element = first, second, element

    def forward(self, x: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        self.shape_b = b.shape
        return x**3 + b

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        x = self.saved_input(0)
        # The value of 3x² is right, its derivative is off by the second factor.
        square = x * x * self.second - mg.tensor(x.data * x.data * (self.second - 1))
        factors = np.full(x.shape, self.first)
        factors.flat[-1] *= self.element
        return square * 3.0 * gy * mg.tensor(factors), sum_to(gy, self.shape_b)


class WrongReduction(mg.Function):
    """y = x + b, with b's gradient averaged over the repeated axis instead of summed."""

    def forward(self, x: np.ndarray, b: np.ndarray) -> np.ndarray:
        return x + b

    def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
        return gy, mg.mean(gy, 0)


class FusedWrong(mg.FusedFunction):
    """y = x²: the kernel and the composition of it may be off, each by a factor."""

    def __init__(self, kernel: float, composed: float) -> None:
        self.kernel, self.composed = kernel, composed

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.save_inputs(0)
        return x * x

    def backward_arrays(self, gy: np.ndarray) -> tuple[np.ndarray | None, ...]:
        return (2 * self.kernel * gy * self.saved_array(0),)

    def compose(self, x: Tensor) -> Tensor:
        return x * x * self.composed


# ---------------------------------------------------------------- planted errors


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(3,), (2, 3), ()])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_wrong_factor_is_caught(mode: str, shape: tuple[int, ...], scale: float):
    inputs = [normal(*shape, scale=scale), mg.tensor(np.zeros(shape), requires_grad=True)]
    assert mg.gradcheck(fresh(Planted), inputs, mode=mode)
    for factor in (1.001, 0.999):
        with pytest.raises(GradientError, match="Planted, order 1: wrong gradient for input 0"):
            mg.gradcheck(fresh(Planted, first=factor), inputs, order=1, mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_wrong_second_derivative_alone_is_caught(mode: str, scale: float):
    inputs = [normal(2, 3, scale=scale), mg.tensor(np.zeros(3), requires_grad=True)]
    for factor in (1.001, 0.999):
        assert mg.gradcheck(fresh(Planted, second=factor), inputs, order=1, mode=mode)
        with pytest.raises(GradientError, match="Planted, order 2: wrong gradient for input 0"):
            mg.gradcheck(fresh(Planted, second=factor), inputs, mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_broadcast_reduction_is_caught(mode: str):
    with pytest.raises(GradientError, match="WrongReduction, order 1: wrong gradient for input 1"):
        mg.gradcheck(fresh(WrongReduction), [normal(3, 2), normal(2)], mode=mode)


@pytest.mark.parametrize(("mode", "shape"), [("full", (3, 4)), ("projection", (10, 10))])
def test_one_wrong_element_is_caught_and_named(mode: str, shape: tuple[int, ...]):
    inputs = [mg.tensor(np.linspace(0.5, 1.5, np.prod(shape)).reshape(shape), requires_grad=True), normal()]
    last = tuple(n - 1 for n in shape)
    with pytest.raises(GradientError) as caught:
        mg.gradcheck(fresh(Planted, element=1.001), inputs, mode=mode)
    message = str(caught.value)
    assert f"Planted, order 1: wrong gradient for input 0 at index {last}" in message
    weight = 1.0 if mode == "full" else None
    numbers = [float(part.split()[-1].rstrip(",")) for part in message.split(":")[-1].split(", ")]
    np.testing.assert_allclose(numbers[0] / numbers[1], 1.001, rtol=1e-6)
    np.testing.assert_allclose(numbers[2], 0.001, rtol=0.02)
    if weight:
        np.testing.assert_allclose(numbers[1], 3 * 1.5**2, rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_fused_kernel_that_differs_from_its_composition_is_caught(mode: str):
    assert mg.gradcheck(fresh(FusedWrong, 1.0, 1.0), normal(3), mode=mode)
    with pytest.raises(GradientError, match="FusedWrong, order 1"):
        mg.gradcheck(fresh(FusedWrong, 1.001, 1.0), normal(3), mode=mode)
    assert mg.gradcheck(fresh(FusedWrong, 1.0, 1.001), normal(3), order=1, mode=mode)
    with pytest.raises(GradientError, match="FusedWrong, order 2"):
        mg.gradcheck(fresh(FusedWrong, 1.0, 1.001), normal(3), mode=mode)


def test_an_error_in_the_linear_part_is_caught():
    """The gradient is linear in gy, with the right slope: here the second derivative in gy is 0.1 % off."""

    class Linear(mg.Function):
        def forward(self, x: np.ndarray) -> np.ndarray:
            return 2 * x

        def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
            return (gy * 2.002 - mg.tensor(gy.data * 0.002),)

    assert mg.gradcheck(fresh(Linear), normal(3), order=1)
    with pytest.raises(GradientError, match="Linear, order 2: wrong gradient for the gradient of output 0"):
        mg.gradcheck(fresh(Linear), normal(3))


def test_a_wrong_zero_is_caught():
    with pytest.raises(GradientError, match="wrong gradient for input 0"):
        mg.gradcheck(lambda x, w: x.detach() * w, [normal(3), normal(3)])


# ---------------------------------------------------------------- what passes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(
    "f",
    [
        mg.tanh,
        mg.sin,
        mg.gelu,
        mg.elu,
        mg.relu,
        lambda x: x**3,
        lambda x: 1.0 / x,
        lambda x: mg.log(x * x),
        lambda x: mg.logsumexp(x, -1),
        lambda x: mg.log_softmax(x),
        lambda x: mg.var(x, 0),
        lambda x: mg.max(x, 1),
        lambda x: mg.matmul(x, mg.transpose(x)),
        lambda x: mg.sum(mg.softmax(x)),
    ],
)
def test_right_gradients_pass_at_all_magnitudes(f: Any, scale: float, mode: str):
    assert mg.gradcheck(f, normal(3, 4, scale=scale), mode=mode)


def test_magnitudes_may_be_mixed():
    x = mg.tensor(10.0 ** rng().uniform(-3, 3, 30), requires_grad=True)
    for f in (mg.log, mg.sqrt, lambda x: 1.0 / x, lambda x: x * x):
        assert mg.gradcheck(f, x)


@pytest.mark.parametrize("mode", MODES)
def test_several_outputs_of_any_shape(mode: str):
    def f(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        return x * y, mg.sum(x), mg.exp(y), x, mg.tensor(np.ones(2)), mg.tensor(np.zeros((0, 3)))

    assert mg.gradcheck(f, [normal(2, 3), normal(3)], mode=mode)


def test_only_inputs_that_require_a_gradient_are_checked():
    labels = np.array([0, 2])
    assert mg.gradcheck(lambda x, i, flag: mg.cross_entropy(x, i) * 2, [normal(2, 3), labels, "anything"])
    assert mg.gradcheck(lambda x, w: x * w.detach(), [normal(3), mg.tensor(np.ones(3))])


def test_a_layer_with_its_parameters():
    layer = mg.layers.Linear(3, 2, rng=rng()).astype(np.float64)
    assert mg.gradcheck(lambda x, *parameters: mg.tanh(layer(x)), [normal(4, 3), *layer.parameters()])


def test_functions_that_differentiate_inside():
    def squared_slope(x: Tensor) -> Tensor:
        (g,) = mg.grad(mg.sum(mg.tanh(x)), x, create_graph=True)
        assert g is not None
        return mg.sum(g * g)

    assert mg.gradcheck(squared_slope, normal(4))


def test_empty_inputs_pass():
    assert mg.gradcheck(lambda x, y: mg.sum(x) + y, [mg.tensor(np.zeros((0, 3)), requires_grad=True), normal(2)])


@pytest.mark.parametrize("f", [lambda x: x * x, lambda x: Planted(first=1.1)(x, leaf(0.0))])
def test_inputs_are_put_back(f: Any):
    x = normal(4)
    data, before = x.data, x.data.copy()
    with suppress(GradientError):
        mg.gradcheck(f, x)
    assert x.data is data
    np.testing.assert_array_equal(x.data, before)
    assert x.grad is None


def test_the_answer_is_the_same_every_time():
    def errors() -> list[float]:
        settings = Settings(1e-5, 1e-6, 0.0, "projection", mg.random.generator(0))
        return list(largest_errors(mg.tanh, normal(5), 2, settings))

    assert errors() == errors()


# ---------------------------------------------------------------- kinks


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (mg.relu, [0.0, 1.0, -1.0]),
        (mg.relu, [0.0, 0.0, 0.0]),
        (mg.relu, [1e-7, 1.0, -1e-7]),
        (lambda x: mg.leaky_relu(x, 0.2), [0.0, 2.0]),
        (mg.abs, [0.0, 3.0]),
        (lambda x: mg.clip(x, 0.0, 1.0), [0.0, 0.5, 1.0]),
        (lambda x: mg.max(x), [1.0, 1.0, 0.0]),
        (lambda x: mg.max(x) * x, [1.0, 1.0, 1.0]),
        (lambda x: mg.maximum(x, 1.0), [1.0, 2.0]),
        (mg.elu, [0.0, 0.3]),
        (lambda x: mg.huber_loss(x, mg.tensor(np.zeros(3))), [1.0, 0.3, -2.0]),
    ],
)
def test_kinks_are_no_failures(f: Any, x: list[float], mode: str):
    assert mg.gradcheck(f, leaf(*x), mode=mode)


def test_a_wrong_gradient_beside_a_kink_is_caught():
    class WrongReLU(mg.Function):
        def forward(self, x: np.ndarray) -> np.ndarray:
            self.save_inputs(0)
            return np.maximum(x, 0)

        def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
            return (gy * mg.tensor(1.001 * (self.saved_array(0) > 0)),)

    with pytest.raises(GradientError, match="WrongReLU, order 1: wrong gradient for input 0"):
        mg.gradcheck(fresh(WrongReLU), leaf(0.0, 1.0, -1.0))


def test_kinks_everywhere_are_reported_as_kinks():
    class Rough(mg.Function):
        """A step at every point, whatever the scale."""

        def forward(self, x: np.ndarray) -> np.ndarray:
            return x + np.sign(np.sin(x * 1e12))

        def backward(self, gy: Tensor) -> tuple[Tensor | None, ...]:
            return (gy,)

    with pytest.raises(GradientError, match=r"Rough, order 1: input 0 lies on a kink .* Choose inputs away from it"):
        mg.gradcheck(fresh(Rough), leaf(1.0, 2.0))


# ---------------------------------------------------------------- refusals


def test_float32_is_refused_with_the_mend():
    x = mg.tensor(np.ones(3, np.float32), requires_grad=True)
    with pytest.raises(DTypeError, match=r"input 1 is float32; .*array\.astype\(np\.float64\)"):
        mg.gradcheck(lambda a, b: a * b, [normal(3), x])
    with pytest.raises(DTypeError, match="f gave float32, not float64"):
        mg.gradcheck(lambda x: x.astype(np.float32), normal(3))


def test_a_function_that_does_not_repeat_itself_is_refused():
    generator = rng()
    with pytest.raises(GradientError, match=r"Dropout: two calls of f differ; .* made inside f"):
        mg.gradcheck(lambda x: mg.dropout(x, 0.5, generator), normal(20))
    assert mg.gradcheck(lambda x: mg.dropout(x, 0.5, rng()), normal(20))


def test_not_twice_differentiable_passes_through():
    assert mg.gradcheck(fresh(Square), normal(3), order=1)
    with pytest.raises(NotTwiceDifferentiable, match="Square has only a first derivative"):
        mg.gradcheck(fresh(Square), normal(3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.gradcheck(mg.exp, normal(3), order=3), ArgumentError, "order is 3; use 1 or 2"),
        (lambda: mg.gradcheck(mg.exp, normal(3), mode="half"), ArgumentError, "mode is 'half'; use"),
        (lambda: mg.gradcheck(mg.exp, normal(3), eps=0.0), ArgumentError, "eps 0.0"),
        (lambda: mg.gradcheck(mg.exp, normal(3), rtol=-1.0), ArgumentError, "rtol > 0"),
        (lambda: mg.gradcheck(mg.exp, normal(3), rng=np.random), DTypeError, "generator"),  # pyright: ignore
        (lambda: mg.gradcheck(mg.exp, mg.tensor(np.ones(3))), GradientError, "no input requires a gradient"),
        (lambda: mg.gradcheck(lambda x: x.detach(), normal(3)), GradientError, "no output of f requires a gradient"),
        (lambda: mg.gradcheck(lambda x: 3.0, normal(3)), GradientError, "f returned float"),
        (lambda: mg.gradcheck(mg.exp, mg.exp(normal(3))), GradientError, "input 0 is a result of Exp; pass a leaf"),
        (lambda: mg.gradcheck(mg.log, leaf(-1.0)), GradientError, "Log: f is NaN or infinite at the inputs"),
        (lambda: mg.gradcheck(mg.exp, leaf(np.nan)), GradientError, "input 0 holds NaN"),
        (lambda: mg.gradcheck(mg.sqrt, leaf(0.0)), GradientError, "NaN or infinity next to input 0"),
        (
            lambda: mg.gradcheck(mg.exp, Tensor(np.broadcast_to(np.ones(1), 3), requires_grad=True)),
            ArgumentError,
            "read-only",
        ),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        call()
