"""Oracles of attention: query by query in loops, and the twin in PyTorch. Joined to the others in op_cases.py."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


def may_look(i: int, j: int, tq: int, tk: int, is_causal: bool, mask: Any) -> bool:
    """Whether query i of one sequence may look at key j."""
    return bool((mask is None or mask[j]) and (not is_causal or j <= tk - tq + i))


def attention(q: Array, k: Array, v: Array, mask: Any = None, *, heads: int, is_causal: bool = False) -> Array:
    y = np.zeros(q.shape)
    (n, tq, c), tk = q.shape, k.shape[1]
    d = c // heads
    for b, h, i in np.ndindex(n, heads, tq):
        own = slice(h * d, (h + 1) * d)
        keys = [j for j in range(tk) if may_look(i, j, tq, tk, is_causal, None if mask is None else mask[b])]
        weights = [math.exp(math.fsum(q[b, i, own] * k[b, j, own]) / math.sqrt(d)) for j in keys]
        for weight, j in zip(weights, keys, strict=True):
            y[b, i, own] += weight / math.fsum(weights) * v[b, j, own]
    return y


def self_attention(qkv: Array, mask: Any = None, **options: Any) -> Array:
    q, k, v = np.split(qkv, 3, axis=-1)
    return attention(q, k, v, mask, **options)


ORACLES: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": attention,
    "self_attention": self_attention,
}


def twins(torch: Any) -> dict[str, Callable[..., Any]]:
    def twin(q: Any, k: Any, v: Any, mask: Any = None, *, heads: int, is_causal: bool = False) -> Any:
        def by_head(x: Any) -> Any:
            return x.unflatten(2, (heads, -1)).transpose(1, 2)

        seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool)  # PyTorch's own is_causal begins at the first key
        seen = seen.tril(k.shape[1] - q.shape[1]) if is_causal else seen
        seen = seen if mask is None else seen & mask[:, None, None, :]
        y = torch.nn.functional.scaled_dot_product_attention(by_head(q), by_head(k), by_head(v), seen)
        return y.transpose(1, 2).flatten(2)

    return {
        "scaled_dot_product_attention": twin,
        "self_attention": lambda qkv, *mask, **options: twin(*[*qkv.chunk(3, -1), *mask], **options),
    }
