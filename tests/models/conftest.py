"""The data on which the tests train their models: a few hundred digits, or a few pages of text."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from minigen import data
from minigen.models.adversarial import text_gan
from minigen.models.diffusion import ddpm, flow_matching
from minigen.models.language import char_rnn, gpt
from minigen.models.latent import text_vae
from minigen.models.parts import walks


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The step of every recipe is recorded; that one is not, would be advice alone."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("error:record. .* runs as it is"))


@pytest.fixture(scope="session", autouse=True)
def short_samples() -> Iterator[None]:
    """Models of text write a few lines where they would write a page; noise becomes images in few steps."""
    with pytest.MonkeyPatch.context() as patch:
        for model in (ddpm, flow_matching):
            for kind in (model.Asked, model.Evaluation):
                _, *others = kind.__init__.__defaults__
                patch.setattr(kind.__init__, "__defaults__", (3, *others))
        patch.setattr(flow_matching, "PATHS", 4)
        patch.setattr(flow_matching, "PATH_STEPS", 3)
        patch.setattr(walks, "COUNTS", (1, 3))
        for model in (char_rnn, gpt):
            for length in ("SAMPLE", "JUDGED"):
                patch.setattr(model, length, 40)
        for model in (text_gan, text_vae):
            patch.setattr(model, "JUDGED", 100)
        yield


@pytest.fixture(scope="module", autouse=True)
def sketches() -> Iterator[None]:
    """Figures are a picture of a digest of what they show. To draw them takes longer than the trainings here."""

    def sketch(figure: Figure, file: Any, **options: Any) -> None:
        shown: list[Any] = [text.get_text() for text in figure.texts]
        for axes in figure.axes:
            shown += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
            shown += [text.get_text() for text in axes.texts]
            shown += [line.get_xydata() for line in axes.lines] + [image.get_array() for image in axes.images]
            shown += [points.get_offsets() for points in axes.collections]
        content = b"".join(value.encode() if isinstance(value, str) else np.asarray(value).tobytes() for value in shown)
        Image.frombytes("L", (4, 8), hashlib.sha256(content).digest()).save(file, "PNG")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", sketch)
        yield


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of 400 digits."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    test = data.mnist("test")
    np.savez(path, images=test.images[:400], labels=np.asarray(test.labels)[:400])
    return str(path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same digits, of 12×12."""
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    test = data.mnist("test")
    np.savez(path, images=test.images[:400, 2:26:2, 2:26:2], labels=np.asarray(test.labels)[:400])
    return str(path)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the first 24,000 characters of the plays."""
    path = tmp_path_factory.mktemp("data") / "story.txt"
    path.write_text(data.shakespeare()[:24_000], encoding="utf-8")
    return str(path)
