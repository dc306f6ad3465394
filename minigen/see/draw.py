"""Pictures of computations, as SVG: `mg.draw(loss)`, or `mg.draw(step, x)` to see values, modules and times as well."""

import html
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigen import plots
from minigen.autograd.tensor import Tensor
from minigen.checks import check_count, check_path
from minigen.errors import ArgumentError
from minigen.files import write_atomic
from minigen.layers.module import Module
from minigen.see.graph import Box, folded, heard, parameter_names, walked
from minigen.see.layout import Layout

MOST = 80  # boxes that a reader can take in; with more, modules are closed
LETTER, LINE = 6.6, 15  # width and height of the text, in pixels
LEVEL = 34  # pixels between two rows
THUMBNAIL = 40  # pixels of a value's picture, each way
LARGEST = 4096  # numbers of an array that is shown as a picture, and
FEW = 4  # of one that is shown as text
COLORS = {"operation": "#e8f1fa", "parameter": "#fdf0e3", "input": "#eaf6ec", "group": "#f1eaf7"}
EDGES = {"operation": "#0072b2", "parameter": "#d55e00", "input": "#009e73", "group": "#7b4fa3"}
STYLE = (
    "text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#222}.t{font-weight:bold}.s{fill:#555}"
    "path{fill:none;stroke:#888;stroke-width:1.1}rect{stroke-width:1.1}image{image-rendering:pixelated}"
)


class Drawing:
    """A picture: `.svg` is its text, `.save(path)` writes it, notebooks show it. boxes: what is on it."""

    def __init__(self, boxes: Sequence[Box], svg: str, result: Any = None) -> None:
        self.boxes, self.svg, self.result = list(boxes), svg, result

    def save(self, path: str | Path) -> None:
        """Write the picture to a name in .svg. Raises ArgumentError for another, RunError when the disk refuses."""
        path = check_path("draw", path)
        if path.suffix.lower() != ".svg":
            raise ArgumentError(f"draw: {path} does not end in .svg, which is what is written")
        write_atomic(path, self.svg.encode())

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"Drawing({len(self.boxes)} boxes; .save('graph.svg') writes it)"


def draw(what: Tensor | Callable[..., Any], *arguments: Any, model: Module | None = None, most: int = MOST) -> Drawing:
    """The computation behind a tensor, or that of what(*arguments), as a picture.

    what: a tensor of a graph that backward has not released, a gradient of create_graph=True too; then operations,
    shapes, and values and gradients of leaves are seen. Or a function, such as a module, or a step with its
    backward, which is called: then also modules, values, gradients, times and memory of every operation. model: whose
    names parameters have. most: boxes; where there are more, modules are closed from the innermost outwards, and
    operations in a row drawn as one.

    Raises ArgumentError for anything else, or where nothing was computed.
    """
    most = check_count("draw", "most", most)
    result = None
    if isinstance(what, Tensor):
        if arguments:
            raise ArgumentError("draw: a tensor takes no arguments; pass a function to call it with them")
        boxes = walked(what, parameter_names(model))
    elif callable(what):
        boxes, result = heard(what, arguments, parameter_names(model))
        if not boxes:
            raise ArgumentError("draw: the function computed nothing; let it work on tensors")
    else:
        raise ArgumentError(f"draw: got {type(what).__name__}; pass a tensor, or a function to be called")
    boxes = folded(boxes, most)
    return Drawing(boxes, svg_of(boxes), result)


# ---------------------------------------------------------------- SVG


def svg_of(boxes: Sequence[Box]) -> str:
    """The whole picture."""
    texts = [lines_of(box) for box in boxes]
    pictures = [[p for p in map(thumbnail, (box.value, box.gradient)) if p] for box in boxes]
    both = list(zip(texts, pictures, strict=True))
    widths = [max(14 + LETTER * max(map(len, text)), 18 + (THUMBNAIL + 6) * len(shown)) for text, shown in both]
    heights = [10 + LINE * len(text) + (THUMBNAIL + 6 if shown else 0) for text, shown in both]
    layout = Layout([box.inputs for box in boxes], widths, gap=16.0)
    tallest = [max((heights[i] for i in level if i < len(boxes)), default=0) for level in layout.levels]
    tops = np.concatenate([[8.0], 8.0 + np.cumsum(np.array(tallest) + LEVEL)])
    parts = [curve(line, layout, tops, heights, len(boxes)) for line in layout.lines]
    for i, box in enumerate(boxes):
        corner = layout.x[i] - widths[i] / 2 + 8, tops[layout.row[i]]
        parts.append(box_of(box, texts[i], pictures[i], corner, (widths[i], heights[i])))
    right = max((layout.x[i] + width / 2 for i, width in enumerate(layout.widths)), default=0.0) + 16
    size = f'width="{right:.0f}" height="{tops[-1]:.0f}" viewBox="0 0 {right:.0f} {tops[-1]:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>{"".join(parts)}</svg>\n'


def lines_of(box: Box) -> list[str]:
    """What stands in a box: its title, its module, its shape, numbers, times."""
    title = f"{box.title} ({box.operations} operations)" if box.operations > 1 else box.title
    lines = [title]
    path = box.module[:-1] if box.kind == "group" and box.module else box.module
    if path:
        lines.append(".".join(path))
    lines.append(f"{'scalar' if box.shape == () else ' × '.join(map(str, box.shape))} {box.dtype}")
    for name, array in (("", box.value), ("gradient ", box.gradient)):
        if array is not None and array.size and array.dtype.kind in "fiub":
            lines.append(name + numbers(array))
    if box.seconds:
        times = f"{box.seconds * 1e3:.3g} ms"
        times += f" + {box.backward_seconds * 1e3:.3g} ms" if box.backward_seconds else ""
        lines.append(f"{times} · {memory(box.bytes)}")
    return lines


def numbers(array: np.ndarray) -> str:
    """A few numbers, or the smallest and the largest of many."""
    if array.size <= FEW:
        return " ".join(f"{x:.4g}" for x in array.ravel())
    return f"{array.min():.3g} … {array.max():.3g}"


def memory(bytes: int) -> str:
    """300 B, 12.5 kB, 3.1 MB."""
    for size, unit in ((1e6, "MB"), (1e3, "kB")):
        if bytes >= size:
            return f"{bytes / size:.3g} {unit}"
    return f"{bytes} B"


def thumbnail(array: np.ndarray | None) -> str:
    """A picture of a matrix, or of the first image or map of a batch, as a data address; "" where none is fitting."""
    if array is None or array.dtype.kind not in "fiub" or not array.size:
        return ""
    x: np.ndarray = np.asarray(array)
    if x.ndim == 4:  # images, or maps, of which the first channel is shown
        x = x[0]
        x = x.mean(-1) if x.shape[-1] == 3 else x[..., 0]
    elif x.ndim == 3:
        x = x[0]
    if x.ndim != 2 or x.size > LARGEST or min(x.shape) < 2 or not np.isfinite(x).all():
        return ""
    low, high = float(x.min()), float(x.max())
    x, low, high = x.astype(np.float64) / 4, low / 4, high / 4  # so that no difference is too large
    shades = (x - low) / (high - low) * 255 if high > low else np.full(x.shape, 128.0)
    return plots.data_address(shades.astype(np.uint8))


def escaped(text: str) -> str:
    """Text for XML, which has no control characters."""
    return html.escape("".join(c if c.isprintable() or c == "\n" else "�" for c in text))


def box_of(
    box: Box, lines: Sequence[str], pictures: Sequence[str], corner: tuple[float, float], size: tuple[float, float]
) -> str:
    """A box with its text and pictures; the whole of what is known stands in its tip."""
    x, y = corner
    width, height = size
    tip = escaped("\n".join(filter(None, [*lines, f"{box.bytes:,} bytes", box.line])))
    parts = [
        f'<g><title>{tip}</title><rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5" '
        f'fill="{COLORS[box.kind]}" stroke="{EDGES[box.kind]}"/>'
    ]
    for i, line in enumerate(lines):
        style = "t" if i == 0 else "s"
        at = f'x="{x + 7:.1f}" y="{y + 5 + LINE * (i + 0.8):.1f}"'
        parts.append(f'<text class="{style}" {at}>{escaped(line)}</text>')
    for i, picture in enumerate(pictures):
        left, top = x + 7 + i * (THUMBNAIL + 6), y + 6 + LINE * len(lines)
        parts.append(
            f'<image x="{left:.1f}" y="{top:.1f}" width="{THUMBNAIL}" height="{THUMBNAIL}" href="{picture}" '
            'preserveAspectRatio="xMidYMid"/>'
        )
    return "".join(parts) + "</g>"


def curve(line: Sequence[int], layout: Layout, tops: np.ndarray, heights: Sequence[float], boxes: int) -> str:
    """A line from the lower edge of one box, through its points, to the upper edge of another, with an arrow's head."""
    x = [layout.x[i] + 8 for i in line]
    y = [tops[layout.row[i]] + (LEVEL / 2 if i >= boxes else 0) for i in line]
    y[0] += heights[line[0]]
    path = f"M{x[0]:.1f},{y[0]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(zip(x, y, strict=True)):
        middle = (y0 + y1) / 2
        path += f"C{x0:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{y1:.1f}"
    head = f"M{x[-1] - 3.5:.1f},{y[-1] - 6:.1f}L{x[-1]:.1f},{y[-1]:.1f}L{x[-1] + 3.5:.1f},{y[-1] - 6:.1f}"
    return f'<path d="{path}{head}"/>'
