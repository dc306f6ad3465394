"""MNIST, embedded: 60,000 training and 10,000 test images of handwritten digits, 28×28, grey.

The MNIST database of handwritten digits is the work of Yann LeCun, Corinna Cortes and Christopher J. C. Burges
(http://yann.lecun.com/exdb/mnist/), derived from NIST's Special Databases 1 and 3, and is made available under the
terms of the Creative Commons Attribution-ShareAlike 3.0 licence. The four files in `files/` are theirs, byte for byte
once unpacked, which every load verifies by SHA-256.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-based learning applied to document recognition.
"""

from functools import cache
from pathlib import Path

import numpy as np

from minigen.data import idx
from minigen.data.dataset import UNIT_RANGE, ImageDataset

FOLDER = Path(__file__).parent / "files"
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
DIGITS = tuple("0123456789")


def mnist(split: str = "train", range: tuple[float, float] = UNIT_RANGE) -> ImageDataset:
    """MNIST: images (N, 28, 28, 1) with labels 0 … 9, N = 60,000 for split "train" and 10,000 for "test".

    White ink on black, scaled to `range`. The files are read once in a process. Raises DataError if the installed
    files are damaged, ArgumentError for another split or a bad range.
    """
    images, labels = read_embedded(split)
    return ImageDataset(images, labels, DIGITS, f"mnist {split}", range)


@cache
def read_embedded(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The installed files of one split, read once."""
    images, labels = idx.read_split(FOLDER, split, SHA256)
    labels.flags.writeable = False
    return images, labels
