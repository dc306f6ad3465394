"""The data on which the tests train their models: a few hundred digits, or a few pages of text."""

import numpy as np
import pytest

from minigen import data


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of 400 digits."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    test = data.mnist("test")
    np.savez(path, images=test.images[:400], labels=np.asarray(test.labels)[:400])
    return str(path)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the first 24,000 characters of the plays."""
    path = tmp_path_factory.mktemp("data") / "story.txt"
    path.write_text(data.shakespeare()[:24_000], encoding="utf-8")
    return str(path)
