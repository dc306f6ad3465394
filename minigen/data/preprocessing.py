"""How a model's input is made of a user's own: what `minigen.load` puts beside a model, to be read and to be called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.data.dataset import UNIT_RANGE, ImageDataset
from minigen.data.tokenizers import Tokenizer
from minigen.errors import DataError, ShapeError


@dataclass(frozen=True, repr=False)
class Preprocessing:
    """Calling it gives what the model is fed. description: from what to what; tokenizer: that of a model of text."""

    description: str
    function: Callable[[Any], Any]
    tokenizer: Tokenizer | None = None

    def __call__(self, value: Any) -> Any:
        return self.function(value)

    def __repr__(self) -> str:
        return f"<Preprocessing: {self.description}>"


def image_preprocessing(shape: tuple[int, ...], range: tuple[float, float] = UNIT_RANGE) -> Preprocessing:
    """Images → float32 (N, H, W, C), black at range[0] and white at range[1]. shape: (H, W, C).

    The images: uint8 in 0 … 255 or floats in 0 … 1, (N, H, W, C), or one alone, and without C when they are grey.
    Raises ShapeError or DataError for others.
    """

    def scaled(images: Any) -> np.ndarray:
        x = np.asarray(images)
        given = x.shape
        if shape[-1] == 1 and given[-2:] == shape[:2]:
            x = x[..., None]
        x = x[None] if x.ndim == 3 else x
        if x.shape[1:] != shape:
            raise ShapeError(
                f"images are {given}, but the model was trained on (N, {', '.join(map(str, shape))}); bring them to it"
            )
        if x.dtype != np.uint8:
            x = x.astype(np.float32)
            if not (x.min(initial=0) >= 0 and x.max(initial=1) <= 1):
                raise DataError(f"images run from {x.min():g} to {x.max():g}; use uint8 in 0 … 255 or floats in 0 … 1")
        return ImageDataset(x, None, (), "images", range)[:][0]

    height, width, channels = shape
    kind = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    low, high = range
    return Preprocessing(f"images {height}×{width}, {kind} → float32 (N, H, W, C) in [{low:g}, {high:g}]", scaled)


def text_preprocessing(tokenizer: Tokenizer) -> Preprocessing:
    """A text → the ids of its symbols, (1, T) int64. Raises DataError for a symbol that the tokenizer lacks."""
    return Preprocessing(
        f"a text → symbols (1, T) by {tokenizer!r}", lambda text: tokenizer.encode(text)[None], tokenizer
    )
