"""What the transformers share: checks of recipes, blocks, first weights, AdamW with warm-up, windows of a text."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import minigen as mg
from minigen import layers, optim
from minigen.checks import check_number
from minigen.errors import ArgumentError, DataError
from minigen.layers import init
from minigen.models.parts.options import require_decay, require_positive


def check_transformer(name: str, recipe: Any) -> None:
    """Raises ArgumentError for a recipe whose numbers make no transformer, or no training."""
    positive = ("layers", "heads", "dim", "context", "steps", "batch_size", "lr", "clip", "every")
    require_positive(recipe, *positive, "patience", "max_steps")
    require_decay(recipe.ema)
    if recipe.dim % recipe.heads:
        raise ArgumentError(
            f"{name}: {recipe.heads} heads can not share a dim of {recipe.dim}; use a multiple of {recipe.heads}"
        )
    check_number(name, "dropout", recipe.dropout, 0, 1)
    check_number(name, "warmup", recipe.warmup, 0, 1)
    check_number(name, "weight_decay", recipe.weight_decay, 0)


def blocks(recipe: Any, rng: np.random.Generator, approximate: str = "none") -> layers.ModuleList:
    """The blocks of a recipe. approximate: as in `mg.gelu`."""
    dim, heads, dropout = recipe.dim, recipe.heads, recipe.dropout
    return layers.ModuleList(
        [
            layers.TransformerBlock(dim, heads, dropout=dropout, approximate=approximate, rng=rng)
            for _ in range(recipe.layers)
        ]
    )


def initialize(model: layers.Module, depth: int, rng: np.random.Generator) -> None:
    """GPT-2's first weights: matrices N(0, 0.02²), biases 0, the norms as they are.

    The two matrices of each block whose products are added to h get 0.02 / √(2·depth), so that h, a sum of 2·depth such
    products, keeps its size however many there are (Radford et al. 2019, section 2.3).
    """
    with mg.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 2:
                added = name.endswith(("attention.out.weight", "mlp.2.weight"))
                p.copy_(init.normal(p.shape, rng, std=0.02 / (2 * depth) ** 0.5 if added else 0.02))
            elif name.endswith("bias"):
                p.copy_(0.0)


def adamw(model: layers.Module, recipe: Any) -> tuple[optim.AdamW, optim.WarmupLR]:
    """The optimizer, which decays matrices only, and the rise and fall of its learning rate over recipe.steps."""
    parameters = list(model.parameters())
    optimizer = optim.AdamW(
        parameters,
        lr=recipe.lr,
        betas=(0.9, 0.99),
        weight_decay=recipe.weight_decay,
        no_decay=[p for p in parameters if p.ndim < 2],
    )
    rise = max(round(recipe.warmup * recipe.steps), 1)
    fall = optim.CosineLR(optimizer, max(recipe.steps - rise, 1), min_lr=recipe.lr / 10)
    return optimizer, optim.WarmupLR(optimizer, rise, after=fall)


def windows_of(
    ids: np.ndarray, context: int, stride: int, thinned: int = 1
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(x, y, new), each (N, T): windows of a text that cover all of it, and where each is new; up to 64 at a time.

    The last window ends where the text ends. Raises DataError for a text of less than two symbols.
    """
    x, y = ids[:-1], ids[1:]
    if not len(y):
        raise DataError(f"validation: the text has {len(ids)} symbols to validate on; use a longer text")
    width = min(context, len(x))
    ends = np.append(np.arange(width, len(x), stride), len(x))
    new = np.arange(width) >= width - np.diff(ends, prepend=0)[:, None]
    places = (ends[:, None] - width + np.arange(width))[::thinned]
    for rows in np.split(places, range(64, len(places), 64)):
        yield x[rows], y[rows], new[::thinned][: len(rows)]
        new = new[64 * thinned :]
