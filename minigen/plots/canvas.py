"""What all pictures share: colours, a blank figure in the house style, and writing a PNG."""

import base64
import contextlib
import functools
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from minigen.files import read_regular, write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")
TOLD = ("MPLBACKEND", "MATPLOTLIBRC")  # what the environment tells Matplotlib

# Okabe and Ito's palette, told apart by colour-blind readers too; darker yellow so that it shows on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#4d4d4d")
INK = "#333333"
LARGEST = 2**26  # bytes of a picture that is put into a page


@functools.cache
def load_matplotlib() -> Any:
    """Matplotlib. Where the backend or the file of settings that it is told stop it, it is loaded without them."""
    try:
        import matplotlib

        return matplotlib
    except ImportError:  # it is not installed, or damaged
        raise
    except Exception as error:  # of any kind, out of a file of any content
        problem = str(error).partition("\n")[0].partition(";")[0] or type(error).__name__
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:  # half of it was loaded
        del sys.modules[name]
    told = {name: os.environ.pop(name) for name in TOLD if name in os.environ}
    os.environ["MATPLOTLIBRC"] = os.devnull
    try:
        with contextlib.chdir(Path(__file__).parent):  # a matplotlibrc in the working directory would come first
            import matplotlib
    finally:
        del os.environ["MATPLOTLIBRC"]
        os.environ.update(told)
    warnings.warn(
        f"minigen: Matplotlib can not start with its settings ({problem}), so pictures are drawn without them; "
        "mend MPLBACKEND or the matplotlibrc file",
        stacklevel=2,
    )
    return matplotlib


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's own defaults in the place of the user's settings, so that pictures look alike everywhere."""
    matplotlib = load_matplotlib()
    defaults = {name: value for name, value in matplotlib.rcParamsDefault.items() if "backend" not in name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # of settings that are only put back
        with matplotlib.rc_context(defaults):
            yield


def drawing(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: the function draws in the house style."""

    @functools.wraps(function)
    def draw(*args: P.args, **kwargs: P.kwargs) -> R:
        with house_style():
            return function(*args, **kwargs)

    return draw


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


def data_address(shades: np.ndarray) -> str:
    """A grey picture (H, W) of uint8 as an address that holds it, for SVG and HTML."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(shades).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def file_address(path: Path) -> str:
    """An address that holds the PNG or GIF in a file. Raises RunError when it can not be read."""
    kind = "gif" if path.suffix == ".gif" else "png"
    return f"data:image/{kind};base64," + base64.b64encode(read_regular(path, LARGEST)).decode()


def write_png(path: str | Path, pixels: np.ndarray) -> None:
    """Write a uint8 image (H, W, 1) or (H, W, 3). RunError, and the old one stays, if the disk refuses."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, format="PNG")
    write_atomic(Path(path), buffer.getvalue())
