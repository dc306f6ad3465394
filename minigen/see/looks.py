"""Where attention looks: the weights of every attention in a computation, which the fused kernels never write down."""

from collections.abc import Sequence

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.observe import Observer
from minigen.autograd.ops.attention import Attention, SelfAttention, thirds, visible
from minigen.autograd.tensor import Tensor


class Looks(Observer):
    """Hears attention and keeps its weights: `.weights`, one (N, heads, Tq, Tk) for each call, in order.

        looks = Looks()
        with mg.no_grad(), observe(looks):
            model(ids)

    softmax(q kᵀ / √D) of each head of width D, computed anew from q and k (Vaswani et al. 2017, section 3.2.1); rows of
    a query that may look at nothing are 0.
    """

    def __init__(self) -> None:
        self.weights: list[np.ndarray] = []

    def function_starts(self, node: Function, inputs: Sequence[Tensor]) -> None:
        if isinstance(node, (Attention, SelfAttention)):
            arrays = [x.data for x in inputs]
            q, k = (thirds(arrays[0]) if isinstance(node, SelfAttention) else arrays)[:2]
            self.weights.append(weights_of(q, k, *node.options))


def weights_of(q: np.ndarray, k: np.ndarray, heads: int, is_causal: bool, mask: np.ndarray | None) -> np.ndarray:
    """softmax(q kᵀ / √D), (N, heads, Tq, Tk), of q (N, Tq, C) and k (N, Tk, C)."""
    q, k = (x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3) for x in (q, k))
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    allowed = visible(q.shape[2], k.shape[2], is_causal, mask)
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    highest = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(highest), highest, 0))
    return weights / np.maximum(weights.sum(-1, keepdims=True), np.finfo(weights.dtype).tiny)
