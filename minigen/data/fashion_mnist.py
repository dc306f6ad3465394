"""Fashion-MNIST: 60,000 training and 10,000 test images of clothing, in MNIST's format, for when digits are too easy.

H. Xiao, K. Rasul, R. Vollgraf (2017), Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms (arXiv:1708.07747). Copyright 2017 Zalando SE, MIT licence. It is not embedded: it is taken from a folder,
from the Debian package dataset-fashion-mnist, or downloaded once.
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from minigen.data import idx
from minigen.data.dataset import UNIT_RANGE, ImageDataset
from minigen.data.download import data_cache, download
from minigen.errors import DataError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
)
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fashion_mnist(
    split: str = "train",
    folder: str | os.PathLike | None = None,
    range: tuple[float, float] = UNIT_RANGE,
    mirrors: Sequence[str] = MIRRORS,
) -> ImageDataset:
    """Fashion-MNIST: images (N, 28, 28, 1), ten classes, N = 60,000 for split "train" and 10,000 for "test".

    Looked for in `folder` and nowhere else if it is given; else in $MINIGEN_DATA and its subfolder fashion-mnist, where
    Debian's package dataset-fashion-mnist puts it, in the cache (~/.cache/minigen/data/fashion-mnist), and last it is
    downloaded into the cache from the first of `mirrors` that works. Every file is verified by SHA-256; a place with
    other files is passed over, unless it is `folder`. Raises DataError that lists what was tried.
    """
    found = locate(split, mirrors) if folder is None else Path(folder)
    images, labels = read_files(found, split)
    return ImageDataset(images, labels, CLASSES, f"fashion-mnist {split}", range)


@cache
def read_files(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """`idx.read_split`, once for each folder and split."""
    images, labels = idx.read_split(folder, split, SHA256)
    labels.flags.writeable = False
    return images, labels


def search_folders() -> list[Path]:
    """The folders where the files may lie, in the order of search; the last one is where a download goes."""
    own = os.environ.get("MINIGEN_DATA")
    folders = [Path(own), Path(own, "fashion-mnist")] if own else []
    return [*folders, DEBIAN_FOLDER, data_cache() / "fashion-mnist"]


def locate(split: str, mirrors: Sequence[str]) -> Path:
    """A folder that holds the files of `split`, downloaded if need be. Files of another data set are passed over."""
    names = idx.file_names(split)
    tried = []
    for folder in search_folders():
        if not idx.has_split(folder, split):
            tried.append(f"{folder}: no {names[0]}")
            continue
        try:
            read_files(folder, split)
            return folder
        except DataError as error:
            tried.append(str(error))
    cached = search_folders()[-1]
    try:
        for name in names:
            if not is_sound(cached, name):
                download(f"{name}.gz", mirrors, SHA256[name], cached)
    except DataError as error:
        lines = "".join(f"\n  {line}" for line in [*tried, *str(error).splitlines()])
        raise DataError(
            f"fashion-mnist: not found and not downloaded; tried{lines}\n"
            "Install Debian's package dataset-fashion-mnist, or put the four files of "
            "github.com/zalandoresearch/fashion-mnist (data/fashion) into a folder and name it in MINIGEN_DATA"
        ) from error
    return cached


def is_sound(folder: Path, name: str) -> bool:
    """Whether `folder` holds that file, unaltered."""
    path = idx.find(folder, name)
    try:
        return path is not None and idx.read(path, SHA256[name]) is not None
    except DataError:
        return False
