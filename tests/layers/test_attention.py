"""Attention layers: against PyTorch's with the same weights, against themselves step by step, and their errors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigen as mg
from minigen import layers
from minigen.errors import ArgumentError, DTypeError, GradientError, MinigenError, ShapeError

untyped: Any = mg  # as wrong types are the point


def generator() -> np.random.Generator:
    return mg.random.generator(5)


def values(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return mg.random.generator(sum(shape)).normal(size=shape).astype(dtype)


def padded(n: int, length: int) -> np.ndarray:
    """True for the first steps of each sequence, fewer in later ones."""
    return np.arange(length) < length - np.arange(n)[:, None]


# ---------------------------------------------------------------- PyTorch


def copy(theirs: Any, ours: Any) -> None:
    """Our values into PyTorch's parameter, turned around where that fits."""
    array = ours.data
    theirs.data = type(theirs.data)(array.T.copy() if array.ndim == 2 else array.copy()).to(theirs.dtype)


def copy_attention(theirs: Any, ours: layers.MultiHeadAttention) -> list[tuple[Any, Any]]:
    """Pairs (PyTorch's parameter, ours), which are equal afterwards."""
    pairs = [(theirs.in_proj_weight, ours.qkv.weight), (theirs.out_proj.weight, ours.out.weight)]
    if ours.qkv.bias is not None and ours.out.bias is not None:
        pairs += [(theirs.in_proj_bias, ours.qkv.bias), (theirs.out_proj.bias, ours.out.bias)]
    return pairs


def compare(pairs: list[tuple[Any, Any]], y: Any, ty: Any, xs: list[Any], txs: list[Any], tolerance: float) -> None:
    """Values and all gradients of Σ y²."""
    np.testing.assert_allclose(y.data, ty.detach().numpy(), rtol=tolerance, atol=tolerance)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    for theirs, ours in [*pairs, *zip(txs, xs, strict=True)]:
        expected = theirs.grad.numpy()
        expected = expected.T if expected.ndim == 2 else expected
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(ours.grad.data, expected, rtol=tolerance, atol=tolerance * scale)


TOLERANCES = pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])


@TOLERANCES
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_self_attention_is_pytorchs(bias: bool, with_mask: bool, is_causal: bool, dtype: str, tolerance: float):
    torch = pytest.importorskip("torch")
    ours = layers.MultiHeadAttention(12, 3, bias, rng=generator()).astype(dtype)
    theirs = torch.nn.MultiheadAttention(12, 3, bias=bias, batch_first=True).to(getattr(torch, dtype))
    pairs = copy_attention(theirs, ours)
    for pair in pairs:
        copy(*pair)
    x = mg.tensor(values(3, 9, 12, dtype=dtype), requires_grad=True)
    tx = torch.tensor(x.data, requires_grad=True)
    mask = padded(3, 9) if with_mask else None
    later = torch.ones(9, 9, dtype=torch.bool).triu(1) if is_causal else None
    absent = None if mask is None else torch.tensor(~mask)
    ty, _ = theirs(tx, tx, tx, key_padding_mask=absent, attn_mask=later)
    compare(pairs, ours(x, mask=mask, is_causal=is_causal), ty, [x], [tx], tolerance)


@TOLERANCES
def test_cross_attention_is_pytorchs(dtype: str, tolerance: float):
    torch = pytest.importorskip("torch")
    ours = layers.MultiHeadAttention(8, 2, rng=generator()).astype(dtype)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).to(getattr(torch, dtype))
    pairs = copy_attention(theirs, ours)
    for pair in pairs:
        copy(*pair)
    x, context = (mg.tensor(values(2, t, 8, dtype=dtype), requires_grad=True) for t in (5, 11))
    tx, tc = (torch.tensor(a.data, requires_grad=True) for a in (x, context))
    mask = padded(2, 11)
    ty, _ = theirs(tx, tc, tc, key_padding_mask=torch.tensor(~mask))
    compare(pairs, ours(x, context, mask), ty, [x, context], [tx, tc], tolerance)


@TOLERANCES
@pytest.mark.parametrize("is_causal", [False, True])
def test_block_is_pytorchs_encoder_layer(is_causal: bool, dtype: str, tolerance: float):
    torch = pytest.importorskip("torch")
    ours = layers.TransformerBlock(12, 3, mlp_ratio=2, rng=generator()).astype(dtype)
    theirs = torch.nn.TransformerEncoderLayer(
        12, 3, 24, 0.0, "gelu", batch_first=True, norm_first=True, dtype=getattr(torch, dtype)
    )
    first, _, second = ours.mlp
    pairs = copy_attention(theirs.self_attn, ours.attention)
    pairs += [(theirs.norm1.weight, ours.attention_norm.weight), (theirs.norm1.bias, ours.attention_norm.bias)]
    pairs += [(theirs.norm2.weight, ours.mlp_norm.weight), (theirs.norm2.bias, ours.mlp_norm.bias)]
    pairs += [(getattr(theirs.linear1, name), getattr(first, name)) for name in ("weight", "bias")]
    pairs += [(getattr(theirs.linear2, name), getattr(second, name)) for name in ("weight", "bias")]
    assert len(pairs) == len(ours.parameters())
    for pair in pairs:
        copy(*pair)
    x = mg.tensor(values(2, 7, 12, dtype=dtype), requires_grad=True)
    tx = torch.tensor(x.data, requires_grad=True)
    later = torch.ones(7, 7, dtype=torch.bool).triu(1) if is_causal else None
    compare(pairs, ours(x, is_causal=is_causal), theirs(tx, src_mask=later), [x], [tx], tolerance)


# ---------------------------------------------------------------- by itself


def test_padding_does_not_matter():
    """What stands in masked steps changes nothing elsewhere, and gets no gradient through the others."""
    block, mask = layers.TransformerBlock(8, 2, rng=generator()), padded(3, 10)
    array = values(3, 10, 8)
    x = mg.tensor(array, requires_grad=True)
    y = block(x, mask=mask)
    other = block(mg.tensor(np.where(mask[..., None], array, 7)), mask=mask)
    np.testing.assert_array_equal(y.data[mask], other.data[mask])
    (y * mask[..., None]).sum().backward()
    assert x.grad is not None
    assert (x.grad.data[~mask] == 0).all()
    assert (x.grad.data[mask] != 0).all()


def test_causal_steps_do_not_see_later_ones():
    block, array = layers.TransformerBlock(8, 2, rng=generator()), values(2, 12, 8)
    changed = array.copy()
    changed[:, 6:] += 1
    y, z = block(mg.tensor(array), is_causal=True), block(mg.tensor(changed), is_causal=True)
    np.testing.assert_array_equal(y.data[:, :6], z.data[:, :6])
    assert (y.data[:, 6:] != z.data[:, 6:]).any(-1).all()
    assert (block(mg.tensor(array)).data[:, :6] != y.data[:, :6]).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("first", [1, 4, 70])
def test_a_cache_gives_the_same_logits(first: int, dtype: Any):
    """A whole sequence at once, or some steps and then one at a time, past the room that a cache begins with."""
    rng = generator()
    blocks = [layers.TransformerBlock(16, 4, rng=rng).astype(dtype) for _ in range(2)]
    caches = [layers.KeyValueCache() for _ in blocks]
    x = mg.tensor(values(2, 140, 16, dtype=dtype))

    def run(x: mg.Tensor, caches: list[Any]) -> np.ndarray:
        for block, cache in zip(blocks, caches, strict=True):
            x = block(x, is_causal=True, cache=cache)
        return x.data

    with mg.no_grad():
        whole = run(x, [None, None])
        for _ in range(2):
            parts = [run(x[:, :first], caches)]
            parts += [run(x[:, i : i + 1], caches) for i in range(first, x.shape[1])]
            assert [cache.length for cache in caches] == [140, 140]
            tolerance = 1e-5 if dtype == np.float32 else 1e-12
            np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=tolerance, atol=tolerance)
            for cache in caches:
                cache.reset()


def test_a_cache_with_a_mask():
    layer, x, mask = layers.MultiHeadAttention(8, 2, rng=generator()), mg.tensor(values(2, 9, 8)), np.ones((2, 9), bool)
    mask[1, :4] = False  # padding in front, as prompts of different lengths have it
    cache = layers.KeyValueCache()
    with mg.no_grad():
        whole = layer(x, mask=mask, is_causal=True)
        parts = [layer(x[:, i : i + 3], mask=mask[:, : i + 3], is_causal=True, cache=cache) for i in (0, 3, 6)]
    np.testing.assert_allclose(np.concatenate([part.data for part in parts], 1), whole.data, rtol=1e-5, atol=1e-6)


def test_learned_positions():
    positions = layers.LearnedPositions(6, 4, rng=generator())
    x = mg.tensor(values(2, 3, 4), requires_grad=True)
    y = positions(x, start=2)
    np.testing.assert_array_equal(y.data, x.data + positions.weight.data[2:5])
    y.sum().backward()
    assert positions.weight.grad is not None
    np.testing.assert_array_equal(positions.weight.grad.data, np.array([0, 0, 2, 2, 2, 0])[:, None] * np.ones(4))


@pytest.mark.parametrize("dim", [1, 5, 6])
def test_sinusoidal_positions(dim: int):
    positions = layers.SinusoidalPositions(50, dim)
    y = positions(np.zeros((1, 40, dim)), start=10)
    for t in range(40):
        for i in range(dim):
            angle = (t + 10) / 10000 ** (2 * (i // 2) / dim)
            assert y.data[0, t, i] == pytest.approx((math.sin, math.cos)[i % 2](angle), abs=1e-12)
    assert positions.state_dict() == {}
    assert positions(mg.tensor(values(1, 2, dim))).dtype == np.float32


def test_tied_weights():
    """The table of symbols as the last layer too: one parameter, whose gradient has both parts."""
    embedding, ids = layers.Embedding(70, 40, rng=generator()), mg.random.generator(1).integers(0, 70, (6, 30))

    def loss(table: Any) -> mg.Tensor:
        h = mg.tanh(mg.embedding(ids, embedding.weight))
        return mg.cross_entropy(mg.linear(h, table.T).reshape(-1, 70), np.roll(ids, 1).reshape(-1))

    loss(embedding.weight).backward()
    assert embedding.weight.grad is not None
    tied, embedding.weight.grad = embedding.weight.grad.data, None
    other = mg.tensor(embedding.weight.data, requires_grad=True)
    loss(other).backward()
    assert other.grad is not None
    assert embedding.weight.grad is not None
    np.testing.assert_allclose(tied, other.grad.data + embedding.weight.grad.data, rtol=1e-4, atol=1e-7)  # pyright: ignore[reportOptionalMemberAccess]


def test_a_block_learns_to_copy():
    """The symbol two steps back, which only attention can know."""
    rng = generator()
    symbols, positions = layers.Embedding(5, 16, rng=rng), layers.LearnedPositions(8, 16, rng=rng)
    model = layers.ModuleList(
        [symbols, positions, layers.TransformerBlock(16, 2, rng=rng), layers.Linear(16, 5, rng=rng)]
    )
    optimizer = mg.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(150):
        ids = rng.integers(0, 5, (32, 8))
        h = positions(symbols(ids))
        logits = model[3](model[2](h, is_causal=True))
        loss = mg.cross_entropy(logits[:, 2:].reshape(-1, 5), ids[:, :-2].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1.5
    assert losses[-1] < 0.2


# ---------------------------------------------------------------- errors


def x(*shape: int) -> mg.Tensor:
    return mg.tensor(np.ones(shape, np.float32), requires_grad=True)


def sdpa(q: Any = None, k: Any = None, v: Any = None, heads: Any = 2, **options: Any) -> Any:
    k = x(2, 5, 4) if k is None else k
    return untyped.scaled_dot_product_attention(
        x(2, 3, 4) if q is None else q, k, k if v is None else v, heads, **options
    )


def attention(*args: Any, dim: int = 4, **options: Any) -> Any:
    return layers.MultiHeadAttention(dim, 2, rng=generator())(*args, **options)


def used_cache() -> layers.KeyValueCache:
    cache = layers.KeyValueCache()
    with mg.no_grad():
        attention(x(2, 3, 4), cache=cache)
    return cache


def in_cache(*shape: int, dim: int = 4) -> Any:
    cache = used_cache()
    with mg.no_grad():
        return attention(x(*shape), dim=dim, cache=cache)


ERRORS: list[tuple[Callable[[], Any], type[MinigenError], str]] = [
    (lambda: sdpa(x(3, 4)), ShapeError, r"attention: q \(3, 4\).*pass q \(N, Tq, C\)"),
    (lambda: sdpa(x(1, 3, 4)), ShapeError, r"q \(1, 3, 4\), k \(2, 5, 4\)"),
    (lambda: sdpa(x(2, 3, 6)), ShapeError, r"q \(2, 3, 6\), k \(2, 5, 4\)"),
    (lambda: sdpa(v=x(2, 6, 4)), ShapeError, r"v \(2, 6, 4\).*k and v both"),
    (lambda: sdpa(heads=3), ShapeError, "4 channels can not be cut into 3 heads; use a multiple of 3"),
    (lambda: sdpa(heads=0), ArgumentError, "heads is 0; use a whole number"),
    (lambda: sdpa(heads=2.0), ArgumentError, "heads is 2.0"),
    (lambda: sdpa(x(2, 0, 4)), ShapeError, "0 queries and 5 keys; a sequence needs at least one step"),
    (lambda: sdpa(k=x(2, 0, 4)), ShapeError, "3 queries and 0 keys"),
    (lambda: sdpa(x(2, 6, 4), is_causal=True), ShapeError, "6 queries but only 5 keys; .* at least as many keys"),
    (
        lambda: sdpa(mask=np.ones((2, 5))),
        DTypeError,
        "mask has dtype float64; pass booleans, True for a key",
    ),
    (lambda: sdpa(mask=np.ones((2, 3), bool)), ShapeError, r"mask is \(2, 3\), expected \(N, Tk\) = \(2, 5\)"),
    (lambda: sdpa(mask=np.ones((3, 5), bool)), ShapeError, r"mask is \(3, 5\)"),
    (lambda: mg.self_attention(x(2, 3, 4), 1), ShapeError, r"self_attention: qkv is \(2, 3, 4\); pass \(N, T, 3C\)"),
    (lambda: mg.self_attention(x(2, 12), 1), ShapeError, "self_attention: qkv is"),
    (lambda: mg.self_attention(x(2, 3, 12), 3), ShapeError, "self_attention: 4 channels can not be cut into 3"),
    (lambda: mg.self_attention(x(2, 0, 12), 2), ShapeError, "at least one step"),
    (lambda: mg.self_attention(x(2, 3, 0), 1), ShapeError, "self_attention: 0 channels"),
    (lambda: mg.self_attention("text", 1), DTypeError, "self_attention: dtype"),
    (lambda: layers.MultiHeadAttention(6, 4, rng=generator()), ShapeError, "dim 6 can not be cut into 4 heads"),
    (lambda: layers.MultiHeadAttention(6, 0, rng=generator()), ArgumentError, "heads is 0"),
    (lambda: attention(x(2, 3, 5)), ShapeError, r"MultiHeadAttention\(4, 2\): x \(2, 3, 5\) has 5 .* expected 4"),
    (lambda: attention(x(3, 4)), ShapeError, r"x \(3, 4\) has 2 axes; pass \(N, T, 4\)"),
    (lambda: attention(x(2, 3, 4), x(2, 3, 6)), ShapeError, "expected 4: context is"),
    (lambda: attention(x(2, 3, 4), x(3, 4)), ShapeError, r"context \(3, 4\) has 2 axes"),
    (lambda: attention(x(2, 3, 4), cache=layers.KeyValueCache()), GradientError, "inside `with mg.no_grad"),
    (lambda: attention(x(2, 3, 4), cache=[used_cache()]), ArgumentError, "cache is list; pass a KeyValueCache"),
    (lambda: sdpa(is_causal="False"), ArgumentError, "is_causal is str; pass True or False, and a mask as mask="),
    (lambda: attention(x(2, 3, 4), x(2, 3, 4), cache=used_cache()), ArgumentError, "leave it out with a context"),
    (lambda: in_cache(3, 1, 4), ShapeError, "KeyValueCache: got 3 sequences of width 4, float32, but it holds 2 of"),
    (lambda: in_cache(2, 1, 6, dim=6), ShapeError, "width 6, float32, but it holds 2 of width 4.*cache for each layer"),
    (lambda: layers.TransformerBlock(4, 3, rng=generator()), ShapeError, "dim 4 can not be cut into 3 heads"),
    (lambda: layers.TransformerBlock(4, 2, mlp_ratio=0, rng=generator()), ArgumentError, "mlp_ratio is 0"),
    (lambda: layers.TransformerBlock(4, 2, dropout=2, rng=generator()), ArgumentError, "Dropout: p is 2"),
    (
        lambda: layers.LearnedPositions(5, 4, rng=generator())(x(2, 6, 4)),
        ShapeError,
        r"LearnedPositions\(5, 4\): 6 steps from position 0 on end at 6, but there are only 5 positions; pass fewer",
    ),
    (lambda: layers.SinusoidalPositions(5, 4)(x(2, 2, 4), start=4), ShapeError, "2 steps from position 4 on end at 6"),
    (lambda: layers.SinusoidalPositions(5, 4)(x(2, 2, 4), start=-1), ArgumentError, "start is -1"),
    (lambda: layers.SinusoidalPositions(5, 4)(x(2, 2, 3)), ShapeError, "expected 4"),
    (lambda: layers.SinusoidalPositions(5, 4)(x(2, 4)), ShapeError, r"x \(2, 4\) has 2 axes"),
    (lambda: layers.SinusoidalPositions(0, 4), ArgumentError, "max_length is 0"),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS)
def test_errors(call: Callable[[], Any], kind: type[MinigenError], message: str):
    with pytest.raises(kind, match=message):
        call()


def test_a_refused_step_leaves_the_cache_as_it_was():
    cache = used_cache()
    with mg.no_grad(), pytest.raises(ShapeError):
        attention(x(3, 1, 4), cache=cache)
    with mg.no_grad(), pytest.raises(ShapeError, match=r"mask is \(2, 1\), expected \(N, Tk\) = \(2, 4\)"):
        attention(x(2, 1, 4), mask=np.ones((2, 1), bool), cache=cache)
    assert cache.length == 3
