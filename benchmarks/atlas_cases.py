"""The shapes of the atlas: drawn by a seeded generator from what people use, so that nobody can have tuned to them.

Sizes are drawn evenly on a logarithmic scale; half of them are rounded to what people write (16, 48, 64, 100, 256 …).
A case that would take too long, or no time at all, is drawn again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

USUAL = (
    *(1, 2, 3, 4, 8, 10, 12, 16, 24, 32, 48, 50, 64, 80, 96, 100, 128, 192),
    *(200, 256, 300, 384, 512, 784, 1000, 1024, 2048),
)
GFLOP = (0.002, 4.0)  # least and most work of a forward pass whose limit is the product rate
MEGABYTES = (0.02, 64.0)  # and of one whose limit is the memory, in what is read and written


@dataclass(frozen=True)
class Case:
    """One layer or operation: `build` is the function of that name on each side, `sizes` what it is told.

    gflop: multiply-adds of the forward pass, counted as two, in 10⁹. bytes: of all arrays that it has to read or write.
    """

    kind: str
    build: str
    sizes: dict[str, Any]
    gflop: float
    bytes: int

    @property
    def name(self) -> str:
        """What it is, in a line."""
        return f"{self.build} " + " ".join(f"{name}={value}" for name, value in self.sizes.items())


Draw = Callable[[np.random.Generator], Case]


def number(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from low to high, as likely in each doubling; half of them usual ones."""
    drawn = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
    usual = [n for n in USUAL if low <= n <= high]
    return min(usual, key=lambda n: abs(np.log(n / drawn))) if usual and rng.random() < 0.5 else drawn


def pick(rng: np.random.Generator, *choices: Any) -> Any:
    """One of the choices; what stands there twice is twice as likely."""
    return choices[rng.integers(len(choices))]


def floats(*shapes: tuple[int, ...]) -> int:
    """The bytes of float32 arrays."""
    return 4 * sum(int(np.prod(shape)) for shape in shapes)


# ---------------------------------------------------------------- convolution


def convolution(rng: np.random.Generator) -> Case:
    """Kernels of 1 to 7, strides 1 and 2, sometimes dilated."""
    k = pick(rng, 1, 2, 3, 3, 3, 3, 4, 5, 5, 7)
    dilation = 2 if k in (3, 5) and rng.random() < 0.1 else 1
    sizes = {
        "batch": number(rng, 1, 256), "height": number(rng, 4, 64), "width": number(rng, 4, 64),
        "inputs": number(rng, 1, 256), "outputs": number(rng, 1, 256), "kernel": k, "stride": pick(rng, 1, 1, 2),
        "padding": pick(rng, 0, k // 2, k // 2) * dilation, "dilation": dilation, "groups": 1,
    }  # fmt: skip
    return convolved("convolution", sizes)


def grouped(rng: np.random.Generator) -> Case:
    """Depthwise, or in 2 to 8 groups."""
    k, groups = pick(rng, 3, 3, 5, 7), pick(rng, 2, 4, 8, 0, 0, 0)
    inputs = number(rng, 8, 256)
    if groups:
        inputs = max(1, inputs // groups) * groups
        outputs = groups * number(rng, 1, 256 // groups)
    else:
        groups = outputs = inputs
    sizes = {
        "batch": number(rng, 1, 128), "height": number(rng, 4, 64), "width": number(rng, 4, 64),
        "inputs": inputs, "outputs": outputs, "kernel": k, "stride": pick(rng, 1, 1, 2),
        "padding": k // 2, "dilation": 1, "groups": groups,
    }  # fmt: skip
    return convolved("grouped convolution", sizes)


def convolved(kind: str, s: dict[str, Any]) -> Case:
    """The case of a convolution; one whose window does not fit has no work, and is drawn again."""
    reach = s["dilation"] * (s["kernel"] - 1)
    oh, ow = ((s[side] + 2 * s["padding"] - reach - 1) // s["stride"] + 1 for side in ("height", "width"))
    if min(oh, ow) < 1:
        return Case(kind, "conv2d", s, 0, 0)
    weight = (s["kernel"], s["kernel"], s["inputs"] // s["groups"], s["outputs"])
    y = (s["batch"], oh, ow, s["outputs"])
    work = 2e-9 * float(np.prod(y)) * float(np.prod(weight[:3]))
    return Case(kind, "conv2d", s, work, floats((s["batch"], s["height"], s["width"], s["inputs"]), weight, y))


def transposed(rng: np.random.Generator) -> Case:
    """What decoders and generators are made of: mostly stride 2."""
    k, stride = pick(rng, (3, 1), (3, 2), (4, 2), (4, 2), (5, 1), (5, 2), (2, 2))
    s = {
        "batch": number(rng, 1, 256), "height": number(rng, 4, 32), "width": number(rng, 4, 32),
        "inputs": number(rng, 1, 256), "outputs": number(rng, 1, 256), "kernel": k, "stride": stride,
        "padding": (k - stride + 1) // 2,
    }  # fmt: skip
    oh, ow = ((s[side] - 1) * stride - 2 * s["padding"] + k for side in ("height", "width"))
    x = (s["batch"], s["height"], s["width"], s["inputs"])
    weight, y = (k, k, s["outputs"], s["inputs"]), (s["batch"], oh, ow, s["outputs"])
    work = 2e-9 * float(np.prod(x)) * k * k * s["outputs"]
    return Case("transposed convolution", "conv_transpose2d", s, work, floats(x, weight, y))


# ---------------------------------------------------------------- products


def dense(rng: np.random.Generator) -> Case:
    """A layer, forward; with backward the products of the other two transpositions."""
    s = {"batch": number(rng, 1, 2048), "inputs": number(rng, 1, 2048), "outputs": number(rng, 1, 2048)}
    work = 2e-9 * s["batch"] * s["inputs"] * s["outputs"]
    arrays = (s["batch"], s["inputs"]), (s["inputs"], s["outputs"]), (s["batch"], s["outputs"])
    return Case("dense", "dense", s, work, floats(*arrays))


def products(rng: np.random.Generator) -> Case:
    """Several products of small matrices."""
    s = {"count": number(rng, 2, 256), **{name: number(rng, 4, 128) for name in ("rows", "terms", "columns")}}
    work = 2e-9 * s["count"] * s["rows"] * s["terms"] * s["columns"]
    arrays = (s["rows"], s["terms"]), (s["terms"], s["columns"]), (s["rows"], s["columns"])
    return Case("small products", "batched_product", s, work, s["count"] * floats(*arrays))


def recurrent(rng: np.random.Generator) -> Case:
    """A layer of one direction over whole sequences."""
    cell, gates = pick(rng, ("rnn", 1), ("lstm", 4), ("lstm", 4), ("gru", 3), ("gru", 3))
    s = {"cell": cell, "batch": number(rng, 1, 128), "length": number(rng, 8, 128)}
    s |= {"inputs": number(rng, 8, 512), "width": number(rng, 16, 512)}
    steps, weights = s["batch"] * s["length"], gates * s["width"] * (s["inputs"] + s["width"])
    arrays = (steps, s["inputs"]), (weights,), (steps, s["width"])
    return Case("recurrent", "recurrent", s, 2e-9 * steps * weights, floats(*arrays))


def attention(rng: np.random.Generator) -> Case:
    """Scaled dot products, causal or not."""
    s = {"batch": number(rng, 1, 64), "heads": pick(rng, 1, 2, 4, 8, 12), "length": number(rng, 16, 1024)}
    s |= {"width": pick(rng, 16, 24, 32, 48, 64, 80, 128), "causal": bool(rng.random() < 0.5)}
    size = (s["batch"], s["heads"], s["length"], s["width"])
    return Case("attention", "attention", s, 4e-9 * float(np.prod(size)) * s["length"], floats(*[size] * 4))


# ---------------------------------------------------------------- what passes over memory


def normalization(rng: np.random.Generator) -> Case:
    """Batch, layer and group norm."""
    form = pick(rng, "batch_norm", "batch_norm", "layer_norm", "layer_norm", "group_norm")
    if form == "layer_norm":
        s = {"rows": number(rng, 16, 8192), "width": number(rng, 16, 1024)}
        return Case("normalization", form, s, 0, 2 * floats((s["rows"], s["width"])))
    channels = 8 * number(rng, 1, 32)
    s = {"batch": number(rng, 8, 256), "height": number(rng, 4, 32), "width": number(rng, 4, 32), "channels": channels}
    return Case("normalization", form, s, 0, 2 * floats(tuple(s.values())))


def pooling(rng: np.random.Generator) -> Case:
    """Max and mean of windows of 2 or 3."""
    form, k = pick(rng, "max_pool2d", "max_pool2d", "avg_pool2d"), pick(rng, 2, 2, 3)
    s = {"batch": number(rng, 8, 256), "height": number(rng, 6, 64), "width": number(rng, 6, 64)}
    s |= {"channels": number(rng, 1, 256), "kernel": k, "stride": pick(rng, 2, 2, k)}
    x = s["batch"] * s["height"] * s["width"] * s["channels"]
    return Case("pooling", form, s, 0, floats((x,), (x // s["stride"] ** 2,)))


def elementwise(rng: np.random.Generator) -> Case:
    """Chains of what stands between layers."""
    form = pick(rng, "relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "gate", "residual", "dropout")
    s = {"chain": form, "rows": number(rng, 16, 4096), "width": number(rng, 16, 4096)}
    return Case("elementwise", "elementwise", s, 0, 2 * floats((s["rows"], s["width"])))


def softmax(rng: np.random.Generator) -> Case:
    """Over the last axis."""
    s = {"rows": number(rng, 16, 16384), "width": number(rng, 2, 2048)}
    return Case("softmax", "softmax", s, 0, 2 * floats((s["rows"], s["width"])))


def loss(rng: np.random.Generator) -> Case:
    """Of classes, of logits, of numbers."""
    form = pick(rng, "cross_entropy", "cross_entropy", "binary_cross_entropy_with_logits", "mse_loss")
    s = {"loss": form, "rows": number(rng, 16, 8192), "width": number(rng, 2, 1024)}
    return Case("losses", "loss", s, 0, floats((s["rows"], s["width"])))


def embedding(rng: np.random.Generator) -> Case:
    """Rows of a table, picked by numbers."""
    s = {"rows": number(rng, 64, 16384), "table": number(rng, 26, 20000), "width": number(rng, 8, 512)}
    return Case("embedding", "embedding", s, 0, 2 * floats((s["rows"], s["width"])))


def optimizer(rng: np.random.Generator) -> Case:
    """The update alone, of a network of 8 layers."""
    s = {"optimizer": pick(rng, "sgd", "momentum", "adam", "adamw"), "width": number(rng, 16, 512)}
    arrays = {"sgd": 3, "momentum": 5, "adam": 7, "adamw": 7}[s["optimizer"]]  # read and written
    return Case("optimizers", "optimizer", s, 0, arrays * 8 * floats((s["width"], s["width"])))


# How many of a hundred; the rest of a plan is drawn in the same proportion.
DRAWS: dict[Draw, int] = {
    convolution: 28, transposed: 10, grouped: 6, dense: 14, products: 4, recurrent: 9, attention: 7, normalization: 6,
    pooling: 3, elementwise: 5, softmax: 2, loss: 3, embedding: 1, optimizer: 2,
}  # fmt: skip


def draw_cases(count: int, seed: int) -> list[Case]:
    """`count` cases, kind by kind; the same ones for the same seed."""
    rng, total = np.random.default_rng(seed), sum(DRAWS.values())
    shares = np.floor(np.cumsum([0, *DRAWS.values()]) * count / total + 0.5).astype(int)
    return [draw_usable(draw, rng) for draw, n in zip(DRAWS, np.diff(shares), strict=True) for _ in range(n)]


def draw_usable(draw: Draw, rng: np.random.Generator) -> Case:
    """A case that takes a while, and not too long."""
    while True:
        case = draw(rng)
        amount, (least, most) = (case.gflop, GFLOP) if case.gflop else (case.bytes / 1e6, MEGABYTES)
        if least <= amount <= most and case.bytes <= 4e6 * MEGABYTES[1]:
            return case
