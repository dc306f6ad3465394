"""Data sets (MNIST and Shakespeare in the box, your own images and text), tokenizers, DataLoader, augmentation."""

import os
from pathlib import Path

import numpy as np

from minigen.data import idx
from minigen.data.augment import random_flip, random_shift
from minigen.data.collate import collate
from minigen.data.dataset import UNIT_RANGE, ArrayDataset, Dataset, ImageDataset
from minigen.data.fashion_mnist import fashion_mnist
from minigen.data.images import image_folder, npz
from minigen.data.loader import DataLoader
from minigen.data.mnist import mnist
from minigen.data.preprocessing import Preprocessing, image_preprocessing, text_preprocessing
from minigen.data.samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minigen.data.sequences import SequenceDataset, StreamDataset, WindowDataset
from minigen.data.shakespeare import shakespeare
from minigen.data.subsets import ConcatDataset, Subset, random_split
from minigen.data.text import load_text, split_text
from minigen.data.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer, tokenizer_from
from minigen.errors import ArgumentError, DataError

__all__ = [
    "ArrayDataset",
    "BatchSampler",
    "ByteTokenizer",
    "CharTokenizer",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "ImageDataset",
    "Preprocessing",
    "RandomSampler",
    "Sampler",
    "SequenceDataset",
    "SequentialSampler",
    "StreamDataset",
    "Subset",
    "SubsetRandomSampler",
    "Tokenizer",
    "WeightedRandomSampler",
    "WindowDataset",
    "WordTokenizer",
    "collate",
    "fashion_mnist",
    "idx",
    "image_folder",
    "image_preprocessing",
    "load",
    "load_text",
    "mnist",
    "npz",
    "random_flip",
    "random_shift",
    "random_split",
    "shakespeare",
    "split_text",
    "text_preprocessing",
    "tokenizer_from",
]


def load(
    name_or_path: str | os.PathLike,
    split: str = "train",
    range: tuple[float, float] = UNIT_RANGE,
    size: int | tuple[int, int] | None = None,
) -> ImageDataset:
    """The data set of that name ("mnist", "fashion-mnist") or at that path: a .npz file, a folder of images, or a
    folder of IDX files named like MNIST's.

    split: "train" or "test"; see `minigen.data.images` for data that brings no split. size: for a folder of images
    only; None: the size that the images have. Raises DataError when there is nothing of that name, ArgumentError for a
    size where the images have one of their own.
    """
    name = str(name_or_path).lower().replace("_", "-")
    path = Path(name_or_path)
    named = name in ("mnist", "fashion-mnist")
    is_idx = path.is_dir() and any(idx.has_split(path, part) for part in idx.PREFIXES)
    if size is not None and (named or is_idx or path.suffix.lower() == ".npz"):
        raise ArgumentError(f"load: {name_or_path} has a size of its own; leave out size={size} (--size {size})")
    if name == "mnist":
        return mnist(split, range)
    if name == "fashion-mnist":
        return fashion_mnist(split, range=range)
    if path.suffix.lower() == ".npz":
        return npz(path, split, range)
    if is_idx:
        return idx_folder(path, split, range)
    if path.is_dir():
        return image_folder(path, size, split=split, range=range)
    raise DataError(
        f"{name_or_path}: no data set of that name and no such folder; use mnist, fashion-mnist, "
        "a .npz file, or a folder of images"
    )


def idx_folder(path: Path, split: str, range: tuple[float, float]) -> ImageDataset:
    """One split of a folder of IDX files. Its classes go up to the highest label of both splits."""
    images, labels = idx.read_split(path, split)
    files = [idx.find(path, idx.file_names(part)[1]) for part in idx.PREFIXES]
    highest = max(int(idx.read(file).max(initial=0)) for file in files if file)
    classes = tuple(str(label) for label in np.arange(highest + 1))
    return ImageDataset(images, labels, classes, f"{path.name} {split}", range)
