"""The map of a latent space: where the encoder puts the classes, and what the decoder makes of each place."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from minigen.errors import ArgumentError, DataError, ShapeError
from minigen.plots.canvas import COLORS, INK, drawing, new_figure, save_figure, style
from minigen.plots.sheets import image_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Ten hues for ten classes, of about equal weight on white.
HUES = ("#e6194b", "#f58231", "#d4b106", "#3cb44b", "#17becf", "#4363d8", "#911eb4", "#f032e6", "#8c564b", "#7f7f7f")


@drawing
def save_latent_map(
    path: str | Path,
    z: np.ndarray,
    labels: np.ndarray | None = None,
    classes: Sequence[str] | None = None,
    decode: Callable[[np.ndarray], np.ndarray] | None = None,
    range: tuple[float, float] = (0.0, 1.0),
    side: int = 20,
) -> None:
    """Scatter the latent means z (N, D), coloured by labels (N,) int; beside it, when `decode` is given, the manifold.

    D > 2 is shown on its two principal axes. decode: float32 (M, 2) → images (M, H, W, C) in `range`; the plane is cut
    into side × side places at equal shares of a standard normal, and needs D = 2.
    Raises ShapeError, DataError (NaN) or ArgumentError.
    """
    z = np.asarray(z, float)
    if z.ndim != 2 or z.shape[1] < 2 or not len(z):
        raise ShapeError(f"save_latent_map: z is {z.shape}, expected (N, D) with D ≥ 2 and at least one point")
    if not np.isfinite(z).all():
        raise DataError("save_latent_map: z holds NaN or infinity; the encoder diverged")
    if decode is not None and z.shape[1] != 2:
        raise ArgumentError(f"save_latent_map: decode needs a latent of 2, this one has {z.shape[1]}; leave decode out")
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (len(z),) or labels.dtype.kind not in "iu":
            raise ShapeError(f"save_latent_map: labels are {labels.shape} {labels.dtype} for z {z.shape}")
        if classes is not None and not 0 <= labels.min() <= labels.max() < len(classes):
            raise ShapeError(f"save_latent_map: {len(classes)} class names for labels up to {labels.max()}")
    figure = new_figure(12.2 if decode else 6.8, 5.8)
    axes = figure.add_subplot(1, 2 if decode else 1, 1)
    scatter(axes, z, labels, classes)
    if decode is not None:
        draw_manifold(figure.add_subplot(1, 2, 2), decode, range, side)
    save_figure(path, figure)


def scatter(axes: "Axes", z: np.ndarray, labels: np.ndarray | None, classes: Sequence[str] | None) -> None:
    """The points, one hue a class, with a legend at the right."""
    flat, names = principal_plane(z)
    style(axes, f"latent means of {len(z):,} images")
    size = float(np.clip(2e4 / len(z), 3, 30))
    if labels is None:
        axes.scatter(*flat.T, s=size, color=COLORS[0], alpha=0.5, linewidths=0)
    else:
        kinds = np.unique(labels)
        hues = (HUES * len(kinds))[: len(kinds)]
        lookup = dict(zip(kinds.tolist(), hues, strict=True))
        order = np.random.Generator(np.random.PCG64(0)).permutation(len(z))  # no class is painted over the others
        axes.scatter(*flat[order].T, s=size, c=[lookup[k] for k in labels[order].tolist()], alpha=0.6, linewidths=0)
        for kind, hue in lookup.items():
            axes.scatter([], [], s=36, color=hue, label=classes[kind] if classes is not None else str(kind))
        axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.1)
    axes.set_xlabel(names[0], color=INK)
    axes.set_ylabel(names[1], color=INK)
    axes.set_aspect("equal", adjustable="datalim")


def principal_plane(z: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """(N, 2) coordinates and axis names: z itself when it is flat, else its two principal components."""
    if z.shape[1] == 2:
        return z, ("z₁", "z₂")
    centred = z - z.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    share = spread**2 / max(float((spread**2).sum()), 1e-300)
    share = np.pad(share, (0, 2))[:2]
    axes = np.pad(axes, ((0, 2), (0, 0)))[:2]
    return centred @ axes.T, (f"principal axis 1 ({share[0]:.0%} of variance)", f"principal axis 2 ({share[1]:.0%})")


def draw_manifold(
    axes: "Axes", decode: Callable[[np.ndarray], np.ndarray], range: tuple[float, float], side: int
) -> None:
    """Decoded images at side × side places of the plane, each standing for the same share of the prior."""
    places = np.array([NormalDist().inv_cdf((i + 0.5) / side) for i in np.arange(side)])
    plane = np.stack(np.meshgrid(places, places[::-1]), axis=-1).reshape(-1, 2).astype(np.float32)
    images = np.asarray(decode(plane))
    if len(images) != len(plane):
        raise ShapeError(f"save_latent_map: decode gave {images.shape} for {plane.shape}")
    sheet = image_grid(images, columns=side, range=range, gap=0)
    axes.imshow(sheet[..., 0] if sheet.shape[-1] == 1 else sheet, cmap="gray", vmin=0, vmax=255, interpolation="none")
    style(axes, "decoded plane, equal shares of the prior", grid=False)
    axes.spines[:].set_visible(False)
    ticks = np.linspace(0, side - 1, 4).round().astype(int)
    scale_x, scale_y = sheet.shape[1] / side, sheet.shape[0] / side
    axes.set_xticks((ticks + 0.5) * scale_x, [f"{places[i]:.1f}" for i in ticks])
    axes.set_yticks((ticks + 0.5) * scale_y, [f"{places[::-1][i]:.1f}" for i in ticks])
    axes.set_xlabel("z₁", color=INK)
    axes.set_ylabel("z₂", color=INK)
