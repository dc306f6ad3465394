"""What the models of images share: holding some out, asking for samples, and how images are fed."""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minigen import data, metrics
from minigen.errors import ArgumentError, DataError
from minigen.training import RunFolder

ImageShape = tuple[int, ...]  # (H, W, C)


@dataclass(frozen=True)
class Request:
    """What can be asked of a model that draws."""

    n: int = 64  # images


class Drawn(NamedTuple):
    """Samples (N, H, W, C) in [0, 1], and the classes (N,) they were asked to be of, where a model can be asked."""

    images: np.ndarray
    asked: np.ndarray | None = None


@dataclass(frozen=True)
class ClassRequest(Request):
    """What can be asked of a model that draws images of a class."""

    n: int = 100  # images
    class_: str | None = None  # which class, by name or number; none: all of them in turn, a column each


def asked(wanted: str | None, n: int, run: RunFolder, count: int) -> np.ndarray:
    """The classes (n,) of a request to a run of `count` classes: one, by its name, or else its number, or all in turn.

    Raises ArgumentError for no class.
    """
    names = class_names(run, count)
    if wanted is None:
        return np.arange(n) % count
    for called in (names, [name.lower() for name in names], [str(place) for place in range(count)]):
        for word in (wanted, wanted.lower()):
            if word in called:
                return np.full(n, called.index(word))
    known = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    raise ArgumentError(f"--class {wanted}: there is no such class; the run was trained on {known}")


def require_fours(model: str, image: ImageShape, why: str, instead: str = "") -> None:
    """Raises ArgumentError unless both sides of images are multiples of 4, which `why` they have to be."""
    height, width, _ = image
    if height % 4 or width % 4:
        raise ArgumentError(
            f"{model}: images are {height}×{width}, but {why}; use {instead}images whose sides are multiples of 4: "
            f"of a folder, by --size {max(4, 4 * round(max(height, width) / 4))}"
        )


def in_turn(count: int, n: int) -> np.ndarray | None:
    """All classes in turn (n,); None where there are none."""
    return np.arange(n) % count if count else None


def asked_of(request: ClassRequest, run: RunFolder, count: int) -> np.ndarray | None:
    """The classes (n,) of a request, as `asked`; None of a run that knows none. Raises ArgumentError for one of it."""
    if count:
        return asked(request.class_, request.n, run, count)
    if request.class_ is not None:
        raise ArgumentError(
            f"--class {request.class_}: the run knows no classes; train one on data with labels, with --conditional "
            "where the model has it"
        )
    return None


def class_names(run: RunFolder, count: int) -> list[str]:
    """The names of the classes that a run was trained on; their numbers where it does not know them any more."""
    names = run.data.get("classes", [])
    return list(names) if isinstance(names, list) and len(names) == count else [str(place) for place in range(count)]


def hold_out(images: data.ImageDataset) -> tuple[data.ImageDataset, data.ImageDataset]:
    """Training images, and every twelfth image (of all classes, however they are sorted) for validation.

    Of fewer than twelve images it is the last one. Raises DataError for a single image.
    """
    if len(images) < 2:
        raise DataError(f"{images.name}: has {len(images)} image, and needs another one for validation; add images")
    held = np.arange(len(images)) % 12 == 11
    held[-1] |= not held.any()
    training, validation = (
        dataclasses.replace(
            images, images=images.images[part], labels=None if images.labels is None else images.labels[part]
        )
        for part in (~held, held)
    )
    return training, validation


def saved_shape(run: RunFolder) -> ImageShape:
    """(H, W, C) of the images that a run was trained on: a model keeps it in its buffer `image`."""
    return tuple(run.saved()["model"]["image"].tolist())


def neighbours(samples: np.ndarray, images: data.ImageDataset) -> np.ndarray:
    """The nearest of the images to each sample, in pixels."""
    return images[nearest(samples, images)[1]][0]


def closeness(samples: np.ndarray, held_out: np.ndarray, images: data.ImageDataset) -> dict[str, float]:
    """Are samples copies? `nearest`: their median distance to the nearest of the images, over that of held-out images.

    Distances are in pixels, far below 1 is copied. Empty where held-out images are copies themselves.
    """
    ours, theirs = (float(np.median(nearest(queries, images)[0])) for queries in (samples, held_out))
    return {"nearest": ours / theirs} if theirs > 1e-6 else {}


def nearest(samples: np.ndarray, images: data.ImageDataset) -> tuple[np.ndarray, np.ndarray]:
    """The distance in pixels of each sample to the nearest of the images (N,), and that one's position (N,)."""
    rows, block = samples.reshape(len(samples), -1), 5000  # images at a time
    found = [metrics.nearest(rows, x.reshape(len(x), -1)) for x, *_ in data.DataLoader(images, block)]
    distances, places = (np.stack(parts) for parts in zip(*found, strict=True))
    best = distances.argmin(0)
    at = best, np.arange(len(rows))
    return distances[at], block * best + places[at]
