"""Promises of a user's own images: what is trained on as it is, and what is said in one line before the first step."""

import contextlib
import gzip
import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from promises import Promise, promise

import minigen as mg
from minigen import data
from minigen.data import idx
from minigen.models.latent.vae import Recipe
from minigen.training import Run, RunFolder, Steps

CASES: list[Promise] = []


def paint(path: Path, value: object = 100, size: tuple[int, int] = (8, 8), mode: str = "L") -> None:
    """A picture of one colour, (H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value).save(path)  # pyright: ignore[reportArgumentType]


def paint_all(folder: Path, *names: str) -> None:
    for name in names:
        paint(folder / name)


def save(folder: Path, names: tuple[str, ...], *arrays: np.ndarray) -> None:
    """An archive own.npz."""
    named: dict[str, Any] = dict(zip(names, arrays, strict=True))
    np.savez(folder / "own.npz", **named)


def refused(path: Path, match: str, **options: object) -> None:
    """Both splits are refused by one line, so that a training is before its first step."""
    for split in ("train", "test"):
        with pytest.raises(mg.MinigenError, match=match) as caught:
            data.load(path, split, **options)  # pyright: ignore[reportArgumentType]
        assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- pictures


@promise(CASES, "grey and coloured pictures mixed", "all become RGB, in both parts")
def grey_and_colour(folder: Path) -> None:
    for i in range(20):
        paint(folder / "train" / f"{i}.png")
    paint(folder / "test" / "x.png", (1, 2, 3), mode="RGB")
    assert data.load(folder, "train").image_shape == data.load(folder, "test").image_shape == (8, 8, 3)


@promise(CASES, "transparency, palettes, CMYK, 16 bits, black and white", "on white; RGB; RGB; 8 bits; grey")
def modes(folder: Path) -> None:
    paint(folder / "a.png", (1, 2, 3, 0), mode="RGBA")
    paint(folder / "b.jpg", (0, 0, 0, 0), mode="CMYK")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    palette.save(folder / "c.gif")
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(folder / "d.png")
    Image.new("1", (8, 8), 1).save(folder / "e.bmp")
    pixels = data.image_folder(folder).images[:, 0, 0].tolist()
    assert pixels == [[255] * 3, [255] * 3, [9, 8, 7], [155] * 3, [255] * 3]


@promise(CASES, "pictures of different sizes, inside a part or between them", "names both files; use --size N")
def different_sizes(folder: Path) -> None:
    paint_all(folder, *(f"train/{i}.png" for i in range(3)))
    paint(folder / "test" / "a.png", size=(9, 8))
    refused(folder, "is 9×8 pixels, but 0.png is 8×8; use --size N")
    assert data.load(folder, "test", size=4).image_shape == (4, 4, 1)


@promise(CASES, "five pictures", "trains: one at least in each part")
def few_pictures(folder: Path) -> None:
    paint_all(folder, *(f"{'ab'[i % 2]}/{i}.png" for i in range(5)))
    assert (len(data.load(folder, "train")), len(data.load(folder, "test"))) == (4, 1)


@promise(CASES, "a single picture", "can not be split into train and test; add images")
def one_picture(folder: Path) -> None:
    paint(folder / "a.png")
    refused(folder, "has 1 image, which can not be split")
    refused(folder / "a.png", "is a single picture; give the folder")


@promise(CASES, "a sound picture larger than the imaging library's own limit", "is reduced to --size")
def large_picture(folder: Path) -> None:
    paint(folder / "a.png", 7, size=(900, 900))
    paint(folder / "b.png", 7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # the imaging library's own limit, for less than 2,000 pixels
        assert data.load(folder, "train", size=8).image_shape == (8, 8, 1)


@promise(CASES, "a PNG whose header promises 65535×65535 pixels", "refused before anything is decoded")
def lying_png(folder: Path) -> None:
    paint(folder / "a.png")
    raw = (folder / "a.png").read_bytes()
    import zlib

    head = b"IHDR" + struct.pack(">II", 65535, 65535) + raw[24:29]
    (folder / "a.png").write_bytes(raw[:12] + head + struct.pack(">I", zlib.crc32(head)) + raw[33:])
    refused(folder, "is 65,535×65,535 pixels, more than 250,000,000")


@promise(CASES, "a file named .png that is a PSD, an EPS, an ICO or text", "DataError: repair or remove it")
def other_formats(folder: Path) -> None:
    for i, content in enumerate((b"8BPS\0\1" + b"\0" * 40, b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0\0\1\0\1\0", b"text")):
        (folder / f"{i}").mkdir()
        (folder / f"{i}" / "a.png").write_bytes(content)
        refused(folder / f"{i}", "a.png: can not be read as an image .*; repair or remove it")


@promise(CASES, "pictures that take more than memory", "says how many GB, before they are allocated; a smaller --size")
def more_than_memory(folder: Path) -> None:
    paint(folder / "0.png", size=(900, 900))
    for i in range(1, 40):
        os.link(folder / "0.png", folder / f"{i}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGEN_DATA_GB", "0.05")
        refused(folder, r"40 images of 900×900: would take 0.1 GB of memory, .*; use a smaller --size N")


# ---------------------------------------------------------------- arrangement


@promise(
    CASES, "Training_Set/cats, TEST/Cats; cats/train, cats/val; data/images/train/cats/images", "splits and classes"
)
def arrangements(folder: Path) -> None:
    for i, (train, test) in enumerate(
        [
            ("Training_Set/{}", "TEST/{}"),
            ("{}/train", "{}/val"),
            ("data/images/train/{}/images", "data/images/test/{}/images"),
            ("seg_train/seg_train/{}", "seg_test/seg_test/{}"),
            ("valid/../training/{}", "valid/{}"),
        ]
    ):
        root = folder / str(i)
        (root / "valid").mkdir(parents=True)
        for name in ("cats", "dogs"):
            paint(root / train.format(name) / "x.png", 10)
            paint(root / test.format(name) / "y.png", 20)
        first, second = data.load(root, "train"), data.load(root, "test")
        assert first.classes == second.classes == ("cats", "dogs"), root
        assert (first.images == 10).all() and (second.images == 20).all() and len(first) == len(second) == 2


@promise(
    CASES, "class folders in train and test that differ in case, or in how accents are encoded", "the same classes"
)
def case_of_classes(folder: Path) -> None:
    paint_all(folder, "train/Cats/a.png", "train/dogs/a.png", "test/cats/a.png", "test/DOGS/a.png")
    paint_all(folder, "train/E\u0301t\u00e9/a.png", "test/\u00c9te\u0301/a.png")  # an accent is one sign, or two
    assert sorted(data.load(folder, "test").labels.tolist()) == [0, 1, 2]  # pyright: ignore[reportOptionalMemberAccess]


@promise(CASES, "no test part", "a seeded tenth of every class is split off, said at the start")
def no_test_part(folder: Path) -> None:
    paint_all(folder, *(f"train/{'ab'[i % 2]}/{i}.png" for i in range(40)))
    train, test = data.load(folder, "train"), data.load(folder, "test")
    assert (len(train), len(test)) == (36, 4)
    assert "a seeded tenth of every class is split off" in data.summary(train=train)


@promise(CASES, "train, val and test", "val is left aside, said at the start; models hold out their own")
def three_parts(folder: Path) -> None:
    paint_all(folder, "train/a/1.png", "train/b/1.png", "val/a/1.png", "test/a/1.png")
    assert len(data.load(folder, "train")) == 2 and len(data.load(folder, "test")) == 1
    assert "validation part of 1 images is left aside" in data.load(folder).notes[0]


@promise(CASES, "a class in test that train lacks", "DataError before training; rename or remove the folder")
def unknown_class(folder: Path) -> None:
    paint_all(folder, "train/a/1.png", "train/b/1.png", "test/c/1.png")
    refused(folder, "test has the class c, which train does not have")


@promise(CASES, "a class named train among others", "is a class")
def class_named_train(folder: Path) -> None:
    paint_all(folder, "train/1.png", "car/1.png", "bus/1.png")
    assert data.image_folder(folder).classes == ("bus", "car", "train")


@promise(CASES, ".DS_Store, ._x.png, __MACOSX, Thumbs.db, .ipynb_checkpoints", "are passed over")
def leavings(folder: Path) -> None:
    paint_all(folder, "a/1.png", "b/1.png")
    (folder / "__MACOSX" / "a").mkdir(parents=True)
    for name in (".DS_Store", "a/._1.png", "a/Thumbs.db", "__MACOSX/a/._1.png", "desktop.ini"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / ".ipynb_checkpoints").mkdir()
    assert data.image_folder(folder).classes == ("a", "b") and len(data.image_folder(folder)) == 2


@promise(CASES, "a folder that links to itself", "is read once")
def loop_of_links(folder: Path) -> None:
    paint_all(folder, "a/1.png", "b/1.png")
    (folder / "a" / "again").symlink_to(folder)
    (folder / "broken.png").symlink_to(folder / "nowhere")
    assert len(data.image_folder(folder)) == 2


@promise(CASES, "names of odd bytes, line feeds, 250 characters", "are read; in messages they stay on one line")
def odd_names(folder: Path) -> None:
    for name in (b"a\xff\xfe.png", b"b\n.png", "ñ😀.png".encode(), b"c" * 250 + b".png"):
        paint(folder / "x.png")
        os.rename(folder / "x.png", os.fsencode(folder) + b"/" + name)
    assert len(data.image_folder(folder)) == 4
    (Path(os.fsdecode(os.fsencode(folder) + b"/b\n.png"))).write_bytes(b"")
    refused(folder, r"b\\n\.png: can not be read as an image")


@promise(CASES, "a pipe named x.png or x.npz", "is never opened")
def pipes(folder: Path) -> None:
    paint_all(folder, "1.png", "2.png")
    os.mkfifo(folder / "x.png")
    assert len(data.image_folder(folder)) == 2
    os.mkfifo(folder / "x.npz")
    refused(folder / "x.npz", "is a pipe, socket or device")
    refused(Path("/dev/zero"), "is a pipe, socket or device")


# ---------------------------------------------------------------- arrays


@promise(CASES, ".npz with x_train, y_train, x_test, y_test; train_images, …; data, labels; arr_0, …", "is understood")
def names_of_arrays(folder: Path) -> None:
    x, y = np.arange(20 * 16, dtype=np.uint8).reshape(20, 4, 4), np.arange(20) % 3
    for names in (
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("xtrain", "ytrain", "xtest", "ytest"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("arr_0", "arr_1", "arr_2", "arr_3"),
        ("training_data", "training_targets", "val_data", "val_targets"),
    ):
        save(folder, names, x, y, x[:5], y[:5])
        train, test = data.load(folder / "own.npz", "train"), data.load(folder / "own.npz", "test")
        assert (
            len(train) == 20 and len(test) == 5 and test.labels is not None and test.labels.tolist() == y[:5].tolist()
        )
    for names in (("data", "labels"), ("X", "y"), ("images", "target"), ("arr_0", "arr_1"), ("foo", "bar")):
        save(folder, names, x, y)
        assert len(data.load(folder / "own.npz")) == 17, names


@promise(CASES, "images.npy and labels.npy, in a folder or one of them named", "are a data set")
def npy_pairs(folder: Path) -> None:
    for name, value in {"images": np.ones((20, 4, 4), np.float32), "labels": np.arange(20) % 2}.items():
        np.save(folder / f"{name}.npy", value)
    for path in (folder, folder / "images.npy"):
        assert data.load(path).classes == ("0", "1")


@promise(CASES, "labels of 10⁷, names as labels, (N, 1), one-hot", "become classes; a renumbering is said")
def odd_labels(folder: Path) -> None:
    x = np.zeros((6, 4, 4), np.uint8)
    for labels, classes in (
        (np.array([3, 10**7] * 3), ("3", "10000000")),
        (np.array(["dog", "cat"] * 3), ("cat", "dog")),
        (np.array([[0], [1]] * 3, np.uint8), ("0", "1")),
        (np.eye(3)[[0, 1, 2] * 2], ("0", "1", "2")),
    ):
        np.savez(folder / "own.npz", images=x, labels=labels)
        train = data.load(folder / "own.npz")
        assert train.classes == classes
        assert train.classes != ("3", "10000000") or "numbered 0 … 1" in train.notes[0]


@promise(CASES, "an .npz whose header promises 10¹² values, or says to be 4 GB long", "refused before allocation")
def lying_arrays(folder: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000, 1000), }\n"
    array = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr("images.npy", array + b"\0" * 100)
    refused(folder / "a.npz", "promises shape .1000000, 1000, 1000.")
    long = b"\x93NUMPY\2\0" + struct.pack("<I", 4_000_000_000) + header
    with zipfile.ZipFile(folder / "b.npz", "w") as archive:
        archive.writestr("images.npy", long)
    refused(folder / "b.npz", "can not be read as .npy")


@promise(CASES, "pickled objects, named fields, complex numbers or text as images", "refused; save numbers")
def odd_dtypes(folder: Path) -> None:
    for odd in (np.array([None]), np.zeros(4, [("a", "i4")]), np.ones((4, 4, 4), complex), np.full((4, 4, 4), "a")):
        np.savez(folder / "own.npz", images=odd)
        refused(folder / "own.npz", "own.npz: ")


@promise(CASES, "an encrypted archive", "refused; save it without a password")
def encrypted(folder: Path) -> None:
    np.savez(folder / "own.npz", images=np.zeros((4, 4, 4), np.uint8))
    raw = bytearray((folder / "own.npz").read_bytes())
    raw[6] |= 1
    raw[raw.rfind(b"PK\1\2") + 8] |= 1
    (folder / "own.npz").write_bytes(raw)
    refused(folder / "own.npz", "encrypted; save it without a password")


@promise(CASES, "a .zip of pictures, a .mat, a .tar.gz", "unpack it, or the formats there are")
def packed(folder: Path) -> None:
    for name, match in (
        ("a.zip", "unpack it"),
        ("a.mat", "MATLAB"),
        ("a.tar.gz", "unpack it"),
        ("a.pkl", "no data set"),
    ):
        (folder / name).write_bytes(b"PK\3\4")
        refused(folder / name, match)


# ---------------------------------------------------------------- IDX files and tables


@promise(CASES, "torchvision's MNIST/raw, EMNIST's gzip folder", "are found; EMNIST's pictures are turned upright")
def idx_layouts(folder: Path) -> None:
    x, y = np.arange(20 * 12, dtype=np.uint8).reshape(20, 3, 4), (np.arange(20) % 3).astype(np.uint8)
    (folder / "MNIST" / "raw").mkdir(parents=True)
    (folder / "gzip").mkdir()
    for part in ("train", "t10k"):
        idx.write(folder / "MNIST" / "raw" / f"{part}-images-idx3-ubyte", x)
        idx.write(folder / "MNIST" / "raw" / f"{part}-labels-idx1-ubyte", y)
    for part in ("train", "test"):
        for name in ("letters", "balanced"):
            idx.write(folder / "gzip" / f"emnist-{name}-{part}-images-idx3-ubyte.gz", x)
            idx.write(folder / "gzip" / f"emnist-{name}-{part}-labels-idx1-ubyte.gz", y)
    (folder / "gzip" / "emnist-letters-mapping.txt").write_text("0 65 97\n1 66 98\n2 67 99\n")
    assert data.load(folder / "MNIST", "test").image_shape == (3, 4, 1)
    refused(folder / "gzip", "holds 2 sets of IDX files; name one of them: .*emnist-letters")
    letters = data.load(folder / "gzip" / "emnist-letters")
    assert letters.image_shape == (4, 3, 1) and letters.classes == ("A", "B", "C")
    np.testing.assert_array_equal(letters.images[0, :, :, 0], x[0].T)


@promise(CASES, "a gzipped IDX file that unpacks to gigabytes", "is unpacked as far as its header says, and refused")
def idx_bomb(folder: Path) -> None:
    header = struct.pack(">4B3I", 0, 0, 8, 3, 2, 4, 4)
    for count in (2, 2**31):
        head = header[:4] + struct.pack(">3I", count, 4, 4)
        (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + bytes(5_000_000)))
        (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">4BI", 0, 0, 8, 1, 2) + b"\0\1"))
        refused(folder, "its header promises")


@promise(CASES, "Kaggle's train.csv (label, pixel0, …) and test.csv without labels", "trains; test is split off, said")
def kaggle(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (30, 16)), rng.integers(0, 3, 30)
    heading = ",".join(f"pixel{i}" for i in range(16))
    np.savetxt(folder / "train.csv", np.c_[y, x], "%d", ",", header=f"label,{heading}", comments="")
    np.savetxt(folder / "test.csv", x, "%d", ",", header=heading, comments="")
    train = data.load(folder)
    assert train.image_shape == (4, 4, 1) and train.classes == ("0", "1", "2")
    assert "its test part has no labels and is left aside" in train.notes
    np.savetxt(folder / "plain.csv", np.c_[y, x], "%d", ",")
    np.testing.assert_array_equal(data.load(folder / "plain.csv").images, train.images)


@promise(
    CASES, "a table with nan, words, 256, short lines or columns that are no square", "names the line and the mend"
)
def bad_tables(folder: Path) -> None:
    good = [",".join(["1", *["7"] * 16])] * 4
    for bad, match in (
        (good[0].replace("7", "nan", 1), "line 5 has a pixel that is NaN"),
        (good[0].replace("7", "seven", 1), "hold what is no number"),
        (good[0].replace("7", "256", 1), "from 7 to 256; use whole numbers"),
        ("1,7,7", "line 5 has 3 columns"),
    ):
        (folder / "a.csv").write_text("\n".join([*good, bad]))
        refused(folder / "a.csv", match)
    (folder / "a.csv").write_text("a,b,c\n1,2,3\n")
    refused(folder / "a.csv", "are no square picture")


@promise(CASES, "a run on class folders", "says parts, classes and what was decided at the start; run.json keeps it")
def told_and_kept(folder: Path) -> None:
    paint_all(folder / "pets", *(f"{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(20)))
    images, model = data.load(folder / "pets"), mg.layers.Linear(3, 2, rng=mg.random.generator(0))
    loader = data.DataLoader(images, 6)
    run = Run.create(folder / "run", "vae", Recipe())
    with contextlib.redirect_stdout(io.StringIO()) as said, Steps(run, loader, {"model": model}, epochs=1) as steps:
        for _ in steps:
            steps.log(every=1, loss=1.0)
    assert "pets: 18 to train on; images 8×8×1; 2 classes: cat, dog; it has no test part" in said.getvalue()
    kept = RunFolder.open(folder / "run").data
    assert kept["classes"] == ["cat", "dog"] and kept["items"] == {"train": 18} and kept["image"] == [8, 8, 1]
