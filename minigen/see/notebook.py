"""How tensors, modules and runs look in a notebook: `_repr_html_`, which Jupyter asks for."""

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minigen import plots
from minigen.autograd.tensor import Tensor
from minigen.errors import MinigenError
from minigen.files import read_regular
from minigen.layers.module import Module, Parameter
from minigen.see.draw import memory, thumbnail
from minigen.training.figures import described, main_figures
from minigen.training.folder import RunFolder
from minigen.training.insides import spread
from minigen.training.progress import duration

FEW = 24  # numbers of a tensor that are written out
MOST = 200  # rows of a table


def tensor_html(x: Tensor) -> str:
    """Kind, shape, dtype, where it comes from, how its numbers are spread, and a picture of a matrix or an image."""
    kind = "parameter" if isinstance(x, Parameter) else "tensor"
    origin = f", of {x.node.name}" if x.node is not None else ", requires a gradient" if x.requires_grad else ""
    shape = " × ".join(map(str, x.shape)) or "scalar"
    parts = [f"<b>{kind}</b> {shape} {x.dtype}{origin} · {memory(x.data.nbytes)}"]
    for name, array in (("", x.data), ("gradient: ", None if x.grad is None else x.grad.data)):
        if array is not None and array.size:
            parts.append(name + html.escape(spread_of(array)))
            shown = thumbnail(array)
            if shown:
                parts.append(f'<img src="{shown}" height="84" style="image-rendering:pixelated" alt="{kind}">')
            elif array.size > FEW and array.dtype.kind == "f":
                parts.append(histogram(array))
    if x.data.size <= FEW:
        parts.append(f"<pre>{html.escape(np.array2string(x.data, precision=4))}</pre>")
    return "<br>".join(parts)


def spread_of(array: np.ndarray) -> str:
    """From where to where, mean and deviation, and what is not finite."""
    if array.dtype.kind not in "fiu":
        return f"{np.count_nonzero(array):,} of {array.size:,} are not zero"
    values = array[np.isfinite(array)].astype(np.float64)
    bad = array.size - values.size
    told = f"{bad:,} of {array.size:,} are not finite" if bad else ""
    if values.size:
        scaled = f"{values.min():.4g} … {values.max():.4g}, mean {values.mean():.4g}, deviation {values.std():.4g}"
        told = ", ".join(filter(None, [scaled, told]))
    return told


def histogram(array: np.ndarray) -> str:
    """How the finite numbers are spread, as a small SVG."""
    low, high, *counts = spread(array)
    if low == high:
        return ""
    heights = 40 * np.array(counts) / max(counts)
    bars = "".join(
        f'<rect x="{6 * i}" y="{40 - height:.1f}" width="5" height="{height:.1f}"/>' for i, height in enumerate(heights)
    )
    return f'<svg width="{6 * len(counts)}" height="40" fill="#0072b2">{bars}</svg>'


def module_html(module: Module) -> str:
    """The module's parts as a table: name, layer, parameters; an inner one can be opened."""
    count = sum(p.size for p in module.parameters())
    mode = "training" if module.training else "evaluation"
    head = f"<b>{html.escape(type(module).__name__)}</b> {count:,} parameters, {mode} mode"
    rows = []
    for name, part in module.named_modules():
        own = [p for p in vars(part).values() if isinstance(p, Parameter)]
        if name or own:
            told = type(part).__name__ if part.children() else described_part(part)
            shapes = ", ".join(" × ".join(map(str, p.shape)) for p in own)
            rows.append((name or "its own", told, shapes, f"{sum(p.size for p in part.parameters()):,}"))
    listed = table(("name", "part", "shapes", "parameters"), rows)
    return f"<details open><summary>{head}</summary>{listed}</details>"


def described_part(part: Module) -> str:
    """What a layer says of itself, where it can."""
    try:
        return repr(part)
    except Exception:  # of any kind: the layer is the user's
        return type(part).__name__


def run_html(run: RunFolder) -> str:
    """What was trained, its figures, and its last sample."""
    state = "trained" if run.trained else "not finished"
    told = f"{run.step:,} steps in {duration(run.seconds)}, {state} · {html.escape(str(run.path))}"
    head = f"<b>{html.escape(run.model)}</b> {told}"
    try:
        figures = [(name.replace("_", " "), described(name, run.results)) for name in main_figures(run.results)]
    except (TypeError, ValueError):  # of a file that was edited
        figures = []
    recipe = [(name, "none" if value is None else str(value)) for name, value in run.recipe.items()]
    parts = [head, table(("figure", "value"), figures) if figures else ""]
    parts += [shown_sample(path) for path in run.samples()[-1:]]
    parts.append(f"<details><summary>recipe</summary>{table(('field', 'value'), recipe)}</details>")
    return "".join(filter(None, parts))


def shown_sample(path: Path) -> str:
    """A sheet, or the beginning of a text; nothing where it can not be read."""
    try:
        if path.suffix == ".png":
            return f'<img src="{plots.file_address(path)}" width="320" alt="samples">'
        return f"<pre>{html.escape(read_regular(path, 2**20).decode(errors='replace')[:1000])}</pre>"
    except (MinigenError, OSError):
        return ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of escaped text; of many rows the first."""
    cut = rows[:MOST]
    lines = ["".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row) for row in cut]
    more = f"<tr><td>and {len(rows) - MOST:,} more</td></tr>" if len(rows) > MOST else ""
    headed = "".join(f"<th style='text-align:left'>{name}</th>" for name in head)
    return f"<table><tr>{headed}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}{more}</table>"


def attach() -> None:
    """Put `_repr_html_` into the classes, which know nothing of what stands above them."""
    for kind, shown in ((Tensor, tensor_html), (Module, module_html), (RunFolder, run_html)):
        type.__setattr__(kind, "_repr_html_", shown)
