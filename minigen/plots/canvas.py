"""What all pictures share: colours, a blank figure in the house style, and writing a PNG."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minigen.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers too; darker yellow so that it shows on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#4d4d4d")
INK = "#333333"


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure of so many inches, not tied to pyplot, a window or a backend."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def style(axes: "Axes", title: str, grid: bool = True) -> None:
    """Light axes: a title at the left, no box, thin grid lines behind the data."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(colors=INK, labelsize=9)
    if grid:
        axes.grid(color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)


def save_figure(path: str | Path, figure: "Figure") -> None:
    """Write the figure as a PNG; equal figures give equal bytes. RunError, and the old stays, if the disk refuses."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    write_atomic(Path(path), buffer.getvalue())


def write_png(path: str | Path, pixels: np.ndarray) -> None:
    """Write a uint8 image (H, W, 1) or (H, W, 3). RunError, and the old one stays, if the disk refuses."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, format="PNG")
    write_atomic(Path(path), buffer.getvalue())
