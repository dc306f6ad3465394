"""What a run is told about its data, as a line and as JSON."""

import json

import numpy as np

from minigen.data import ArrayDataset, ImageDataset, Subset, WindowDataset, facts, summary

IMAGES = ImageDataset(np.zeros((1200, 8, 6, 1), np.uint8), np.arange(1200) % 12, tuple("abcdefghijkl"), "pets train")


def test_images():
    held = Subset(IMAGES, range(100))
    assert summary(train=IMAGES, validation=held) == (
        "pets: 1,200 train, 100 validation; images 8×6×1; 12 classes: a, b, c, d, e, f, g, h, i, j, …"
    )
    found = facts(train=held, test=IMAGES)
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "name": "pets",
        "items": {"train": 100, "test": 1200},
        "image": [8, 6, 1],
        "classes": list("abcdefghijkl"),
    }


def test_notes_are_told():
    noted = ImageDataset(IMAGES.images, None, (), "pets train", notes=("its pictures are turned upright",))
    assert summary(train=noted) == "pets: 1,200 train; images 8×6×1; its pictures are turned upright"


def test_others():
    assert summary(train=ArrayDataset(np.arange(3))) == "ArrayDataset: 3 train"
    assert summary(train=WindowDataset(np.arange(30), 5)) == "WindowDataset: 25 train; 30 tokens"


def test_attributes_of_others_that_mean_something_else():
    class Pets(list):
        name, image_shape, tokens, notes = 3, None, 7, "mine"
        classes = np.array([1, 2])

    found = facts(train=Pets([1, 2, 3]))
    assert found == {"name": "Pets", "items": {"train": 3}, "classes": ["1", "2"]}
    assert json.loads(json.dumps(found)) == found and summary(train=Pets([1])) == "Pets: 1 train; 2 classes: 1, 2"
    Pets.classes = 10  # pyright: ignore[reportAttributeAccessIssue]
    assert summary(train=Pets([1])) == "Pets: 1 train"


def test_signs_that_move_the_cursor_are_escaped():
    images = ImageDataset(np.zeros((2, 4, 4, 1), np.uint8), np.arange(2), ("\x1b[31ma", "b\n"), "odd train")
    assert summary(train=images).endswith(r"2 classes: \x1b[31ma, b\n")
