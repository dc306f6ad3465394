"""Data sets (MNIST and Shakespeare in the box, your own images and text), tokenizers, DataLoader, augmentation."""

import os
from typing import TYPE_CHECKING

from minigen import torch_names
from minigen.checks import check_path
from minigen.data import idx
from minigen.data.augment import mix_up, random_erase, random_flip, random_noise, random_shift
from minigen.data.collate import collate
from minigen.data.dataset import UNIT_RANGE, ArrayDataset, Dataset, ImageDataset, check_range
from minigen.data.fashion_mnist import fashion_mnist
from minigen.data.images import check_size, check_split, image_folder, npz
from minigen.data.limits import shown, status
from minigen.data.loader import DataLoader
from minigen.data.mnist import mnist
from minigen.data.own.source import as_dataset, read_own
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
from minigen.data.summary import facts, summary
from minigen.data.text import load_text, split_text
from minigen.data.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer, tokenizer_from
from minigen.data.warp import random_elastic, random_rotate, random_scale, random_shear
from minigen.errors import ArgumentError, DataError

__all__ = [
    "UNIT_RANGE",
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
    "facts",
    "fashion_mnist",
    "idx",
    "image_folder",
    "image_preprocessing",
    "load",
    "load_text",
    "mix_up",
    "mnist",
    "npz",
    "random_elastic",
    "random_erase",
    "random_flip",
    "random_noise",
    "random_rotate",
    "random_scale",
    "random_shear",
    "random_shift",
    "random_split",
    "shakespeare",
    "split_text",
    "summary",
    "text_preprocessing",
    "tokenizer_from",
]

if not TYPE_CHECKING:
    torch_names.explain_constructors(globals(), __all__)
    __getattr__ = torch_names.module_names(__name__)


def load(
    name_or_path: str | os.PathLike,
    split: str = "train",
    range: tuple[float, float] = UNIT_RANGE,
    size: int | tuple[int, int] | None = None,
) -> ImageDataset:
    """The data set of that name ("mnist", "fashion-mnist") or at that path: a folder of images, however it is arranged;
    of IDX files, named like MNIST's, or EMNIST's; a .npz, .npy or .csv file.

    split: "train" or "test"; see `minigen.data.images` for data that brings no split. size: for a folder of images
    only; None: the size that the images have. Raises DataError when there is nothing of that name, or it can not be
    trained on, whichever split is asked for; ArgumentError for a size where the images have one of their own.
    """
    name = str(check_path("load", name_or_path)).lower().replace("_", "-")
    check_range(range)
    check_split(split)
    if name in ("mnist", "fashion-mnist"):
        if size is not None:
            raise ArgumentError(f"load: {name_or_path} has a size of its own; leave out size={size} (--size {size})")
        return mnist(split, range) if name == "mnist" else fashion_mnist(split, range=range)
    shape = check_size(size)
    if status(name_or_path) is None and not os.path.dirname(name_or_path):
        raise DataError(
            f"{shown(name_or_path)[:200]}: no data set of that name and no such folder; use mnist, fashion-mnist, "
            "a .npz file, or a folder of images"
        )
    return as_dataset(read_own(name_or_path, shape), split, range)
