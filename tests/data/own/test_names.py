"""What names say of splits and of arrays."""

import pytest

from minigen.data.own.names import is_junk, role_of, split_of


@pytest.mark.parametrize(
    "name", ["train", "TRAIN", "Training_Set", "train_images", "seg_train", "train2017", "trainingSet"]
)
def test_names_of_train(name):
    assert split_of(name) == "train"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Test", "test"),
        ("testing-data", "test"),
        ("val", "validation"),
        ("VALID", "validation"),
        ("validation_split", "validation"),
        ("trainers", None),
        ("training shoes", None),
        ("cats", None),
        ("images", None),
        ("train_test", None),
    ],
)
def test_other_names(name, split):
    assert split_of(name) == split


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("images", ("images", None)),
        ("x_train", ("images", "train")),
        ("Xtest", ("images", "test")),
        ("yTrain", ("labels", "train")),
        ("train_labels", ("labels", "train")),
        ("train", ("images", "train")),
        ("targets", ("labels", None)),
        ("label_names", None),
        ("arr_0", None),
        ("weights", None),
    ],
)
def test_roles_of_arrays(name, role):
    assert role_of(name) == role


def test_leavings():
    assert all(map(is_junk, (".DS_Store", "._a.png", "Thumbs.db", "__MACOSX"))) and not is_junk("a.png")
