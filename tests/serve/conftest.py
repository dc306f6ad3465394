"""Runs of one step of models that none comes with minigen of, and servers of those and of shipped ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from serve_helpers import Address, served

from minigen import data
from minigen.catalog import load_model, open_run
from minigen.serve import Server
from minigen.training import Run, RunFolder

OFTEN = 1e6  # requests a second that tests may ask


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """trained(model, **fields): a run of it, of one step."""
    folder, digits = tmp_path_factory.mktemp("served"), data.mnist("test")
    archive = folder / "digits.npz"
    np.savez(archive, images=digits.images[:200], labels=np.asarray(digits.labels)[:200])

    def train(model: str, **fields: Any) -> RunFolder:
        module, path = load_model(model), folder / model
        if hasattr(module.Recipe, "data"):
            fields["data"] = str(archive)
        recipe = module.Recipe(batch_size=16, max_steps=1, **fields)
        module.train(recipe, Run.create(path, model, recipe))
        return RunFolder.open(path)

    return train


@pytest.fixture(scope="session")
def classifier() -> Iterator[Address]:
    """The classifier that comes with minigen."""
    with served(Server(open_run(Path("classifier")), OFTEN)) as address:
        yield address


@pytest.fixture(scope="session")
def cgan() -> Iterator[Address]:
    """The cgan that comes with minigen."""
    with served(Server(open_run(Path("cgan")), OFTEN)) as address:
        yield address


@pytest.fixture(scope="session")
def gpt() -> Iterator[Address]:
    """The gpt that comes with minigen."""
    with served(Server(open_run(Path("gpt")), OFTEN)) as address:
        yield address
