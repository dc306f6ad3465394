"""Attention with several heads, the block that transformers are stacked from, and the memory that generation needs."""

import numpy as np

from minigen import random
from minigen.autograd import Tensor, ops
from minigen.checks import check_count, check_number
from minigen.errors import ArgumentError, GradientError, ShapeError
from minigen.kernels.noting import refuse
from minigen.layers.activation import GELU
from minigen.layers.checks import check_features
from minigen.layers.containers import Sequential
from minigen.layers.dropout import Dropout
from minigen.layers.linear import Linear
from minigen.layers.module import Module
from minigen.layers.normalization import LayerNorm

FIRST_STEPS = 64  # steps that a cache has room for at first; it doubles


class KeyValueCache:
    """The keys and values of the steps that one attention layer has seen, so that each is computed once.

        caches = [KeyValueCache() for _ in blocks]
        with mg.no_grad():
            for block, cache in zip(blocks, caches):
                x = block(x, is_causal=True, cache=cache)  # x: the new steps only

    One for each layer, for inference only. length: how many steps it holds.
    """

    def __init__(self) -> None:
        self.length = 0
        self.memory = np.empty((0, 0, 0), np.float32)  # (N, steps, 2C)

    def reset(self) -> None:
        """Forget everything, for a new sequence."""
        self.length = 0

    def joined(self, kv: np.ndarray) -> np.ndarray:
        """The steps held and then those of kv (N, T, 2C), keys and values side by side, in one array: a view.

        The new ones stay when `length` is set to count them.
        """
        refuse("a KeyValueCache grows")
        (n, _, width), end = kv.shape, self.length + kv.shape[1]
        held, _, held_width = self.memory.shape
        if (n, width, kv.dtype) != (held, held_width, self.memory.dtype):
            if self.length:
                raise ShapeError(
                    f"KeyValueCache: got {n} sequences of width {width // 2}, {kv.dtype}, but it holds {held} of width "
                    f"{held_width // 2}, {self.memory.dtype}; use one cache for each layer, reset() between batches"
                )
            self.memory = np.empty((n, 0, width), kv.dtype)
        if end > self.memory.shape[1]:
            memory = np.empty((n, max(FIRST_STEPS, end, 2 * self.memory.shape[1]), width), kv.dtype)
            memory[:, : self.length] = self.memory[:, : self.length]
            self.memory = memory
        self.memory[:, self.length : end] = kv
        return self.memory[:, :end]


class MultiHeadAttention(Module):
    """Each step looks at others: y = concat over heads of softmax(q kᵀ / √D) v, times W; D = dim / heads.

    q, k and v are x times the three column blocks of qkv.weight (dim, 3·dim); `out` is the last product. With a
    `context`, k and v are made of it in the place of x (cross-attention). Vaswani et al. 2017, section 3.2.2.
    Raises ArgumentError for counts below 1, ShapeError unless heads divides dim.
    """

    def __init__(self, dim: int, heads: int, bias: bool = True, *, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        self.dim = check_count("MultiHeadAttention", "dim", dim)
        self.heads = check_count("MultiHeadAttention", "heads", heads)
        if self.dim % self.heads:
            raise ShapeError(
                f"MultiHeadAttention: dim {dim} can not be cut into {heads} heads; use a multiple of {heads}"
            )
        rng = random.check_rng(rng, "MultiHeadAttention")
        self.qkv = Linear(self.dim, 3 * self.dim, bias, rng=rng)
        self.out = Linear(self.dim, self.dim, bias, rng=rng)

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        mask: np.ndarray | None = None,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """x (N, T, dim) → (N, T, dim).

        context: (N, Tk, dim), what to look at instead of x. mask: booleans (N, Tk), True where it may be looked at.
        is_causal: only at the same and earlier steps. cache: x holds the steps after those in the cache, which are
        looked at too and to which those of x are added; then Tk counts all of them.
        """
        name = f"MultiHeadAttention({self.dim}, {self.heads})"
        x = self.sequence(name, "x", x)
        if context is not None:
            if cache is not None:
                raise ArgumentError(f"{name}: a cache keeps the steps of x; leave it out with a context")
            y = self.cross(x, self.sequence(name, "context", context), mask, is_causal)
        elif cache is not None:
            if not isinstance(cache, KeyValueCache):
                raise ArgumentError(
                    f"{name}: cache is {type(cache).__name__}; pass a KeyValueCache, each layer its own"
                )
            y = self.cached(name, self.qkv(x), mask, is_causal, cache)
        else:
            y = ops.self_attention(self.qkv(x), self.heads, is_causal, mask)
        return self.out(y)

    def sequence(self, name: str, role: str, x: Tensor) -> Tensor:
        """x as a tensor (N, T, dim)."""
        x = check_features(name, x, self.dim, f"{role} is (N, T, dim)", self.qkv.weight.dtype)
        if x.ndim != 3:
            raise ShapeError(f"{name}: {role} {x.shape} has {x.ndim} axes; pass (N, T, {self.dim})")
        return x

    def cross(self, x: Tensor, context: Tensor, mask: np.ndarray | None, is_causal: bool) -> Tensor:
        """Queries from x, keys and values from the context."""
        weight, bias, c = self.qkv.weight, self.qkv.bias, self.dim
        q = ops.linear(x, weight[:, :c], None if bias is None else bias[:c])
        kv = ops.linear(context, weight[:, c:], None if bias is None else bias[c:])
        return ops.scaled_dot_product_attention(q, kv[..., :c], kv[..., c:], self.heads, is_causal, mask)

    def cached(self, name: str, qkv: Tensor, mask: np.ndarray | None, is_causal: bool, cache: KeyValueCache) -> Tensor:
        """The new steps' queries on all steps' keys and values."""
        if qkv.requires_grad:
            raise GradientError(f"{name}: a cache is for inference; call it inside `with mg.no_grad():`")
        c = self.dim
        kv = cache.joined(qkv.data[..., c:])
        q, k, v = Tensor(qkv.data[..., :c]), Tensor(kv[..., :c]), Tensor(kv[..., c:])
        y = ops.scaled_dot_product_attention(q, k, v, self.heads, is_causal, mask)
        cache.length = kv.shape[1]
        return y

    def extra_repr(self) -> str:
        """dim, heads."""
        return f"{self.dim}, {self.heads}"


class TransformerBlock(Module):
    """x + attention(norm(x)), then that plus mlp(norm of that): the pre-norm block, whose sum is never normalised.

    mlp: dim → mlp_ratio · dim, GELU, → dim. dropout acts on what is added; approximate is GELU's. With is_causal=True
    the block of a decoder such as GPT, else that of an encoder such as BERT. Vaswani et al. 2017, section 3; Xiong et
    al. 2020, for pre-norm.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_ratio: float = 4,
        dropout: float = 0.0,
        approximate: str = "none",
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_number("TransformerBlock", "mlp_ratio", mlp_ratio, above=0)
        rng = random.check_rng(rng, "TransformerBlock")
        self.attention_norm = LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, heads, rng=rng)
        self.mlp_norm = LayerNorm(dim)
        hidden = max(1, round(mlp_ratio * dim))
        self.mlp = Sequential(Linear(dim, hidden, rng=rng), GELU(approximate), Linear(hidden, dim, rng=rng))
        self.dropout = Dropout(dropout, rng=rng)

    def forward(
        self, x: Tensor, mask: np.ndarray | None = None, is_causal: bool = False, cache: KeyValueCache | None = None
    ) -> Tensor:
        """x (N, T, dim) → (N, T, dim); mask, is_causal and cache as in MultiHeadAttention."""
        x = x + self.dropout(self.attention(self.attention_norm(x), None, mask, is_causal, cache))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))
