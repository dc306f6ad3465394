"""The frozen classifiers whose features measure samples: one reads digits, one clothes.

Each is a run of vision/classifier.py that comes with minigen, made by the command in its run.json (data, command), with
its accuracy on test images beside it. The features of an image are the 128 channels of the last block, averaged over
their places. They are not Inception's: figures made of them have a scale of their own, and compare only with figures of
the same reader; so its weights are pinned here.
"""

import hashlib
from functools import cache
from typing import NamedTuple

import numpy as np

import minigen as mg
from minigen import layers
from minigen.catalog import SHIPPED
from minigen.errors import DataError

CLASSES = 10
READERS = {  # data set: the folder of its reader, and the SHA-256 of its weights
    "mnist": ("classifier", "cdfdaa66bb7e61329fa2005cf389568f6dd4be60ed3bab8fdb05cbe36998a11b"),
    "fashion-mnist": ("classifier-fashion-mnist", "c6d1c9490e6bfdcdb3851577c5942c10b14200a0ce4a1f31bfe365a0bfbd8aca"),
}


class Seen(NamedTuple):
    """What a reader makes of N images: features (N, 128), and its probabilities of the classes (N, 10)."""

    features: np.ndarray
    probabilities: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The likeliest class of each image (N,)."""
        return self.probabilities.argmax(1)


def reader_of(source: str) -> str | None:
    """The name of the reader of a data set, as recipes call it; None when there is none.

    Raises DataError when its weights are not those that were shipped: better before a training than after.
    """
    name = source.lower().replace("_", "-")
    if name not in READERS:
        return None
    reader(name)
    return name


@cache
def reader(name: str) -> tuple[layers.Sequential, layers.Sequential]:
    """The blocks of a frozen reader, images (N, 28, 28, 1) → (N, 3, 3, 128), and its head, which gives the logits.

    Raises DataError when its weights are not those that were shipped.
    """
    folder, sha256 = READERS[name]
    file = SHIPPED / folder / "checkpoint.safetensors"
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
        raise DataError(f"{file}: the frozen classifier is missing or altered; install minigen again")
    network = mg.load(file.parent).network
    flatten = next(i for i, layer in enumerate(network) if isinstance(layer, layers.Flatten))
    return layers.Sequential(*network[:flatten]), layers.Sequential(*network[flatten:])


def look(name: str, images: np.ndarray, batch_size: int = 500) -> Seen:
    """Have a reader look at images (N, 28, 28, 1) in [0, 1]. Raises DataError for others."""
    images = np.asarray(images)
    if images.shape[1:] != (28, 28, 1) or not len(images):
        raise DataError(f"{name}: images are {images.shape}; its classifier reads (N, 28, 28, 1)")
    if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
        raise DataError(f"{name}: images are not within 0 … 1, which its classifier reads; bring them there")
    blocks, head = reader(name)
    features, probabilities = [], []
    with mg.no_grad():
        for i in range(0, len(images), batch_size):
            maps = blocks(mg.tensor(images[i : i + batch_size].astype(np.float32)))
            features.append(maps.mean((1, 2)).numpy())
            probabilities.append(mg.softmax(head(maps)).numpy())
    return Seen(np.concatenate(features), np.concatenate(probabilities))
