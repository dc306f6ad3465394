"""A user's own images: folders and .npz files, good and bad."""

import numpy as np
import pytest
from PIL import Image

from minigen.data import idx, image_folder, load, npz
from minigen.errors import ArgumentError, DataError


def paint(path, value, size=(4, 6), mode="L"):
    """A picture of one grey or colour, (H, W)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size[1], size[0]), value).save(path)


@pytest.fixture
def classes(tmp_path):
    """cats 0 … 9 and dogs 100 … 119, by the value of their only colour."""
    for i in range(10):
        paint(tmp_path / "cats" / f"{i:02}.png", i)
    for i in range(20):
        paint(tmp_path / "dogs" / f"{i:02}.png", 100 + i)
    (tmp_path / "dogs" / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def test_subfolders_are_classes(classes):
    data = image_folder(classes)
    assert data.images.shape == (30, 4, 6, 1) and data.images.dtype == np.uint8
    assert data.classes == ("cats", "dogs")
    assert data.labels is not None
    assert data.labels.tolist() == [0] * 10 + [1] * 20
    assert data.images[:, 0, 0, 0].tolist() == [*range(10), *range(100, 120)]


@pytest.mark.parametrize("source", ["", "a.npz"])
def test_a_seeded_tenth_of_every_class_is_the_test_split(classes, source):
    whole = image_folder(classes)
    assert whole.labels is not None
    np.savez(classes / "a.npz", images=whole.images, labels=whole.labels)
    train, test = load(classes / source, "train"), load(classes / source, "test")
    assert test.labels is not None
    held = test.images[:, 0, 0, 0].tolist()
    assert held == [4, 104, 118] and test.labels.tolist() == [0, 1, 1]
    assert train.images[:, 0, 0, 0].tolist() == [v for v in (*range(10), *range(100, 120)) if v not in held]
    assert "a seeded tenth of every class" in train.notes[0]


def test_own_split_is_used(tmp_path):
    for split, value in (("train", 10), ("test", 20)):
        for name in "ab":
            paint(tmp_path / split / name / "x.png", value)
    test = load(tmp_path, "test")
    assert test.images.max() == test.images.min() == 20 and test.classes == ("a", "b") and len(test) == 2


def test_classes_are_numbered_by_the_training_folders(tmp_path):
    for i, name in enumerate("abc"):
        paint(tmp_path / "train" / name / "x.png", i)
    for i in (2, 1):
        paint(tmp_path / "test" / "abc"[i] / "x.png", 10 + i)
    test = load(tmp_path, "test")  # a is missing
    assert test.labels is not None
    assert test.labels.tolist() == [1, 2] and test.classes == ("a", "b", "c")
    (tmp_path / "test" / "a").mkdir()  # a is empty
    np.testing.assert_array_equal(load(tmp_path, "test").labels, [1, 2])
    everything = image_folder(tmp_path)
    assert everything.labels is not None
    assert everything.labels.tolist() == [0, 1, 2, 1, 2] and everything.classes == ("a", "b", "c")
    assert everything.images[:, 0, 0, 0].tolist() == [0, 1, 2, 11, 12]


def test_a_test_class_that_training_does_not_have(tmp_path):
    for folder in ("train/a", "train/b", "test/a", "test/dog"):
        paint(tmp_path / folder / "x.png", 1)
    for split in ("train", "test"):  # before the first step, not after the last
        with pytest.raises(DataError, match="test has the class dog, which train does not have"):
            load(tmp_path, split)


def test_splits_of_different_make(tmp_path):
    for name in ("train/a/x.png", "train/b/x.png", "test/x.png"):
        paint(tmp_path / name, 1)
    assert len(load(tmp_path, "test")) == len(load(tmp_path, "train")) == 1
    assert "test part of 1 images has no class folders and is left aside" in load(tmp_path, "test").notes[0]
    (tmp_path / "train" / "b" / "x.png").unlink()
    with pytest.raises(DataError, match="b: a class without images"):
        load(tmp_path, "train")


def test_flat_folder_has_no_labels(tmp_path):
    for i in range(3):
        paint(tmp_path / f"{i}.bmp", i)
    data = image_folder(tmp_path, range=(-1, 1))
    assert data.labels is None and data.classes == ()
    assert data[0][0].min() == -1
    assert len(image_folder(tmp_path, split="test")) == 1 and len(image_folder(tmp_path, split="train")) == 2


def test_colour_and_grey(tmp_path):
    paint(tmp_path / "a.png", 7)
    paint(tmp_path / "b.png", (1, 2, 3), mode="RGB")
    mixed = image_folder(tmp_path)
    assert mixed.images.shape == (2, 4, 6, 3)
    assert mixed.images[:, 0, 0].tolist() == [[7, 7, 7], [1, 2, 3]]
    assert image_folder(tmp_path, channels=1).images.shape == (2, 4, 6, 1)


@pytest.mark.parametrize(
    ("mode", "value", "pixel"),
    [
        ("RGBA", (1, 2, 3, 0), [255, 255, 255]),
        ("RGBA", (1, 2, 3, 255), [1, 2, 3]),
        ("RGBA", (0, 255, 0, 128), [127, 255, 127]),
        ("LA", (0, 0), [255]),
        ("LA", (7, 255), [7]),
    ],
)
def test_transparent_pictures_are_laid_on_white(tmp_path, mode, value, pixel):
    paint(tmp_path / "a.png", value, mode=mode)
    assert image_folder(tmp_path).images[0, 0, 0].tolist() == pixel
    assert image_folder(tmp_path, size=3).images[0, 0, 0].tolist() == pixel


def test_a_transparent_palette_is_laid_on_white(tmp_path):
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([0, 0, 0, 9, 8, 7])
    picture.putpixel((1, 0), 1)
    picture.save(tmp_path / "a.png", transparency=0)
    assert image_folder(tmp_path).images[0, 0].tolist() == [[255, 255, 255], [9, 8, 7]]


def test_resizing_crops_around_the_middle(tmp_path):
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, 2:6] = 200
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    paint(tmp_path / "tall.png", 200, (9, 3))
    data = image_folder(tmp_path, size=4)
    assert data.images.shape == (2, 4, 4, 1) and (data.images == 200).all()
    assert image_folder(tmp_path, size=(3, 5)).images.shape == (2, 3, 5, 1)


def test_different_sizes_need_size(tmp_path):
    paint(tmp_path / "a.png", 1, (4, 6))
    paint(tmp_path / "b.png", 1, (5, 6))
    with pytest.raises(DataError, match=r"b\.png: is 5×6 pixels, but a\.png is 4×6; use --size N, or size= in Python"):
        image_folder(tmp_path)


def test_unreadable_files_are_named(tmp_path):
    paint(tmp_path / "a.png", 1, (64, 64))
    whole = (tmp_path / "a.png").read_bytes()
    for content in (b"", b"not an image", whole[: len(whole) // 2]):
        (tmp_path / "b.png").write_bytes(content)
        with pytest.raises(DataError, match=r"b\.png: can not be read as an image"):
            image_folder(tmp_path)
    Image.fromarray(np.full((64, 64), 0.5, np.float32)).save(tmp_path / "b.tif")
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match=r"b\.tif: has 32 bits a pixel"):
        image_folder(tmp_path)


def test_folders_without_images(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no images"):
        image_folder(tmp_path)
    paint(tmp_path / "a" / "x.png", 1)
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="b: a class without images"):
        image_folder(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size"),
        ({"size": 2.5}, "size"),
        ({"size": (3, 4, 5)}, "size"),
        ({"channels": 2}, "channels"),
        ({"split": "val"}, "'val'"),
    ],
)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(ArgumentError, match=message):
        image_folder(tmp_path, **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 3, 4), (5, 3, 4, 1), (5, 3, 4, 3)])
def test_npz(tmp_path, shape, dtype):
    values = np.arange(np.prod(shape)).reshape(shape) % 256
    images = values.astype(np.uint8) if dtype == np.uint8 else (values / 255).astype(dtype)
    np.savez_compressed(tmp_path / "own.npz", images=images, labels=np.array([0, 2, 2, 0, 1], np.uint8))
    data = npz(tmp_path / "own.npz")
    x, y = data[:]
    np.testing.assert_allclose(x, (values / 255).reshape(*shape[:3], -1), atol=1e-7)
    assert y.tolist() == [0, 2, 2, 0, 1] and data.classes == ("0", "1", "2")


def test_npz_without_labels_is_split(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.arange(20, dtype=np.uint8).reshape(20, 1, 1))
    assert npz(tmp_path / "own.npz", "test").images.ravel().tolist() == [4, 19]
    assert npz(tmp_path / "own.npz", "train").images.ravel().tolist() == [*range(4), *range(5, 19)]


NAN = np.zeros((2, 3, 3), np.float32)
NAN[1, 2, 0] = np.nan


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": NAN[0]}, "no array 'images'.*weights float32"),
        ({"images": NAN}, r"NaN.*\(1, 2, 0, 0\)"),
        ({"images": np.full((2, 3, 3), 1.5)}, "1.5"),
        ({"images": np.full((2, 3, 3), -1.0)}, "-1"),
        ({"images": np.full((2, 3, 3), 256)}, "int64 from 256 to 256"),
        ({"images": np.full((2, 3, 3), 1j)}, "complex128"),
        ({"images": np.zeros(4, [("a", "i4")])}, "its values are"),
        ({"images": np.zeros((2, 3), np.uint8)}, "shape"),
        ({"images": np.zeros((0, 3, 3), np.uint8)}, "shape"),
        ({"images": np.zeros((2, 3, 8, 8), np.uint8)}, "channels-first"),
        ({"images": np.zeros((2, 4, 4, 8), np.uint8)}, "8 channels; use 1 .* or 3"),
        ({"images": np.zeros((2, 3, 5, 2), np.uint8)}, r"2 channels; use 1 .*images\[..., :1\]"),
        ({"images": np.zeros((2, 3, 5, 4), np.float32)}, r"4 channels; use 1 .*images\[..., :3\]"),
        ({"images": np.eye(3, dtype=np.uint8)[None]}, "only 0 and 1; multiply by 255"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.zeros(3, int)}, "labels"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.array([0, 0.5])}, "whole number"),
        ({"images": np.zeros((2, 3, 3), np.uint8), "labels": np.array([0, -1])}, "negative"),
        ({"images": np.array([None, None])}, "holds Python objects"),
    ],
)
def test_bad_npz(tmp_path, arrays, message):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message) as caught:
        npz(path)
    assert str(path) in str(caught.value)


def test_damaged_npz(tmp_path):
    path = tmp_path / "own.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (50, 8, 8), np.uint8))
    whole = path.read_bytes()
    altered = whole[:500] + bytes([whole[500] ^ 255]) + whole[501:]
    for content in (b"", b"rubbish", whole[: len(whole) // 2], altered):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"own\.npz: can not be read"):
            npz(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(path)
    with pytest.raises(DataError, match="single array"):
        npz(path)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        npz(path)


def test_one_image_can_not_be_split(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.zeros((1, 3, 3), np.uint8))
    with pytest.raises(DataError, match="can not be split"):
        npz(tmp_path / "own.npz", "test")


def test_load_knows_a_folder_of_idx_files(tmp_path):
    for name, shape in zip(idx.file_names("train"), [(3, 2, 2), (3,)], strict=True):
        idx.write(tmp_path / f"{name}.gz", np.full(shape, 4, np.uint8))
    data = load(tmp_path)  # and the test part is split off
    assert data.images.shape == (2, 2, 2, 1) and data.classes == tuple("01234")


@pytest.mark.parametrize("highest", [(9, 6), (6, 9)])
def test_idx_classes_do_not_depend_on_the_split(tmp_path, highest):
    for split, top in zip(("train", "test"), highest, strict=True):
        for name, shape in zip(idx.file_names(split), [(3, 2, 2), (3,)], strict=True):
            idx.write(tmp_path / f"{name}.gz", np.full(shape, top, np.uint8))
    assert load(tmp_path, "train").classes == load(tmp_path, "test").classes == tuple("0123456789")


def test_idx_images_without_their_labels_name_the_missing_file(tmp_path):
    idx.write(tmp_path / f"{idx.file_names('train')[0]}.gz", np.full((3, 2, 2), 4, np.uint8))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz: no such file"):
        load(tmp_path, "train")


def test_size_is_for_folders_of_images_only(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "pictures" / "a.png", 1)
    paint(tmp_path / "pictures" / "b.png", 1, (9, 9))
    assert load("pictures", size=3).image_shape == (3, 3, 1)
    for name, shape in zip(idx.file_names("train"), [(3, 2, 2), (3,)], strict=True):
        (tmp_path / "idx").mkdir(exist_ok=True)
        idx.write(tmp_path / "idx" / f"{name}.gz", np.zeros(shape, np.uint8))
    np.savez(tmp_path / "own.npz", images=np.zeros((20, 4, 4), np.uint8))
    (tmp_path / "mnist").mkdir()  # a folder of that name changes nothing
    for source in ("idx", "own.npz", "mnist", "fashion-mnist"):
        with pytest.raises(ArgumentError, match=f"{source} has a size of its own; leave out size=.*--size"):
            load(source, size=32)
    assert load("own.npz", size=None).image_shape == (4, 4, 1)


def test_load_refuses_unknown_names_and_needless_size():
    with pytest.raises(DataError, match=r"mnits.*fashion-mnist"):
        load("mnits")
    with pytest.raises(ArgumentError, match="size=32"):
        load("mnist", size=32)
