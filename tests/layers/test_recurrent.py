"""Recurrent layers against PyTorch's with the same weights, 64 steps against differences, masks, states, bad input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError, DTypeError, MinigenError, ShapeError

KINDS = pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
ACCURACY = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 2e-5)])


def made(kind: str, *args: Any, dtype: Any = np.float32, **options: Any) -> Any:
    return getattr(layers, kind)(*args, **options, rng=mg.random.generator(0)).astype(dtype)


def numbers(*shape: int, dtype: Any = np.float32, seed: int = 1) -> mg.Tensor:
    return mg.tensor(mg.random.generator(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def parts(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


def joined(states: list[Any]) -> Any:
    return tuple(states) if len(states) > 1 else states[0]


# ---------------------------------------------------------------- PyTorch


def place(name: str) -> tuple[str, str]:
    """("w_x", "_l0_reverse") for w_x_0_reverse: what it is, and the end of its names in PyTorch."""
    kind, layer = name.split("_", 1) if name[0] == "b" else (name[:3], name[4:])
    return kind, f"_l{layer}"


def convert(ours: Any, theirs: Any) -> None:
    """Our weights into PyTorch's module: transposed, all of the bias beside x, but GRU's last part beside h."""
    torch = pytest.importorskip("torch")
    for name, parameter in ours.named_parameters():
        (kind, end), values = place(name), torch.from_numpy(parameter.data.copy())
        if kind == "b":
            beside_x, beside_h = (getattr(theirs, f"bias_{side}{end}").data for side in ("ih", "hh"))
            beside_h.zero_()
            beside_x.copy_(values[: len(beside_x)])
            beside_h[len(beside_h) - (len(values) - len(beside_x)) :] = values[len(beside_x) :]
        else:
            getattr(theirs, f"weight_{'ih' if kind == 'w_x' else 'hh'}{end}").data.copy_(values.T)


def gradient_there(theirs: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of our parameter `name`, found in PyTorch's module."""
    kind, end = place(name)
    if kind != "b":
        return getattr(theirs, f"weight_{'ih' if kind == 'w_x' else 'hh'}{end}").grad.numpy().T
    beside_x, beside_h = (getattr(theirs, f"bias_{side}{end}").grad.numpy() for side in ("ih", "hh"))
    return np.concatenate([beside_x, beside_h[len(beside_h) - (shape[0] - len(beside_x)) :]])


def pair(kind: str, dtype: Any, *sizes: int, **options: Any) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    ours = made(kind, *sizes, dtype=dtype, **options)
    theirs = getattr(torch.nn, kind)(*sizes, batch_first=True, **options).to(getattr(torch, np.dtype(dtype).name))
    convert(ours, theirs)
    return ours, theirs


def close(ours: Any, theirs: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


@ACCURACY
@KINDS
@pytest.mark.parametrize("lengths", [None, [7, 3, 1, 5]], ids=["whole", "packed"])
@pytest.mark.parametrize("sizes", [(5, 6, 1), (3, 33, 3)], ids=str)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_parity(
    kind: str, dtype: Any, tolerance: float, sizes: tuple[int, ...], bidirectional: bool, lengths: list[int] | None
) -> None:
    """Values, last states, and all gradients; lengths by a mask here, by packing there."""
    torch = pytest.importorskip("torch")
    ours, theirs = pair(kind, dtype, *sizes, bidirectional=bidirectional)
    n, steps, (_, size, count) = 4, 7, sizes
    ends = 2 if bidirectional else 1
    x = numbers(n, steps, sizes[0], dtype=dtype)
    states = [numbers(count * ends, n, size, dtype=dtype, seed=i) for i in range(2 if kind == "LSTM" else 1)]
    tx, *tstates = (torch.tensor(t.data, requires_grad=True) for t in (x, *states))
    mask = None if lengths is None else np.arange(steps) < np.array(lengths)[:, None]
    y, last = ours(x, joined(states), mask)
    if lengths is None:
        ty, tlast = theirs(tx, joined(tstates))
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(tx, torch.tensor(lengths), True, enforce_sorted=False)
        ty, tlast = theirs(packed, joined(tstates))
        ty, _ = torch.nn.utils.rnn.pad_packed_sequence(ty, batch_first=True)
    results, expected = [y, *parts(last)], [ty, *parts(tlast)]
    for result, e in zip(results, expected, strict=True):
        close(result.data, e.detach().numpy(), tolerance)
    gys = [numbers(*result.shape, dtype=dtype, seed=9).data for result in results]
    sum(((result * gy).sum() for result, gy in zip(results, gys, strict=True)), mg.tensor(0.0, dtype=dtype)).backward()
    torch.autograd.backward(expected, [torch.from_numpy(gy) for gy in gys])
    for t, other in zip((x, *states), (tx, *tstates), strict=True):
        assert t.grad is not None
        close(t.grad.data, other.grad.numpy(), 10 * tolerance)
    for name, parameter in ours.named_parameters():
        close(parameter.grad.data, gradient_there(theirs, name, parameter.shape), 10 * tolerance)


def test_relu_and_dropout_in_evaluation_equal_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = pair("RNN", np.float64, 3, 4, 2, nonlinearity="relu", dropout=0.5)
    x = numbers(2, 5, 3, dtype=np.float64)
    np.testing.assert_allclose(ours.eval()(x)[0].data, theirs.eval()(torch.tensor(x.data))[0].detach(), atol=1e-12)


# ---------------------------------------------------------------- what the layers promise


@KINDS
def test_gradients_through_64_steps(kind: str) -> None:
    layer = made(kind, 2, 3, dtype=np.float64)
    names = [name for name, _ in layer.named_parameters()]

    def f(x: mg.Tensor, *weights: mg.Tensor) -> Any:
        for name, weight in zip(names, weights, strict=True):
            setattr(layer, name, weight)
        y, state = layer(x)
        return (y, *parts(state))

    x = numbers(2, 64, 2, dtype=np.float64)
    assert mg.gradcheck(f, [x, *[p for _, p in layer.named_parameters()]], order=1)


@KINDS
@pytest.mark.parametrize("size", [5, 64])
def test_a_state_carried_on_equals_one_long_sequence(kind: str, size: int) -> None:
    layer, x = made(kind, 3, size, 2), numbers(8, 10, 3)
    whole, last = layer(x)
    first, state = layer(x[:, :4])
    second, state = layer(x[:, 4:], state)
    np.testing.assert_allclose(np.concatenate([first.data, second.data], 1), whole.data, atol=2e-6)
    for a, b in zip(parts(state), parts(last), strict=True):
        np.testing.assert_allclose(a.data, b.data, atol=2e-6)
        assert a.detach().shape == (2, 8, size)


@KINDS
@pytest.mark.parametrize("size", [4, 64])
def test_an_embedding_given_along_equals_one_before(kind: str, size: int) -> None:
    layer, table = made(kind, 3, size, 2, bidirectional=True), numbers(11, 3)
    ids = mg.random.generator(3).integers(0, 11, (6, 9))
    mask = mg.random.generator(4).random((6, 9)) < 0.7
    results = []
    for y, _ in (layer(ids, None, mask, embedding=table), layer(mg.embedding(ids, table), None, mask)):
        layer.zero_grad()
        table.grad = None
        (y * y).sum().backward()
        assert table.grad is not None
        results.append([y.data, table.grad.data, *[p.grad.data for p in layer.parameters()]])  # pyright: ignore[reportOptionalMemberAccess]
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(b).max())))


@KINDS
def test_a_mask_hides_what_stands_behind_it(kind: str) -> None:
    """Not even NaN in x reaches a result or a gradient, wherever the gaps are."""
    layer, mask = made(kind, 3, 40, bidirectional=True), mg.random.generator(5).random((9, 6)) < 0.6
    results = []
    for hidden in (0.0, 1e3):
        x = numbers(9, 6, 3)
        x.data[~mask] = hidden
        y, state = layer(x, None, mask)
        assert not y.data[~mask].any()
        layer.zero_grad()
        ((y * y).sum() + sum(((s * s).sum() for s in parts(state)), mg.tensor(0.0))).backward()
        assert x.grad is not None
        assert not x.grad.data[~mask].any()
        results.append(
            [y.data, *[s.data for s in parts(state)], x.grad.data, *[p.grad.data for p in layer.parameters()]]
        )
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@KINDS
def test_dropout_stands_between_layers_in_training(kind: str) -> None:
    x = numbers(2, 4, 3)
    one, two = made(kind, 3, 5, 1, dropout=0.5), made(kind, 3, 5, 2, dropout=0.5)
    np.testing.assert_array_equal(one(x)[0].data, one(x)[0].data)
    assert not np.array_equal(two(x)[0].data, two(x)[0].data)
    two.eval()
    np.testing.assert_array_equal(two(x)[0].data, two(x)[0].data)


def test_weights_start_within_their_bound_and_have_names() -> None:
    layer = made("GRU", 3, 16, 2, bidirectional=True)
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    assert list(shapes)[:6] == ["w_x_0", "w_h_0", "b_0", "w_x_0_reverse", "w_h_0_reverse", "b_0_reverse"]
    assert shapes["w_x_1"] == (32, 48) and shapes["w_h_1"] == (16, 48) and shapes["b_1"] == (64,)
    values = np.concatenate([p.data.ravel() for p in layer.parameters()])
    assert 0.24 < np.abs(values).max() <= 0.25 and abs(values.mean()) < 0.01
    assert repr(made("LSTM", 3, 5, 2, dropout=0.2)) == "LSTM(3, 5, num_layers=2, dropout=0.2)"


def test_summary_counts_a_recurrent_layer() -> None:
    result = mg.summary(made("LSTM", 3, 5), (7, 3))
    assert result.multiply_adds == 7 * (3 + 5) * 20 and result.rows[0].output == (7, 5)


# ---------------------------------------------------------------- bad input

X, H, M = np.ones((2, 3, 4), np.float32), np.ones((2, 5), np.float32), np.ones((2, 3), bool)
W = np.ones((4, 20), np.float32), np.ones((5, 20), np.float32), np.ones(20, np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.lstm(X[0], H, H, *W), ShapeError, r"lstm: x \(3, 4\) and w_x .*\(N, T, C\), batch first"),
        (lambda: mg.lstm(X[:, :, :3], H, H, *W), ShapeError, r"lstm: x \(2, 3, 3\) and w_x \(4, 20\)"),
        (lambda: mg.lstm(X[:, :0], H, H, *W), ShapeError, r"lstm: x \(2, 0, 4\) has no steps; pass .* length 1"),
        (lambda: mg.lstm(X, H[:1], H, *W), ShapeError, r"lstm: h0 is \(1, 5\), but .* expect \(N, H\) = \(2, 5\)"),
        (lambda: mg.lstm(X, H, H[:, :2], *W), ShapeError, r"lstm: c0 is \(2, 2\)"),
        (lambda: mg.lstm(X, H, H, W[0][:, :15], *W[1:]), ShapeError, r"lstm: w_x is .* \(C, 4H\) = \(4, 20\)"),
        (lambda: mg.lstm(X, H, H, W[0], W[1].T, W[2]), ShapeError, r"lstm: h0 is"),
        (lambda: mg.gru(X, H, *W), ShapeError, r"gru: w_x is \(4, 20\).* \(C, 3H\) = \(4, 15\)"),
        (lambda: mg.lstm(X, H, H, W[2], *W[1:]), ShapeError, r"lstm: w_x \(20,\) and w_h .*; pass matrices \(C, 4H\)"),
        (lambda: mg.lstm(X, H, H, *W[:2], W[2][:5]), ShapeError, r"lstm: b is \(5,\).* \(4H,\) = \(20,\)"),
        (lambda: mg.lstm(X, H, H, *W, mask=M[:1]), ShapeError, r"lstm: mask is \(1, 3\), expected \(N, T\)"),
        (lambda: mg.lstm(X, H, H, *W, mask=M * 1.0), DTypeError, "lstm: mask has dtype float64; pass booleans"),
        (lambda: mg.lstm(X.astype(int), H, H, *W), ShapeError, r"lstm: x \(2, 3, 4\) of whole numbers; pass \(N, T\)"),
        (lambda: mg.lstm(M * 9, H, H, *W), MinigenError, "lstm: steps hold 9, outside 0 … 3"),
        (lambda: mg.rnn(X, H, W[0][:, :5], W[1][:, :5], W[2][:5], "sin"), ArgumentError, "rnn: nonlinearity is 'sin'"),
        (lambda: made("RNN", 4, 5, nonlinearity="sin"), ArgumentError, "RNN: nonlinearity is 'sin'; use 'tanh' or"),
        (lambda: made("LSTM", 0, 5), ArgumentError, "LSTM: input_size is 0"),
        (lambda: made("LSTM", 4, 5, 0), ArgumentError, "LSTM: num_layers is 0"),
        (lambda: made("GRU", 4, 5, dropout=1), ArgumentError, "GRU: dropout is 1"),
        (lambda: layers.GRU(4, 5, rng=0), DTypeError, "GRU: rng is int"),  # pyright: ignore[reportArgumentType]
        (lambda: made("GRU", 3, 5)(X), ShapeError, r"GRU\(3, 5\): x \(2, 3, 4\) does not fit, expected \(N, T, 3\)"),
        (lambda: made("GRU", 4, 5)(X[:, :0]), ShapeError, "no steps"),
        (lambda: made("GRU", 4, 5)(X, H), ShapeError, r"GRU\(4, 5\): a state is \(2, 5\), .* = \(1, 2, 5\)"),
        (lambda: made("LSTM", 4, 5)(X, H), ArgumentError, r"LSTM: state is ndarray; pass a pair \(h, c\)"),
        (lambda: made("LSTM", 4, 5)(X, None, M[:, :2]), ShapeError, r"LSTM\(4, 5\): mask is \(2, 2\)"),
        (lambda: made("LSTM", 4, 5)(X, embedding=numbers(3, 4)), ArgumentError, "embedding reads whole numbers"),
        (lambda: made("LSTM", 4, 5)(M * 1, embedding=numbers(3, 5)), ShapeError, r"is \(3, 5\), .*\(num, 4\)"),
        (lambda: made("LSTM", 4, 5)(M * 1, embedding=layers.Embedding(3, 4, rng=mg.random.generator(0))), ArgumentError,
         r"embedding is a Embedding; pass its table, embedding.weight"),
        (lambda: made("GRU", 4, 5)(X, None, [[True], [True, False]]), ShapeError, r"GRU\(4, 5\): .* ragged"),
        (lambda: made("GRU", 5, 5)(made("LSTM", 4, 5)(X)), ArgumentError, r"GRU\(5, 5\): got a tuple .* such as y"),
        (lambda: made("LSTM", 4, 5)(M * 3, embedding=numbers(3, 4)), MinigenError, "steps hold 3, outside 0 … 2"),
    ],
)  # fmt: skip
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@KINDS
def test_no_sequences_at_all(kind: str) -> None:
    y, state = made(kind, 3, 40)(np.zeros((0, 4, 3), np.float32))
    assert y.shape == (0, 4, 40) and parts(state)[0].shape == (1, 0, 40)
