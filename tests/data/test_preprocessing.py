"""Preprocessing: a user's own images and texts as a model was trained on them, and what is refused."""

import numpy as np
import pytest

from minigen import data
from minigen.errors import DataError, ShapeError
from minigen.random import generator


def test_images_are_scaled_whatever_they_come_as():
    images = generator(0).integers(0, 256, (5, 4, 6), np.uint8)
    make = data.image_preprocessing((4, 6, 1), range=(-1, 1))
    expected = (images / 127.5 - 1)[..., None]
    for given in (images, images[..., None], images / 255, (images / 255).astype(np.float32)):
        x = make(given)
        assert x.dtype == np.float32 and x.shape == (5, 4, 6, 1)
        np.testing.assert_allclose(x, expected, atol=1e-6)
    for one in (images[0], images[0][..., None]):
        np.testing.assert_allclose(make(one), expected[:1], atol=1e-6)
    assert repr(make) == "<Preprocessing: images 4×6, grey → float32 (N, H, W, C) in [-1, 1]>"


def test_colours():
    images = generator(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    make = data.image_preprocessing((4, 6, 3))
    np.testing.assert_allclose(make(images), images / 255, atol=1e-6)
    np.testing.assert_allclose(make(images[0]), images[:1] / 255, atol=1e-6)
    assert "RGB" in repr(make)


@pytest.mark.parametrize("shape", [(5, 6, 4), (4, 6, 3), (5, 4, 6, 3), (4,), (2, 5, 4, 6, 1)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ShapeError, match=r"trained on \(N, 4, 6, 1\)"):
        data.image_preprocessing((4, 6, 1))(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("value", [-0.1, 1.1, 255.0, np.nan])
def test_floats_out_of_range_are_refused(value: float):
    images = np.zeros((2, 4, 6))
    images[1, 2, 3] = value
    with pytest.raises(DataError, match="floats in 0 … 1"):
        data.image_preprocessing((4, 6, 1))(images)


def test_text_becomes_symbols():
    tokenizer = data.CharTokenizer("abc")
    make = data.text_preprocessing(tokenizer)
    assert make("cab").tolist() == [[2, 0, 1]] and make.tokenizer is tokenizer
    assert repr(make) == "<Preprocessing: a text → symbols (1, T) by CharTokenizer of 3 symbols>"
    with pytest.raises(DataError, match="'z'"):
        make("az")
