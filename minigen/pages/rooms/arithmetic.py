"""How one number of a layer's result came about, and what its gradient gives to the numbers before it.

Both are lists of lines: {"text": …} in words, and {"title": …, "table": rows} of numbers. A convolution's window is
shown for the few input channels that weigh most; what the others add is one number.
"""

from typing import Any

import numpy as np

from minigen import layers

WINDOWS = 4  # input channels whose windows are shown
TERMS = 8  # products of a dense layer that are shown

Line = dict[str, Any]
Place = tuple[int, ...]


def forward(layer: layers.Module, x: np.ndarray, y: np.ndarray, at: Place) -> list[Line]:
    """How y[at] came from x, both without the axis of the batch."""
    if isinstance(layer, layers.Conv2d):
        return convolved(layer, x, at)
    if isinstance(layer, layers.Linear):
        return multiplied(layer, x, at)
    if isinstance(layer, layers.BatchNorm):
        return normalised(layer, x, at)
    if isinstance(layer, layers.MaxPool2d):
        part = window(layer, x, at)
        place = np.unravel_index(int(np.nanargmax(part)), part.shape)
        return [{"title": "the window", "table": rounded(part)}, said(f"the largest is at {tuple(map(int, place))}")]
    before = float(x[at]) if x.shape == y.shape else float(x.reshape(-1)[np.ravel_multi_index(at, y.shape)])
    return [said(f"{type(layer).__name__} of {before:.4g} is {float(y[at]):.4g}")]


def backward(layer: layers.Module, x: np.ndarray, at: Place, g: float) -> list[Line]:
    """What the gradient g of y[at] gives to x, and to the layer's weights."""
    if isinstance(layer, layers.Conv2d):
        (row, column, channel), parts = at, channels_by_weight(layer, x, at)
        found = [said(f"each input of the window gets g = {g:.4g} times its weight, and each weight g times its input")]
        for c in parts[:WINDOWS]:
            weights = layer.weight.data[:, :, c, channel]
            found.append({"title": f"to input channel {c}: g · weights", "table": rounded(g * weights)})
            found.append(
                {
                    "title": f"to the weights of input channel {c}: g · window",
                    "table": rounded(g * window(layer, x, (row, column, c))),
                }
            )
        return found
    if isinstance(layer, layers.Linear):
        weights = layer.weight.data[:, at[0]]
        best = np.argsort(-np.abs(g * weights), kind="stable")[:TERMS]
        rows = [[int(i), sig(weights[i]), sig(g * weights[i]), sig(g * x[i])] for i in best]
        return [{"title": "input, weight, g · weight to the input, g · input to the weight", "table": rows}]
    if isinstance(layer, layers.MaxPool2d):
        part = window(layer, x, at)
        given = np.where(np.arange(part.size).reshape(part.shape) == np.nanargmax(part), g, 0.0)
        return [{"title": "only the largest of the window gets it", "table": rounded(given)}]
    if isinstance(layer, (layers.ReLU, layers.LeakyReLU)):
        slope = 1.0 if x[at] > 0 else float(getattr(layer, "negative_slope", 0.0))
        return [said(f"times the slope at {float(x[at]):.4g}, which is {slope:g}: {g * slope:.4g}")]
    if isinstance(layer, layers.BatchNorm):
        scale = float(scales(layer)[at[-1]])
        return [said(f"times {scale:.4g}, the factor of channel {at[-1]}: {g * scale:.4g}")]
    return [said(f"goes on as it is: {g:.4g}")]


def convolved(layer: layers.Conv2d, x: np.ndarray, at: Place) -> list[Line]:
    """The products of a convolution's window, by input channel."""
    row, column, channel = at
    parts, found, shown = channels_by_weight(layer, x, at), [], 0.0
    sums = products(layer, x, at)
    for c in parts[:WINDOWS]:
        found.append({"title": f"input channel {c}: window", "table": rounded(window(layer, x, (row, column, c)))})
        found.append({"title": "times weights", "table": rounded(layer.weight.data[:, :, c, channel])})
        found.append(said(f"gives {sums[c]:.4g}"))
        shown += float(sums[c])
    bias = 0.0 if layer.bias is None else float(layer.bias.data[channel])
    rest = float(sums.sum()) - shown
    others = f" + {rest:.4g} of {len(sums) - WINDOWS} other input channels" if len(sums) > WINDOWS else ""
    told = f" + bias {bias:.4g}" if layer.bias is not None else ""
    return [*found, said(f"in all {shown:.4g}{others}{told} = {float(sums.sum()) + bias:.4g}")]


def products(layer: layers.Conv2d, x: np.ndarray, at: Place) -> np.ndarray:
    """Σ window · weights of each input channel, (in_channels,)."""
    row, column, channel = at
    weights = layer.weight.data[..., channel].astype(np.float64)
    count = weights.shape[2]
    return np.array([np.nansum(window(layer, x, (row, column, c)) * weights[:, :, c]) for c in range(count)])


def channels_by_weight(layer: layers.Conv2d, x: np.ndarray, at: Place) -> list[int]:
    """The input channels, the one that weighs most in y[at] first."""
    return np.argsort(-np.abs(products(layer, x, at)), kind="stable").tolist()


def window(layer: Any, x: np.ndarray, at: Place) -> np.ndarray:
    """What a convolution or pooling sees of channel at[2] of x (H, W, C) for its place at[:2]; NaN beyond the edge."""
    sizes, strides = layer.kernel_size, layer.stride
    dilation = getattr(layer, "dilation", (1, 1))
    padding = layer.padding if isinstance(layer.padding, tuple) else (layer.padding, layer.padding)
    places = [at[axis] * strides[axis] - padding[axis] + dilation[axis] * np.arange(sizes[axis]) for axis in range(2)]
    part = np.full((len(places[0]), len(places[1])), np.nan)
    for i, r in enumerate(places[0]):
        for j, c in enumerate(places[1]):
            if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]:
                part[i, j] = x[r, c, at[2]]
    return part


def multiplied(layer: layers.Linear, x: np.ndarray, at: Place) -> list[Line]:
    """The products of a dense layer that weigh most."""
    terms = x.astype(np.float64) * layer.weight.data[:, at[0]]
    best = np.argsort(-np.abs(terms), kind="stable")[:TERMS]
    rows = [[int(i), sig(x[i]), sig(layer.weight.data[i, at[0]]), sig(terms[i])] for i in best]
    bias = 0.0 if layer.bias is None else float(layer.bias.data[at[0]])
    rest = float(terms.sum() - terms[best].sum())
    return [
        {"title": "input, its value, weight, product", "table": rows},
        said(f"with {rest:.4g} of {max(len(terms) - TERMS, 0)} others and bias {bias:.4g}: {terms.sum() + bias:.4g}"),
    ]


def normalised(layer: layers.BatchNorm, x: np.ndarray, at: Place) -> list[Line]:
    """Batch normalisation by the running statistics."""
    c = at[-1]
    assert layer.running_mean is not None and layer.running_var is not None
    mean, deviation = float(layer.running_mean[c]), float(np.sqrt(layer.running_var[c] + layer.eps))
    weight = 1.0 if layer.weight is None else float(layer.weight.data[c])
    bias = 0.0 if layer.bias is None else float(layer.bias.data[c])
    value = (float(x[at]) - mean) / deviation * weight + bias
    scaled = f"({float(x[at]):.4g} - mean {mean:.4g}) / deviation {deviation:.4g}"
    return [said(f"{scaled} · {weight:.4g} + {bias:.4g} = {value:.4g}")]


def scales(layer: layers.BatchNorm) -> np.ndarray:
    """What batch normalisation multiplies each channel by, in evaluation mode."""
    assert layer.running_var is not None
    deviations = np.sqrt(layer.running_var + layer.eps)
    return (1.0 if layer.weight is None else layer.weight.data) / deviations


def said(words: str) -> Line:
    """A line of words."""
    return {"text": words}


def sig(value: Any) -> float:
    """Four digits."""
    return float(f"{float(value):.4g}") + 0.0  # no -0


def rounded(table: np.ndarray) -> list[list[float | None]]:
    """A table of four digits each; None beyond the edge of an image."""
    return [[None if np.isnan(value) else sig(value) for value in row] for row in table]
